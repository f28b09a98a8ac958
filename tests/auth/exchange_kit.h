/*
 * exchange_kit.h -- exchanges against a backend that answers when the test says, for tests.
 */
#ifndef TESTS_AUTH_EXCHANGE_KIT_H
#define TESTS_AUTH_EXCHANGE_KIT_H

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

static inline void
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

static inline void
on_check(struct exchange *x, struct slice l, struct slice p)
{
	checks++;
	asked = x;
	x->backend_arg = &peer;
	assert_int_equal(slice_copy(l, login, sizeof(login)), E_OK);
	assert_int_equal(slice_copy(p, password, sizeof(password)), E_OK);
	assert_string_equal(x->login, login);
}

static inline void
on_step(struct exchange *x, struct slice d)
{
	steps++;
	asked = x;
	x->backend_arg = &peer;
	memcpy(data, d.p, d.n);
	data[d.n] = '\0';
}

static inline void
on_cancel(struct exchange *x)
{
	cancels++;
	x->backend_arg = NULL;
	asked = NULL;
}

static const struct backend	by_table = { .name = "test", .check = on_check, .cancel = on_cancel };
static const struct backend	by_itself = { .name = "other", .check = on_check, .step = on_step, .cancel = on_cancel };

static inline uint64_t
time_now(void)
{
	return (now);
}

static int	random_err;
static inline int
random_test(uint8_t *p, size_t n)
{
	memset(p, 0x55, n);
	return (random_err);
}

static inline int
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

static inline int
teardown(void **state)
{
	exchange_end_all(&peer);
	assert_int_equal(peer.nopen, 0);
	assert_int_equal(counters[COUNT_OPEN], 0);
	failures_free(env.failures);
	table_free((struct table *)(uintptr_t)env.table);
	return (0);
}

static inline struct ipc_sasl
message(enum sasl_mechanism mechanism, int initial, struct slice text)
{
	struct ipc_sasl	m = { .id = ++id, .first = 1, .mechanism = (uint8_t)mechanism, .initial = (uint8_t)initial, .tls = 1,
		.client_port = 40000, .own_port = 465, .data = text };

	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.1")), 0);
	assert_int_equal(net_addr_parse(&m.own, slice_str("192.0.2.25")), 0);
	return (m);
}

/* How the first step is answered; -1: the backend was asked. */
static inline int
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

static inline int
next(enum sasl_mechanism mechanism, struct slice text)
{
	struct ipc_sasl	m = { .id = id, .mechanism = (uint8_t)mechanism, .data = text };
	unsigned	before = answers;

	asked = NULL;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(answers + (asked != NULL), before + 1);
	return (asked != NULL ? -1 : last.status);
}

static inline void
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

/* The client's last message with the right proof for the last challenge. */
static inline struct slice
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

static inline int
external(const char *certificate, struct slice text)
{
	struct ipc_sasl	m = message(SASL_EXTERNAL, 1, text);

	(void)snprintf(m.external, sizeof(m.external), "%s", certificate);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	return (last.status);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
