/*
 * ipc_limits_test.c -- what the payloads between the daemons may count, at limit - 1, limit and limit + 1
 * (threat-model.md R3): the receiver refuses it, whatever the sender thinks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"

static uint8_t	payload[IPC_PAYLOAD_MAX];

/* Packs the message, which is filled in with v, and says what unpacking it gives. */
#define PASSES(name, ...) \
static int \
name(uint64_t v) \
{ \
	static struct ipc_##name in, out; \
	struct wr w; \
	struct rd r; \
\
	in = (struct ipc_##name)__VA_ARGS__; \
	wr_init(&w, payload, sizeof(payload)); \
	ipc_pack_##name(&w, &in); \
	assert_int_equal(w.err, E_OK); \
	rd_init(&r, payload, w.len); \
	return (ipc_unpack_##name(&r, &out)); \
}

PASSES(listener, { .index = (uint16_t)v, .name = "mx" })
PASSES(txn_begin, { .txn = 1, .session = 1, .size_hint = v, .helo = "client.example", .listener = "mx" })
PASSES(txn_credit, { .txn = 1, .octets = (uint32_t)v })
PASSES(job_credit, { .job = 1, .octets = (uint32_t)v })
PASSES(job_begin, { .job = 1, .msgid = 1, .hop = HOP_SMTP, .port = 25, .nrcpt = (uint16_t)v,
    .host = "mx.example" })

/* The message of which several fields are tried. */
#define COMMIT(field, type) \
static int \
commit_##field(uint64_t v) \
{ \
	struct ipc_txn_commit in = { .txn = 1, .nrcpt = 1 }, out; \
	struct wr w; \
	struct rd r; \
\
	in.field = (type)v; \
	wr_init(&w, payload, sizeof(payload)); \
	ipc_pack_txn_commit(&w, &in); \
	assert_int_equal(w.err, E_OK); \
	rd_init(&r, payload, w.len); \
	return (ipc_unpack_txn_commit(&r, &out)); \
}

COMMIT(nrcpt, uint32_t)
COMMIT(body_len, uint64_t)
COMMIT(hops, uint8_t)

static int
dialogue(uint64_t v)
{
	static char text[DIALOGUE_MAX + 1];
	struct ipc_job_done in = { .job = 1, .msgid = 1, .reached = REACHED, .dialogue = { text, v } }, out;
	struct wr w;
	struct rd r;

	memset(text, 'x', sizeof(text));
	text[v - 1] = '\n';
	wr_init(&w, payload, sizeof(payload));
	ipc_pack_job_done(&w, &in);
	assert_int_equal(w.err, E_OK);
	rd_init(&r, payload, w.len);
	return (ipc_unpack_job_done(&r, &out));
}

static void
test_limits(void **state)
{
	static const struct { const char *what; int (*passes)(uint64_t); uint64_t max; } t[] = {
		{ "listener index", listener, LISTENERS_MAX - 1 },
		{ "size hint", txn_begin, MESSAGE_SIZE_MAX },
		{ "credit of a transaction", txn_credit, TXN_WINDOW },
		{ "credit of a job", job_credit, JOB_WINDOW },
		{ "recipients of a job", job_begin, JOB_RCPT_MAX },
		{ "recipients of a transaction", commit_nrcpt, RCPT_MAX },
		{ "octets of a body", commit_body_len, MESSAGE_SIZE_MAX },
		{ "hops", commit_hops, HOPS_MAX },
		{ "dialogue", dialogue, DIALOGUE_MAX },
	};
	size_t i;
	uint64_t v;
	int err;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (v = t[i].max - 1; v <= t[i].max + 1; v++) {
			err = t[i].passes(v);
			if (err != (v <= t[i].max ? E_OK : E_PROTO))
				fail_msg("%s: %llu: %s", t[i].what, (unsigned long long)v, err_name(err));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
