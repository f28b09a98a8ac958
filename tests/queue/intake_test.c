/*
 * intake_test.c -- transactions: what is taken, what is refused, and that 250 waits for the store.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/queue/intake_kit.h"

static struct kit k;

static int
setup(void **state)
{
	kit_init(&k);
	body_set_budget(64u << 20);
	return (0);
}

/* Nothing is left behind, whatever a test did. */
static int
teardown(void **state)
{
	intake_clear(&k.in);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.memory, 0);
	assert_int_equal(body_memory(), 0);
	assert_int_equal(k.in.ntxn, 0);
	return (0);
}

static void
test_small(void **state)
{
	assert_int_equal(kit_begin(&k, 7), E_OK);
	assert_int_equal(kit_rcpt(&k, 7), E_OK);
	assert_int_equal(kit_chunk(&k, 7, 14), E_OK);
	assert_int_equal(kit_commit(&k, 7, 1, 14), E_OK);
	assert_int_equal(k.puts, 1);
	assert_int_equal(k.nresult, 0);		/* 250 only after the flush */
	assert_int_equal(k.accepted, 0);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.nresult, 1);
	assert_int_equal(k.result[0].txn, 7);
	assert_int_equal(k.result[0].status, TXN_DURABLE);
	assert_int_equal(k.accepted, 1);
	assert_non_null(strstr(k.last_body, "Received: from client.example.net ("));
	assert_non_null(strstr(k.last_body, "\tfor <b@example.net>;"));
	assert_non_null(strstr(k.last_body, "\r\nSubject: x\r\n\r\n"));
	/* The number is free again. */
	assert_int_equal(kit_begin(&k, 7), E_OK);
	assert_int_equal(kit_rcpt(&k, 7), E_OK);
	assert_int_equal(kit_rcpt(&k, 7), E_OK);
	assert_int_equal(kit_commit(&k, 7, 2, 0), E_OK);	/* no body at all */
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.accepted, 2);
	assert_null(strstr(k.last_body, "for <"));	/* RFC 5321 4.4: not with several */
}

static void
test_errors(void **state)
{
	static const struct { int err; enum txn_status want; } t[] = {
		{ E_FULL, TXN_FULL }, { E_IO, TXN_IO }, { E_NOMEM, TXN_BUSY }, { E_EXISTS, TXN_IO },
	};
	uint32_t i;

	for (i = 0; i < 4; i++) {
		assert_int_equal(kit_begin(&k, i), E_OK);
		assert_int_equal(kit_rcpt(&k, i), E_OK);
		assert_int_equal(kit_commit(&k, i, 1, 0), E_OK);
		assert_true(kit_complete(&k, t[i].err));
		assert_int_equal(k.nresult, i + 1);
		assert_int_equal(k.result[i].status, t[i].want);
	}
	assert_int_equal(k.accepted, 0);
}

/* T8: each of these costs the peer its channel. */
static void
test_protocol(void **state)
{
	uint32_t i;

	assert_int_equal(kit_rcpt(&k, 1), E_PROTO);
	assert_int_equal(kit_chunk(&k, 1, 1), E_PROTO);
	assert_int_equal(kit_commit(&k, 1, 1, 0), E_PROTO);
	assert_int_equal(kit_abort(&k, 1), E_PROTO);
	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_begin(&k, 1), E_PROTO);
	assert_int_equal(kit_chunk(&k, 1, 1), E_PROTO);		/* no recipient */
	for (i = 0; i < RCPT_MAX; i++)
		assert_int_equal(kit_rcpt(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_PROTO);		/* limit + 1 */
	assert_int_equal(kit_chunk(&k, 1, 10), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_PROTO);		/* behind the first octet */
	assert_int_equal(kit_commit(&k, 1, RCPT_MAX, 10), E_OK);
	assert_int_equal(kit_chunk(&k, 1, 1), E_PROTO);		/* behind the commit */
	assert_int_equal(kit_commit(&k, 1, RCPT_MAX, 10), E_PROTO);
	assert_int_equal(kit_abort(&k, 1), E_PROTO);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, RCPT_MAX);
}

static void
test_mismatch(void **state)
{
	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	assert_int_equal(kit_chunk(&k, 1, 10), E_OK);
	assert_int_equal(kit_commit(&k, 1, 1, 11), E_OK);
	assert_int_equal(k.result[0].status, TXN_MISMATCH);
	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	assert_int_equal(kit_commit(&k, 1, 2, 0), E_OK);
	assert_int_equal(k.result[1].status, TXN_MISMATCH);
	assert_int_equal(k.ops, 0);
}

/* Octets beyond the window are a broken peer; within it credit comes back as they are taken. */
static void
test_window(void **state)
{
	uint64_t sent = 0, left, i;

	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	for (i = 0; i < 20; i++) {
		assert_int_equal(kit_chunk(&k, 1, IPC_CHUNK_MAX), E_OK);
		sent += IPC_CHUNK_MAX;
		assert_true(sent <= TXN_WINDOW + k.credit);
		while (kit_complete(&k, E_OK))
			;
	}
	assert_true(k.credit >= sent - TXN_WINDOW);
	assert_true(k.chunks > 0);
	/* A store that does not get on: credit ends after a while, and so does the peer that goes on. */
	for (i = 0; i < 1000; i++) {
		if (sent + IPC_CHUNK_MAX > TXN_WINDOW + k.credit)
			break;
		assert_int_equal(kit_chunk(&k, 1, IPC_CHUNK_MAX), E_OK);
		sent += IPC_CHUNK_MAX;
	}
	assert_true(i < 100);
	assert_true(i * IPC_CHUNK_MAX <= TXN_AHEAD_MAX + 3 * TXN_WINDOW + TXN_MEMORY_MAX);
	/* The window to its last octet: one more than is left, one less, the last, and one behind it. */
	left = TXN_WINDOW + k.credit - sent;
	assert_in_range(left, 2, IPC_CHUNK_MAX - 1);
	assert_int_equal(kit_chunk(&k, 1, left + 1), E_PROTO);
	assert_int_equal(kit_chunk(&k, 1, left - 1), E_OK);
	assert_int_equal(kit_chunk(&k, 1, 1), E_OK);
	assert_int_equal(kit_chunk(&k, 1, 1), E_PROTO);
	assert_true(body_memory() < TXN_AHEAD_MAX + 3 * TXN_WINDOW + 2 * TXN_MEMORY_MAX);
}

static void
stream(uint32_t txn, uint64_t octets)
{
	uint64_t sent;

	assert_int_equal(kit_begin(&k, txn), E_OK);
	assert_int_equal(kit_rcpt(&k, txn), E_OK);
	for (sent = 0; sent < octets; sent += 16384)
		assert_int_equal(kit_chunk(&k, txn, 16384), E_OK);
}

/* A large body: the commit waits for what went ahead; each way it can fail leaves nothing behind. */
static void
test_large(void **state)
{
	stream(1, 1u << 20);
	assert_true(k.chunks > 0);
	assert_int_equal(kit_commit(&k, 1, 1, 1u << 20), E_OK);
	assert_int_equal(k.puts, 0);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.puts, 1);
	assert_int_equal(k.accepted, 1);
	assert_int_equal(k.drops, 0);
	assert_true(k.octets > 1u << 20);
}

static void
test_large_fails(void **state)
{
	stream(1, 1u << 20);
	assert_int_equal(kit_commit(&k, 1, 1, 1u << 20), E_OK);
	assert_true(kit_complete(&k, E_FULL));
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.puts, 0);
	assert_int_equal(k.nresult, 1);
	assert_int_equal(k.result[0].status, TXN_FULL);
	assert_int_equal(k.drops, 1);

	stream(2, 1u << 20);			/* it fails, and octets still come */
	while (kit_complete(&k, E_IO))
		;
	assert_int_equal(kit_chunk(&k, 2, 16384), E_OK);
	assert_int_equal(kit_commit(&k, 2, 1, (1u << 20) + 16384), E_OK);
	assert_int_equal(k.nresult, 2);
	assert_int_equal(k.result[1].status, TXN_IO);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.drops, 2);

	stream(3, 1u << 20);
	assert_int_equal(kit_abort(&k, 3), E_OK);
	assert_int_equal(k.drops, 3);
	assert_int_equal(k.nresult, 2);
	assert_int_equal(k.accepted, 0);
}

/* The budget of bodies is used up: 452 for that message, and nothing is stored. */
static void
test_memory(void **state)
{
	body_set_budget(1u << 20);
	stream(1, 200000);
	stream(2, 200000);
	stream(3, 200000);
	body_set_budget(1);
	assert_int_equal(kit_begin(&k, 4), E_OK);
	assert_int_equal(kit_rcpt(&k, 4), E_OK);
	assert_int_equal(kit_chunk(&k, 4, 100), E_OK);
	assert_int_equal(kit_commit(&k, 4, 1, 100), E_OK);
	assert_int_equal(k.result[0].txn, 4);
	assert_int_equal(k.result[0].status, TXN_BUSY);
	assert_int_equal(k.puts, 0);
}

/* A peer has so many transactions open, and no more. */
static void
test_txn_limit(void **state)
{
	uint32_t i;

	for (i = 0; i < TXN_PEER_MAX; i++)
		assert_int_equal(kit_begin(&k, i), E_OK);
	assert_int_equal(k.in.ntxn, TXN_PEER_MAX);
	assert_int_equal(kit_begin(&k, i), E_PROTO);
	assert_int_equal(kit_abort(&k, 7), E_OK);
	assert_int_equal(kit_begin(&k, i), E_OK);
	assert_int_equal(kit_begin(&k, i + 1), E_PROTO);
}

/* The recipients of all transactions: the last octet may be used, not one more.  Until the commit they are packed, and
 * so cost what their addresses cost: many may be open. */
static void
test_rcpt_memory_limit(void **state)
{
	size_t packed, need, others;
	int over;

	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	packed = k.memory;
	assert_true(packed != 0 && packed < sizeof(struct recipient));
	assert_int_equal(kit_abort(&k, 1), E_OK);
	assert_int_equal(k.memory, 0);
	for (over = -1; over <= 1; over++) {
		others = TXN_RCPT_MEMORY_MAX - packed + (size_t)(ssize_t)over;
		k.memory = others;
		assert_int_equal(kit_begin(&k, 1), E_OK);
		assert_int_equal(kit_rcpt(&k, 1), E_OK);
		assert_int_equal(k.in.txns->failed, over > 0 ? TXN_BUSY : 0);
		assert_int_equal(kit_abort(&k, 1), E_OK);
		assert_int_equal(k.memory, others);
	}
	need = packed + sizeof(struct recipient);
	for (over = -1; over <= 1; over++) {
		others = TXN_RCPT_MEMORY_MAX - need + (size_t)(ssize_t)over;
		k.memory = others;
		k.nresult = 0;
		assert_int_equal(kit_begin(&k, 1), E_OK);
		assert_int_equal(kit_rcpt(&k, 1), E_OK);
		assert_int_equal(k.in.txns->failed, 0);
		assert_int_equal(kit_commit(&k, 1, 1, 0), E_OK);
		while (kit_complete(&k, E_OK))
			;
		assert_int_equal(k.nresult, 1);
		assert_int_equal(k.result[0].status, over > 0 ? TXN_BUSY : TXN_DURABLE);
		assert_int_equal(k.memory, others);
	}
	k.memory = 0;
}

/* A thousand recipients in each of a hundred open messages leave room for others'. */
static void
test_rcpt_share(void **state)
{
	uint32_t i, n;

	for (i = 0; i < 100; i++) {
		assert_int_equal(kit_begin(&k, i), E_OK);
		for (n = 0; n < RCPT_MAX; n++)
			assert_int_equal(kit_rcpt(&k, i), E_OK);
		assert_int_equal(kit_chunk(&k, i, 10), E_OK);
	}
	assert_true(k.memory < TXN_RCPT_MEMORY_MAX / 8);
	assert_int_equal(kit_begin(&k, i), E_OK);
	assert_int_equal(kit_rcpt(&k, i), E_OK);
	assert_int_equal(kit_commit(&k, i, 1, 0), E_OK);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.accepted, 1);
}

/* A body stays in memory as long as its blocks fit; the octet that needs one more sends them ahead. */
static void
test_body_memory_limit(void **state)
{
	const uint64_t full = TXN_MEMORY_MAX / sizeof(struct body_block) * BODY_CHUNK;
	struct body *b;
	uint64_t n;

	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	assert_int_equal(kit_chunk(&k, 1, 1), E_OK);
	for (b = k.in.txns->body; b->len < full - 1;) {
		n = full - 1 - b->len;
		assert_int_equal(kit_chunk(&k, 1, n > IPC_CHUNK_MAX ? IPC_CHUNK_MAX : n), E_OK);
	}
	assert_int_equal(k.chunks, 0);
	assert_int_equal(kit_chunk(&k, 1, 1), E_OK);
	assert_int_equal(b->len, full);
	assert_int_equal(b->held, TXN_MEMORY_MAX);
	assert_int_equal(k.chunks, 0);
	assert_int_equal(kit_chunk(&k, 1, 1), E_OK);
	assert_int_equal(k.chunks, 1);
}

/* smtpd dies: what was committed is ours, the rest is forgotten. */
static void
test_peer_dies(void **state)
{
	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt(&k, 1), E_OK);
	assert_int_equal(kit_commit(&k, 1, 1, 0), E_OK);
	assert_int_equal(kit_begin(&k, 2), E_OK);
	assert_int_equal(kit_rcpt(&k, 2), E_OK);
	assert_int_equal(kit_chunk(&k, 2, 100), E_OK);
	stream(3, 1u << 20);
	intake_clear(&k.in);
	assert_int_equal(k.in.ntxn, 0);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.accepted, 1);
	assert_int_equal(k.nresult, 0);
	assert_int_equal(k.drops, 1);
}

/* What a client asks for beside: into the records, in the terms of the store. */
static void
test_wishes(void **state)
{
	static const int64_t now = 1795305325;		/* kit_time() */
	static const struct {
		struct ipc_txn_begin b;
		uint8_t header8;
		uint32_t flags;
		int64_t by_time, hold_until, due;
	} t[] = {
		{ { .protocol = PROTO_SMTP }, 0, 0, 0, 0, 0 },
		{ { .protocol = PROTO_LMTP, .body = BODY_8BIT }, 0, MSGF_ESMTP | MSGF_LMTP | MSGF_BODY8, 0, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .body = BODY_BINARY, .utf8 = 1 }, 1, MSGF_ESMTP | MSGF_BODY8 | MSGF_UTF8 | MSGF_HEADER8,
		    0, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .by_mode = BY_RETURN, .by_s = 60, .by_trace = 1 }, 0, MSGF_ESMTP | MSGF_BY_TRACE,
		    1795305385, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .by_mode = BY_NOTIFY, .by_s = -60 }, 0, MSGF_ESMTP, 1795305265, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .by_mode = BY_NOTIFY, .by_s = BY_MAX_S }, 0, MSGF_ESMTP, 2795305324, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .hold_until = 1795305326 }, 0, MSGF_ESMTP, 0, 1795305326, 1 },
		{ { .protocol = PROTO_ESMTP, .hold_until = 1795305325 }, 0, MSGF_ESMTP, 0, 0, 0 },	/* now is no wait */
		{ { .protocol = PROTO_ESMTP, .hold_until = 5 }, 0, MSGF_ESMTP, 0, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .prioritized = 1, .priority = -9 }, 0, MSGF_ESMTP | MSGF_PRIORITIZED, 0, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .hold = 1 }, 0, MSGF_ESMTP | MSGF_HELD | MSGF_HELD_RULE, 0, 0, 0 },
		{ { .protocol = PROTO_ESMTP, .local = 1, .uid = 1000 }, 0, MSGF_ESMTP | MSGF_LOCAL, 0, 0, 0 },
	};
	struct ipc_txn_begin b;
	struct ipc_txn_rcpt rcpt = { .txn = 7, .notify = NOTIFY_SUCCESS, .address = "b@example.net",
	    .orcpt = "rfc822;c@example.net" };
	struct ipc_txn_commit c = { .txn = 7, .nrcpt = 1, .body_len = 14 };
	const struct message *m;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		b = t[i].b;
		b.txn = 7;
		b.session = 1;
		b.client_port = 25;
		b.ret = RET_HDRS;
		(void)strncpy(b.envid, "e", sizeof(b.envid) - 1);
		(void)strncpy(b.login, "alice", sizeof(b.login) - 1);
		c.header8 = t[i].header8;
		assert_int_equal(KIT_SEND(&k, TXN_BEGIN, txn_begin, &b), E_OK);
		assert_int_equal(KIT_SEND(&k, TXN_RCPT, txn_rcpt, &rcpt), E_OK);
		assert_int_equal(kit_chunk(&k, 7, 14), E_OK);
		assert_int_equal(KIT_SEND(&k, TXN_COMMIT, txn_commit, &c), E_OK);
		assert_non_null(k.head);
		m = k.head->message;
		assert_int_equal(m->flags, t[i].flags);
		assert_int_equal(m->body, b.body);
		assert_int_equal(m->by_mode, b.by_mode);
		assert_int_equal(m->by_time, t[i].by_time);
		assert_int_equal(m->hold_until, t[i].hold_until);
		assert_int_equal(m->priority, b.priority);
		assert_int_equal(m->uid, b.uid);
		assert_int_equal(m->ret, RET_HDRS);
		assert_string_equal(m->envid, "e");
		assert_string_equal(m->login, "alice");
		assert_int_equal(k.head->rcpt[0].notify, NOTIFY_SUCCESS);
		assert_string_equal(k.head->rcpt[0].orcpt, "rfc822;c@example.net");
		assert_int_equal(k.head->rcpt[0].next, now + t[i].due);
		assert_true(kit_complete(&k, E_OK));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protocol, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mismatch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_txn_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rcpt_memory_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rcpt_share, setup, teardown),
		cmocka_unit_test_setup_teardown(test_body_memory_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_dies, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
