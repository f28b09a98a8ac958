/*
 * record_test.c -- records of the store as octets: round trip at every field's limits, and every kind of damage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/wire.h"
#include "queue/body.h"
#include "queue/record.h"

static void
fill(char *dst, size_t size, char c)
{
	memset(dst, c, size - 1);
	dst[size - 1] = '\0';
}

static void
message_full(struct message *m)
{
	memset(m, 0, sizeof(*m));
	m->arrival = 1795000000;
	m->body_len = 5ull * BODY_CHUNK + 1;
	m->nchunk = 6;
	m->nrcpt = 1000;
	m->ndone = 999;
	m->flags = 63 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768;	/* all but MSGF_DAMAGED */
	memset(m->client.a, 0xab, sizeof(m->client.a));
	fill(m->helo, sizeof(m->helo), 'h');
	fill(m->client_name, sizeof(m->client_name), 'n');
	fill(m->sender, sizeof(m->sender), 's');
	fill(m->envid, sizeof(m->envid), 'e');
	m->ret = RET_HDRS;
	m->body = BODY_BINARY;
	m->by_mode = BY_RETURN;
	m->priority = -PRIORITY_MAX;
	m->uid = UINT32_MAX;
	m->by_time = INT64_MAX;
	m->hold_until = INT64_MAX;
	fill(m->login, sizeof(m->login), 'l');
}

static void
recipient_full(struct recipient *r)
{
	memset(r, 0, sizeof(*r));
	r->state = RCPT_EXPIRED;
	r->notify = 15;
	r->noticed = 1;
	r->attempts = UINT32_MAX;
	r->last = INT64_MAX;
	r->next = INT64_MAX;
	r->code = 599;
	r->enhanced = (struct enhanced){ 5, 999, 999 };
	r->stage = STAGES - 1;
	fill(r->address, sizeof(r->address), 'a');
	fill(r->orcpt, sizeof(r->orcpt), 'o');
	fill(r->relay, sizeof(r->relay), 'r');
	fill(r->text, sizeof(r->text), 't');
	fill(r->sender, sizeof(r->sender), 's');
	fill(r->alias, sizeof(r->alias), 'l');
	r->owned = 1;
}

static void
message_round_trip(void **state)
{
	uint8_t rec[RECORD_MAX];
	struct message a, b;
	size_t n;

	message_full(&a);
	n = message_pack(&a, rec);
	assert_in_range(n, 1, RECORD_MAX);
	memset(&b, 0, sizeof(b));
	assert_int_equal(message_unpack(&b, slice_make(rec, n)), E_OK);
	assert_memory_equal(&a, &b, sizeof(a));

	memset(&a, 0, sizeof(a));
	n = message_pack(&a, rec);
	memset(&b, 0, sizeof(b));
	assert_int_equal(message_unpack(&b, slice_make(rec, n)), E_OK);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void
recipient_round_trip(void **state)
{
	uint8_t rec[RECORD_MAX];
	struct recipient a, b;
	size_t n;

	recipient_full(&a);
	n = recipient_pack(&a, rec);
	assert_in_range(n, 1, RECORD_MAX);
	memset(&b, 0, sizeof(b));
	assert_int_equal(recipient_unpack(&b, slice_make(rec, n)), E_OK);
	assert_memory_equal(&a, &b, sizeof(a));
}

/* What the version before wrote, octet for octet, and what it means now. */
static size_t
v1(struct wr *w)
{
	wr_u64(w, XXH3_64bits(w->p, w->len));
	assert_int_equal(w->err, E_OK);
	return (w->len);
}

static void
version_before(void **state)
{
	uint8_t rec[RECORD_MAX], again[RECORD_MAX];
	struct recipient r;
	struct message m;
	uint32_t flags;
	struct wr w;
	size_t n;

	for (flags = 0; flags <= 256; flags++) {
		memset(&m, 0xee, sizeof(m));
		wr_init(&w, rec, sizeof(rec));
		wr_u8(&w, 1);
		wr_u64(&w, 1795000000);
		wr_u64(&w, 10);
		wr_u32(&w, 1);
		wr_u32(&w, 2);
		wr_u32(&w, 1);
		wr_u32(&w, flags);
		wr_raw(&w, "0123456789abcdef", 16);
		wr_str(&w, "helo");
		wr_str(&w, "name");
		wr_str(&w, "a@example.org");
		wr_str(&w, "envid");
		wr_u8(&w, 1);
		n = v1(&w);
		if (flags > 63) {	/* flags it did not know */
			assert_int_equal(message_unpack(&m, slice_make(rec, n)), E_CORRUPT);
			continue;
		}
		assert_int_equal(message_unpack(&m, slice_make(rec, n)), E_OK);
		assert_string_equal(m.sender, "a@example.org");
		assert_string_equal(m.envid, "envid");
		assert_int_equal(m.flags, flags);
		assert_int_equal(m.ret, RET_FULL);
		assert_int_equal(m.body, flags & MSGF_BODY8 ? BODY_8BIT : BODY_7BIT);
		assert_int_equal(m.by_mode, BY_NONE);
		assert_int_equal(m.priority, 0);
		assert_true(m.by_time == 0 && m.hold_until == 0 && m.uid == 0 && m.login[0] == '\0');
		assert_true(message_pack(&m, again) > n);
		assert_int_equal(again[0], 2);
	}
	memset(&r, 0xee, sizeof(r));
	wr_init(&w, rec, sizeof(rec));
	wr_u8(&w, 1);
	wr_u8(&w, RCPT_DEFERRED);
	wr_u8(&w, NOTIFY_SUCCESS);
	wr_u8(&w, 0);
	wr_u32(&w, 3);
	wr_u64(&w, 1795000001);
	wr_u64(&w, 1795000002);
	wr_u16(&w, 451);
	wr_u8(&w, 4);
	wr_u16(&w, 7);
	wr_u16(&w, 1);
	wr_u8(&w, STAGE_RCPT);
	wr_str(&w, "b@example.net");
	wr_str(&w, "rfc822;b@example.net");
	wr_str(&w, "mx.example.net[192.0.2.1]:25");
	wr_str(&w, "4.7.1 later");
	n = v1(&w);
	assert_int_equal(recipient_unpack(&r, slice_make(rec, n)), E_OK);
	assert_string_equal(r.text, "4.7.1 later");
	assert_int_equal(r.next, 1795000002);
	assert_true(r.sender[0] == '\0' && r.alias[0] == '\0' && !r.owned && r.owed == OWED_NONE);
	(void)recipient_pack(&r, again);
	assert_int_equal(again[0], 2);
	rec[0] = 0;		/* before all versions, and after */
	w.len -= 8;
	n = v1(&w);
	assert_int_equal(recipient_unpack(&r, slice_make(rec, n)), E_CORRUPT);
	rec[0] = 3;
	w.len -= 8;
	n = v1(&w);
	assert_int_equal(recipient_unpack(&r, slice_make(rec, n)), E_CORRUPT);
}

/* A notice is owed only for what was delivered, and a sender of a recipient's own has to be declared. */
static void
recipient_agrees(void **state)
{
	static const struct { uint8_t rcpt_state, owed, owned; const char *sender; int want; } t[] = {
		{ RCPT_DELIVERED, OWED_NONE, 0, "", E_OK },
		{ RCPT_DELIVERED, OWED_EXPANDED, 0, "", E_OK },
		{ RCPT_DELIVERED, OWED_KINDS, 0, "", E_CORRUPT },
		{ RCPT_DEFERRED, OWED_RELAYED, 0, "", E_CORRUPT },
		{ RCPT_FAILED, OWED_DELIVERED, 0, "", E_CORRUPT },
		{ RCPT_FAILED, OWED_FAILED, 0, "", E_OK },
		{ RCPT_DELIVERED, OWED_FAILED, 0, "", E_CORRUPT },
		{ RCPT_PENDING, OWED_NONE, 1, "", E_OK },
		{ RCPT_PENDING, OWED_NONE, 1, "owner@x.example", E_OK },
		{ RCPT_PENDING, OWED_NONE, 0, "owner@x.example", E_CORRUPT },
		{ RCPT_PENDING, OWED_NONE, 2, "", E_CORRUPT },
	};
	uint8_t rec[RECORD_MAX];
	struct recipient r;
	size_t i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&r, 0, sizeof(r));
		r.state = t[i].rcpt_state;
		r.owed = t[i].owed;
		r.owned = t[i].owned;
		memcpy(r.sender, t[i].sender, strlen(t[i].sender) + 1);
		n = recipient_pack(&r, rec);
		assert_int_equal(recipient_unpack(&r, slice_make(rec, n)), t[i].want);
	}
}

/* Every single flipped bit and every cut is found. */
static void
damage_is_found(void **state)
{
	uint8_t rec[RECORD_MAX];
	struct recipient r;
	struct message m;
	size_t i, n;
	int bit;

	message_full(&m);
	n = message_pack(&m, rec);
	for (i = 0; i < n; i++) {
		for (bit = 0; bit < 8; bit++) {
			rec[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(message_unpack(&m, slice_make(rec, n)), E_CORRUPT);
			rec[i] ^= (uint8_t)(1 << bit);
		}
		assert_int_equal(message_unpack(&m, slice_make(rec, i)), E_CORRUPT);
	}
	assert_int_equal(message_unpack(&m, slice_make(rec, n)), E_OK);
	recipient_full(&r);
	n = recipient_pack(&r, rec);
	for (i = 0; i < n; i++) {
		rec[i] ^= 0x80;
		assert_int_equal(recipient_unpack(&r, slice_make(rec, n)), E_CORRUPT);
		rec[i] ^= 0x80;
		assert_int_equal(recipient_unpack(&r, slice_make(rec, i)), E_CORRUPT);
	}
}

/* A right checksum over a wrong value: each is refused for itself. */
static void
values_are_checked(void **state)
{
	uint8_t rec[RECORD_MAX];
	struct recipient r, out;
	struct message m, mout;
	int i;

	for (i = 0; i < 6; i++) {
		message_full(&m);
		switch (i) {
		case 0: m.ndone = m.nrcpt + 1; break;
		case 1: m.flags = 64; break;
		case 2: m.nchunk++; break;
		case 3: m.ret = 3; break;
		case 4: m.arrival = -1; break;
		case 5: m.sender[3] = '\n'; break;
		}
		assert_int_equal(message_unpack(&mout, slice_make(rec, message_pack(&m, rec))), E_CORRUPT);
	}
	for (i = 0; i < 8; i++) {
		recipient_full(&r);
		switch (i) {
		case 0: r.state = RCPT_ACTIVE; break;
		case 1: r.state = RCPT_STATES; break;
		case 2: r.notify = 16; break;
		case 3: r.stage = STAGES; break;
		case 4: r.code = 1000; break;
		case 5: r.next = -1; break;
		case 6: r.enhanced.detail = 1000; break;
		case 7: r.address[0] = '\r'; break;
		}
		assert_int_equal(recipient_unpack(&out, slice_make(rec, recipient_pack(&r, rec))), E_CORRUPT);
	}
}

/* One kind of record is not taken for the other. */
static void
kinds_differ(void **state)
{
	uint8_t rec[RECORD_MAX];
	struct recipient r;
	struct message m;

	message_full(&m);
	assert_int_equal(recipient_unpack(&r, slice_make(rec, message_pack(&m, rec))), E_CORRUPT);
	recipient_full(&r);
	assert_int_equal(message_unpack(&m, slice_make(rec, recipient_pack(&r, rec))), E_CORRUPT);
}

static void
domains(void **state)
{
	static const struct { const char *address, *domain; } t[] = {
		{ "a@example.org", "example.org" }, { "postmaster", "" }, { "\"a@b\"@example.net", "example.net" },
		{ "x@[192.0.2.1]", "[192.0.2.1]" }, { "x@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" }, { "", "" },
	};
	struct recipient r;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&r, 0, sizeof(r));
		memcpy(r.address, t[i].address, strlen(t[i].address) + 1);
		assert_string_equal(recipient_domain(&r), t[i].domain);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_round_trip), cmocka_unit_test(recipient_round_trip),
		cmocka_unit_test(version_before),
		cmocka_unit_test(recipient_agrees),
		cmocka_unit_test(damage_is_found), cmocka_unit_test(values_are_checked),
		cmocka_unit_test(kinds_differ), cmocka_unit_test(domains),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
