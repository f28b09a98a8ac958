/* conf_number.c -- the tables of the configuration's numbers and maps, and how they are reached.  Core. */
#include "common/conf_number.h"

#include <string.h>

#include "common/limits.h"

#define MINUTE	60u
#define HOUR	3600u
#define DAY	86400u
#define KB	(1ull << 10)
#define MB	(1ull << 20)
#define GB	(1ull << 30)

#define ROW(section, key, unit, member, min, max, def) \
	{ section, key, unit, offsetof(struct conf, member), sizeof(((struct conf *)0)->member), min, max, def }

const struct conf_number conf_numbers[] = {
	ROW("", "message-size-limit", UNIT_OCTETS, message_size_limit, 1 * KB, MESSAGE_SIZE_MAX, 50 * MB),
	ROW("", "local-submission", UNIT_BOOL, local_submission, 0, 1, 1),

	ROW("smtpd", "processes", UNIT_COUNT, smtpd.processes, 0, 16, 0),
	ROW("smtpd", "submission-processes", UNIT_COUNT, smtpd.submission_processes, 1, 16, 1),
	ROW("smtpd", "command-timeout", UNIT_SECONDS, smtpd.command_timeout, 1, DAY, 5 * MINUTE),
	ROW("smtpd", "data-timeout", UNIT_SECONDS, smtpd.data_timeout, 1, DAY, 3 * MINUTE),
	ROW("smtpd", "min-rate", UNIT_COUNT, smtpd.min_rate, 0, GB, 100),
	ROW("smtpd", "errors-max", UNIT_COUNT, smtpd.errors_max, 1, 1000000, SESSION_ERRORS_MAX),
	ROW("smtpd", "commands-max", UNIT_COUNT, smtpd.commands_max, 1, 1000000, SESSION_COMMANDS_MAX),
	ROW("smtpd", "rcpt-max", UNIT_COUNT, smtpd.rcpt_max, 1, RCPT_MAX, RCPT_MAX),
	ROW("smtpd", "client-names", UNIT_BOOL, smtpd.client_names, 0, 1, 1),
	ROW("smtpd", "header-size-max", UNIT_OCTETS, smtpd.header_size_max, 4 * KB, 64 * MB, 1 * MB),
	ROW("smtpd", "header-count-max", UNIT_COUNT, smtpd.header_count_max, 100, 1000000, 2000),
	ROW("smtpd", "line-max", UNIT_OCTETS, smtpd.line_max, 0, 1 * GB, 0),

	ROW("queue", "lifetime", UNIT_SECONDS, queue.lifetime, 1, 365 * DAY, 5 * DAY),
	ROW("queue", "bounce-lifetime", UNIT_SECONDS, queue.bounce_lifetime, 1, 365 * DAY, 5 * DAY),
	ROW("queue", "delay-notice", UNIT_SECONDS, queue.delay_notice, 0, 365 * DAY, 4 * HOUR),
	ROW("queue", "paused", UNIT_BOOL, queue.paused, 0, 1, 0),
	ROW("queue", "store-max", UNIT_OCTETS, queue.store_max, 4 * MB, 1ull << 46, 64 * GB),
	ROW("queue", "verify-positive", UNIT_SECONDS, queue.verify_positive, 1, 365 * DAY, DAY),
	ROW("queue", "verify-negative", UNIT_SECONDS, queue.verify_negative, 1, 365 * DAY, HOUR),
	ROW("queue", "reserve", UNIT_OCTETS, queue.reserve, 64 * KB, 1ull << 40, 64 * MB),

	ROW("deliver", "processes", UNIT_COUNT, deliver.processes, 1, 16, 1),
	ROW("deliver", "concurrency", UNIT_COUNT, deliver.concurrency, 1, 10000, 20),
	ROW("deliver", "connections", UNIT_COUNT, deliver.connections, 1, 100000, 500),
	ROW("deliver", "idle", UNIT_SECONDS, deliver.idle, 0, HOUR, 5),
	ROW("deliver", "port", UNIT_COUNT, deliver.port, 1, UINT16_MAX, 25),
	ROW("deliver", "connect-timeout", UNIT_SECONDS, deliver.timeouts.connect, 1, HOUR, 30),
	ROW("deliver", "greeting-timeout", UNIT_SECONDS, deliver.timeouts.greeting, 1, DAY, 5 * MINUTE),
	ROW("deliver", "helo-timeout", UNIT_SECONDS, deliver.timeouts.helo, 1, DAY, 5 * MINUTE),
	ROW("deliver", "mail-timeout", UNIT_SECONDS, deliver.timeouts.mail, 1, DAY, 5 * MINUTE),
	ROW("deliver", "rcpt-timeout", UNIT_SECONDS, deliver.timeouts.rcpt, 1, DAY, 5 * MINUTE),
	ROW("deliver", "data-timeout", UNIT_SECONDS, deliver.timeouts.data_init, 1, DAY, 2 * MINUTE),
	ROW("deliver", "block-timeout", UNIT_SECONDS, deliver.timeouts.data_block, 1, DAY, 3 * MINUTE),
	ROW("deliver", "end-timeout", UNIT_SECONDS, deliver.timeouts.data_end, 1, DAY, 10 * MINUTE),
	ROW("deliver", "quit-timeout", UNIT_SECONDS, deliver.timeouts.quit, 1, HOUR, 10),
	ROW("deliver", "total-timeout", UNIT_SECONDS, deliver.timeouts.total, 1, 7 * DAY, 2 * HOUR),

	ROW("auth", "workers", UNIT_COUNT, auth.workers, 1, 16, 2),
	ROW("auth", "failures-max", UNIT_COUNT, auth.failures_max, 1, 100000, 10),
	ROW("auth", "failure-window", UNIT_SECONDS, auth.failure_window, 1, DAY, 10 * MINUTE),

	ROW("resolver", "timeout", UNIT_SECONDS, resolver.timeout, 1, 5 * MINUTE, 20),
};
const size_t conf_nnumbers = sizeof(conf_numbers) / sizeof(conf_numbers[0]);

uint64_t
conf_number_get(const struct conf *c, const struct conf_number *n)
{
	const char	*p = (const char *)c + n->off;
	uint16_t	 v16;
	uint32_t	 v32;
	uint64_t	 v64;

	switch (n->width) {
	case sizeof(v16):
		memcpy(&v16, p, sizeof(v16));
		return (v16);
	case sizeof(v32):
		memcpy(&v32, p, sizeof(v32));
		return (v32);
	default:
		memcpy(&v64, p, sizeof(v64));
		return (v64);
	}
}

void
conf_number_set(struct conf *c, const struct conf_number *n, uint64_t v)
{
	char		*p = (char *)c + n->off;
	uint16_t	 v16 = (uint16_t)v;
	uint32_t	 v32 = (uint32_t)v;

	switch (n->width) {
	case sizeof(v16):
		memcpy(p, &v16, sizeof(v16));
		break;
	case sizeof(v32):
		memcpy(p, &v32, sizeof(v32));
		break;
	default:
		memcpy(p, &v, sizeof(v));
		break;
	}
}

const struct conf_number *
conf_number_find(const char *section, const char *key)
{
	for (size_t i = 0; i < conf_nnumbers; i++) {
		if (strcmp(conf_numbers[i].section, section) == 0 && strcmp(conf_numbers[i].key, key) == 0)
			return (&conf_numbers[i]);
	}
	return (NULL);
}

#define MAP(key, type, member)	{ key, type, offsetof(struct conf, tables.member) }

const struct conf_map conf_maps[] = {
	MAP("canonical", TABLE_TARGETS, canonical),
	MAP("sender-canonical", TABLE_TARGETS, sender_canonical),
	MAP("recipient-canonical", TABLE_TARGETS, recipient_canonical),
	MAP("virtual", TABLE_TARGETS, virtual),
	MAP("sender-login", TABLE_LOGINS, sender_login),
	MAP("client-access", TABLE_ACTION, client_access),
	MAP("helo-access", TABLE_ACTION, helo_access),
	MAP("sender-access", TABLE_ACTION, sender_access),
	MAP("recipient-access", TABLE_ACTION, recipient_access),
};
const size_t conf_nmaps = sizeof(conf_maps) / sizeof(conf_maps[0]);

struct table *
conf_map_table(struct conf *c, const struct conf_map *m)
{
	return ((struct table *)(void *)((char *)c + m->off));
}

const struct conf_map *
conf_map_find(const char *key)
{
	for (size_t i = 0; i < conf_nmaps; i++) {
		if (strcmp(conf_maps[i].key, key) == 0)
			return (&conf_maps[i]);
	}
	return (NULL);
}
