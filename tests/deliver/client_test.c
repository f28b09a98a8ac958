/*
 * client_test.c -- the SMTP client against a scripted next hop: each stage refused, dropped, hung, garbled,
 * split octet by octet.  A script has one text per turn of the server, or DROP, HANG.
 *
 * What happened is noted as text: "0=delivered/250/2.0.0 ... ready" and compared; what was
 * sent is compared too where a row says so.  Every row is run whole, in halves and octet by octet, and must come out the same.
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
#include "deliver/client.h"
#include "deliver/deliver_limits.h"

#define DROP	"\001drop"
#define HANG	"\001hang"
#define HI	"220 mx ESMTP\r\n"
#define EHLO	"250-mx hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
#define PLAIN	"250 mx hello\r\n"
#define OK	"250 2.0.0 Ok\r\n"
#define GO	"354 go\r\n"

struct row {
	const char	*name;
	int		 nrcpt;
	const char	*server[24];
	const char	*want;
	const char	*sent;		/* NULL: not compared */
	const char	*body;		/* NULL: "Hi\r\n" */
};

static const struct row rows[] = {
	{ "pipelined, two accepted", 2, { HI, EHLO, OK OK OK GO, OK },
	    "0=delivered/250/2.0.0/dot 1=delivered/250/2.0.0/dot done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example> SIZE=4\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nDATA\r\n"
	    "Hi\r\n.\r\n", NULL },
	{ "one by one, two accepted", 2, { HI, PLAIN, OK, OK, OK, GO, "250 thanks\r\n" },
	    "0=delivered/250/2.0.0/dot 1=delivered/250/2.0.0/dot done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nDATA\r\n"
	    "Hi\r\n.\r\n", NULL },
	{ "HELO after 500", 1, { HI, "500 what\r\n", PLAIN, OK, OK, GO, OK },
	    "0=delivered/250/2.0.0/dot done ready",
	    "EHLO me.example\r\nHELO me.example\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<r0@b.example>\r\nDATA\r\nHi\r\n.\r\n", NULL },
	{ "HELO after 502, extensions forgotten", 1, { HI, "502-PIPELINING\r\n502 no\r\n", "250-mx\r\n250 PIPELINING\r\n", OK, OK, GO, OK },
	    "0=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "HELO after 504", 1, { HI, "504 no\r\n", "550 5.7.1 no\r\n" }, "over=permfail/550/5.7.1/helo", NULL, NULL },
	{ "EHLO 554", 1, { HI, "554 go away\r\n" }, "over=permfail/554/5.0.0/helo", NULL, NULL },
	{ "EHLO 421", 1, { HI, "421 4.3.2 busy\r\n" }, "over=tempfail/421/4.3.2/helo", NULL, NULL },
	{ "EHLO 450", 1, { HI, "450 later\r\n" }, "over=tempfail/450/4.0.0/helo", NULL, NULL },
	{ "EHLO drop", 1, { HI, DROP }, "over=tempfail/0/4.4.2/helo", NULL, NULL },
	{ "EHLO hang", 1, { HI, HANG }, "over=tempfail/0/4.4.2/helo", NULL, NULL },
	{ "greeting 554", 1, { "554 no service\r\n" }, "over=permfail/554/5.0.0/greeting", "", NULL },
	{ "greeting 521", 1, { "521 no mail\r\n" }, "over=permfail/521/5.0.0/greeting", NULL, NULL },
	{ "greeting 421", 1, { "421 4.7.0 later\r\n" }, "over=tempfail/421/4.7.0/greeting", NULL, NULL },
	{ "greeting 250", 1, { "250 hm\r\n" }, "over=tempfail/250/4.5.0/greeting", NULL, NULL },
	{ "greeting drop", 1, { DROP }, "over=tempfail/0/4.4.2/greeting", "", NULL },
	{ "greeting hang", 1, { HANG }, "over=tempfail/0/4.4.2/greeting", NULL, NULL },
	{ "greeting garbage", 1, { "HTTP/1.1 400 Bad\r\n" }, "over=tempfail/0/4.4.2/greeting", NULL, NULL },
	{ "greeting of many lines", 1, { "220-one\r\n220-two\n220 three\r\n", EHLO, OK OK GO, OK },
	    "0=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "code changes within a reply", 1, { "220-one\r\n221 two\r\n" }, "over=tempfail/0/4.4.2/greeting", NULL, NULL },
	{ "MAIL 4xx pipelined", 2, { HI, EHLO, "451 4.3.0 sorry\r\n503 5.5.1 x\r\n503 x\r\n503 x\r\n" },
	    "0=tempfail/451/4.3.0/mail 1=tempfail/451/4.3.0/mail done ready", NULL, NULL },
	{ "MAIL 5xx pipelined, 354 all the same", 1, { HI, EHLO, "550 no\r\n250 ok\r\n354 go\r\n", "554 none\r\n" },
	    "0=permfail/550/5.0.0/mail done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example> SIZE=4\r\nRCPT TO:<r0@b.example>\r\nDATA\r\n.\r\n", NULL },
	{ "MAIL 5xx one by one", 1, { HI, PLAIN, "550 5.1.8 no\r\n" }, "0=permfail/550/5.1.8/mail done ready", NULL, NULL },
	{ "MAIL 421", 1, { HI, PLAIN, "421 bye\r\n" }, "over=tempfail/421/4.0.0/mail", NULL, NULL },
	{ "MAIL drop", 1, { HI, EHLO, DROP }, "over=tempfail/0/4.4.2/mail", NULL, NULL },
	{ "MAIL hang", 1, { HI, EHLO, HANG }, "over=tempfail/0/4.4.2/mail", NULL, NULL },
	{ "MAIL 354", 1, { HI, EHLO, GO }, "over=tempfail/354/4.5.0/mail", NULL, NULL },
	{ "MAIL garbage", 1, { HI, EHLO, "2x0 hm\r\n" }, "over=tempfail/0/4.4.2/mail", NULL, NULL },
	{ "RCPT mixed, pipelined", 4, { HI, EHLO, OK OK "550 5.1.1 who\r\n450 4.2.0 grey, try again in 300 seconds\r\n251 x\r\n" GO, OK },
	    "1=permfail/550/5.1.1/rcpt 2=tempfail/450/4.2.0/rcpt/300 0=delivered/250/2.0.0/dot 3=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "RCPT mixed, one by one", 3, { HI, PLAIN, OK, "550 no\r\n", OK, "450 later\r\n", GO, OK },
	    "0=permfail/550/5.0.0/rcpt 2=tempfail/450/4.0.0/rcpt 1=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "too many recipients", 3, { HI, EHLO, OK OK "452 4.5.3 too many\r\n552 too many\r\n" GO, OK },
	    "1=tempfail/452/4.5.3/rcpt/1 2=tempfail/552/4.5.3/rcpt/1 0=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "552 of a full mailbox is final", 2, { HI, EHLO, OK OK "552 5.2.2 full\r\n" GO, OK },
	    "1=permfail/552/5.2.2/rcpt 0=delivered/250/2.0.0/dot done ready", NULL, NULL },
	{ "452 with nobody accepted gives no quick retry", 1, { HI, PLAIN, OK, "452 4.3.1 no space\r\n" },
	    "0=tempfail/452/4.3.1/rcpt done ready", NULL, NULL },
	{ "all RCPT refused, pipelined, DATA refused", 2, { HI, EHLO, OK "550 a\r\n550 b\r\n503 no\r\n" },
	    "0=permfail/550/5.0.0/rcpt 1=permfail/550/5.0.0/rcpt done ready", NULL, NULL },
	{ "all RCPT refused, pipelined, DATA taken: a lone dot", 1, { HI, EHLO, OK "550 a\r\n" GO, OK },
	    "0=permfail/550/5.0.0/rcpt done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example> SIZE=4\r\nRCPT TO:<r0@b.example>\r\nDATA\r\n.\r\n", NULL },
	{ "all RCPT refused, one by one: no DATA", 1, { HI, PLAIN, OK, "550 a\r\n" },
	    "0=permfail/550/5.0.0/rcpt done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<r0@b.example>\r\n", NULL },
	{ "RCPT 421", 2, { HI, EHLO, OK "550 no\r\n421 bye\r\n" }, "0=permfail/550/5.0.0/rcpt over=tempfail/421/4.0.0/rcpt", NULL, NULL },
	{ "RCPT drop", 2, { HI, EHLO, OK OK, DROP }, "over=tempfail/0/4.4.2/rcpt", NULL, NULL },
	{ "RCPT hang", 2, { HI, EHLO, OK OK, HANG }, "over=tempfail/0/4.4.2/rcpt", NULL, NULL },
	{ "DATA 4xx", 2, { HI, EHLO, OK OK OK "451 no\r\n" },
	    "0=tempfail/451/4.0.0/data 1=tempfail/451/4.0.0/data done ready", NULL, NULL },
	{ "DATA 5xx", 1, { HI, PLAIN, OK, OK, "554 5.7.1 no\r\n" }, "0=permfail/554/5.7.1/data done ready", NULL, NULL },
	{ "DATA 250", 1, { HI, PLAIN, OK, OK, OK }, "over=tempfail/250/4.5.0/data", NULL, NULL },
	{ "DATA 421", 1, { HI, PLAIN, OK, OK, "421 no\r\n" }, "over=tempfail/421/4.0.0/data", NULL, NULL },
	{ "DATA drop", 1, { HI, PLAIN, OK, OK, DROP }, "over=tempfail/0/4.4.2/data", NULL, NULL },
	{ "DATA hang", 1, { HI, PLAIN, OK, OK, HANG }, "over=tempfail/0/4.4.2/data", NULL, NULL },
	{ "354, then drop", 1, { HI, EHLO, OK OK GO, DROP }, "0=unsure/0/4.4.2/dot over=tempfail/0/4.4.2/dot", NULL, NULL },
	{ "354, then hang", 2, { HI, EHLO, OK OK "550 no\r\n" GO, HANG },
	    "1=permfail/550/5.0.0/rcpt 0=unsure/0/4.4.2/dot over=tempfail/0/4.4.2/dot", NULL, NULL },
	{ "354, then garbage", 1, { HI, EHLO, OK OK GO, "ok\r\n" }, "0=unsure/0/4.4.2/dot over=tempfail/0/4.4.2/dot", NULL, NULL },
	{ "354, then 354", 1, { HI, EHLO, OK OK GO, GO }, "0=unsure/354/4.5.0/dot over=tempfail/354/4.5.0/dot", NULL, NULL },
	{ "dot 4xx", 1, { HI, EHLO, OK OK GO, "452 4.3.1 full\r\n" }, "0=tempfail/452/4.3.1/dot done ready", NULL, NULL },
	{ "dot 5xx", 2, { HI, EHLO, OK OK OK GO, "550 5.7.1 spam\r\n" },
	    "0=permfail/550/5.7.1/dot 1=permfail/550/5.7.1/dot done ready", NULL, NULL },
	{ "dot 421", 1, { HI, EHLO, OK OK GO, "421 bye\r\n" }, "0=tempfail/421/4.0.0/dot over=tempfail/0/4.4.2/dot", NULL, NULL },
	{ "250 for the dot before the dot is none", 1, { HI, EHLO, OK OK GO OK }, "over=tempfail/250/4.5.0/body", NULL, NULL },
	{ "refused while the body is sent", 1, { HI, EHLO, OK OK GO "552 5.3.4 big\r\n" },
	    "0=permfail/552/5.3.4/body over=tempfail/0/4.4.2/body", NULL, NULL },
	{ "dots", 1, { HI, EHLO, OK OK GO, OK }, "0=delivered/250/2.0.0/dot done ready",
	    "EHLO me.example\r\nMAIL FROM:<s@a.example> SIZE=11\r\nRCPT TO:<r0@b.example>\r\nDATA\r\n..a\r\n...\r\nb\r\n.\r\n",
	    ".a\r\n..\r\nb\r\n" },
	{ "a bare line feed never leaves", 1, { HI, EHLO, OK OK GO },
	    "0=permfail/0/5.6.0/body over=tempfail/0/4.3.0/body", NULL, "a\r\nb\n.\r\n" },
	{ "one who speaks unasked after the end", 1, { HI, EHLO, OK OK GO, OK "421 idle\r\n" },
	    "0=delivered/250/2.0.0/dot done over=tempfail/0/4.4.2/mail", NULL, NULL },
	{ "LIMITS RCPTMAX", 3, { HI, "250-mx\r\n250-PIPELINING\r\n250 LIMITS FOO=x RCPTMAX=2 MAILMAX=1\r\n", OK OK OK GO, OK },
	    "2=tempfail/0/4.5.3/rcpt/1 0=delivered/250/2.0.0/dot 1=delivered/250/2.0.0/dot done used up", NULL, NULL },
	{ "an enhanced code of another class is not one", 1, { HI, PLAIN, OK, "550 4.7.1 no\r\n" },
	    "0=permfail/550/5.0.0/rcpt done ready", NULL, NULL },
};

static struct conf_timeouts timeouts = { 30, 300, 300, 300, 300, 120, 180, 600, 10, 7200 };

struct run {
	struct client	 c;
	struct client_rcpt rcpt[JOB_RCPT_MAX + 1];
	struct client_mail m;
	struct dialogue	 dialogue;
	char		 addr[JOB_RCPT_MAX + 1][32];
	char		 log[16384];
	char		 sent[65536];
	size_t		 nsent;
	uint64_t	 now;
	const char	*body;
	size_t		 body_n;
	int		 want_body, ready;
};

static void __attribute__((format(printf, 2, 3)))
note(struct run *r, const char *fmt, ...)
{
	size_t n = strlen(r->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->log + n, sizeof(r->log) - n, fmt, ap);
	va_end(ap);
}

static void
note_result(struct run *r, const char *who, const struct client_result *x)
{
	char e[ENHANCED_STRLEN];

	note(r, "%s%s=%s/%u/%s/%s", r->log[0] != '\0' ? " " : "", who, outcome_name(x->outcome), x->code,
	    enhanced_str(&x->enhanced, e), stage_name(x->stage));
	if (x->retry_hint != 0)
		note(r, "/%u", x->retry_hint);
}

static void
collect(struct run *r)
{
	struct slice s = buf_slice(&r->c.out);

	assert_true(r->nsent + s.n <= sizeof(r->sent));
	if (s.n != 0)
		memcpy(r->sent + r->nsent, s.p, s.n);
	r->nsent += s.n;
	buf_drain(&r->c.out, s.n);
}

static void
pump(struct run *r, struct slice in)
{
	struct client_result res;
	char who[16];

	for (;;) {
		switch (client_step(&r->c, &in, r->now, &res)) {
		case CLIENT_WAIT:
			assert_int_equal(r->c.state == CS_OVER ? 0 : in.n, 0);
			collect(r);
			return;
		case CLIENT_RESULT:
			snprintf(who, sizeof(who), "%zu", res.rcpt);
			assert_true(r->rcpt[res.rcpt].done);
			note_result(r, who, &res);
			break;
		case CLIENT_READY:
			r->ready = 1;
			break;
		case CLIENT_BODY:
			r->want_body = 1;
			break;
		case CLIENT_DONE:
			note(r, " done");
			r->want_body = 0;
			break;
		case CLIENT_TLS:
		case CLIENT_AUTH:
			fail_msg("nobody wants TLS or a login here");
			break;
		case CLIENT_OVER:
			note_result(r, "over", &r->c.fail);
			r->want_body = 0;
			break;
		}
	}
}

static void
send_body(struct run *r)
{
	struct slice in = slice_make(r->body, r->body_n), seg[8], end;
	size_t nseg, used;

	r->want_body = 0;
	while (in.n != 0) {
		if (client_body(&r->c, in, seg, 8, &nseg, &used) != E_OK) {
			pump(r, slice_make(NULL, 0));
			return;
		}
		for (size_t i = 0; i < nseg; i++) {
			memcpy(r->sent + r->nsent, seg[i].p, seg[i].n);
			r->nsent += seg[i].n;
			client_body_sent(&r->c, seg[i].n, r->now);
		}
		in = slice_make(in.p + used, in.n - used);
	}
	assert_int_equal(client_body_end(&r->c, &end), E_OK);
	memcpy(r->sent + r->nsent, end.p, end.n);
	r->nsent += end.n;
	client_dot_sent(&r->c, r->now);
}

static void
act(struct run *r)
{
	if (r->ready) {
		r->ready = 0;
		assert_int_equal(client_mail(&r->c, &r->m, r->now), E_OK);
		pump(r, slice_make(NULL, 0));
	}
	if (r->want_body)
		send_body(r);
}

static void
run_init(struct run *r, int nrcpt, const char *body)
{
	memset(r, 0, sizeof(*r));
	r->now = 1000000;
	client_init(&r->c, "me.example", &timeouts);
	dialogue_init(&r->dialogue, r->now);
	r->c.dialogue = &r->dialogue;
	for (int i = 0; i < nrcpt; i++) {
		snprintf(r->addr[i], sizeof(r->addr[i]), "r%d@b.example", i);
		r->rcpt[i].address = r->addr[i];
	}
	r->body = body != NULL ? body : "Hi\r\n";
	r->body_n = strlen(r->body);
	r->m = (struct client_mail){ .sender = "s@a.example", .size = r->body_n, .rcpt = r->rcpt, .nrcpt = (size_t)nrcpt };
	client_connected(&r->c, r->now);
}

static void
feed(struct run *r, const char *text, size_t piece)
{
	size_t n = strlen(text), k;

	if (strcmp(text, DROP) == 0) {
		client_eof(&r->c, r->now, "lost connection");
		pump(r, slice_make(NULL, 0));
		return;
	}
	if (strcmp(text, HANG) == 0) {
		assert_true(r->c.deadline_ms != UINT64_MAX);
		r->now = r->c.deadline_ms;
		client_timeout(&r->c, r->now);
		pump(r, slice_make(NULL, 0));
		return;
	}
	for (; n != 0 && r->c.state != CS_OVER; text += k, n -= k) {
		k = piece == 0 || piece > n ? n : piece;
		r->now += 10;
		/* Within one read everything is parsed before anything is done. */
		pump(r, slice_make(text, k));
		if (k == n)
			act(r);
	}
}

static void
run_row(const struct row *row, size_t piece, struct run *r)
{
	run_init(r, row->nrcpt, row->body);
	for (size_t i = 0; row->server[i] != NULL; i++) {
		assert_int_not_equal(r->c.state, CS_OVER);
		feed(r, row->server[i], piece);
	}
	if (r->c.state == CS_READY)
		note(r, client_reusable(&r->c) ? " ready" : " used up");
	client_clear(&r->c);
}

static void
scripts(void **state)
{
	static struct run r, again;
	char dialogue[DIALOGUE_MAX];
	size_t n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_row(&rows[i], 0, &r);
		if (strcmp(r.log, rows[i].want) != 0)
			fail_msg("%s:\n  want %s\n  got  %s", rows[i].name, rows[i].want, r.log);
		if (rows[i].sent != NULL && (strlen(rows[i].sent) != r.nsent ||
		    memcmp(rows[i].sent, r.sent, r.nsent) != 0))
			fail_msg("%s:\n  want %s\n  sent %.*s", rows[i].name, rows[i].sent, (int)r.nsent, r.sent);
		n = dialogue_text(&r.dialogue, dialogue);
		assert_true(n > 0 && n <= DIALOGUE_MAX && dialogue[n - 1] == '\n');
		for (size_t piece = 1; piece < 8; piece++) {
			run_row(&rows[i], piece, &again);
			if (strcmp(r.log, again.log) != 0 || r.nsent != again.nsent ||
			    memcmp(r.sent, again.sent, r.nsent) != 0)
				fail_msg("%s: in pieces of %zu:\n  %s\n  %s", rows[i].name, piece, r.log, again.log);
		}
	}
}

/* A second message on one connection: RSET only after a transaction that was left open; a dead connection is stale. */
static void
reuse(void **state)
{
	static struct run r;

	run_init(&r, 1, NULL);
	feed(&r, HI, 0);
	feed(&r, EHLO, 0);
	feed(&r, OK OK GO, 0);
	feed(&r, OK, 0);
	assert_string_equal(r.log, "0=delivered/250/2.0.0/dot done");
	r.rcpt[0].done = 0;
	r.nsent = 0;
	assert_int_equal(client_mail(&r.c, &r.m, r.now), E_OK);
	collect(&r);
	assert_memory_equal(r.sent, "MAIL", 4);
	feed(&r, OK "550 no\r\n503 no\r\n", 0);		/* refused: MAIL stays open */
	assert_int_equal(r.c.state, CS_READY);
	r.rcpt[0].done = 0;
	r.nsent = 0;
	r.log[0] = '\0';
	assert_int_equal(client_mail(&r.c, &r.m, r.now), E_OK);
	collect(&r);
	assert_memory_equal(r.sent, "RSET\r\nMAIL", 10);
	feed(&r, OK OK OK GO, 0);
	feed(&r, OK, 0);
	assert_string_equal(r.log, "0=delivered/250/2.0.0/dot done");
	r.rcpt[0].done = 0;
	r.log[0] = '\0';
	assert_int_equal(client_mail(&r.c, &r.m, r.now), E_OK);
	feed(&r, DROP, 0);
	assert_true(r.c.fail_stale);
	assert_string_equal(r.log, "over=tempfail/0/4.4.2/mail");
	client_clear(&r.c);

	/* The first message of a connection is never stale. */
	run_init(&r, 1, NULL);
	feed(&r, HI, 0);
	feed(&r, EHLO, 0);
	feed(&r, DROP, 0);
	assert_false(r.c.fail_stale);
	client_clear(&r.c);
}

static void
goodbye(void **state)
{
	static struct run r;

	run_init(&r, 1, NULL);
	feed(&r, HI, 0);
	feed(&r, EHLO, 0);
	feed(&r, OK OK GO, 0);
	client_quit(&r.c, r.now);	/* in the middle of a message: nothing */
	collect(&r);
	assert_int_equal(r.c.state, CS_DOT);
	feed(&r, OK, 0);
	r.nsent = 0;
	client_quit(&r.c, r.now);
	collect(&r);
	assert_int_equal(r.nsent, 6);
	assert_memory_equal(r.sent, "QUIT\r\n", 6);
	assert_int_equal(r.c.deadline_ms, r.now + 10000);
	feed(&r, "221 bye\r\n", 0);
	assert_int_equal(r.c.state, CS_OVER);
	assert_int_equal(r.nsent, 6);
	client_clear(&r.c);
}

/* SIZE at limit - 1, limit, limit + 1; 0 is no limit. */
static void
size_limit(void **state)
{
	static struct run r;
	static const struct { const char *offer; uint64_t size; int sent; } t[] = {
		{ "250-x\r\n250 SIZE 1000\r\n", 999, 1 }, { "250-x\r\n250 SIZE 1000\r\n", 1000, 1 },
		{ "250-x\r\n250 SIZE 1000\r\n", 1001, 0 }, { "250-x\r\n250 SIZE 0\r\n", 1001, 1 },
		{ "250-x\r\n250 SIZE\r\n", 1001, 1 }, { "250 x SIZE 5\r\n", 1001, 1 },
		{ "250-x\r\n250 SIZE 99999999999999999999999\r\n", 1001, 1 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		run_init(&r, 2, NULL);
		r.m.size = t[i].size;
		feed(&r, HI, 0);
		r.nsent = 0;
		feed(&r, t[i].offer, 0);
		assert_int_equal(r.nsent != 0, t[i].sent);
		if (!t[i].sent)
			assert_string_equal(r.log, "0=permfail/0/5.3.4/mail 1=permfail/0/5.3.4/mail done");
		client_clear(&r.c);
	}
}

static void
body8(void **state)
{
	static struct run r;

	for (int offered = 0; offered < 2; offered++) {
		run_init(&r, 1, NULL);
		r.m.body = BODY_8BIT;
		feed(&r, HI, 0);
		r.nsent = 0;
		feed(&r, offered ? EHLO : PLAIN, 0);
		r.sent[r.nsent] = '\0';
		assert_int_equal(strstr(r.sent, "BODY=8BITMIME") != NULL, offered);
		client_clear(&r.c);
	}
}

/* As many recipients as a transaction takes, one less, one more. */
static void
recipients_limit(void **state)
{
	static struct run r;
	char *p;
	int n;

	for (int want = JOB_RCPT_MAX - 1; want <= JOB_RCPT_MAX + 1; want++) {
		run_init(&r, want, NULL);
		feed(&r, HI, 0);
		r.nsent = 0;
		feed(&r, EHLO, 0);
		r.sent[r.nsent] = '\0';
		for (n = 0, p = r.sent; (p = strstr(p, "RCPT TO")) != NULL; p++)
			n++;
		assert_int_equal(n, want > JOB_RCPT_MAX ? JOB_RCPT_MAX : want);
		assert_int_equal(r.rcpt[JOB_RCPT_MAX].done, want > JOB_RCPT_MAX);
		client_clear(&r.c);
	}
}

/* A reply line at the limit, and past it; a reply of too many lines. */
static void
reply_limits(void **state)
{
	static struct run r;
	static char text[2 * REPLY_LINE_MAX + 16];
	static char lines[(REPLY_LINES_MAX + 2) * 8];

	for (int over = -1; over <= 1; over++) {
		size_t n = (size_t)(REPLY_LINE_MAX + over);

		memset(text, 'x', sizeof(text));
		memcpy(text, "220 ", 4);
		memcpy(text + n - 2, "\r\n", 3);
		run_init(&r, 1, NULL);
		feed(&r, text, 0);
		assert_int_equal(r.c.state == CS_EHLO, over <= 0);
		client_clear(&r.c);
	}
	for (int over = -1; over <= 1; over++) {
		lines[0] = '\0';
		for (int i = 1; i < REPLY_LINES_MAX + over; i++)
			strncat(lines, "220-x\r\n", sizeof(lines) - strlen(lines) - 1);
		strncat(lines, "220 x\r\n", sizeof(lines) - strlen(lines) - 1);
		run_init(&r, 1, NULL);
		feed(&r, lines, 0);
		assert_int_equal(r.c.state == CS_EHLO, over <= 0);
		client_clear(&r.c);
	}
}

/* Single octets do not move a deadline; replies do; a body must move at a least rate. */
static void
deadlines(void **state)
{
	static struct run r;
	uint64_t due;

	run_init(&r, 1, NULL);
	assert_int_equal(r.c.deadline_ms, r.now + 300000);
	due = r.c.deadline_ms;
	r.now += 100000;
	pump(&r, slice_make("220 ", 4));
	assert_int_equal(r.c.deadline_ms, due);
	pump(&r, slice_make("x\r\n", 3));
	assert_int_equal(r.c.deadline_ms, r.now + 300000);
	feed(&r, EHLO, 0);
	pump(&r, slice_make(OK, strlen(OK)));
	pump(&r, slice_make(OK, strlen(OK)));
	assert_int_equal(r.c.deadline_ms, r.now + 120000);	/* DATA */
	pump(&r, slice_make(GO, strlen(GO)));
	assert_int_equal(r.c.deadline_ms, r.now + 180000);
	for (int i = 0; i < 100; i++) {				/* one octet a second is no progress */
		r.now += 1000;
		client_body_sent(&r.c, 1, r.now);
	}
	assert_true(r.c.deadline_ms < r.now + 82000);
	client_body_sent(&r.c, 1000000, r.now);
	assert_int_equal(r.c.deadline_ms, r.now + 180000);
	client_dot_sent(&r.c, r.now);
	assert_int_equal(r.c.deadline_ms, r.now + 600000);
	client_clear(&r.c);
}

/* The record stays within its bound, keeps its beginning and its end, and holds no stranger's control octets. */
static void
dialogue_bound(void **state)
{
	static struct dialogue d;
	char text[DIALOGUE_MAX], line[64];
	size_t n;

	dialogue_init(&d, 500);
	dialogue_add(&d, 512, '*', 0, SLICE_LIT("first"));
	for (int i = 0; i < 500; i++) {
		snprintf(line, sizeof(line), "line %d \x1b[0m", i);
		dialogue_add(&d, 500 + (uint64_t)i, '<', 250, slice_str(line));
		n = dialogue_text(&d, text);
		assert_true(n <= DIALOGUE_MAX);
	}
	assert_memory_equal(text, "+0.012 * first\n", 15);
	assert_non_null(memmem(text, n, "line 499", 8));
	assert_non_null(memmem(text, n, " lines left out ...\n", 20));
	assert_null(memchr(text, 0x1b, n));
	for (size_t i = 0; i < n; i++)
		assert_true(text[i] == '\n' || (text[i] >= 0x20 && text[i] <= 0x7e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
		cmocka_unit_test(reuse),
		cmocka_unit_test(goodbye),
		cmocka_unit_test(size_limit),
		cmocka_unit_test(body8),
		cmocka_unit_test(recipients_limit),
		cmocka_unit_test(reply_limits),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(dialogue_bound),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
