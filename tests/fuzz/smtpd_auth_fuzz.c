/*
 * smtpd_auth_fuzz.c -- AUTH and what it allows, with an auth that answers as it likes.
 *
 * The first two octets choose the set-up and the cuts, the rest is what the client sends, in one piece, cut, and octet by octet.
 * Oracles: the same replies and calls each time; a step is the first of an exchange or goes on with one that is open; what
 * it carries is what the client wrote as base64, in its one form, and nothing of it is left in the process's buffer or shown to
 * the log; nobody is anybody unless auth said so, and no message begins without that; at the end nothing is open.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/err.h"
#include "common/siphash.h"
#include "tests/fuzz/smtpd_fake.h"

struct run {
	struct fake	 f;
	struct slice	 in;		/* all of the client's */
	unsigned	 sum;		/* of the octets of the last step */
	unsigned	 steps;		/* of the exchange */
	unsigned	 failures;
	int		 open;		/* auth has one */
	int		 said_ok;
};

static int
op_begin(struct smtp_session *s)
{
	must(s->login[0] != '\0' || (s->may_relay && !s->authed));
	return (E_LIMIT);
}

static void
op_abort(struct smtp_session *s)
{
	must(0);
}

static int
op_own(struct smtp_session *s, const struct net_addr *a)
{
	return (0);
}

/* No response is shown: of AUTH its mechanism alone, of what is no command nothing. */
static void
op_reject(struct smtp_session *s, struct slice reply)
{
	must(reply.n >= 4 && s->verb != NULL);
	if (strcmp(s->verb, "AUTH") == 0)
		must(s->args.n == 0 || memchr(s->args.p, ' ', s->args.n) == NULL);
	if (strcmp(s->verb, "?") == 0)
		must(s->args.n == 0);
}

static int
op_step(struct smtp_session *s, int first, int initial, struct slice data)
{
	static char	 text[BASE64_LEN(SASL_DATA_MAX) + 1];
	struct run	*r = RUN_OF(s);
	size_t		 i, n;

	must(first == !r->open && (first || !initial) && s->txn == NULL && s->esmtp && s->login[0] == '\0');
	must(data.n <= SASL_DATA_MAX && data.p == r->f.env.sasl);
	must((smtp_auth_offered(s) & 1u << s->sasl->mechanism) != 0);
	n = base64_encode(text, data);
	must(n <= SASL_LINE_MAX && (n == 0 || memmem(r->in.p, r->in.n, text, n) != NULL));
	fake_collect(&r->f);
	buf_addf(&r->f.record, "step %d %d %d %zu\n", s->sasl->mechanism, first, initial, data.n);
	if (data.n != 0)
		buf_add(&r->f.record, data.p, data.n);
	r->sum = 0;
	for (i = 0; i < data.n; i++)
		r->sum += (unsigned char)data.p[i];
	if (r->sum % 16 == 15)
		return (E_CLOSED);
	r->steps = first ? 1 : r->steps + 1;
	r->open = 1;
	return (E_OK);
}

static void
op_end(struct smtp_session *s)
{
	struct run	*r = RUN_OF(s);

	must(r->open);
	r->open = 0;
	fake_collect(&r->f);
	buf_adds(&r->f.record, "end\n");
}

static void
op_event(struct smtp_session *s, enum auth_event what, const char *mechanism, struct slice login)
{
	struct run	*r = RUN_OF(s);

	must((what == AUTH_CLAIMED) == (mechanism == NULL) && login.n <= (what == AUTH_CLAIMED ? AUTH_PARAM_MAX : LOGIN_MAX));
	must(what != AUTH_TAKEN || r->said_ok);
	r->failures += what == AUTH_FAILED;
	fake_collect(&r->f);
	buf_addf(&r->f.record, "event %d %.*s\n", what, (int)login.n, login.p);
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_abort = op_abort, .reject = op_reject, .own_address = op_own, .sasl_step = op_step,
	.sasl_end = op_end, .auth_event = op_event,
};

/* auth's, by what it was asked alone; sometimes too late, or of an auth that has gone. */
static void
answer(struct run *r)
{
	struct ipc_sasl_answer	m = { .data = slice_make(NULL, 0) };
	unsigned		how = (r->sum + r->steps) % 8;

	must(r->f.s.state == ST_SASL && r->open);
	if (how == 7) {
		r->f.now = smtp_deadline(&r->f.s);
		smtp_time(&r->f.s, r->f.now);
		must(!r->open);
		fake_collect(&r->f);
		return;
	}
	if (how == 6) {
		r->open = 0;
		smtp_sasl_answer(&r->f.s, NULL, r->f.now);
		fake_collect(&r->f);
		return;
	}
	m.status = (uint8_t)(how % SASL_STATUSES);
	r->open = m.status == SASL_CONTINUE;
	r->said_ok = m.status == SASL_OK;
	if (m.status == SASL_OK || r->sum % 2 == 1)
		memcpy(m.login, "alice", 6);
	if (m.status == SASL_CONTINUE || (m.status == SASL_OK && r->sum % 4 == 1))
		m.data = SLICE_LIT("challenge");
	if (m.status != SASL_CONTINUE && r->sum % 3 == 0)
		m.wait_ms = 1000;
	smtp_sasl_answer(&r->f.s, &m, r->f.now);
	if (r->f.s.state == ST_SASL) {
		must(m.wait_ms != 0 && smtp_deadline(&r->f.s) == r->f.now + m.wait_ms && smtp_blocked(&r->f.s));
		r->f.now += m.wait_ms - 1;
		smtp_time(&r->f.s, r->f.now);
		must(r->f.s.state == ST_SASL && r->f.out.len == 0);
		smtp_time(&r->f.s, ++r->f.now);
	}
	must(r->f.s.state != ST_SASL);
	fake_collect(&r->f);
}

static void
check(const struct run *r)
{
	static const char	zero[SASL_DATA_MAX];

	must(memcmp(r->f.env.sasl, zero, sizeof(zero)) == 0);
	must(!r->f.s.authed || (strcmp(r->f.s.login, "alice") == 0 && r->said_ok && r->f.s.may_relay));
	must(r->f.s.authed || r->f.s.login[0] == '\0');
	must((r->f.s.sasl != NULL) == ((r->f.s.state & (ST_AUTH | ST_SASL)) != 0));
	must(r->failures <= SESSION_AUTH_FAILURES_MAX);
}

static void
play(struct run *r, const struct conf *conf, const struct conf_listener *l, unsigned flags, struct slice in, unsigned cut)
{
	size_t		off = 0, have = 0, used;
	uint32_t	before;

	memset(r, 0, sizeof(*r));
	fake_init(&r->f, conf, &ops, "submission");
	r->in = in;
	r->f.s.conf_listener = l;
	r->f.s.tls = flags & 1;
	r->f.s.bindable = flags >> 1 & 1;
	r->f.s.external = (flags & 4) != 0 ? "alice" : NULL;
	r->f.s.may_relay = flags >> 3 & 1;
	if ((flags & 16) == 0)
		(void)net_addr_parse(&r->f.s.client, SLICE_LIT("127.0.0.1"));
	r->f.s.peer = r->f.s.client;
	smtp_open(&r->f.s, r->f.now);
	fake_collect(&r->f);
	while (have < in.n && !smtp_closed(&r->f.s)) {
		have = fake_more(have, in.n, cut);
		do {
			before = r->f.s.state;
			r->f.replies = 0;
			used = smtp_input(&r->f.s, slice_make(in.p + off, have - off), r->f.now);
			must(used <= have - off);
			off += used;
			fake_collect(&r->f);
			check(r);
			if (r->f.s.state == ST_SASL) {
				answer(r);
				check(r);
				used = 1;
			}
			/* An octet at a time each call is one command, or one response. */
			if (cut == 1 && !r->f.s.quiet && (before & (ST_CONNECT | ST_HELO | ST_MAIL | ST_RCPT | ST_AUTH)) != 0 &&
			    r->f.s.state != ST_BDAT)
				must(r->f.replies == (used != 0));
			if (smtp_blocked(&r->f.s) && !smtp_closed(&r->f.s))
				break;
		} while (used != 0 && off < have && !smtp_closed(&r->f.s));
		if (smtp_blocked(&r->f.s))
			break;
	}
	if (smtp_closed(&r->f.s))
		buf_addf(&r->f.record, "closed: %s\n", r->f.s.reason);
	fake_end(&r->f);
	must(!r->open && r->f.s.sasl == NULL);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_domain	 domains[] = {
		{ .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	};
	static struct run		 whole, cut, octets;
	static int			 seeded;
	struct conf_listener		 l = { .name = "submission", .auth = 1 };
	struct conf			 conf = { .hostname = "mx.example.org", .postmaster = "", .recipient_delimiter = "+",
					     .ndomains = 1, .domains = domains, .message_size_limit = 100000 };
	struct slice			 in;

	if (size < 2 || size > 200000)
		return (0);
	if (!seeded) {
		siphash_seed();
		seeded = 1;
	}
	l.any_sender = (data[0] & 32) != 0;
	conf.auth.mechanisms = (1u << SASL_MECHANISMS) - 1;
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = (data[0] & 64) != 0 ? 3 : 100000;
	conf.smtpd.commands_max = (data[0] & 128) != 0 ? 6 : 100000;
	conf.smtpd.rcpt_max = RCPT_MAX;
	in = slice_make((const char *)data + 2, size - 2);
	play(&whole, &conf, &l, data[0], in, 0);
	play(&cut, &conf, &l, data[0], in, 2 + data[1]);
	play(&octets, &conf, &l, data[0], in, 1);
	fake_compare(&whole.f, &cut.f, &octets.f);
	return (0);
}
