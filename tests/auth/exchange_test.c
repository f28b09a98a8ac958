/*
 * exchange_test.c -- steps of exchanges against a backend that answers when the test says: PLAIN,
 * LOGIN, EXTERNAL, SCRAM; what is malformed, what comes at the wrong time, failures and their
 * delays, limits, cancelling.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/exchange.h"
#include "auth/sasl.h"
#include "auth/scram_server.h"
#include "auth/secure.h"
#include "common/err.h"
#include "common/siphash.h"

#define SCRAM	"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define LIT(s)	SLICE_LIT(s)

static struct sasl_env		 env;
static struct auth_peer		 peer;
static uint64_t			 now, counters[COUNTS];
static struct ipc_sasl_answer	 last;		/* what was answered */
static char			 data[SASL_DATA_MAX + 1];
static unsigned			 answers;
static struct exchange		*asked;		/* of the backend, not answered yet */
static char			 login[LOGIN_MAX + 1], password[PASSWORD_MAX + 1];
static unsigned			 checks, steps, cancels;
static uint32_t			 id;

/* ---- around it ---- */

static void
on_answer(struct auth_peer *p, const struct ipc_sasl_answer *m)
{
	assert_ptr_equal(p, &peer);
	last = *m;
	assert_true(m->data.n <= SASL_DATA_MAX);
	if (m->data.n != 0)
		memcpy(data, m->data.p, m->data.n);
	data[m->data.n] = '\0';
	last.data.p = data;
	answers++;
}

static void
on_check(struct exchange *x, struct slice l, struct slice p)
{
	checks++;
	asked = x;
	x->backend_arg = &peer;
	assert_int_equal(slice_copy(l, login, sizeof(login)), E_OK);
	assert_int_equal(slice_copy(p, password, sizeof(password)), E_OK);
	assert_string_equal(x->login, login);
}

static void
on_step(struct exchange *x, struct slice d)
{
	steps++;
	asked = x;
	x->backend_arg = &peer;
	memcpy(data, d.p, d.n);
	data[d.n] = '\0';
}

static void
on_cancel(struct exchange *x)
{
	cancels++;
	x->backend_arg = NULL;
	asked = NULL;
}

static const struct backend	by_table = { .name = "test", .check = on_check, .cancel = on_cancel };
static const struct backend	by_itself = { .name = "other", .check = on_check, .step = on_step, .cancel = on_cancel };

static uint64_t
time_now(void)
{
	return (now);
}

static int	random_err;
static int
random_test(uint8_t *p, size_t n)
{
	memset(p, 0x55, n);
	return (random_err);
}

static int
setup(void **state)
{
	static const char	text[] = "alice:" SCRAM "\nbob:$6$abc$rRTcfWvALYtkkOkpqvuybYHRlTFyt9CJqjJUQ3m7hYq2LlkbfSTJk2V2rXLBHzAx9rCqW.BkLhiHWG6fWU0lr1\n"
	    "cert@example.org:!\n";
	struct table_error	e;
	struct table		*t;
	char			*copy = secure_alloc(sizeof(text));

	memcpy(copy, text, sizeof(text));
	if (table_parse(&t, copy, sizeof(text) - 1, &e) != E_OK)
		return (-1);
	memset(&peer, 0, sizeof(peer));
	memset(counters, 0, sizeof(counters));
	env = (struct sasl_env){ .backend = &by_table, .table = t, .mechanisms = (1u << SASL_MECHANISMS) - 1, .failures = failures_new(),
	    .limits = { .max = 3, .window_ms = 60000 }, .secret = { 1, 2, 3 }, .now = time_now, .random = random_test, .counter = counters };
	peer.env = &env;
	peer.answer = on_answer;
	now = 5000;
	checks = steps = cancels = answers = 0;
	asked = NULL;
	random_err = E_OK;
	return (0);
}

static int
teardown(void **state)
{
	exchange_end_all(&peer);
	assert_int_equal(peer.nopen, 0);
	assert_int_equal(counters[COUNT_OPEN], 0);
	failures_free(env.failures);
	table_free((struct table *)(uintptr_t)env.table);
	return (0);
}

static struct ipc_sasl
message(enum sasl_mechanism mechanism, int initial, struct slice text)
{
	struct ipc_sasl	m = { .id = ++id, .first = 1, .mechanism = (uint8_t)mechanism, .initial = (uint8_t)initial, .tls = 1,
		.client_port = 40000, .own_port = 465, .data = text };

	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.1")), 0);
	assert_int_equal(net_addr_parse(&m.own, slice_str("192.0.2.25")), 0);
	return (m);
}

/* How the first step is answered; -1: the backend was asked. */
static int
first(enum sasl_mechanism mechanism, int initial, struct slice text)
{
	struct ipc_sasl	m = message(mechanism, initial, text);
	unsigned	before = answers;

	asked = NULL;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(answers + (asked != NULL), before + 1);
	if (asked != NULL)
		return (-1);
	assert_int_equal(last.id, id);
	return (last.status);
}

static int
next(enum sasl_mechanism mechanism, struct slice text)
{
	struct ipc_sasl	m = { .id = id, .mechanism = (uint8_t)mechanism, .data = text };
	unsigned	before = answers;

	asked = NULL;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(answers + (asked != NULL), before + 1);
	return (asked != NULL ? -1 : last.status);
}

static void
backend_says(enum sasl_status status)
{
	struct exchange	*x = asked;

	assert_non_null(x);
	asked = NULL;
	x->backend_arg = NULL;
	auth_checked(x, status, NULL, slice_make("", 0));
	assert_int_equal(last.id, id);
	assert_int_equal(last.status, status);
}

/* ---- PLAIN ---- */

static void
plain(void **state)
{
	static const struct { struct slice text; int want; const char *login, *password; } v[] = {
		{ LIT("\0tim\0tanstaaftanstaaf"), -1, "tim", "tanstaaftanstaaf" },	/* RFC 4616 4 */
		{ LIT("tim\0tim\0x"), -1, "tim", "x" },
		{ LIT("\0I\xc2\xadX\0\xe2\x85\xa8"), -1, "IX", "IX" },			/* prepared, RFC 4616 2 */
		{ LIT("\0u\0\xff\xfe"), -1, "u", "\xff\xfe" },				/* no UTF-8: as it is */
		{ LIT("Ursel\0Kurt\0xipj3plmq"), SASL_FAILED, "", "" },			/* RFC 4616 4: as somebody else */
		{ LIT(""), SASL_BAD, "", "" }, { LIT("tim"), SASL_BAD, "", "" }, { LIT("\0tim"), SASL_BAD, "", "" }, { LIT("\0"), SASL_BAD, "", "" },
		{ LIT("\0\0"), SASL_BAD, "", "" }, { LIT("\0tim\0"), SASL_BAD, "", "" }, { LIT("\0\0x"), SASL_BAD, "", "" },
		{ LIT("\0tim\0x\0"), SASL_BAD, "", "" }, { LIT("\0tim\0x\0y"), SASL_BAD, "", "" }, { LIT("\0t\nm\0x"), SASL_BAD, "", "" },
		{ LIT("\0t\xffm\0x"), SASL_BAD, "", "" }, { LIT("a\x01\0tim\0x"), SASL_BAD, "", "" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		env.limits.max = 100;
		if (first(SASL_PLAIN, 1, v[i].text) != v[i].want)
			fail_msg("%zu", i);
		if (v[i].want != -1)
			continue;
		assert_string_equal(login, v[i].login);
		assert_string_equal(password, v[i].password);
		backend_says(SASL_OK);
		assert_string_equal(last.login, v[i].login);
		assert_int_equal(last.data.n, 0);
		assert_int_equal(last.wait_ms, 0);
	}
	/* Without an initial response: an empty challenge. */
	assert_int_equal(first(SASL_PLAIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_int_equal(last.data.n, 0);
	assert_int_equal(next(SASL_PLAIN, LIT("\0bob\0secret")), -1);
	backend_says(SASL_TEMPORARY);
	assert_string_equal(last.login, "");
}

static void
lengths(void **state)
{
	char	text[LOGIN_MAX + PASSWORD_MAX + 8];

	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++) {
		memset(text, 'u', sizeof(text));
		text[0] = text[n + 1] = '\0';
		assert_int_equal(first(SASL_PLAIN, 1, slice_make(text, n + 3)), n <= LOGIN_MAX ? -1 : SASL_BAD);
		if (n <= LOGIN_MAX)
			backend_says(SASL_OK);
	}
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX + 1; n++) {
		memset(text, 'p', sizeof(text));
		text[0] = text[2] = '\0';
		assert_int_equal(first(SASL_PLAIN, 1, slice_make(text, n + 3)), n <= PASSWORD_MAX ? -1 : SASL_FAILED);
		if (n <= PASSWORD_MAX) {
			assert_int_equal(strlen(password), n);
			backend_says(SASL_OK);
		}
	}
}

/* ---- LOGIN ---- */

static void
login_mechanism(void **state)
{
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_string_equal(data, "Username:");
	assert_int_equal(next(SASL_LOGIN, LIT("bob")), SASL_CONTINUE);
	assert_string_equal(data, "Password:");
	assert_int_equal(next(SASL_LOGIN, LIT("secret")), -1);
	assert_string_equal(login, "bob");
	assert_string_equal(password, "secret");
	backend_says(SASL_OK);
	/* The user name behind AUTH LOGIN, as many clients have it. */
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_string_equal(data, "Password:");
	assert_int_equal(next(SASL_LOGIN, LIT("wrong")), -1);
	backend_says(SASL_FAILED);
	assert_string_equal(last.login, "bob");
	assert_int_equal(last.wait_ms, 1000);
	assert_int_equal(first(SASL_LOGIN, 1, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("a\0b")), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, LIT("a\0b")), SASL_BAD);
	assert_int_equal(checks, 2);
}

/* ---- EXTERNAL ---- */

static int
external(const char *certificate, struct slice text)
{
	struct ipc_sasl	m = message(SASL_EXTERNAL, 1, text);

	(void)snprintf(m.external, sizeof(m.external), "%s", certificate);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	return (last.status);
}

static void
external_mechanism(void **state)
{
	struct ipc_sasl	m = message(SASL_EXTERNAL, 0, slice_make("", 0));

	env.limits.max = 100;
	assert_int_equal(external("cert@example.org", slice_make("", 0)), SASL_OK);
	assert_string_equal(last.login, "cert@example.org");
	assert_int_equal(external("cert@example.org", LIT("cert@example.org")), SASL_OK);
	assert_int_equal(external("alice", slice_make("", 0)), SASL_OK);
	assert_int_equal(external("cert@example.org", LIT("alice")), SASL_FAILED);
	assert_int_equal(external("alice", LIT("cert@example.org")), SASL_FAILED);
	assert_int_equal(external("", LIT("alice")), SASL_FAILED);
	assert_int_equal(external("", slice_make("", 0)), SASL_FAILED);
	assert_int_equal(external("nobody", slice_make("", 0)), SASL_FAILED);
	assert_string_equal(last.login, "nobody");
	assert_int_equal(external("alice", LIT("al\nice")), SASL_BAD);
	assert_int_equal(external("alice", LIT("a\0b")), SASL_BAD);
	(void)snprintf(m.external, sizeof(m.external), "alice");
	m.id = ++id;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	assert_int_equal(next(SASL_EXTERNAL, slice_make("", 0)), SASL_OK);
	/* No table: nobody is in it. */
	table_free((struct table *)(uintptr_t)env.table);
	env.table = NULL;
	assert_int_equal(external("alice", slice_make("", 0)), SASL_FAILED);
}

/* ---- SCRAM ---- */

/* The client's last message with the right proof for the last challenge. */
static struct slice
final(const char *bare, const char *pass, const char *cbind)
{
	static char		text[1024];
	struct scram_entry	e;
	struct scram_auth	a;
	uint8_t			salted[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN];
	char			before[512], b64[BASE64_LEN(SCRAM_KEY_LEN) + 1], *comma = strchr(data, ',');

	assert_int_equal(scram_entry_parse(&e, slice_str(SCRAM)), E_OK);
	(void)snprintf(before, sizeof(before), "c=%s,%.*s", cbind, (int)(comma - data), data);
	a = (struct scram_auth){ { slice_str(bare), slice_str(data), slice_str(before) } };
	assert_int_equal(scram_salted_password(salted, slice_str(pass), slice_make(e.salt, e.salt_len), e.iterations), E_OK);
	assert_int_equal(scram_client_proof(proof, salted, &a), E_OK);
	(void)base64_encode(b64, slice_make(proof, sizeof(proof)));
	return (slice_make(text, (size_t)snprintf(text, sizeof(text), "%s,p=%s", before, b64)));
}

static void
scram(void **state)
{
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;
	struct slice			f;

	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	assert_string_equal(data, "r=abcVVVVVVVVVVVVVVVVVVVVVVVV,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	f = final("n=alice,r=abc", "pencil", "biws");
	assert_int_equal(next(m, f), SASL_OK);
	assert_string_equal(last.login, "alice");
	assert_memory_equal(data, "v=", 2);
	assert_int_equal(first(m, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_string_equal(data, "");
	assert_int_equal(next(m, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	f = final("n=alice,r=abc", "pencil2", "biws");
	assert_int_equal(next(m, f), SASL_FAILED);
	assert_string_equal(last.login, "alice");
	assert_int_equal(last.data.n, 0);
	assert_int_equal(last.wait_ms, 1000);
	assert_int_equal(first(m, 1, LIT("garbage")), SASL_BAD);
	assert_int_equal(first(m, 1, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	assert_int_equal(next(m, slice_make("", 0)), SASL_BAD);
	random_err = E_IO;
	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_TEMPORARY);
	assert_int_equal(checks, 0);
}

/* Who is not there, who has another kind of hash, who has none: the same steps, a stable salt. */
static void
scram_nobody(void **state)
{
	static const char *const	who[] = { "nobody", "bob", "cert@example.org", "nobody2" };
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;
	char				bare[64], text[80], salt[128], *at;
	struct slice			f;

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		env.limits.max = 100;
		(void)snprintf(bare, sizeof(bare), "n=%s,r=abc", who[i]);
		(void)snprintf(text, sizeof(text), "n,,%s", bare);
		salt[0] = '\0';
		for (int n = 0; n < 2; n++) {
			assert_int_equal(first(m, 1, slice_str(text)), SASL_CONTINUE);
			at = strstr(data, ",s=");
			assert_int_equal(strlen(at), strlen(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
			assert_string_equal(strstr(at, ",i="), ",i=4096");
			if (n == 1)
				assert_string_equal(at, salt);
			(void)snprintf(salt, sizeof(salt), "%s", at);
			f = final(bare, "pencil", "biws");
			assert_int_equal(next(m, f), SASL_FAILED);
			assert_string_equal(last.login, who[i]);
		}
	}
	assert_int_equal(counters[COUNT_FAILED], 8);
}

static struct ipc_sasl
bound(enum sasl_mechanism mechanism, struct slice text)
{
	struct ipc_sasl	m = message(mechanism, 1, text);

	m.binding[BINDING_EXPORTER] = LIT("abc");
	return (m);
}

static void
scram_plus(void **state)
{
	struct ipc_sasl	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	struct slice	f;

	env.limits.max = 100;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	f = final("n=alice,r=abc", "pencil", "cD10bHMtZXhwb3J0ZXIsLGFiYw==");	/* "p=tls-exporter,,abc" */
	assert_int_equal(next(SASL_SCRAM_SHA_256_PLUS, f), SASL_OK);
	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	f = final("n=alice,r=abc", "pencil", "cD10bHMtZXhwb3J0ZXIsLGFiZA==");	/* a man in the middle has another channel */
	assert_int_equal(next(SASL_SCRAM_SHA_256_PLUS, f), SASL_FAILED);
	/* "y" says: you did not offer it.  We did, or not. */
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_FAILED);
	m = bound(SASL_SCRAM_SHA_256, LIT("n,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	m.tls = 0;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	env.mechanisms &= ~(1u << SASL_SCRAM_SHA_256_PLUS);
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_TEMPORARY);
}

/* A backend that speaks SCRAM itself hears all of it, and the login is known for limits and log. */
static void
scram_elsewhere(void **state)
{
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;

	env.backend = &by_itself;
	assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), -1);
	assert_string_equal(data, "n,,n=carol,r=abc");
	assert_string_equal(asked->login, "carol");
	auth_challenge(asked, LIT("r=abcdef"));
	assert_int_equal(last.status, SASL_CONTINUE);
	assert_string_equal(data, "r=abcdef");
	assert_int_equal(next(m, LIT("c=biws,p=x")), -1);
	assert_string_equal(data, "c=biws,p=x");
	asked->backend_arg = NULL;
	auth_checked(asked, SASL_OK, "carol@example.org", LIT("v=abc"));
	assert_string_equal(last.login, "carol@example.org");
	assert_string_equal(data, "v=abc");
	assert_int_equal(first(m, 1, LIT("n,,carol")), SASL_BAD);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), -1);
		backend_says(SASL_FAILED);
	}
	steps = 0;
	assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), SASL_TEMPORARY);	/* it does not even hear of it */
	assert_int_equal(steps, 0);
	assert_int_equal(first(m, 1, LIT("n,,n=dave,r=abc")), -1);	/* a friend's failures are his own */
	backend_says(SASL_OK);
}

/* ---- failures ---- */

static void
failing(void **state)
{
	static const uint32_t	wait[] = { 1000, 2000, 4000 };
	struct ipc_sasl		m;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0wrong")), -1);
		backend_says(SASL_FAILED);
		assert_int_equal(last.wait_ms, wait[i]);
	}
	/* No hash any more, whatever the mechanism; the log hears for whom. */
	checks = 0;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0right")), SASL_TEMPORARY);
	assert_string_equal(last.login, "bob");
	assert_true(last.wait_ms > 0);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0other\0right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("x\0other\0right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, LIT("right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=alice,r=abc")), SASL_TEMPORARY);
	assert_int_equal(external("alice", slice_make("", 0)), SASL_TEMPORARY);
	assert_int_equal(checks, 0);
	assert_int_equal(counters[COUNT_LIMITED], 6);
	/* The login from elsewhere too; others from there not. */
	m = message(SASL_PLAIN, 1, LIT("\0bob\0right"));
	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.2")), 0);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_TEMPORARY);
	m = message(SASL_PLAIN, 1, LIT("\0carol\0right"));
	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.2")), 0);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	backend_says(SASL_OK);
	now += 60000;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0right")), -1);
	backend_says(SASL_OK);
	/* Malformed and temporary are no failures. */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(first(SASL_PLAIN, 1, LIT("bob")), SASL_BAD);
		assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
		backend_says(SASL_TEMPORARY);
	}
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	backend_says(SASL_OK);
}

/* Many at once do not get more than the limit: it is looked at again when the proof is there. */
static void
at_once(void **state)
{
	struct slice	f;
	uint32_t	ids[10];

	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
		ids[i] = id;
	}
	f = final("n=alice,r=abc", "wrong", "biws");
	for (size_t i = 0; i < 10; i++) {
		id = ids[i];
		assert_int_equal(next(SASL_SCRAM_SHA_256, f), i < 3 ? SASL_FAILED : SASL_TEMPORARY);
	}
	id += 100;
}

/* ---- order ---- */

static void
wrong_order(void **state)
{
	struct ipc_sasl	m = { .id = 77, .mechanism = SASL_PLAIN, .data = LIT("\0bob\0x") }, again;

	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* never begun */
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	m.id = id;
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* it waits for us */
	again = message(SASL_PLAIN, 1, LIT("\0bob\0x"));
	again.id = --id;
	assert_int_equal(exchange_message(&peer, &again), E_PROTO);	/* begun twice */
	backend_says(SASL_OK);
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* over */
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	m.id = id;
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* another mechanism */
	again = message(SASL_PLAIN, 0, LIT("x"));
	assert_int_equal(exchange_message(&peer, &again), E_PROTO);	/* no initial response, and yet one */
	exchange_end(&peer, 4711);					/* unknown: over already */
	exchange_end(&peer, m.id);
	assert_int_equal(cancels, 0);
	assert_int_equal(peer.nopen, 0);
}

static void
cancelled(void **state)
{
	unsigned	before;

	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	before = answers;
	exchange_end(&peer, id);
	assert_int_equal(cancels, 1);
	assert_int_equal(answers, before);
	/* Between two steps of a backend's own, too. */
	env.backend = &by_itself;
	assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=carol,r=abc")), -1);
	auth_challenge(asked, LIT("x"));
	exchange_end(&peer, id);
	assert_int_equal(cancels, 2);
	/* The peer has gone, and the backend of now is another one than it began with. */
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	env.backend = NULL;
	exchange_end_all(&peer);
	assert_int_equal(cancels, 3);
	assert_int_equal(peer.nopen, 0);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), SASL_TEMPORARY);
}

static void
not_offered(void **state)
{
	env.mechanisms = 1 << SASL_LOGIN;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(checks, 0);
}

static void
open_limit(void **state)
{
	uint32_t	some;

	for (uint32_t i = 0; i < SASL_OPEN_MAX; i++)
		assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	some = id;
	assert_int_equal(peer.nopen, SASL_OPEN_MAX);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_TEMPORARY);
	exchange_end(&peer, some - 1000);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_TEMPORARY);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(plain), TEST(lengths), TEST(login_mechanism), TEST(external_mechanism), TEST(scram), TEST(scram_nobody),
		TEST(scram_plus), TEST(scram_elsewhere), TEST(failing), TEST(at_once), TEST(wrong_order), TEST(cancelled),
		TEST(not_offered), TEST(open_limit),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
