/*
 * record_test.c -- records of the store as octets: round trip at every field's limits, and every kind of damage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
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
	m->flags = 63;
	memset(m->client.a, 0xab, sizeof(m->client.a));
	fill(m->helo, sizeof(m->helo), 'h');
	fill(m->client_name, sizeof(m->client_name), 'n');
	fill(m->sender, sizeof(m->sender), 's');
	fill(m->envid, sizeof(m->envid), 'e');
	m->ret = 2;
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
		cmocka_unit_test(damage_is_found), cmocka_unit_test(values_are_checked),
		cmocka_unit_test(kinds_differ), cmocka_unit_test(domains),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
