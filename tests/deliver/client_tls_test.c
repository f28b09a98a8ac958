/*
 * client_tls_test.c -- STARTTLS, implicit TLS and AUTH in the client's core: each reply, each event, what is said and what is
 * not, whole and octet by octet; what is secret is nowhere once it was taken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/err.h"
#include "deliver/client.h"

#define DROP	"\001"		/* the connection ends */
#define HANG	"\002"		/* the time is over */
#define SHAKE	"\003"		/* the handshake succeeds */
#define BREAK	"\004"		/* it fails */
#define INIT	"\005"		/* auth speaks first: the rest is the initial response */
#define WAITS	"\006"		/* auth waits for a challenge */
#define SAYS	"\007"		/* a response of auth */
#define GOOD	"\010"		/* auth is content */
#define BAD	"\011"		/* it is not */
#define HI	"220 mx ESMTP\r\n"
#define OFFER	"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
#define BARE	"250-mx\r\n250 PIPELINING\r\n"
#define GO	"220 2.0.0 go\r\n"
#define AUTH	"250-mx\r\n250-AUTH PLAIN LOGIN SCRAM-SHA-256 X\r\n250 PIPELINING\r\n"
#define E	"EHLO me.example\r\n"
#define S	"STARTTLS\r\n"

enum { NONE, MAY, MUST, SMTPS, SMTPS_MAY, CLEAR, LOGIN, LOCAL, BARRED };	/* what is asked */

static const struct row {
	const char	*name;
	int		 how;
	const char	*server[12];
	const char	*want, *sent;
} rows[] = {
	{ "offered, not wanted", NONE, { HI, OFFER }, "ready", E },
	{ "offered and taken", MAY, { HI, OFFER, GO, SHAKE, BARE }, "tls ready+", E S E },
	{ "required", MUST, { HI, OFFER, GO, SHAKE, BARE }, "tls ready+", E S E },
	{ "not offered, may", MAY, { HI, BARE }, "ready", E },
	{ "not offered, must", MUST, { HI, BARE }, "over 4.7.4 tls", E },
	{ "only HELO, may", MAY, { HI, "502 no\r\n", "250 mx\r\n" }, "ready", E "HELO me.example\r\n" },
	{ "only HELO, must", MUST, { HI, "502 no\r\n", "250 mx\r\n" }, "over 4.7.4 tls", E "HELO me.example\r\n" },
	{ "in clear after failures", CLEAR, { HI, OFFER }, "ready", E },
	{ "454, may", MAY, { HI, OFFER, "454 4.7.0 no\r\n" }, "ready", E S },
	{ "454, must", MUST, { HI, OFFER, "454 4.7.0 no\r\n" }, "over 4.7.4/454 tls broken", E S },
	{ "501, may", MAY, { HI, OFFER, "501 5.5.4 no\r\n" }, "ready", E S },
	{ "501, must", MUST, { HI, OFFER, "501 5.5.4 no\r\n" }, "over 4.7.4/501 tls broken", E S },
	{ "421, may", MAY, { HI, OFFER, "421 4.3.2 bye\r\n" }, "over 4.3.2/421 tls", E S },
	{ "421, must", MUST, { HI, OFFER, "421 4.3.2 bye\r\n" }, "over 4.3.2/421 tls", E S },
	{ "250", MAY, { HI, OFFER, "250 ok\r\n" }, "over 4.5.0/250 tls broken", E S },
	{ "354", MUST, { HI, OFFER, "354 ok\r\n" }, "over 4.5.0/354 tls broken", E S },
	{ "221", MUST, { HI, OFFER, "221 ok\r\n" }, "over 4.5.0/221 tls broken", E S },
	{ "no reply", MAY, { HI, OFFER, HANG }, "over 4.4.2 tls broken", E S },
	{ "gone", MUST, { HI, OFFER, DROP }, "over 4.4.2 tls broken", E S },
	{ "junk", MUST, { HI, OFFER, "hm\r\n" }, "over 4.4.2 tls broken", E S },
	{ "many lines", MUST, { HI, OFFER, "220-2.0.0 a\r\n220 2.0.0 b\r\n", SHAKE, BARE }, "tls ready+", E S E },
	{ "handshake fails, may", MAY, { HI, OFFER, GO, BREAK }, "tls over 4.7.5 tls broken", E S },
	{ "handshake fails, must", MUST, { HI, OFFER, GO, BREAK }, "tls over 4.7.5 tls broken", E S },
	{ "handshake hangs", MUST, { HI, OFFER, GO, HANG }, "tls over 4.4.2 tls broken", E S },
	{ "gone in the handshake", MAY, { HI, OFFER, GO, DROP }, "tls over 4.4.2 tls broken", E S },
	{ "EHLO refused under TLS", MUST, { HI, OFFER, GO, SHAKE, "554 no\r\n" }, "tls over 5.0.0/554 helo", E S E },
	{ "HELO under TLS", MUST, { HI, OFFER, GO, SHAKE, "502 no\r\n", "250 mx\r\n" }, "tls ready+", E S E "HELO me.example\r\n" },
	{ "STARTTLS is offered again", MUST, { HI, OFFER, GO, SHAKE, OFFER }, "tls ready+", E S E },
	{ "gone under TLS", MAY, { HI, OFFER, GO, SHAKE, DROP }, "tls over 4.4.2 tls broken", E S E },
	{ "silent under TLS", MUST, { HI, OFFER, GO, SHAKE, HANG }, "tls over 4.4.2 tls broken", E S E },
	{ "gone under TLS in a reply", MUST, { HI, OFFER, GO, SHAKE, "250-mx", DROP }, "tls over 4.4.2 tls broken", E S E },
	{ "gone under smtps", SMTPS, { SHAKE, DROP }, "tls over 4.4.2 tls broken", "" },
	{ "junk under TLS", MAY, { HI, OFFER, GO, SHAKE, "hm\r\n" }, "tls over 4.4.2 tls broken", E S E },
	{ "gone later", MAY, { HI, OFFER, GO, SHAKE, "502 no\r\n", DROP }, "tls over 4.4.2 helo", E S E "HELO me.example\r\n" },
	{ "smtps", SMTPS, { SHAKE, HI, OFFER }, "tls ready+", E },
	{ "smtps, no policy else", SMTPS_MAY, { SHAKE, HI, BARE }, "tls ready+", E },
	{ "smtps that fails", SMTPS, { BREAK }, "tls over 4.7.5 tls broken", "" },
	{ "smtps that hangs", SMTPS, { HANG }, "tls over 4.4.2 tls broken", "" },
	{ "smtps, refused under TLS", SMTPS, { SHAKE, "554 no\r\n" }, "tls over 5.0.0/554 greeting", "" },

	{ "AUTH PLAIN", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "235 2.7.0 ok\r\n", GOOD }, "tls auth:7 auth:done ready+", E "AUTH PLAIN YWJj\r\n" },
	{ "after STARTTLS", LOCAL, { HI, OFFER, GO, SHAKE, AUTH, INIT "abc", "235 ok\r\n", GOOD }, "tls auth:7 auth:done ready+",
	    E S E "AUTH PLAIN YWJj\r\n" },
	{ "on loopback in clear", LOCAL, { HI, AUTH, INIT "abc", "235 ok\r\n", GOOD }, "auth:7 auth:done ready", E "AUTH PLAIN YWJj\r\n" },
	{ "empty initial response", LOGIN, { SHAKE, HI, AUTH, INIT, "235 2.7.0 ok\r\n", GOOD }, "tls auth:7 auth:done ready+", E "AUTH PLAIN =\r\n" },
	{ "steps", LOGIN, { SHAKE, HI, AUTH, WAITS, "334 VXNlcg==\r\n", SAYS "u", "334 UGFzcw==\r\n", SAYS "p", "235 ok\r\n", GOOD },
	    "tls auth:7 auth:User auth:Pass auth:done ready+", E "AUTH PLAIN\r\ndQ==\r\ncA==\r\n" },
	{ "empty challenge and response", LOGIN, { SHAKE, HI, AUTH, WAITS, "334 \r\n", SAYS, "334\r\n", SAYS, "235 ok\r\n", GOOD },
	    "tls auth:7 auth: auth: auth:done ready+", E "AUTH PLAIN\r\n\r\n\r\n" },
	{ "535", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "535 5.7.8 no\r\n" }, "tls auth:7 over 4.7.8/535 auth", E "AUTH PLAIN YWJj\r\n" },
	{ "454", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "454 4.7.0 no\r\n" }, "tls auth:7 over 4.7.0/454 auth", NULL },
	{ "421", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "421 4.7.0 no\r\n" }, "tls auth:7 over 4.7.0/421 auth", NULL },
	{ "250 to AUTH", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "250 ok\r\n" }, "tls auth:7 over 4.5.0/250 auth", NULL },
	{ "no base64", LOGIN, { SHAKE, HI, AUTH, WAITS, "334 Z\r\n" }, "tls auth:7 over 4.7.0 auth", NULL },
	{ "no base64 either", LOGIN, { SHAKE, HI, AUTH, WAITS, "334 User name:\r\n" }, "tls auth:7 over 4.7.0 auth", NULL },
	{ "two lines of challenge", LOGIN, { SHAKE, HI, AUTH, WAITS, "334-VXNlcg==\r\n334 VXNlcg==\r\n" }, "tls auth:7 over 4.7.0 auth", NULL },
	{ "gone in AUTH", LOGIN, { SHAKE, HI, AUTH, INIT "abc", DROP }, "tls auth:7 over 4.4.2 auth", NULL },
	{ "no reply to AUTH", LOGIN, { SHAKE, HI, AUTH, INIT "abc", HANG }, "tls auth:7 over 4.4.2 auth", NULL },
	{ "auth does not answer", LOGIN, { SHAKE, HI, AUTH, HANG }, "tls auth:7 over 4.4.2 auth", E },
	{ "gone while auth thinks", LOGIN, { SHAKE, HI, AUTH, DROP }, "tls auth:7 over 4.4.2 auth", E },
	{ "speaks while auth thinks", LOGIN, { SHAKE, HI, AUTH, "421 idle\r\n" }, "tls auth:7 over 4.4.2 auth", E },
	{ "auth says no", LOGIN, { SHAKE, HI, AUTH, BAD }, "tls auth:7 over 4.7.0 auth", E },
	{ "the host has proved nothing", LOGIN, { SHAKE, HI, AUTH, INIT "abc", "235 2.7.0 ok\r\n", BAD },
	    "tls auth:7 auth:done over 4.7.0 auth", NULL },
	{ "no AUTH", LOGIN, { SHAKE, HI, BARE }, "tls over 4.7.4 auth", E },
	{ "none we know", LOGIN, { SHAKE, HI, "250-mx\r\n250 AUTH GSSAPI NTLM\r\n" }, "tls over 4.7.4 auth", E },
	{ "AUTH in clear does not count", LOCAL, { HI, "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", GO, SHAKE, BARE },
	    "tls over 4.7.4 auth", E S E },
	{ "all of them", LOGIN, { SHAKE, HI, "250-mx\r\n250 auth plain login scram-sha-256 SCRAM-SHA-256-PLUS EXTERNAL\r\n", BAD },
	    "tls auth:31 over 4.7.0 auth", NULL },
	{ "a password that may not go there", BARRED, { HI, AUTH }, "over 4.7.0 auth", E },
};

static struct conf_timeouts timeouts = { 30, 300, 300, 300, 300, 120, 180, 600, 10, 7200 };

struct run {
	struct client	 c;
	struct dialogue	 dialogue;
	struct tls_policy policy;
	uint64_t	 now;
	char		 log[1024], sent[32768];
	size_t		 nsent;
};

static void __attribute__((format(printf, 2, 3)))
note(struct run *r, const char *fmt, ...)
{
	size_t n = strlen(r->log);
	va_list ap;

	if (n != 0)
		r->log[n++] = ' ';
	va_start(ap, fmt);
	vsnprintf(r->log + n, sizeof(r->log) - n, fmt, ap);
	va_end(ap);
}

static void
note_over(struct run *r)
{
	const struct client_result *f = &r->c.fail;
	char e[ENHANCED_STRLEN], code[16] = "";

	if (f->code != 0)
		snprintf(code, sizeof(code), "/%u", f->code);
	note(r, "over %s%s %s%s", enhanced_str(&f->enhanced, e), code, stage_name(f->stage), r->c.tls_failed ? " broken" : "");
	if (f->stage == STAGE_TLS || f->stage == STAGE_AUTH)
		assert_int_equal(f->outcome, OUT_TEMPFAIL);
	if (f->stage == STAGE_TLS && f->code != 421)
		assert_non_null(strstr(f->text, r->policy.clear ? "opportunistic TLS: " : "TLS is required (the text): "));
}

static void
pump(struct run *r, struct slice in)
{
	struct client_result res;
	struct slice s;

	for (;;) {
		switch (client_step(&r->c, &in, r->now, &res)) {
		case CLIENT_WAIT:
			s = buf_slice(&r->c.out);
			if (s.n != 0)
				memcpy(r->sent + r->nsent, s.p, s.n);
			r->nsent += s.n;
			client_out_taken(&r->c, s.n);
			return;
		case CLIENT_READY:
			note(r, "ready%s", r->c.tls ? "+" : "");
			assert_string_equal(r->c.tls_text, r->c.tls ? "what TLS" : "");
			break;
		case CLIENT_TLS:
			note(r, "tls");
			break;
		case CLIENT_AUTH:
			if (r->c.auth.first)
				note(r, "auth:%u", r->c.auth.mechanisms);
			else if (r->c.auth.done)
				note(r, "auth:done");
			else
				note(r, "auth:%.*s", (int)r->c.auth.challenge.n, r->c.auth.challenge.p);
			break;
		case CLIENT_OVER:
			note_over(r);
			break;
		default:
			fail_msg("an event of a message");
		}
	}
}

static void
act(struct run *r, const char *text)
{
	struct slice rest = slice_str(text + 1);

	r->now += 5;
	switch (*text) {
	case 1:
		client_eof(&r->c, r->now, "lost connection");
		break;
	case 2:
		assert_true(r->c.deadline_ms != UINT64_MAX);
		r->now = r->c.deadline_ms;
		client_timeout(&r->c, r->now);
		break;
	case 3:
		client_tls_started(&r->c, "what TLS", r->now);
		break;
	case 4:
		client_tls_failed(&r->c, "because", r->now);
		break;
	case 5:
		client_auth_say(&r->c, SASL_PLAIN, 1, rest, r->now);
		break;
	case 6:
		client_auth_say(&r->c, SASL_PLAIN, 0, rest, r->now);
		break;
	case 7:
		client_auth_say(&r->c, SASL_PLAIN, 1, rest, r->now);
		break;
	case 8:
		client_auth_ok(&r->c, r->now);
		break;
	case 9:
		client_auth_failed(&r->c, "4.7.0", "no", r->now);
		break;
	}
	pump(r, slice_make(NULL, 0));
}

static void
begin(struct run *r, int how)
{
	memset(r, 0, sizeof(*r));
	r->now = 1000000;
	r->policy = (struct tls_policy){ .refs = 1, .want = WANT_NONE, .clear = 1, .text = "the text", .why = "" };
	client_init(&r->c, "me.example", &timeouts);
	dialogue_init(&r->dialogue, r->now);
	r->c.dialogue = &r->dialogue;
	if (how == MUST || how == SMTPS || how == LOGIN) {
		r->policy.want = WANT_VERIFY;
		r->policy.clear = 0;
	} else if (how != NONE && how != BARRED)
		r->policy.want = how == SMTPS_MAY ? WANT_ENCRYPT : WANT_MAY;
	if (how == SMTPS_MAY)
		r->policy.clear = 0;
	r->policy.implicit = how == SMTPS || how == SMTPS_MAY || how == LOGIN;
	r->policy.may_login = how == LOGIN || how == LOCAL;
	client_secure(&r->c, &r->policy, how == CLEAR, how == LOGIN || how == LOCAL || how == BARRED);
	client_connected(&r->c, r->now);
	pump(r, slice_make(NULL, 0));
}

static void
feed(struct run *r, const char *text, size_t piece)
{
	size_t n = strlen(text), k;

	if (*text > 0 && *text < 10) {
		act(r, text);
		return;
	}
	for (; n != 0 && r->c.state != CS_OVER; text += k, n -= k) {
		k = piece == 0 || piece > n ? n : piece;
		pump(r, slice_make(text, k));
	}
}

static void
scripts(void **state)
{
	static struct run r;
	char text[DIALOGUE_MAX];
	size_t n;

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i / 2];

		begin(&r, row->how);
		for (size_t k = 0; row->server[k] != NULL; k++)
			feed(&r, row->server[k], i % 2);
		if (strcmp(r.log, row->want) != 0)
			fail_msg("%s:\n  want %s\n  got  %s", row->name, row->want, r.log);
		if (row->sent != NULL && (strlen(row->sent) != r.nsent || memcmp(row->sent, r.sent, r.nsent) != 0))
			fail_msg("%s:\n  want %s\n  sent %.*s", row->name, row->sent, (int)r.nsent, r.sent);
		n = dialogue_text(&r.dialogue, text);
		if (memmem(text, n, "YWJj", 4) != NULL || memmem(text, n, "dQ==", 4) != NULL || memmem(text, n, "VXNl", 4) != NULL)
			fail_msg("%s: a secret in the dialogue: %.*s", row->name, (int)n, text);
		if (r.c.tls && memmem(text, n, "= TLS established: what TLS", 27) == NULL)
			fail_msg("%s: %.*s", row->name, (int)n, text);
		client_clear(&r.c);
	}
}

/* What comes in the same read as the 220, or before STARTTLS was said, ends the connection before a handshake is asked for. */
static void
injected(void **state)
{
	static const struct { int how; const char *server[4]; } t[] = {
		{ MUST, { HI, OFFER, GO "250 ok\r\n" } }, { MAY, { HI, OFFER, GO "2" } }, { MAY, { HI, OFFER GO } },
		{ MUST, { HI OFFER GO "250 ok\r\n" } }, { MUST, { HI, OFFER "2" } }, { MAY, { HI, OFFER, GO "\r\n" } },
		{ MAY, { HI, OFFER, GO "\x16\x03\x03" } },
	};
	static struct run r;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		begin(&r, t[i].how);
		for (size_t k = 0; t[i].server[k] != NULL; k++)
			feed(&r, t[i].server[k], 0);
		if (strcmp(r.log, "over 4.7.0 tls broken") != 0)
			fail_msg("case %zu: %s", i, r.log);
		assert_null(strstr(r.c.tls_text, "TLS"));
		client_clear(&r.c);
	}
}

/* Nothing of before TLS is left: what was offered, half a reply, limits. */
static void
forgotten(void **state)
{
	static struct run r;

	begin(&r, MUST);
	feed(&r, HI, 0);
	feed(&r, "250-mx\r\n250-STARTTLS\r\n250-SIZE 10\r\n250-AUTH PLAIN\r\n250-DELIVERBY 7\r\n250-DSN\r\n250 LIMITS RCPTMAX=1 MAILMAX=1\r\n", 0);
	assert_int_equal(r.c.size_max, 10);
	feed(&r, GO, 0);
	act(&r, SHAKE);
	assert_int_equal(r.c.offers, 0);
	assert_int_equal(r.c.size_max + r.c.rcpt_max + r.c.mail_max + r.c.by_min + r.c.auth.mechanisms, 0);
	feed(&r, "250-mx\r\n250 8BITMIME\r\n", 1);
	assert_int_equal(r.c.offers, OFFER_8BITMIME);
	client_clear(&r.c);
}

/* RFC 4954 4: an initial response goes with the command up to 510 octets, and by itself one above. */
static void
long_responses(void **state)
{
	static struct run r;
	static char secret[SASL_DATA_MAX + 2], text[BASE64_LEN(SASL_DATA_MAX) + 1];
	const size_t fit = (510 - 11) / 4 * 3;		/* behind "AUTH PLAIN " */
	const size_t size[] = { fit - 1, fit, fit + 1, 4000, SASL_DATA_MAX };

	memset(secret, 's', sizeof(secret));
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		size_t n = base64_encode(text, slice_make(secret, size[i])), head;

		begin(&r, LOGIN);
		act(&r, SHAKE);
		feed(&r, HI, 0);
		feed(&r, AUTH, 0);
		r.nsent = 0;
		client_auth_say(&r.c, SASL_PLAIN, 1, slice_make(secret, size[i]), r.now);
		pump(&r, slice_make(NULL, 0));
		if (size[i] > fit) {
			assert_int_equal(r.nsent, 12);
			assert_memory_equal(r.sent, "AUTH PLAIN\r\n", 12);
			r.nsent = 0;
			feed(&r, "334 \r\n", 1);
			head = 0;
		} else
			head = 11;
		assert_int_equal(r.nsent, head + n + 2);
		assert_memory_equal(r.sent + head, text, n);
		assert_null(r.c.auth.held.p);
		for (size_t k = 0; k < r.c.out.size; k++)
			assert_int_equal(r.c.out.p[k], 0);
		feed(&r, "235 ok\r\n", 0);
		act(&r, GOOD);
		assert_int_equal(r.c.state, CS_READY);
		client_clear(&r.c);
	}
	begin(&r, LOGIN);
	act(&r, SHAKE);
	feed(&r, HI, 0);
	feed(&r, AUTH, 0);
	client_auth_say(&r.c, SASL_PLAIN, 1, slice_make(secret, SASL_DATA_MAX + 1), r.now);
	pump(&r, slice_make(NULL, 0));
	assert_int_equal(r.c.state, CS_OVER);
	client_clear(&r.c);
	/* A host that says something where we speak first gets nothing. */
	begin(&r, LOGIN);
	act(&r, SHAKE);
	feed(&r, HI, 0);
	feed(&r, AUTH, 0);
	client_auth_say(&r.c, SASL_PLAIN, 1, slice_make(secret, 1000), r.now);
	pump(&r, slice_make(NULL, 0));
	r.nsent = 0;
	feed(&r, "334 aGk=\r\n", 0);
	assert_int_equal(r.nsent, 0);
	assert_int_equal(r.c.state, CS_OVER);
	client_clear(&r.c);
}

/* auth may take only what the host offers. */
static void
mechanism_not_offered(void **state)
{
	static struct run r;

	begin(&r, LOGIN);
	act(&r, SHAKE);
	feed(&r, HI, 0);
	feed(&r, "250-mx\r\n250 AUTH LOGIN\r\n", 0);
	client_auth_say(&r.c, SASL_PLAIN, 1, SLICE_LIT("x"), r.now);
	pump(&r, slice_make(NULL, 0));
	assert_string_equal(r.log, "tls auth:2 over 4.7.0 auth");
	client_clear(&r.c);
}

/* Events that come when nobody waits for them do nothing. */
static void
out_of_turn(void **state)
{
	static struct run r;

	begin(&r, MAY);
	act(&r, SHAKE);
	act(&r, BREAK);
	act(&r, INIT "x");
	act(&r, GOOD);
	act(&r, BAD);
	assert_int_equal(r.c.state, CS_GREETING);
	assert_int_equal(r.c.tls, 0);
	assert_string_equal(r.log, "");
	client_clear(&r.c);
	begin(&r, LOGIN);
	act(&r, SHAKE);
	feed(&r, HI, 0);
	feed(&r, AUTH, 0);
	act(&r, GOOD);		/* the host has not said 235 */
	assert_int_equal(r.c.state, CS_LOGIN);
	client_clear(&r.c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts), cmocka_unit_test(injected), cmocka_unit_test(forgotten),
		cmocka_unit_test(long_responses), cmocka_unit_test(mechanism_not_offered), cmocka_unit_test(out_of_turn),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
