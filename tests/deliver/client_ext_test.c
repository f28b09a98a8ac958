/*
 * client_ext_test.c -- the SMTP client and what hosts offer: for each extension a host that has it and one that has not; what
 * is said to it and what becomes of each recipient; chunks in every order of answers; probes.
 *
 * A script has one text per turn of the server, or DROP.  Every row is run whole and octet by octet.
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
#define HI	"220 mx ESMTP\r\n"
#define OK	"250 2.0.0 Ok\r\n"
#define GO	"354 go\r\n"
#define P	"250-mx\r\n250-PIPELINING\r\n"
#define NONE	"250 mx\r\n"
#define RCPT	"RCPT TO:<r@b.example>"
#define MAIL	"MAIL FROM:<s@a.example>"
#define BODY	"DATA\r\nHi\r\n.\r\n"
#define UTF	"\303\244@b.example"
#define GOOD	"0=delivered/250/2.0.0/dot"

struct row {
	const char	*name;
	struct client_mail mail;	/* sender NULL: s@a.example */
	struct client_rcpt rcpt[3];	/* address NULL: r@b.example, in the first alone */
	const char	*server[12];
	const char	*want;		/* outcomes, then "ready", "used up" or nothing; "+dsn" and "+by" behind a delivered one */
	const char	*sent;		/* behind EHLO; NULL: not compared */
};

static const struct row rows[] = {
	{ "8BITMIME", { .body = BODY_8BIT }, {{0}}, { HI, P "250 8BITMIME\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL " BODY=8BITMIME\r\n" RCPT "\r\n" BODY },
	{ "no 8BITMIME: as it is", { .body = BODY_8BIT }, {{0}}, { HI, NONE, OK, OK, GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },

	/* RFC 3030 */
	{ "BINARYMIME, pipelined", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK, OK }, GOOD " done ready",
	    MAIL " BODY=BINARYMIME\r\n" RCPT "\r\nBDAT 4 LAST\r\nHi\r\n" },
	{ "BINARYMIME, one by one", { .body = BODY_BINARY }, {{0}}, { HI, "250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", OK, OK, OK }, GOOD " done ready",
	    MAIL " BODY=BINARYMIME\r\n" RCPT "\r\nBDAT 4 LAST\r\nHi\r\n" },
	{ "CHUNKING alone: converted", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 8BITMIME\r\n", OK OK GO, OK }, "convert " GOOD " done ready",
	    MAIL " BODY=8BITMIME\r\n" RCPT "\r\n" BODY },
	{ "BINARYMIME alone: converted", { .body = BODY_BINARY }, {{0}}, { HI, P "250 BINARYMIME\r\n", OK OK GO, OK }, "convert " GOOD " done ready",
	    MAIL "\r\n" RCPT "\r\n" BODY },
	{ "DATA for what is no binary", { .body = BODY_8BIT }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL "\r\n" RCPT "\r\n" BODY },
	{ "nobody wants it: no chunk", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK "550 no\r\n" },
	    "0=permfail/550/5.0.0/rcpt done ready", MAIL " BODY=BINARYMIME\r\n" RCPT "\r\n" },
	{ "MAIL refused, pipelined: no chunk", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", "550 no\r\n503 no\r\n" },
	    "0=permfail/550/5.0.0/mail done ready", MAIL " BODY=BINARYMIME\r\n" RCPT "\r\n" },
	{ "some want it", { .body = BODY_BINARY }, {{ .address = "a@b" }, { .address = "c@b" }}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK "550 no\r\n" OK, OK },
	    "0=permfail/550/5.0.0/rcpt 1=delivered/250/2.0.0/dot done ready", NULL },
	{ "chunk refused", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK, "452 4.3.1 full\r\n" },
	    "0=tempfail/452/4.3.1/dot done ready", NULL },
	{ "chunk 421", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK, "421 4.3.2 bye\r\n" },
	    "0=tempfail/421/4.3.2/dot over=tempfail/0/4.4.2/dot", NULL },
	{ "chunk never answered", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK, DROP },
	    "0=unsure/0/4.4.2/dot over=tempfail/0/4.4.2/dot", NULL },
	{ "chunk answered by 354", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK, GO },
	    "0=unsure/354/4.5.0/dot over=tempfail/354/4.5.0/dot", NULL },
	{ "answered before it was sent", { .body = BODY_BINARY }, {{0}}, { HI, P "250-CHUNKING\r\n250 BINARYMIME\r\n", OK OK OK },
	    "over=tempfail/250/4.5.0/body", NULL },

	/* RFC 6531 */
	{ "SMTPUTF8 for the recipient", { 0 }, {{ .address = UTF }}, { HI, P "250-8BITMIME\r\n250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL " SMTPUTF8\r\nRCPT TO:<" UTF ">\r\n" BODY },
	{ "SMTPUTF8 for the sender", { .sender = UTF }, {{0}}, { HI, P "250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready",
	    "MAIL FROM:<" UTF "> SMTPUTF8\r\n" RCPT "\r\n" BODY },
	{ "SMTPUTF8 for the header", { .header8 = 1, .body = BODY_8BIT }, {{0}}, { HI, P "250-8BITMIME\r\n250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL " BODY=8BITMIME SMTPUTF8\r\n" RCPT "\r\n" BODY },
	{ "SMTPUTF8 declared: for the header of a part", { .utf8 = 1, .body = BODY_8BIT }, {{0}}, { HI, P "250-8BITMIME\r\n250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL " BODY=8BITMIME SMTPUTF8\r\n" RCPT "\r\n" BODY },
	{ "SMTPUTF8 declared: not for 7 bits", { .utf8 = 1 }, {{0}}, { HI, P "250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },
	{ "SMTPUTF8 declared, not offered", { .utf8 = 1, .body = BODY_8BIT }, {{0}}, { HI, P "250 8BITMIME\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL " BODY=8BITMIME\r\n" RCPT "\r\n" BODY },
	{ "SMTPUTF8 not needed", { 0 }, {{0}}, { HI, P "250 SMTPUTF8\r\n", OK OK GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },
	{ "no SMTPUTF8: that recipient", { 0 }, {{ .address = "a@b" }, { .address = UTF }, { .address = "c@b" }}, { HI, P "250 8BITMIME\r\n", OK OK OK GO, OK },
	    "1=permfail/0/5.6.7/rcpt 0=delivered/250/2.0.0/dot 2=delivered/250/2.0.0/dot done ready", MAIL "\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\n" BODY },
	{ "no SMTPUTF8: all recipients", { 0 }, {{ .address = UTF }}, { HI, NONE }, "0=permfail/0/5.6.7/rcpt done ready", "" },
	{ "no SMTPUTF8: the sender", { .sender = UTF }, {{0}}, { HI, NONE }, "0=permfail/0/5.6.7/mail done ready", "" },
	{ "no SMTPUTF8: the header", { .header8 = 1 }, {{0}}, { HI, NONE }, "0=permfail/0/5.6.9/mail done ready", "" },
	{ "no SMTPUTF8, and one recipient at a time", { 0 }, {{ .address = UTF }, { .address = "a@b" }, { .address = "c@b" }}, { HI, P "250 LIMITS RCPTMAX=1\r\n", OK OK GO, OK },
	    "0=permfail/0/5.6.7/rcpt 2=tempfail/0/4.5.3/rcpt/1 1=delivered/250/2.0.0/dot done ready", MAIL "\r\nRCPT TO:<a@b>\r\n" BODY },

	/* RFC 3461 */
	{ "DSN", { .ret = RET_FULL, .envid = "q=1+ x" }, {{ .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, .orcpt = "rfc822;A+b@c.example" }},
	    { HI, P "250 DSN\r\n", OK OK GO, OK }, GOOD "+dsn done ready",
	    MAIL " RET=FULL ENVID=q+3D1+2B+20x\r\n" RCPT " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;A+2Bb@c.example\r\n" BODY },
	{ "DSN: HDRS, NEVER, utf-8", { .ret = RET_HDRS }, {{ .notify = NOTIFY_NEVER, .orcpt = "utf-8;\303\244\\+@c" }},
	    { HI, P "250 DSN\r\n", OK OK GO, OK }, GOOD "+dsn done ready", MAIL " RET=HDRS\r\n" RCPT " NOTIFY=NEVER ORCPT=utf-8;\\x{E4}\\x{5C}\\x{2B}@c\r\n" BODY },
	{ "DSN and SMTPUTF8: the original recipient as it is", { 0 }, {{ .address = UTF, .orcpt = "utf-8;\303\244@c" }},
	    { HI, P "250-SMTPUTF8\r\n250 DSN\r\n", OK OK GO, OK }, GOOD "+dsn done ready", MAIL " SMTPUTF8\r\nRCPT TO:<" UTF "> ORCPT=utf-8;\303\244@c\r\n" BODY },
	{ "DSN: only what was given", { 0 }, {{ .notify = NOTIFY_DELAY }}, { HI, P "250 DSN\r\n", OK OK GO, OK }, GOOD "+dsn done ready",
	    MAIL "\r\n" RCPT " NOTIFY=DELAY\r\n" BODY },
	{ "DSN: nothing given", { 0 }, {{0}}, { HI, P "250 DSN\r\n", OK OK GO, OK }, GOOD "+dsn done ready", MAIL "\r\n" RCPT "\r\n" BODY },
	{ "no DSN", { .ret = RET_FULL, .envid = "x" }, {{ .notify = NOTIFY_SUCCESS, .orcpt = "rfc822;a@b" }}, { HI, P "250 8BITMIME\r\n", OK OK GO, OK }, GOOD " done ready",
	    MAIL "\r\n" RCPT "\r\n" BODY },
	{ "no DSN behind HELO", { .ret = RET_FULL }, {{ .notify = NOTIFY_SUCCESS }}, { HI, "500-DSN\r\n500 DSN\r\n", "250-mx\r\n250 DSN\r\n", OK, OK, GO, OK }, GOOD " done ready",
	    "HELO me.example\r\n" MAIL "\r\n" RCPT "\r\n" BODY },

	/* RFC 2852 */
	{ "BY R", { .by_mode = BY_RETURN, .by_left = 98 }, {{0}}, { HI, P "250 DELIVERBY 98\r\n", OK OK GO, OK }, GOOD "+by done ready", MAIL " BY=98;R\r\n" RCPT "\r\n" BODY },
	{ "BY R with trace, no minimum", { .by_mode = BY_RETURN, .by_trace = 1, .by_left = 1 }, {{0}}, { HI, P "250 DELIVERBY\r\n", OK OK GO, OK }, GOOD "+by done ready",
	    MAIL " BY=1;RT\r\n" RCPT "\r\n" BODY },
	{ "BY R below the minimum", { .by_mode = BY_RETURN, .by_left = 98 }, {{0}}, { HI, P "250 DELIVERBY 99,x\r\n" }, "0=permfail/0/5.4.7/mail done ready", "" },
	{ "BY R, too late", { .by_mode = BY_RETURN, .by_left = 0 }, {{0}}, { HI, P "250 DELIVERBY\r\n" }, "0=permfail/0/5.4.7/mail done ready", "" },
	{ "BY R without DELIVERBY", { .by_mode = BY_RETURN, .by_left = 98 }, {{0}}, { HI, NONE }, "0=permfail/0/5.4.7/mail done ready", "" },
	{ "BY N, late", { .by_mode = BY_NOTIFY, .by_trace = 1, .by_left = -7 }, {{0}}, { HI, P "250 DELIVERBY 99\r\n", OK OK GO, OK }, GOOD "+by done ready",
	    MAIL " BY=-7;NT\r\n" RCPT "\r\n" BODY },
	{ "BY N, nine digits at most", { .by_mode = BY_NOTIFY, .by_left = 1234567890123 }, {{0}}, { HI, P "250 DELIVERBY\r\n", OK OK GO, OK }, GOOD "+by done ready",
	    MAIL " BY=999999999;N\r\n" RCPT "\r\n" BODY },
	{ "BY N without DELIVERBY", { .by_mode = BY_NOTIFY, .by_left = 7 }, {{0}}, { HI, P "250 8BITMIME\r\n", OK OK GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },
	{ "BY N without DELIVERBY, with DSN", { .by_mode = BY_NOTIFY, .by_left = 7 }, {{ .address = "a@b" }, { .address = "c@b", .notify = NOTIFY_SUCCESS }, { .address = "d@b", .notify = NOTIFY_NEVER }},
	    { HI, P "250 DSN\r\n", OK OK OK OK GO, OK }, "0=delivered/250/2.0.0/dot+dsn 1=delivered/250/2.0.0/dot+dsn 2=delivered/250/2.0.0/dot+dsn done ready",
	    MAIL "\r\nRCPT TO:<a@b> NOTIFY=FAILURE,DELAY\r\nRCPT TO:<c@b> NOTIFY=SUCCESS,DELAY\r\nRCPT TO:<d@b> NOTIFY=NEVER\r\n" BODY },

	/* RFC 6710 */
	{ "MT-PRIORITY", { .prioritized = 1, .priority = -9 }, {{0}}, { HI, P "250 MT-PRIORITY MIXER\r\n", OK OK GO, OK }, GOOD " done ready", MAIL " MT-PRIORITY=-9\r\n" RCPT "\r\n" BODY },
	{ "MT-PRIORITY 0", { .prioritized = 1 }, {{0}}, { HI, P "250 MT-PRIORITY\r\n", OK OK GO, OK }, GOOD " done ready", MAIL " MT-PRIORITY=0\r\n" RCPT "\r\n" BODY },
	{ "MT-PRIORITY not given", { 0 }, {{0}}, { HI, P "250 MT-PRIORITY\r\n", OK OK GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },
	{ "no MT-PRIORITY", { .prioritized = 1, .priority = 3 }, {{0}}, { HI, NONE, OK, OK, GO, OK }, GOOD " done ready", MAIL "\r\n" RCPT "\r\n" BODY },

	{ "all at once", { .body = BODY_BINARY, .header8 = 1, .ret = RET_FULL, .envid = "e", .by_mode = BY_RETURN, .by_left = 60, .by_trace = 1, .prioritized = 1, .priority = 9 },
	    {{ .address = UTF, .notify = NOTIFY_FAILURE, .orcpt = "rfc822;x@y" }},
	    { HI, P "250-SIZE 9999\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-DELIVERBY 9\r\n250 MT-PRIORITY\r\n", OK OK, OK },
	    GOOD "+dsn+by done ready", MAIL " SIZE=4 BODY=BINARYMIME SMTPUTF8 RET=FULL ENVID=e BY=60;RT MT-PRIORITY=9\r\n"
	    "RCPT TO:<" UTF "> NOTIFY=FAILURE ORCPT=rfc822;x@y\r\nBDAT 4 LAST\r\nHi\r\n" },

	/* probes */
	{ "probe, pipelined, taken", { .sender = "", .probe = 1 }, {{0}}, { HI, P "250 SIZE 9\r\n", OK "250 2.1.5 yes\r\n" OK }, "0=delivered/250/2.1.5/rcpt done ready",
	    "MAIL FROM:<>\r\n" RCPT "\r\nRSET\r\n" },
	{ "probe, one by one, taken", { .sender = "", .probe = 1 }, {{0}}, { HI, NONE, OK, OK, OK }, "0=delivered/250/2.0.0/rcpt done ready", "MAIL FROM:<>\r\n" RCPT "\r\nRSET\r\n" },
	{ "probe, refused", { .sender = "", .probe = 1 }, {{0}}, { HI, P "250 SIZE\r\n", OK "550 5.1.1 who\r\n" OK }, "0=permfail/550/5.1.1/rcpt done ready", NULL },
	{ "probe, refused, one by one", { .sender = "", .probe = 1 }, {{0}}, { HI, NONE, OK, "450 4.2.0 grey\r\n", OK }, "0=tempfail/450/4.2.0/rcpt done ready",
	    "MAIL FROM:<>\r\n" RCPT "\r\nRSET\r\n" },
	{ "probe, MAIL refused, pipelined", { .sender = "", .probe = 1 }, {{0}}, { HI, P "250 SIZE\r\n", "550 5.7.1 no <>\r\n503 x\r\n" OK }, "0=permfail/550/5.7.1/mail done ready", NULL },
	{ "probe, MAIL refused, one by one", { .sender = "", .probe = 1 }, {{0}}, { HI, NONE, "550 5.7.1 no <>\r\n" }, "0=permfail/550/5.7.1/mail done ready", "MAIL FROM:<>\r\n" },
	{ "probe, RSET refused", { .sender = "", .probe = 1 }, {{0}}, { HI, NONE, OK, OK, "500 what\r\n" }, "0=delivered/250/2.0.0/rcpt done ready", NULL },
	{ "probe, RSET dropped", { .sender = "", .probe = 1 }, {{0}}, { HI, NONE, OK, OK, DROP }, "0=delivered/250/2.0.0/rcpt over=tempfail/0/4.4.2/rcpt", NULL },
	{ "probe, needs SMTPUTF8", { .sender = "", .probe = 1 }, {{ .address = UTF }}, { HI, NONE }, "0=permfail/0/5.6.7/rcpt done ready", "" },
	{ "probe with SMTPUTF8", { .sender = "", .probe = 1 }, {{ .address = UTF }}, { HI, P "250 SMTPUTF8\r\n", OK OK OK }, "0=delivered/250/2.0.0/rcpt done ready",
	    "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<" UTF ">\r\nRSET\r\n" },
};

static struct conf_timeouts timeouts = { 30, 300, 300, 300, 300, 120, 180, 600, 10, 7200 };

struct run {
	struct client	 c;
	struct client_rcpt rcpt[3];
	struct client_mail m;
	struct dialogue	 dialogue;
	char		 log[4096];
	char		*sent;
	size_t		 nsent, size;
	uint64_t	 now;
	const char	*body;
	size_t		 at;		/* of the body, given */
	int		 want_body, ended, ready;
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
	if (x->outcome == OUT_DELIVERED && x->handed == HANDED_DSN)
		note(r, "+dsn");
	if (x->by_passed)
		note(r, "+by");
}

static void
sent(struct run *r, const char *p, size_t n)
{
	if (r->nsent + n > r->size) {
		r->size = (r->nsent + n) * 2;
		assert_non_null(r->sent = realloc(r->sent, r->size));
	}
	if (n != 0)
		memcpy(r->sent + r->nsent, p, n);
	r->nsent += n;
}

static void
pump(struct run *r, struct slice in)
{
	struct client_result res;
	enum client_event e;
	struct slice s;
	char who[16];

	while ((e = client_step(&r->c, &in, r->now, &res)) != CLIENT_WAIT) {
		if (e == CLIENT_RESULT) {
			snprintf(who, sizeof(who), "%zu", res.rcpt);
			note_result(r, who, &res);
		} else if (e == CLIENT_READY)
			r->ready = 1;
		else if (e == CLIENT_BODY)
			r->want_body = 1;
		else if (e == CLIENT_DONE)
			note(r, " done");
		else
			note_result(r, "over", &r->c.fail);
	}
	r->want_body &= r->c.state == CS_BODY;
	s = buf_slice(&r->c.out);
	sent(r, s.p, s.n);
	buf_drain(&r->c.out, s.n);
}

/* As much as the core takes, in pieces. */
static void
send_body(struct run *r, size_t piece)
{
	struct slice seg[8], end;
	size_t nseg, used = 1, k;

	while (r->want_body && !r->ended && used != 0) {
		k = r->m.size - r->at < piece ? r->m.size - r->at : piece;
		used = 0;
		if (k != 0)
			assert_int_equal(client_body(&r->c, slice_make(r->body + r->at, k), seg, 8, &nseg, &used), E_OK);
		else
			nseg = 0;
		for (size_t i = 0; i < nseg; i++) {
			sent(r, seg[i].p, seg[i].n);
			client_body_sent(&r->c, seg[i].n, r->now);
		}
		r->at += used;
		if (r->at == r->m.size) {
			assert_int_equal(client_body_end(&r->c, &end), E_OK);
			sent(r, end.p, end.n);
			client_body_sent(&r->c, end.n, r->now);
			r->ended = 1;
			r->want_body = 0;
			client_dot_sent(&r->c, r->now);
		}
	}
}

static void
act(struct run *r, size_t piece)
{
	if (r->ready) {
		r->ready = 0;
		assert_int_equal(client_mail(&r->c, &r->m, r->now), E_OK);
		if (r->c.convert)
			note(r, "convert");
		pump(r, slice_make(NULL, 0));
	}
	send_body(r, piece);
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
	for (; n != 0 && r->c.state != CS_OVER; text += k, n -= k) {
		k = piece < n ? piece : n;
		r->now += 10;
		pump(r, slice_make(text, k));
		if (k == n)
			act(r, piece);
	}
}

static void
run_init(struct run *r, const struct row *row, const char *body, size_t size)
{
	char *keep = r->sent;
	size_t kept = r->size;

	memset(r, 0, sizeof(*r));
	r->sent = keep;
	r->size = kept;
	r->now = 1000000;
	client_init(&r->c, "me.example", &timeouts);
	dialogue_init(&r->dialogue, r->now);
	r->c.dialogue = &r->dialogue;
	r->m = row->mail;
	memcpy(r->rcpt, row->rcpt, sizeof(r->rcpt));
	if (r->rcpt[0].address == NULL)
		r->rcpt[0].address = "r@b.example";
	while (r->m.nrcpt < 3 && r->rcpt[r->m.nrcpt].address != NULL)
		r->m.nrcpt++;
	r->m.rcpt = r->rcpt;
	if (r->m.sender == NULL)
		r->m.sender = "s@a.example";
	r->body = body;
	r->m.size = size;
	client_connected(&r->c, r->now);
}

static void
test_rows(void **state)
{
	static struct run r;
	size_t skip = strlen("EHLO me.example\r\n");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int whole = 0; whole <= 1; whole++) {
			run_init(&r, &rows[i], "Hi\r\n", 4);
			for (size_t k = 0; rows[i].server[k] != NULL; k++) {
				assert_int_not_equal(r.c.state, CS_OVER);
				feed(&r, rows[i].server[k], whole ? SIZE_MAX : 1);
			}
			if (r.c.state == CS_READY)
				note(&r, client_reusable(&r.c) ? " ready" : " used up");
			if (strcmp(r.log[0] == ' ' ? r.log + 1 : r.log, rows[i].want) != 0)
				fail_msg("%s:\n  want %s\n  got  %s", rows[i].name, rows[i].want, r.log);
			assert_true(r.nsent >= skip);
			if (rows[i].sent != NULL && (strlen(rows[i].sent) != r.nsent - skip ||
			    memcmp(rows[i].sent, r.sent + skip, r.nsent - skip) != 0))
				fail_msg("%s:\n  want %s\n  sent %.*s", rows[i].name, rows[i].sent, (int)(r.nsent - skip), r.sent + skip);
			client_clear(&r.c);
		}
	}
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

/* ---- chunks ---- */

static const struct row binary = { .mail = { .body = BODY_BINARY } };

/* Up to the recipient's acceptance. */
static void
start_chunks(struct run *r, const char *body, size_t size, int pipelining, size_t piece)
{
	run_init(r, &binary, body, size);
	feed(r, HI, SIZE_MAX);
	if (pipelining) {
		feed(r, P "250-CHUNKING\r\n250 BINARYMIME\r\n", SIZE_MAX);
		feed(r, OK OK, piece);
	} else {
		feed(r, "250-CHUNKING\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", SIZE_MAX);
		feed(r, OK, SIZE_MAX);
		feed(r, OK, piece);
	}
}

/* The octets behind RCPT are chunks that hold the body; how many were begun. */
static unsigned
check_chunks(const struct run *r, int whole)
{
	const char *p = strstr(r->sent, "RCPT"), *end = r->sent + r->nsent;
	unsigned long long n;
	size_t at = 0;
	unsigned count = 0;
	int last = 0, len;
	char head[64];

	p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
	while (p < end) {
		assert_false(last);
		assert_int_equal(sscanf(p, "BDAT %llu", &n), 1);
		snprintf(head, sizeof(head), "BDAT %llu LAST\r\n", n);
		last = strncmp(p, head, strlen(head)) == 0;
		len = last ? (int)strlen(head) : snprintf(head, sizeof(head), "BDAT %llu\r\n", n);
		assert_memory_equal(p, head, (size_t)len);
		p += len;
		assert_true(n <= (size_t)(end - p) && n <= BDAT_CHUNK);
		assert_memory_equal(p, r->body + at, n);
		p += n;
		at += n;
		count++;
	}
	if (whole) {
		assert_true(last);
		assert_int_equal(at, r->m.size);
	}
	return (count);
}

static char *
make_body(size_t n)
{
	char *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = "\r\n.\0x"[i * 7 % 11 % 5];
	p[n] = '\0';
	return (p);
}

static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, BDAT_CHUNK - 1, BDAT_CHUNK, BDAT_CHUNK + 1, 3 * BDAT_CHUNK, 9 * BDAT_CHUNK + 5 };
	static struct run r;
	unsigned said, begun;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *body = make_body(sizes[i]);
		unsigned chunks = sizes[i] == 0 ? 1 : (unsigned)((sizes[i] + BDAT_CHUNK - 1) / BDAT_CHUNK);

		for (int pipelining = 0; pipelining <= 1; pipelining++) {
			for (size_t piece = 997; piece < 1 << 20; piece *= 41) {
				start_chunks(&r, body, sizes[i], pipelining, piece);
				/* Never more ahead than allowed, and after each answer one more. */
				for (said = 0; said < chunks; said++) {
					begun = check_chunks(&r, 0);
					if (begun < chunks)
						assert_int_equal(begun - said, pipelining ? BDAT_AHEAD_MAX : 1);
					assert_int_equal(r.c.state, begun == chunks ? CS_DOT : CS_BODY);
					feed(&r, OK, piece);
				}
				assert_int_equal(check_chunks(&r, 1), chunks);
				assert_string_equal(r.log, GOOD " done");
				assert_int_equal(r.c.state, CS_READY);
				client_clear(&r.c);
			}
		}
		free(body);
	}
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

/* A chunk refused: at its end RSET follows once all on their way were answered, inside one the connection goes. */
static void
test_refused(void **state)
{
	static struct run r;
	char *body = make_body(9 * BDAT_CHUNK);

	start_chunks(&r, body, 9 * BDAT_CHUNK, 1, SIZE_MAX);
	feed(&r, OK "552 5.3.4 too much\r\n503 5.5.1 x\r\n", SIZE_MAX);
	assert_string_equal(r.log, "0=permfail/552/5.3.4/body");
	assert_int_equal(r.c.state, CS_CHUNKS);
	feed(&r, "250 hm\r\n", SIZE_MAX);
	assert_string_equal(r.log, "0=permfail/552/5.3.4/body done");
	r.nsent = 0;
	r.rcpt[0].done = 0;
	r.at = 0;
	r.ended = 0;
	r.m.size = 3;
	assert_int_equal(client_mail(&r.c, &r.m, r.now), E_OK);
	pump(&r, slice_make(NULL, 0));
	assert_memory_equal(r.sent, "RSET\r\n" MAIL " BODY=BINARYMIME\r\n", 47);
	feed(&r, OK OK OK, SIZE_MAX);
	feed(&r, OK, SIZE_MAX);
	assert_string_equal(r.log, "0=permfail/552/5.3.4/body done 0=delivered/250/2.0.0/dot done");
	client_clear(&r.c);

	/* After a hundred octets of the first. */
	run_init(&r, &binary, body, 9 * BDAT_CHUNK);
	feed(&r, HI, SIZE_MAX);
	feed(&r, P "250-CHUNKING\r\n250 BINARYMIME\r\n", SIZE_MAX);
	pump(&r, SLICE_LIT(OK OK));
	{
		struct slice seg[8];
		size_t nseg, used;

		assert_int_equal(client_body(&r.c, slice_make(body, 100), seg, 8, &nseg, &used), E_OK);
		assert_int_equal(used, 100);
		for (size_t i = 0; i < nseg; i++)
			client_body_sent(&r.c, seg[i].n, r.now);
	}
	pump(&r, SLICE_LIT("452 4.3.1 full\r\n"));
	assert_string_equal(r.log, "0=tempfail/452/4.3.1/body over=tempfail/0/4.4.2/body");
	client_clear(&r.c);
	free(body);
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

/* All is sent, an earlier chunk is refused: its refusal counts, whatever then befalls the last, but for a 250. */
static void
test_refused_behind_the_last(void **state)
{
	static const struct { const char *last, *want; } cases[] = {
		{ "503 5.5.1 x\r\n", "0=permfail/554/5.6.0/body done" },
		{ "250 2.0.0 hm\r\n", "0=unsure/0/4.5.0/dot done" },
		{ DROP, "0=permfail/554/5.6.0/body over=tempfail/0/4.4.2/dot" },
		{ "354 x\r\n", "0=unsure/354/4.5.0/dot over=tempfail/354/4.5.0/dot" },
	};
	static struct run r;
	char *body = make_body(3 * BDAT_CHUNK);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start_chunks(&r, body, 3 * BDAT_CHUNK, 1, SIZE_MAX);
		assert_int_equal(r.c.state, CS_DOT);
		feed(&r, OK "554 5.6.0 no\r\n", SIZE_MAX);
		assert_string_equal(r.log, "");
		feed(&r, cases[i].last, SIZE_MAX);
		assert_string_equal(r.log, cases[i].want);
		client_clear(&r.c);
	}
	free(body);
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

static void
test_chunk_time(void **state)
{
	static struct run r;
	char *body = make_body(3 * BDAT_CHUNK);

	start_chunks(&r, body, 3 * BDAT_CHUNK, 0, SIZE_MAX);
	assert_int_equal(r.c.state, CS_BODY);
	assert_true(r.c.deadline_ms <= r.now + timeouts.data_block * 1000);
	r.now = r.c.deadline_ms;
	client_timeout(&r.c, r.now);
	pump(&r, slice_make(NULL, 0));
	assert_string_equal(r.log, "over=tempfail/0/4.4.2/body");
	client_clear(&r.c);
	free(body);
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

/* ---- lengths ---- */

static void
test_orcpt_limit(void **state)
{
	static struct run r;
	struct row row = { .mail = { .envid = "" } };
	char in[ORCPT_MAX + 2];

	for (size_t n = ORCPT_MAX - 1; n <= ORCPT_MAX + 1; n++) {
		memset(in, 'x', n);
		memcpy(in, "rfc822;", 7);
		in[n] = '\0';
		if (n > ORCPT_MAX) {		/* three octets instead of one */
			in[n - 3] = '+';
			in[n - 2] = '\0';
		}
		row.rcpt[0].orcpt = in;
		run_init(&r, &row, "Hi\r\n", 4);
		feed(&r, HI, SIZE_MAX);
		feed(&r, P "250 DSN\r\n", SIZE_MAX);
		assert_int_equal(memmem(r.sent, r.nsent, "ORCPT=rfc822;xxx", 16) != NULL, n <= ORCPT_MAX);
		client_clear(&r.c);
	}
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

/* The longest commands there can be fit the lines and the group. */
static void
test_longest(void **state)
{
	static struct run r;
	static struct client_rcpt rcpt[JOB_RCPT_MAX];
	static char address[ADDRESS_MAX + 1], orcpt[ORCPT_MAX + 1], envid[ENVID_MAX + 1];
	struct slice in = SLICE_LIT(HI), offers = SLICE_LIT(P "250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-DELIVERBY\r\n250 MT-PRIORITY\r\n");

	memset(address, 'a', ADDRESS_MAX);
	memset(orcpt, 'o', ORCPT_MAX);
	memcpy(orcpt, "rfc822;", 7);
	memset(envid, '+', ENVID_MAX);
	run_init(&r, &binary, "", 0);
	r.m = (struct client_mail){ .sender = address, .size = UINT64_MAX, .body = BODY_8BIT, .rcpt = rcpt, .nrcpt = JOB_RCPT_MAX,
	    .header8 = 1, .ret = RET_FULL, .by_mode = BY_NOTIFY, .by_trace = 1, .by_left = -BY_MAX_S, .prioritized = 1, .priority = -9, .envid = envid };
	for (size_t i = 0; i < JOB_RCPT_MAX; i++)
		rcpt[i] = (struct client_rcpt){ .address = address, .orcpt = orcpt, .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY };
	pump(&r, in);
	pump(&r, offers);
	assert_int_equal(client_mail(&r.c, &r.m, r.now), E_OK);
	pump(&r, slice_make(NULL, 0));
	assert_int_equal(r.c.state, CS_MAIL);
	assert_string_equal(r.log, "");
	client_clear(&r.c);
	free(r.sent);
	memset(&r, 0, sizeof(r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_behind_the_last),
		cmocka_unit_test(test_chunk_time),
		cmocka_unit_test(test_orcpt_limit),
		cmocka_unit_test(test_longest),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
