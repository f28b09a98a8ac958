/*
 * smtpd_xclient_fuzz.c -- XCLIENT and XFORWARD with any arguments, in a session that may say them.
 *
 * The input is lines; each becomes the arguments of a command, by its first octet: X XCLIENT, F XFORWARD, all else is said
 * as it is.  Oracles: a refused command changes nothing; what is taken is a domain, an address literal, or text that a
 * header and a log line can hold; rights follow the address and the login alone; who may say it does not change.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "common/utf8.h"
#include "smtpd/session.h"
#include "smtpd/xclient.h"

struct facts {
	struct net_addr	client, own;
	uint16_t	port;
	uint8_t		may_relay, veiled, own_known, esmtp;
	uint32_t	state;
	char		login[LOGIN_MAX + 1], helo[HELO_MAX + 1], name[DOMAIN_MAX + 1], origin[ORIGIN_MAX + 1];
};

static void
must(int ok)
{
	if (!ok)
		abort();
}

static int
op_none(struct smtp_session *s)
{
	return (E_CLOSED);
}

static void
op_abort(struct smtp_session *s)
{
}

static void
op_reject(struct smtp_session *s, struct slice reply)
{
	must(reply.n >= 4);
}

static int
op_own(struct smtp_session *s, const struct net_addr *a)
{
	return (0);
}

static const struct smtp_ops ops = {
	.txn_begin = op_none, .txn_abort = op_abort, .reject = op_reject, .own_address = op_own,
};

static void
take_facts(const struct smtp_session *s, struct facts *f)
{
	memset(f, 0, sizeof(*f));
	f->client = s->client;
	f->own = s->own;
	f->port = s->port;
	f->may_relay = s->may_relay;
	f->veiled = s->veiled;
	f->own_known = s->own_known;
	f->esmtp = s->esmtp;
	f->state = s->state;
	memcpy(f->login, s->login, strlen(s->login));
	memcpy(f->helo, s->helo, strlen(s->helo));
	memcpy(f->name, s->name, strlen(s->name));
	if (s->origin != NULL)
		memcpy(f->origin, s->origin, strlen(s->origin));
}

static void
check(const struct smtp_session *s)
{
	char		 dom[DOMAIN_MAX + 1];
	struct net_addr	 ip;
	const char	*why, *p;
	int		 v6 = 0;

	must(s->name[0] == '\0' || (domain_parse(dom, slice_str(s->name), &why) == E_OK && strcmp(dom, s->name) == 0));
	must(s->helo[0] == '\0' || domain_parse(dom, slice_str(s->helo), &why) == E_OK ||
	    addr_literal_parse(&ip, slice_str(s->helo)) == E_OK);
	must(s->login[0] == '\0' || utf8_is_text(slice_str(s->login)));
	must(s->may_relay == (s->login[0] != '\0' || (!s->veiled && conf_may_relay(s->env->conf, &s->client))));
	must(!s->veiled || net_addr_is_any(&s->client));
	must(smtp_xclient_allowed(s) && smtp_xforward_allowed(s));
	must((s->origin != NULL) == (s->forward != NULL));
	for (p = s->origin; p != NULL && *p != '\0'; p++) {
		must(*p > ' ' && *p < 127 && strchr("<>()\\\";@", *p) == NULL);
		v6 += *p == ']';
	}
	must(v6 <= 1);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net_prefix	 from, relay;
	static struct conf_listener	 listener = { .name = "mx", .path = "" };
	static struct conf		 conf = { .hostname = "mx.example.org", .postmaster = "", .recipient_delimiter = "",
					     .nrelay_from = 1, .relay_from = &relay };
	static int			 seeded;
	struct smtp_session		 s = { 0 };
	struct smtp_env			 env = { .conf = &conf, .ops = &ops, .queue_up = 1 };
	struct buf			 out;
	struct facts			 before, after;
	struct slice			 reply;
	char				 line[COMMAND_LINE_MAX + 16];
	const uint8_t			*p = data, *end = data + size, *lf;
	int				 n, len;

	if (!seeded) {
		siphash_seed();
		must(net_prefix_parse(&from, SLICE_LIT("192.0.2.1")) == E_OK);
		must(net_prefix_parse(&relay, SLICE_LIT("10.0.0.0/8")) == E_OK);
		listener.xclient_from = listener.xforward_from = (struct conf_prefixes){ 1, &from };
		conf.smtpd.command_timeout = 300;
		conf.smtpd.errors_max = conf.smtpd.commands_max = 1000000;
		conf.smtpd.rcpt_max = 10;
		seeded = 1;
	}
	buf_init(&out, REPLIES_MAX);
	env.out = &out;
	s.env = &env;
	s.listener = "mx";
	s.conf_listener = &listener;
	s.client = s.peer = from.addr;
	smtp_open(&s, 1000);
	for (; p < end && !smtp_closed(&s); p = lf + 1) {
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			lf = end;
		len = (int)(lf - p > COMMAND_LINE_MAX - 20 ? COMMAND_LINE_MAX - 20 : lf - p);
		if (len != 0 && (*p == 'X' || *p == 'F'))
			n = snprintf(line, sizeof(line), "%s ", *p == 'X' ? "XCLIENT" : "XFORWARD");
		else
			n = 0;
		memcpy(line + n, p + (n != 0), (size_t)(len - (n != 0)));
		len = n + len - (n != 0);
		memcpy(line + len, "\r\n", 2);
		buf_drain(&out, out.len);
		take_facts(&s, &before);
		smtp_input(&s, slice_make(line, (size_t)len + 2), 2000);
		reply = buf_slice(&out);
		check(&s);
		if (n == 0 || reply.n == 0)
			continue;
		take_facts(&s, &after);
		if (reply.p[0] != '2')
			must(smtp_closed(&s) || memcmp(&before, &after, sizeof(before)) == 0);
		else
			must(memcmp(reply.p, n == 8 ? "220 " : "250 ", 4) == 0);
		/* XFORWARD is for logs alone. */
		if (n == 9 && !smtp_closed(&s)) {
			memcpy(after.origin, before.origin, sizeof(after.origin));
			must(memcmp(&before, &after, sizeof(before)) == 0);
		}
		if (lf == end)
			break;
	}
	smtp_eof(&s, "eof");
	must(s.forward == NULL);
	smtp_env_clear(&env);
	buf_clear(&out);
	return (0);
}
