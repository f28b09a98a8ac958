/*
 * ipc_msg_test.c -- every payload: round trip, truncation at each octet, surplus, values out of range,
 * longest form; and the table's own check.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"

#define HELLO	"hello there"

/* Every octet of a char array but the last is c. */
#define FILL(field, c)	(memset((field), (c), sizeof(field) - 1), (field)[sizeof(field) - 1] = '\0')

static char	big[IPC_CHUNK_MAX];		/* printable */

/* ---- a sample of each payload, and its longest form (big_ones) ---- */

static void sample_empty(struct ipc_empty *m, int large) { m->unused = 0; }
static void sample_start(struct ipc_start *m, int large)
{
	*m = (struct ipc_start){ .room = ROOM_QUEUE, .instance = 3, .role = ROLE_NONE, .privileged = 1,
	    .uid = 110, .gid = 111, .root = "/var/lib/postern", .boot = 0x1122334455667788 };
	if (large)
		FILL(m->root, 'r');
}
static void sample_conf_blob(struct ipc_conf_blob *m, int large) { m->generation = 7; }
static void sample_conf_use(struct ipc_conf_use *m, int large) { m->generation = 7; }
static void sample_conf_ready(struct ipc_conf_ready *m, int large)
{
	*m = (struct ipc_conf_ready){ .generation = 7, .err = E_NOMEM, .why = "no memory" };
	if (large)
		FILL(m->why, 'w');
}
static void sample_listener(struct ipc_listener *m, int large)
{
	*m = (struct ipc_listener){ .index = LISTENERS_MAX - 1, .name = "mx" };
	if (large)
		FILL(m->name, 'n');
}
static void sample_channel(struct ipc_channel *m, int large)
{
	*m = (struct ipc_channel){ .room = ROOM_DELIVER, .instance = 2, .role = ROLE_MAILBOX };
}
static void sample_log_socket(struct ipc_log_socket *m, int large) { m->kind = LOG_TO_STDERR; }
static void sample_ping(struct ipc_ping *m, int large) { m->seq = 9; }
static void sample_pong(struct ipc_pong *m, int large)
{
	*m = (struct ipc_pong){ .seq = 9, .log_dropped = 4, .counter = { 1, 2, 3, 4, 5, 6, 7, UINT64_MAX } };
}
static void sample_stop(struct ipc_stop *m, int large) { m->within_ms = 5000; }
static void sample_ctl_client(struct ipc_ctl_client *m, int large)
{
	*m = (struct ipc_ctl_client){ .uid = 0, .gid = 5, .pid = 6, .verb = CTL_WHY };
}
static void sample_txn_begin(struct ipc_txn_begin *m, int large)
{
	*m = (struct ipc_txn_begin){ .txn = 5, .session = 6, .client = { { 1, 2, 3 } }, .client_port = 50000, .protocol = PROTO_ESMTP,
	    .body = BODY_8BIT, .size_hint = MESSAGE_SIZE_MAX, .helo = "client.example", .name = "", .sender = "a@example.org",
	    .listener = "mx", .utf8 = 1, .ret = RET_HDRS, .by_mode = BY_NOTIFY, .by_trace = 1, .prioritized = 1, .priority = -9,
	    .hold = 1, .local = 1, .uid = 1000, .by_s = -BY_MAX_S, .envid = "QQ314159", .login = "alice",
	    .origin = "client.example[192.0.2.1]:2525", .tls = 1, .tls_text = "TLSv1.3" };
	if (large) {
		FILL(m->envid, 'e');
		FILL(m->login, 'o');
		FILL(m->origin, 'x');
		FILL(m->tls_text, 't');
		FILL(m->helo, 'h');
		FILL(m->name, 'n');
		FILL(m->sender, 's');
		FILL(m->listener, 'l');
	}
}
static void sample_txn_rcpt(struct ipc_txn_rcpt *m, int large)
{
	*m = (struct ipc_txn_rcpt){ .txn = 5, .notify = NOTIFY_SUCCESS | NOTIFY_DELAY, .address = "b@example.net",
	    .orcpt = "rfc822;b@example.net" };
	if (large) {
		FILL(m->address, 'a');
		FILL(m->orcpt, 'o');
	}
}
static void sample_txn_chunk(struct ipc_txn_chunk *m, int large)
{
	*m = (struct ipc_txn_chunk){ .txn = 5, .data = large ? slice_make(big, IPC_CHUNK_MAX) : slice_make("\0\r\n\xff", 4) };
}
static void sample_txn_commit(struct ipc_txn_commit *m, int large)
{
	*m = (struct ipc_txn_commit){ .txn = 5, .nrcpt = RCPT_MAX, .body_len = 4096, .hops = HOPS_MAX, .header8 = 1 };
}
static void sample_txn_abort(struct ipc_txn_abort *m, int large) { m->txn = 5; }
static void sample_txn_credit(struct ipc_txn_credit *m, int large)
{
	*m = (struct ipc_txn_credit){ .txn = 5, .octets = TXN_WINDOW };
}
static void sample_txn_result(struct ipc_txn_result *m, int large)
{
	*m = (struct ipc_txn_result){ .txn = 5, .status = TXN_DURABLE, .msgid = 77 };
}
static void sample_pressure(struct ipc_pressure *m, int large) { m->state = PRESSURE_IO; }
static void sample_verify(struct ipc_verify *m, int large)
{
	*m = (struct ipc_verify){ .id = 1, .address = "b@example.net" };
	if (large)
		FILL(m->address, 'a');
}
static void sample_verify_result(struct ipc_verify_result *m, int large)
{
	*m = (struct ipc_verify_result){ .id = 1, .status = VERIFY_REFUSED, .code = 550, .enhanced = { 5, 1, 1 },
	    .text = "no such user" };
	if (large)
		FILL(m->text, 't');
}
static void sample_etrn(struct ipc_etrn *m, int large)
{
	*m = (struct ipc_etrn){ .id = 1, .kind = ETRN_TREE, .name = "branch.example.org" };
	if (large)
		FILL(m->name, 'n');
}
static void sample_etrn_result(struct ipc_etrn_result *m, int large)
{
	*m = (struct ipc_etrn_result){ .id = 1, .status = ETRN_COUNTED, .count = 4 };
}
static void sample_submit(struct ipc_submit *m, int large) { m->uid = 1000; }
static void sample_key(struct ipc_key *m, int large)
{
	*m = (struct ipc_key){ .generation = 7, .index = CERTS_MAX - 1 };
}
static void sample_sign(struct ipc_sign *m, int large)
{
	*m = (struct ipc_sign){ .id = 1, .generation = 7, .key = CERTS_MAX - 1, .scheme = 0x0403,
	    .tbs = slice_make(big, large ? TBS_MAX : 98) };
}
static void sample_signed(struct ipc_signed *m, int large)
{
	*m = (struct ipc_signed){ .id = 1, .status = SIGN_DONE, .signature = slice_make(big, large ? SIGNATURE_MAX : 71) };
}
static void sample_ticket_keys(struct ipc_ticket_keys *m, int large)
{
	memset(m, 0x5a, sizeof(*m));
	m->n = large ? TICKET_KEYS_MAX : 1;
}
static void sample_secret(struct ipc_secret *m, int large)
{
	*m = (struct ipc_secret){ .generation = 7, .kind = SECRET_LOGIN, .index = LOGINS_MAX - 1 };
}
static void sample_sasl(struct ipc_sasl *m, int large)
{
	*m = (struct ipc_sasl){ .id = 1, .first = 1, .mechanism = SASL_SCRAM_SHA_256_PLUS, .initial = 1, .tls = 1,
	    .client = { { 1, 2, 3 } }, .own = { { 4, 5 } }, .client_port = 40000, .own_port = 465,
	    .data = slice_make(big, large ? SASL_DATA_MAX : 20), .external = "alice@example.org" };
	for (size_t i = 0; i < BINDINGS; i++)
		m->binding[i] = slice_make(big, large ? SASL_BINDING_MAX : 32);
	if (large)
		FILL(m->external, 'x');
}
static void sample_sasl_answer(struct ipc_sasl_answer *m, int large)
{
	*m = (struct ipc_sasl_answer){ .id = 1, .status = SASL_OK, .wait_ms = 100, .login = "alice",
	    .data = slice_make(big, large ? SASL_DATA_MAX : 20) };
	if (large)
		FILL(m->login, 'l');
}
static void sample_sasl_end(struct ipc_sasl_end *m, int large) { m->id = 1; }
static void sample_credential(struct ipc_credential *m, int large)
{
	*m = (struct ipc_credential){ .id = 1, .mechanisms = (1 << SASL_MECHANISMS) - 1, .login = "office",
	    .data = slice_make(big, large ? SASL_DATA_MAX : 0), .done = 1 };
	for (size_t i = 0; i < BINDINGS; i++)
		m->binding[i] = slice_make(big, large ? SASL_BINDING_MAX : 32);
	if (large)
		FILL(m->login, 'l');
}
static void sample_credential_answer(struct ipc_credential_answer *m, int large)
{
	*m = (struct ipc_credential_answer){ .id = 1, .status = SASL_CONTINUE, .mechanism = SASL_LOGIN, .has_data = 1,
	    .data = slice_make(big, large ? SASL_DATA_MAX : 9) };
}
static void sample_pam_ask(struct ipc_pam_ask *m, int large)
{
	*m = (struct ipc_pam_ask){ .id = 1, .client = { { 1, 2, 3 } }, .login = "alice", .password = "secret" };
	if (large) {
		FILL(m->login, 'l');
		FILL(m->password, 'p');
	}
}
static void sample_pam_answer(struct ipc_pam_answer *m, int large)
{
	*m = (struct ipc_pam_answer){ .id = 1, .status = SASL_FAILED };
}
static void sample_try_tls(struct ipc_try_tls *m, int large)
{
	*m = (struct ipc_try_tls){ .id = 1, .hop = HOP_SMTP, .port = 465, .implicit = 1, .login = "office", .host = "smtp.example.org" };
	if (large) {
		FILL(m->login, 'l');
		FILL(m->host, 'h');
	}
}
static void sample_tls_report(struct ipc_tls_report *m, int large)
{
	*m = (struct ipc_tls_report){ .id = 1, .last = 1, .ok = 1, .text = slice_make(big, large ? TLS_REPORT_MAX : 40) };
}
static void sample_probe(struct ipc_probe *m, int large)
{
	*m = (struct ipc_probe){ .id = 1, .hop = HOP_MX, .port = 25, .timeout_ms = 15000, .host = "branch.example.org",
	    .address = "b@branch.example.org" };
	if (large) {
		m->hop = HOP_SMTP;
		FILL(m->login, 'l');
		FILL(m->host, 'h');
		FILL(m->address, 'a');
	}
}
static void sample_probe_result(struct ipc_probe_result *m, int large)
{
	*m = (struct ipc_probe_result){ .id = 1, .outcome = OUT_PERMFAIL, .code = 550, .enhanced = { 5, 1, 1 },
	    .relay = "mx.example.net[198.51.100.3]:25", .text = "no such user" };
	if (large) {
		FILL(m->relay, 'r');
		FILL(m->text, 't');
	}
}
static void sample_dns_query(struct ipc_dns_query *m, int large)
{
	*m = (struct ipc_dns_query){ .id = 1, .type = DNS_TLSA, .timeout_ms = 20000, .name = "_25._tcp.mx.example" };
	if (large)
		FILL(m->name, 'n');
}
static struct dns_record records[DNS_RECORDS_MAX];
static void sample_dns_answer(struct ipc_dns_answer *m, int large)
{
	*m = (struct ipc_dns_answer){ .id = 1, .type = DNS_MX, .status = DNS_OK, .secure = 1, .ttl = 300, .canonical = "mail.example", .nrec = 2,
	    .rec = records };
	memset(records, 0, sizeof(records));
	records[0].mx.pref = 10;
	memcpy(records[0].mx.host, "mx.example", sizeof("mx.example"));
	records[1].mx.pref = 0;
}
static void sample_job_begin(struct ipc_job_begin *m, int large)
{
	*m = (struct ipc_job_begin){ .job = 1, .msgid = 2, .body_len = 3, .arrival = 4, .body = BODY_8BIT, .hop = HOP_MAILDIR,
	    .port = 0, .nrcpt = JOB_RCPT_MAX, .attempt = 9, .host = "", .path = "/var/mail/a", .sender = "",
	    .header8 = 1, .utf8 = 1, .ret = RET_FULL, .by_mode = BY_RETURN, .by_trace = 1, .prioritized = 1, .priority = 9,
	    .by_time = 1234567890, .envid = "QQ314159" };
	if (large) {
		m->hop = HOP_SMTP;
		m->port = 465;
		m->implicit = 1;
		FILL(m->login, 'l');
		FILL(m->envid, 'e');
		FILL(m->host, 'h');
		FILL(m->path, '/');
		FILL(m->sender, 's');
	}
}
static void sample_job_rcpt(struct ipc_job_rcpt *m, int large)
{
	*m = (struct ipc_job_rcpt){ .job = 1, .index = 2, .notify = NOTIFY_NEVER, .address = "b@example.net", .orcpt = "" };
	if (large) {
		FILL(m->address, 'a');
		FILL(m->orcpt, 'o');
	}
}
static void sample_job_body(struct ipc_job_body *m, int large)
{
	*m = (struct ipc_job_body){ .job = 1, .data = large ? slice_make(big, IPC_CHUNK_MAX) : SLICE_LIT(HELLO) };
}
static void sample_job_id(struct ipc_job_id *m, int large) { m->job = 1; }
static void sample_job_credit(struct ipc_job_credit *m, int large)
{
	*m = (struct ipc_job_credit){ .job = 1, .octets = 1 };
}
static void sample_job_result(struct ipc_job_result *m, int large)
{
	*m = (struct ipc_job_result){ .job = 1, .msgid = 2, .index = 3, .outcome = OUT_UNSURE, .code = 599,
	    .enhanced = { 4, 999, 999 }, .delay_ms = 1800, .retry_hint = 300, .stage = STAGE_DOT, .handed = HANDED_PLAIN,
	    .by_passed = 1, .relay = "mx.example.net[198.51.100.3]:25", .text = "try later" };
	if (large) {
		FILL(m->tls, 's');
		FILL(m->relay, 'r');
		FILL(m->text, 't');
	}
}
static void sample_job_done(struct ipc_job_done *m, int large)
{
	*m = (struct ipc_job_done){ .job = 1, .msgid = 2, .reached = 1, .provider = 3,
	    .dialogue = large ? slice_make(big, DIALOGUE_MAX) : SLICE_LIT("< 220 hi\n> EHLO x\n") };
}
static void sample_job_running(struct ipc_job_running *m, int large)
{
	*m = (struct ipc_job_running){ .job = 1, .msgid = 2, .nrcpt = large ? JOB_RCPT_MAX : 2, .index = { 7, 8 } };
}
static void sample_ctl_request(struct ipc_ctl_request *m, int large)
{
	*m = (struct ipc_ctl_request){ .verb = CTL_LIST, .all = 1, .state = (1 << MSG_STATES) - 1, .msgid = 0, .text = "example.org",
	    .has_client = 1, .has_sender = 1, .client = { { 9 } }, .sender = "s@example.org" };
	if (large) {
		FILL(m->text, 't');
		FILL(m->sender, 's');
	}
}
static void sample_ctl_message(struct ipc_ctl_message *m, int large)
{
	*m = (struct ipc_ctl_message){ .msgid = 1, .arrival = 2, .size = 3, .state = MSG_HELD, .nrcpt = 5, .ndone = 5,
	    .next = 7, .expires = 8, .client = { { 9 } }, .helo = "h", .sender = "s@example.org", .held = HELD_RULE,
	    .by_mode = BY_RETURN, .prioritized = 1, .priority = -PRIORITY_MAX, .local = 1, .uid = 1000, .by_time = 9,
	    .hold_until = 10, .envid = "QQ314159", .login = "alice" };
	if (large) {
		FILL(m->envid, 'e');
		FILL(m->login, 'l');
		FILL(m->helo, 'h');
		FILL(m->sender, 's');
	}
}
static void sample_ctl_rcpt(struct ipc_ctl_rcpt *m, int large)
{
	*m = (struct ipc_ctl_rcpt){ .msgid = 1, .index = 2, .state = RCPT_UNSURE, .attempts = 3, .last = 4, .next = 5,
	    .code = 0, .enhanced = { 0, 0, 0 }, .stage = STAGE_FILE, .address = "b@example.net", .hop = "mx",
	    .relay = "r", .text = "t", .notify = NOTIFY_SUCCESS, .owned = 1, .orcpt = "rfc822;b@example.net",
	    .alias = "list@example.net", .sender = "owner@example.net" };
	if (large) {
		FILL(m->orcpt, 'o');
		FILL(m->alias, 'l');
		FILL(m->sender, 's');
		FILL(m->address, 'a');
		FILL(m->hop, 'h');
		FILL(m->relay, 'r');
		FILL(m->text, 't');
	}
}
static void sample_ctl_text(struct ipc_ctl_text *m, int large) { m->text = SLICE_LIT("one\ntwo\n"); }
static void sample_ctl_daemon(struct ipc_ctl_daemon *m, int large)
{
	*m = (struct ipc_ctl_daemon){ .room = ROOM_MASTER, .instance = 1, .role = ROLE_REMOTE, .pid = 812, .restarts = 2,
	    .since = 3, .log_dropped = 4, .counter = { 5, 6 }, .state = "running" };
	if (large)
		FILL(m->state, 's');
}
static void sample_ctl_queue(struct ipc_ctl_queue *m, int large)
{
	*m = (struct ipc_ctl_queue){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, PRESSURE_BUSY, 1 };
}
static void sample_ctl_end(struct ipc_ctl_end *m, int large)
{
	*m = (struct ipc_ctl_end){ .status = CTL_FAILED, .count = 3, .text = "one\ntwo" };
	if (large)
		FILL(m->text, 'e');
}

/* ---- round trips ---- */

#define VTABLE(name) \
static size_t \
pack_##name(uint8_t *p, size_t size, int large) \
{ \
	static struct ipc_##name m; \
	struct wr w; \
	sample_##name(&m, large); \
	wr_init(&w, p, size); \
	ipc_pack_##name(&w, &m); \
	assert_int_equal(w.err, E_OK); \
	return (w.len); \
} \
static int \
repack_##name(const uint8_t *p, size_t len, uint8_t *out, size_t size, size_t *n) \
{ \
	static struct ipc_##name m; \
	struct rd r; \
	struct wr w; \
	int err; \
	memset(&m, 0xa5, sizeof(m));	/* so that a field left out shows */ \
	give_room(#name, &m); \
	rd_init(&r, p, len); \
	if ((err = ipc_unpack_##name(&r, &m)) != E_OK) \
		return (err); \
	wr_init(&w, out, size); \
	ipc_pack_##name(&w, &m); \
	*n = w.len; \
	return (w.err); \
}

static void
give_room(const char *name, void *m)
{
	static struct dns_record room[DNS_RECORDS_MAX];

	if (strcmp(name, "dns_answer") == 0)
		((struct ipc_dns_answer *)m)->rec = room;
}

IPC_PAYLOADS(VTABLE)

static const struct {
	const char	*name;
	size_t		(*pack)(uint8_t *, size_t, int);
	int		(*repack)(const uint8_t *, size_t, uint8_t *, size_t, size_t *);
} payloads[] = {
#define ENTRY(name) { #name, pack_##name, repack_##name },
	IPC_PAYLOADS(ENTRY)
};

#define NPAYLOADS	(sizeof(payloads) / sizeof(payloads[0]))

static void
test_round_trip(void **state)
{
	static uint8_t	a[IPC_PAYLOAD_MAX + 1], b[IPC_PAYLOAD_MAX + 1];
	size_t		i, len, n;
	int		large, err;

	for (i = 0; i < NPAYLOADS; i++) {
		for (large = 0; large < 2; large++) {
			len = payloads[i].pack(a, sizeof(a), large);
			err = payloads[i].repack(a, len, b, sizeof(b), &n);
			if (err != E_OK || n != len || memcmp(a, b, len) != 0)
				fail_msg("%s (large %d): %s, %zu octets became %zu", payloads[i].name, large,
				    err_name(err), len, n);
		}
	}
}

static void
test_truncated(void **state)
{
	static uint8_t	a[IPC_PAYLOAD_MAX + 1], b[IPC_PAYLOAD_MAX + 1];
	uint8_t		*cut;
	size_t		i, len, n, at;
	int		err;

	for (i = 0; i < NPAYLOADS; i++) {
		len = payloads[i].pack(a, sizeof(a), 0);
		for (at = 0; at < len; at++) {
			/* On the heap with its exact size, so that a read past the end is seen. */
			cut = malloc(at != 0 ? at : 1);
			assert_non_null(cut);
			memcpy(cut, a, at);
			err = payloads[i].repack(cut, at, b, sizeof(b), &n);
			free(cut);
			if (err != E_PROTO)
				fail_msg("%s cut at %zu of %zu: %s", payloads[i].name, at, len, err_name(err));
		}
		a[len] = 0;
		if ((err = payloads[i].repack(a, len + 1, b, sizeof(b), &n)) != E_PROTO)
			fail_msg("%s with an octet too many: %s", payloads[i].name, err_name(err));
	}
}

/* The longest form fits the table's limit exactly; one octet more does not. */
static void
test_longest(void **state)
{
	static uint8_t a[IPC_PAYLOAD_MAX + 1];

#define LONGEST(NAME, name, from, to, nfd) \
	if (IPC_##NAME != IPC_DNS_ANSWER && IPC_##NAME != IPC_CTL_TEXT) { \
		size_t len = pack_##name(a, sizeof(a), 1); \
		if (ipc_check(IPC_##NAME, from, to, len, nfd) != E_OK) \
			fail_msg(#NAME " of %zu octets is refused", len); \
		if (ipc_check(IPC_##NAME, from, to, len + 1, nfd) != E_PROTO) \
			fail_msg(#NAME " of %zu octets is taken", len + 1); \
	}
	IPC_MESSAGES(LONGEST)
	assert_int_equal(ipc_check(IPC_CTL_TEXT, ROOM_QUEUE, ROOM_CTL, IPC_PAYLOAD_MAX, 0), E_OK);
	assert_int_equal(ipc_check(IPC_CTL_TEXT, ROOM_QUEUE, ROOM_CTL, IPC_PAYLOAD_MAX + 1, 0), E_PROTO);
}

/* ---- values out of range: one octet of a good sample changed ---- */

static const struct {
	const char	*payload;
	size_t		 at;
	uint8_t		 value;
	const char	*what;
} bad[] = {
	{ "start", 0, ROOM_QUEUE | ROOM_SMTPD, "two rooms" },
	{ "start", 0, ROOM_MASTER, "master is no daemon" },
	{ "start", 8, ROLES, "role" },
	{ "start", 9, 2, "privileged is 0 or 1" },
	{ "start", 10, 0, "uid 0" },
	{ "start", 14, 0, "gid 0" },
	{ "start", 21, '\n', "LF in a string" },
	{ "conf_ready", 11, 0, "err above 0" },
	{ "listener", 0, LISTENERS_MAX, "index" },
	{ "channel", 0, 0, "no room" },
	{ "channel", 8, ROLES, "role" },
	{ "log_socket", 0, LOG_TO_STDERR + 1, "kind" },
	{ "ctl_client", 12, CTL_NONE, "no verb" },
	{ "ctl_client", 12, CTL_VERBS, "verb" },
	{ "txn_begin", 30, PROTOCOLS, "protocol" },
	{ "txn_begin", 31, BODY_KINDS, "body" },
	{ "txn_begin", 32, 1, "size hint past the limit" },
	{ "txn_begin", 42, '\0', "NUL in a string" },
	{ "txn_begin", 42, '\r', "CR in a string" },
	{ "txn_rcpt", 4, 16, "notify" },
	{ "txn_rcpt", 4, NOTIFY_NEVER | NOTIFY_DELAY, "NEVER with another" },
	{ "txn_commit", 4, (RCPT_MAX + 1) & 0xff, "recipients, limit + 1" },
	{ "txn_commit", 16, HOPS_MAX + 1, "hops, limit + 1" },
	{ "txn_credit", 4, 1, "credit, limit + 1" },
	{ "txn_result", 4, TXN_STATUSES, "status" },
	{ "txn_result", 5, 0, "durable without an id" },
	{ "pressure", 0, PRESSURES, "state" },
	{ "verify_result", 4, VERIFY_STATUSES, "status" },
	{ "verify_result", 7, 3, "class 3" },
	{ "etrn", 4, ETRN_KINDS, "kind" },
	{ "etrn_result", 4, ETRN_STATUSES, "status" },
	{ "key", 9, 1, "index, limit + 1" },
	{ "sign", 13, 1, "key, limit + 1" },
	{ "signed", 4, SIGN_STATUSES, "status" },
	{ "signed", 4, SIGN_REFUSED, "a signature that was refused" },
	{ "ticket_keys", 0, TICKET_KEYS_MAX + 1, "keys, limit + 1" },
	{ "secret", 8, SECRET_KINDS, "kind" },
	{ "secret", 10, 1, "login, limit + 1" },
	{ "sasl", 5, SASL_MECHANISMS, "mechanism" },
	{ "sasl", 4, 0, "an initial response in the middle" },
	{ "sasl_answer", 4, SASL_STATUSES, "status" },
	{ "credential", 4, 1, "a challenge before the first step" },
	{ "credential_answer", 4, SASL_STATUSES, "status" },
	{ "credential_answer", 5, SASL_MECHANISMS, "mechanism" },
	{ "credential_answer", 6, 0, "data that is none" },
	{ "pam_answer", 4, SASL_CONTINUE, "an exchange" },
	{ "try_tls", 8, HOP_MAILDIR, "a maildir has no TLS" },
	{ "try_tls", 8, HOP_MX, "implicit TLS at an MX" },
	{ "tls_report", 8, 0, "well before its end" },
	{ "probe", 8, HOP_MAILDIR, "a maildir cannot be asked" },
	{ "probe", 8, HOP_KINDS, "hop" },
	{ "probe_result", 8, OUT_UNSURE, "an unsure outcome" },
	{ "dns_query", 4, DNS_TYPES, "type" },
	{ "dns_answer", 4, DNS_TYPES, "type" },
	{ "dns_answer", 5, DNS_STATUSES, "status" },
	{ "dns_answer", 5, DNS_NODATA, "records without an answer" },
	{ "dns_answer", 6, 2, "secure" },
	{ "dns_answer", 27, 0, "an answer without records" },
	{ "dns_answer", 27, DNS_RECORDS_MAX + 1, "records, limit + 1" },
	{ "job_begin", 0, 0, "job 0" },
	{ "job_begin", 8, 0, "msgid 0" },
	{ "job_begin", 31, 0x80, "time before the epoch" },
	{ "job_begin", 33, HOP_KINDS, "hop" },
	{ "job_begin", 33, HOP_SMTP, "a next hop without a host" },
	{ "job_begin", 36, 0, "no recipients" },
	{ "job_begin", 36, JOB_RCPT_MAX + 1, "recipients, limit + 1" },
	{ "job_rcpt", 12, 16, "notify" },
	{ "job_id", 0, 0, "job 0" },
	{ "job_credit", 8, 0, "no credit" },
	{ "job_result", 20, OUTCOMES, "outcome" },
	{ "job_result", 21, 600 & 0xff, "code 600" },
	{ "job_result", 23, 3, "class 3" },
	{ "job_result", 23, 0, "no enhanced code" },
	{ "job_result", 24, 1000 & 0xff, "subject 1000" },
	{ "job_result", 26, 1000 & 0xff, "detail 1000" },
	{ "job_result", 36, STAGES, "stage" },
	{ "job_result", 37, HANDED_KINDS, "handed" },
	{ "job_result", 38, 2, "by_passed" },
	{ "job_done", 16, REACHED_KINDS, "reached" },
	{ "job_done", 29, 0x1b, "escape in a dialogue" },
	{ "job_running", 16, 0, "no recipients" },
	{ "job_running", 16, JOB_RCPT_MAX + 1, "recipients, limit + 1" },
	{ "ctl_request", 0, CTL_NONE, "no verb" },
	{ "ctl_request", 0, CTL_VERBS, "verb" },
	{ "ctl_request", 1, 2, "all" },
	{ "ctl_request", 2, 1 << MSG_STATES, "state" },
	{ "ctl_message", 24, MSG_STATES, "state" },
	{ "ctl_message", 29, 6, "more done than there are" },
	{ "ctl_rcpt", 12, RCPT_STATES, "state" },
	{ "ctl_rcpt", 33, 1, "code 1" },
	{ "ctl_text", 4, 0x1b, "escape" },
	{ "ctl_text", 4, 0x7f, "DEL" },
	{ "ctl_text", 4, 0x9b, "eight bits" },
	{ "ctl_daemon", 0, ROOM_CTL, "ctl is no daemon" },
	{ "ctl_queue", 112, PRESSURES, "pressure" },
	{ "ctl_queue", 113, 2, "paused" },
	{ "ctl_end", 0, CTL_STATUSES, "status" },
	{ "ctl_end", 13, '\r', "CR" },
};

static void
test_out_of_range(void **state)
{
	static uint8_t	a[IPC_PAYLOAD_MAX], b[IPC_PAYLOAD_MAX];
	size_t		i, k, len, n;
	int		err;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (k = 0; strcmp(payloads[k].name, bad[i].payload) != 0; k++)
			assert_true(k + 1 < NPAYLOADS);
		len = payloads[k].pack(a, sizeof(a), 0);
		assert_true(bad[i].at < len);
		if (a[bad[i].at] == bad[i].value)
			fail_msg("%s: %s: the octet is so already", bad[i].payload, bad[i].what);
		a[bad[i].at] = bad[i].value;
		if ((err = payloads[k].repack(a, len, b, sizeof(b), &n)) != E_PROTO)
			fail_msg("%s: %s: %s", bad[i].payload, bad[i].what, err_name(err));
	}
}

/* pam alone is root, and is nothing else. */
static void
test_start_ids(void **state)
{
	static const struct { uint32_t room, uid, gid; uint8_t privileged; int wanted; } rows[] = {
		{ ROOM_QUEUE, 7, 8, 1, E_OK }, { ROOM_QUEUE, 0, 8, 1, E_PROTO }, { ROOM_QUEUE, 7, 0, 1, E_PROTO },
		{ ROOM_QUEUE, 0, 0, 1, E_PROTO }, { ROOM_AUTH, 0, 0, 1, E_PROTO }, { ROOM_PAM, 0, 0, 1, E_OK },
		{ ROOM_PAM, 7, 0, 1, E_PROTO }, { ROOM_PAM, 0, 8, 1, E_PROTO }, { ROOM_PAM, 7, 8, 1, E_PROTO },
		{ ROOM_PAM, 7, 8, 0, E_OK }, { ROOM_QUEUE, 0, 0, 0, E_OK },
	};
	static uint8_t		p[sizeof(struct ipc_start) + 64];
	struct ipc_start	m, out;
	struct wr		w;
	struct rd		r;
	size_t			i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		m = (struct ipc_start){ .room = rows[i].room, .uid = rows[i].uid, .gid = rows[i].gid,
		    .privileged = rows[i].privileged, .boot = 1 };
		wr_init(&w, p, sizeof(p));
		ipc_pack_start(&w, &m);
		rd_init(&r, p, w.len);
		if (ipc_unpack_start(&r, &out) != rows[i].wanted)
			fail_msg("row %zu", i);
	}
}

/* Octets of the body: none and one too many. */
static void
test_chunk_limits(void **state)
{
	static const size_t	sizes[] = { 0, 1, IPC_CHUNK_MAX - 1, IPC_CHUNK_MAX, IPC_CHUNK_MAX + 1 };
	static const int	wanted[] = { E_PROTO, E_OK, E_OK, E_OK, E_PROTO };
	static char		data[IPC_CHUNK_MAX + 1];
	static uint8_t		p[IPC_CHUNK_MAX + 64];
	struct ipc_txn_chunk	chunk, out;
	struct ipc_job_body	body, bout;
	struct wr		w;
	struct rd		r;
	size_t			i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		chunk = (struct ipc_txn_chunk){ .txn = 1, .data = slice_make(data, sizes[i]) };
		wr_init(&w, p, sizeof(p));
		ipc_pack_txn_chunk(&w, &chunk);
		rd_init(&r, p, w.len);
		assert_int_equal(ipc_unpack_txn_chunk(&r, &out), wanted[i]);
		body = (struct ipc_job_body){ .job = 1, .data = slice_make(data, sizes[i]) };
		wr_init(&w, p, sizeof(p));
		ipc_pack_job_body(&w, &body);
		rd_init(&r, p, w.len);
		assert_int_equal(ipc_unpack_job_body(&r, &bout), wanted[i]);
	}
}

static void
test_dns_records(void **state)
{
	static struct dns_record	in[DNS_RECORDS_MAX], out[DNS_RECORDS_MAX];
	static uint8_t			p[IPC_PAYLOAD_MAX];
	struct ipc_dns_answer		m = { .status = DNS_OK, .rec = in }, got = { .rec = out };
	struct wr			w;
	struct rd			r;
	size_t				i;

	m.type = DNS_TLSA;
	m.nrec = 2;
	in[0].tlsa.usage = 3;
	in[0].tlsa.selector = 1;
	in[0].tlsa.matching = 1;
	in[0].tlsa.len = 32;
	memset(in[0].tlsa.data, 0xd, 32);
	in[1].tlsa.len = sizeof(in[1].tlsa.data);
	wr_init(&w, p, sizeof(p));
	ipc_pack_dns_answer(&w, &m);
	rd_init(&r, p, w.len);
	assert_int_equal(ipc_unpack_dns_answer(&r, &got), E_OK);
	assert_int_equal(got.nrec, 2);
	assert_int_equal(out[0].tlsa.usage, 3);
	assert_int_equal(out[0].tlsa.len, 32);
	assert_memory_equal(out[0].tlsa.data, in[0].tlsa.data, 32);
	assert_int_equal(out[1].tlsa.len, sizeof(in[1].tlsa.data));

	/* One octet more than a record can hold. */
	p[w.len - sizeof(in[1].tlsa.data) - 2] = (uint8_t)((sizeof(in[1].tlsa.data) + 1) & 0xff);
	rd_init(&r, p, w.len);
	assert_int_equal(ipc_unpack_dns_answer(&r, &got), E_PROTO);

	/* 64 long texts do not fit one frame: the writer says so. */
	m.type = DNS_TXT;
	m.nrec = DNS_RECORDS_MAX;
	memset(in, 0, sizeof(in));
	for (i = 0; i < DNS_RECORDS_MAX; i++)
		in[i].txt.len = sizeof(in[i].txt.data);
	wr_init(&w, p, sizeof(p));
	ipc_pack_dns_answer(&w, &m);
	assert_int_equal(w.err, E_LIMIT);
}

/* ---- the table ---- */

static const struct {
	unsigned	type, from, to, nfd;
	int		wanted;
} checks[] = {
	{ IPC_NONE, ROOM_MASTER, ROOM_SMTPD, 0, E_PROTO },
	{ IPC_TYPES, ROOM_MASTER, ROOM_SMTPD, 0, E_PROTO },
	{ 255, ROOM_MASTER, ROOM_SMTPD, 0, E_PROTO },
	{ IPC_GO, ROOM_MASTER, ROOM_SMTPD, 0, E_OK },
	{ IPC_GO, ROOM_SMTPD, ROOM_MASTER, 0, E_PROTO },
	{ IPC_GO, ROOM_QUEUE, ROOM_SMTPD, 0, E_PROTO },
	{ IPC_GO, ROOM_MASTER, ROOM_SMTPD, 1, E_PROTO },
	{ IPC_CHANNEL, ROOM_MASTER, ROOM_QUEUE, 1, E_OK },
	{ IPC_CHANNEL, ROOM_MASTER, ROOM_QUEUE, 0, E_PROTO },
	{ IPC_CHANNEL, ROOM_MASTER, ROOM_QUEUE, 2, E_PROTO },
	{ IPC_LISTENER, ROOM_MASTER, ROOM_DELIVER, 1, E_PROTO },
	{ IPC_CTL_CLIENT, ROOM_MASTER, ROOM_SMTPD, 1, E_PROTO },
	{ IPC_CTL_CLIENT, ROOM_CTL, ROOM_QUEUE, 1, E_PROTO },
	{ IPC_TXN_ABORT, ROOM_SMTPD, ROOM_QUEUE, 0, E_OK },
	{ IPC_TXN_ABORT, ROOM_DELIVER, ROOM_QUEUE, 0, E_PROTO },
	{ IPC_TXN_ABORT, ROOM_QUEUE, ROOM_SMTPD, 0, E_PROTO },
	{ IPC_TXN_RESULT, ROOM_QUEUE, ROOM_SMTPD, 0, E_OK },
	{ IPC_TXN_RESULT, ROOM_QUEUE, ROOM_DELIVER, 0, E_PROTO },
	{ IPC_DNS_QUERY, ROOM_SMTPD, ROOM_RESOLVER, 0, E_OK },
	{ IPC_DNS_QUERY, ROOM_DELIVER, ROOM_RESOLVER, 0, E_OK },
	{ IPC_DNS_QUERY, ROOM_QUEUE, ROOM_RESOLVER, 0, E_PROTO },
	{ IPC_JOB_ACK, ROOM_QUEUE, ROOM_DELIVER, 0, E_OK },
	{ IPC_JOB_ACK, ROOM_DELIVER, ROOM_QUEUE, 0, E_PROTO },
	{ IPC_JOB_SYNC, ROOM_DELIVER, ROOM_QUEUE, 0, E_OK },
	{ IPC_CTL_REQUEST, ROOM_CTL, ROOM_MASTER, 0, E_OK },
	{ IPC_CTL_REQUEST, ROOM_SMTPD, ROOM_MASTER, 0, E_PROTO },
	{ IPC_CTL_END, ROOM_QUEUE, ROOM_CTL, 0, E_OK },
	{ IPC_PEER_BROKEN, ROOM_QUEUE, ROOM_MASTER, 0, E_OK },
	{ IPC_PEER_BROKEN, ROOM_MASTER, ROOM_QUEUE, 0, E_PROTO },
	{ IPC_PEER_BROKEN, ROOM_CTL, ROOM_MASTER, 0, E_PROTO },
};

static void
test_check(void **state)
{
	size_t	i;
	int	err;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		err = ipc_check(checks[i].type, checks[i].from, checks[i].to, 0, checks[i].nfd);
		if (err != checks[i].wanted)
			fail_msg("row %zu (%s): %s, wanted %s", i, ipc_type_name(checks[i].type), err_name(err),
			    err_name(checks[i].wanted));
	}
}

static void
test_names(void **state)
{
	unsigned i;

	for (i = 1; i < IPC_TYPES; i++)
		assert_string_not_equal(ipc_type_name(i), "?");
	for (i = 0; i < STAGES; i++)
		assert_string_not_equal(stage_name(i), "?");
	for (i = 0; i < OUTCOMES; i++)
		assert_string_not_equal(outcome_name(i), "?");
	for (i = 0; i < DNS_STATUSES; i++)
		assert_string_not_equal(dns_status_name(i), "?");
	for (i = 1; i < CTL_VERBS; i++)
		assert_string_not_equal(ctl_verb_name(i), "?");
	for (i = 0; i < RCPT_STATES; i++)
		assert_string_not_equal(rcpt_state_name(i), "?");
	for (i = 0; i < MSG_STATES; i++)
		assert_string_not_equal(msg_state_name(i), "?");
	for (i = ROOM_MASTER; i <= ROOM_CTL; i <<= 1)
		assert_string_not_equal(room_name(i), "?");
	assert_string_equal(ipc_type_name(0), "?");
	assert_string_equal(ipc_type_name(IPC_TYPES), "?");
	assert_string_equal(ipc_type_name(IPC_TXN_BEGIN), "TXN_BEGIN");
	assert_string_equal(stage_name(STAGES), "?");
	assert_string_equal(outcome_name(OUT_TEMPFAIL), "tempfail");
	assert_string_equal(ctl_verb_name(0), "?");
	assert_string_equal(room_name(ROOM_SMTPD | ROOM_QUEUE), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_start_ids),
		cmocka_unit_test(test_chunk_limits),
		cmocka_unit_test(test_dns_records),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_names),
	};

	memset(big, 'x', sizeof(big));
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
