/* table_test.c -- images: what was put in is found, nothing else is, and a damaged one says so. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/table_make.h"
#include "common/table_value.h"
#include "tests/common/table_kit.h"

static void
test_many(void **state)
{
	enum { N = 5000 };
	static char		 text[N][24];
	const char		*keys[N];
	struct table_value	 v;
	struct table		 t;
	uint64_t		 pos = 0;
	size_t			 n = 0;
	char			 where[64];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		snprintf(text[i], sizeof(text[i]), "key%zu@d.test", i);
		keys[i] = text[i];
	}
	t = kit_present(keys, N);
	assert_int_equal(table_image_check(t.image), E_OK);
	assert_int_equal(table_image_count(t.image), 1);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(table_get(&t, slice_str(keys[i]), &v), E_OK);
		assert_true(slice_eq(v.key, slice_str(keys[i])));
		assert_int_equal(v.line, i + 1);
	}
	assert_string_equal(table_where(&t, &v, where, sizeof(where)), "kit:5000");
	assert_int_equal(table_get(&t, SLICE_LIT("KEY77@D.test"), &v), E_OK);
	assert_int_equal(table_get(&t, SLICE_LIT("key5000@d.test"), &v), E_NOTFOUND);
	assert_int_equal(table_get(&t, SLICE_LIT(""), &v), E_NOTFOUND);
	while (table_walk(&t, &pos, &v) == E_OK)
		n++;
	assert_int_equal(n, N);
	t.id = 2;
	assert_int_equal(table_get(&t, SLICE_LIT("key1@d.test"), &v), E_CORRUPT);
	free((void *)t.image.p);
	t = (struct table){ .id = 0 };
	assert_int_equal(table_get(&t, SLICE_LIT("x"), &v), E_NOTFOUND);
	t.id = 1;	/* a snapshot without its image */
	assert_int_equal(table_get(&t, SLICE_LIT("x"), &v), E_CORRUPT);
}

static void
test_empty_and_limits(void **state)
{
	static char		 key[TABLE_KEY_MAX + 2], folded[TABLE_KEY_MAX + 1];
	const char		*one = key;
	struct table		 t = kit_present(NULL, 0);
	struct table_value	 v;
	struct table_maker	*m;
	uint32_t		 id;

	(void)state;
	assert_int_equal(t.id, 1);
	assert_int_equal(table_get(&t, SLICE_LIT("x"), &v), E_NOTFOUND);
	free((void *)t.image.p);
	memset(key, 'K', sizeof(key) - 1);
	for (size_t n = TABLE_KEY_MAX - 1; n <= TABLE_KEY_MAX + 1; n++) {
		assert_int_equal(table_fold(folded, slice_make(key, n)), n <= TABLE_KEY_MAX ? E_OK : E_LIMIT);
		m = table_maker_new(TABLE_IMAGE_MAX);
		assert_int_equal(table_make_begin(m, TABLE_PRESENT, &id), E_OK);
		assert_int_equal(table_make_hash(m), E_OK);
		v = (struct table_value){ .key = slice_make(key, n) };
		assert_int_equal(table_make_add(m, &v), n <= TABLE_KEY_MAX ? E_OK : E_LIMIT);
		table_maker_free(m);
	}
	memset(key, 'k', TABLE_KEY_MAX);
	key[TABLE_KEY_MAX] = '\0';
	t = kit_present(&one, 1);
	assert_int_equal(table_get(&t, slice_str(key), &v), E_OK);
	memset(key, 'K', TABLE_KEY_MAX + 1);
	assert_int_equal(table_get(&t, slice_make(key, TABLE_KEY_MAX), &v), E_OK);
	assert_int_equal(table_get(&t, slice_make(key, TABLE_KEY_MAX + 1), &v), E_NOTFOUND);
	free((void *)t.image.p);
	/* The largest image: what it takes, one octet less, one more. */
	key[TABLE_KEY_MAX] = '\0';
	t = kit_present(&one, 1);
	for (uint64_t max = t.image.n - 1; max <= t.image.n + 1; max++) {
		struct slice	 image = { NULL, 0 };
		uint32_t	 file;

		m = table_maker_new(max);
		table_make_file(m, "kit", &file);
		table_make_begin(m, TABLE_PRESENT, &id);
		table_make_hash(m);
		v = (struct table_value){ .key = slice_str(key) };
		table_make_add(m, &v);
		table_make_part_end(m, NULL, NULL);
		table_make_end(m);
		assert_int_equal(table_make_finish(m, &image), max >= t.image.n ? E_OK : E_LIMIT);
		free((void *)image.p);
		table_maker_free(m);
	}
	free((void *)t.image.p);
	/* An image that is full stays so. */
	m = table_maker_new(190);
	assert_int_equal(table_make_begin(m, TABLE_PRESENT, &id), E_OK);
	v = (struct table_value){ .key = SLICE_LIT("k"), .data = slice_make(key, 100) };
	assert_int_equal(table_make_hash(m), E_OK);
	assert_int_equal(table_make_add(m, &v), E_LIMIT);
	v.data.n = 0;
	assert_int_equal(table_make_add(m, &v), E_LIMIT);
	assert_int_equal(table_make_finish(m, &t.image), E_LIMIT);
	table_maker_free(m);
}

/* Every octet of a small image set to other values, every cut: found, not found or corrupt, never a crash. */
static void
test_damage(void **state)
{
	static const char *const	 keys[] = { "a@b", "c@d", "e" };
	struct table			 t = kit_present(keys, 3), bad = t;
	struct table_value		 v;
	char				*copy = malloc(t.image.n), where[64];
	size_t				 corrupt = 0;
	uint64_t			 pos;

	(void)state;
	for (size_t i = 0; i < t.image.n * 3; i++) {
		memcpy(copy, t.image.p, t.image.n);
		copy[i / 3] = (char)(copy[i / 3] ^ (i % 3 == 0 ? 0xff : i % 3 == 1 ? 1 : 0x80));
		bad.image = slice_make(copy, t.image.n);
		corrupt += table_image_check(bad.image) == E_CORRUPT;
		for (size_t k = 0; k < 3; k++) {
			if (table_get(&bad, slice_str(keys[k]), &v) == E_OK)
				assert_true(slice_eq(v.key, slice_str(keys[k])));
			table_where(&bad, &v, where, sizeof(where));
		}
		pos = 0;
		for (size_t n = 0; n < 64 && table_walk(&bad, &pos, &v) == E_OK; n++)
			;
	}
	assert_true(corrupt > 100);
	for (size_t n = 0; n < t.image.n; n++) {
		bad.image = slice_make(t.image.p, n);
		assert_int_equal(table_image_check(bad.image), E_CORRUPT);
		assert_int_equal(table_get(&bad, SLICE_LIT("e"), &v), E_CORRUPT);
	}
	free(copy);
	free((void *)t.image.p);
}

/* ---- networks ---- */

static struct table_maker *
net_begin(uint32_t *id)
{
	struct table_maker	*m = table_maker_new(TABLE_IMAGE_MAX);
	uint32_t		 file;

	assert_int_equal(table_make_file(m, "nets", &file), E_OK);
	assert_int_equal(table_make_begin(m, TABLE_PRESENT, id), E_OK);
	assert_int_equal(table_make_net(m), E_OK);
	return (m);
}

static struct slice
net_end(struct table_maker *m)
{
	struct slice	 image;

	assert_int_equal(table_make_part_end(m, NULL, NULL), E_OK);
	assert_int_equal(table_make_end(m), E_OK);
	assert_int_equal(table_make_finish(m, &image), E_OK);
	table_maker_free(m);
	return (image);
}

static struct table_range
range_of(const struct net_prefix *p)
{
	struct table_range	 r = { .lo = p->addr, .hi = p->addr };

	for (size_t bit = p->len; bit < 128; bit++)
		r.hi.a[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	r.is6 = !net_addr_is4(&p->addr) || p->len < 96;
	return (r);
}

/* Random networks, nested and side by side, against the definition: the first line that has the address. */
static void
test_nets(void **state)
{
	enum { NETS = 40, ROUNDS = 200, ASKS = 200 };
	struct net_prefix	 p[NETS];
	struct table_range	 r;
	struct table_value	 v;
	struct table		 t;
	struct table_maker	*m;
	struct net_addr		 a;
	uint32_t		 want;
	unsigned		 seed = 7;

	(void)state;
	for (size_t round = 0; round < ROUNDS; round++) {
		m = net_begin(&t.id);
		for (size_t i = 0; i < NETS; i++) {
			memset(&p[i], 0, sizeof(p[i]));
			if (rand_r(&seed) % 2) {
				net_addr_parse(&p[i].addr, SLICE_LIT("10.0.0.0"));
				p[i].addr.a[15] = (uint8_t)rand_r(&seed);
				p[i].len = (uint8_t)(96 + 24 + rand_r(&seed) % 9);
				if (rand_r(&seed) % 16 == 0)
					p[i].len = 96;
			} else {
				p[i].addr.a[15] = (uint8_t)rand_r(&seed);
				p[i].addr.a[0] = rand_r(&seed) % 2 ? 0xff : 0;
				p[i].len = (uint8_t)(rand_r(&seed) % 16 == 0 ? 0 : 120 + rand_r(&seed) % 9);
			}
			p[i].addr = net_addr_mask(&p[i].addr, p[i].len);
			r = range_of(&p[i]);
			v = (struct table_value){ .key = SLICE_LIT("n"), .line = (uint32_t)i + 1 };
			assert_int_equal(table_make_add_net(m, &v, &r, 1), E_OK);
		}
		t.image = net_end(m);
		for (size_t i = 0; i < ASKS; i++) {
			memset(&a, i % 3 == 0 ? 0xff : 0, sizeof(a));
			if (i % 3 == 1)
				net_addr_parse(&a, SLICE_LIT("10.0.0.0"));
			a.a[15] = (uint8_t)rand_r(&seed);
			for (want = 0; want < NETS && !net_prefix_has(&p[want], &a); want++)
				;
			assert_int_equal(table_get_net(&t, &a, &v), want < NETS ? E_OK : E_NOTFOUND);
			if (want < NETS)
				assert_int_equal(v.line, want + 1);
		}
		free((void *)t.image.p);
	}
}

/* ---- values ---- */

static void
test_values(void **state)
{
	struct buf		 b;
	struct table_value	 v = { .type = TABLE_TARGETS };
	struct table_iter	 it;
	struct target		 t = { .kind = TARGET_INCLUDE, .text = SLICE_LIT("/x"), .include = 7 };
	struct action		 a = { .kind = ACTION_REJECT, .code = 550, .enhanced = { 5, 7, 1 } };
	static char		 text[ACCESS_TEXT_MAX + 1];
	struct slice		 login;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(table_put_target(&b, &t), E_OK);
	t = (struct target){ .kind = TARGET_DISCARD, .text = SLICE_LIT("") };
	assert_int_equal(table_put_target(&b, &t), E_OK);
	for (size_t n = 0; n <= b.len; n++) {
		v.data = slice_make(b.p, n);
		table_targets(&it, &v);
		if (table_target_next(&it, &t) != E_OK) {
			assert_true(n < b.len - 3);
			continue;
		}
		assert_int_equal(t.include, 7);
		assert_int_equal(table_target_next(&it, &t), n == b.len ? E_OK : n == b.len - 3 ? E_NOTFOUND : E_CORRUPT);
	}
	buf_clear(&b);
	memset(text, 'x', sizeof(text));
	for (size_t n = ACCESS_TEXT_MAX - 1; n <= ACCESS_TEXT_MAX + 1; n++) {
		a.text = slice_make(text, n);
		assert_int_equal(table_put_action(&b, &a), n <= ACCESS_TEXT_MAX ? E_OK : E_LIMIT);
		v = (struct table_value){ .type = TABLE_ACTION, .data = buf_slice(&b) };
		if (n <= ACCESS_TEXT_MAX)
			assert_int_equal(table_action(&v, &a), E_OK);
		buf_clear(&b);
	}
	a = (struct action){ .kind = ACTION_REJECT, .code = 550, .enhanced = { 4, 7, 1 }, .text = SLICE_LIT("") };
	assert_int_equal(table_put_action(&b, &a), E_OK);
	v.data = buf_slice(&b);
	assert_int_equal(table_action(&v, &a), E_CORRUPT);	/* 550 4.7.1 */
	buf_clear(&b);
	memset(text, 'l', sizeof(text));
	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++)
		assert_int_equal(table_put_login(&b, slice_make(text, n)), n <= LOGIN_MAX ? E_OK : E_LIMIT);
	v = (struct table_value){ .type = TABLE_LOGINS, .data = buf_slice(&b) };
	table_logins(&it, &v);
	assert_int_equal(table_login_next(&it, &login), E_OK);
	assert_int_equal(login.n, LOGIN_MAX - 1);
	assert_int_equal(table_login_has(&v, slice_make(text, LOGIN_MAX)), E_OK);
	assert_int_equal(table_login_has(&v, SLICE_LIT("l")), E_NOTFOUND);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_many), cmocka_unit_test(test_empty_and_limits), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_nets), cmocka_unit_test(test_values),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
