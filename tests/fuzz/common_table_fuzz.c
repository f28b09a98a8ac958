/*
 * common_table_fuzz.c -- the reader of images, on damaged ones.  The first octet says what to start from: a good image
 * with several tables, into which the rest of the input is written as pairs of place and octet; or the input itself.
 *
 * Oracle: nothing outside the image is touched (ASan), every look-up ends with found, not found or corrupt, and what is
 * found has the key that was asked and lies inside.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/table_make.h"
#include "common/table_value.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define WALK_MAX	4096

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct slice	good;

static void
add(struct table_maker *m, const char *key, struct buf *b, int net)
{
	struct table_value	 v = { .key = slice_str(key), .data = buf_slice(b), .line = 1 };
	struct table_range	 r = { .is6 = net > 1 };

	net_addr_parse(&r.lo, net > 1 ? SLICE_LIT("2001:db8::") : SLICE_LIT("10.0.0.0"));
	net_addr_parse(&r.hi, net > 1 ? SLICE_LIT("2001:db8::ffff") : SLICE_LIT("10.255.255.255"));
	MUST(net ? table_make_add_net(m, &v, &r, 1) == E_OK : table_make_add(m, &v) == E_OK);
}

static void
make_good(void)
{
	struct table_maker	*m = table_maker_new(1u << 20);
	struct target		 t = { .kind = TARGET_ADDRESS, .text = SLICE_LIT("x@y.test") };
	struct action		 a = { .kind = ACTION_REJECT, .code = 550, .enhanced = { 5, 7, 1 }, .text = SLICE_LIT("no") };
	struct table_value	 v = { .key = SLICE_LIT("/list"), .line = 3 };
	struct buf		 b;
	uint32_t		 file, id;

	buf_init(&b, 4096);
	MUST(m != NULL && table_make_file(m, "f", &file) == E_OK && table_make_begin(m, TABLE_TARGETS, &id) == E_OK);
	MUST(table_make_hash(m) == E_OK && table_put_target(&b, &t) == E_OK);
	add(m, "a@b.test", &b, 0);
	t = (struct target){ .kind = TARGET_INCLUDE, .text = SLICE_LIT("/list"), .include = 0 };
	MUST(table_put_target(&b, &t) == E_OK);
	add(m, "list", &b, 0);
	MUST(table_make_part_end(m, NULL, NULL) == E_OK);
	v.data = buf_slice(&b);
	MUST(table_make_include(m, 0, &v) == E_OK && table_make_end(m) == E_OK);
	buf_clear(&b);
	MUST(table_make_begin(m, TABLE_ACTION, &id) == E_OK && table_make_hash(m) == E_OK);
	MUST(table_put_action(&b, &a) == E_OK);
	add(m, "b.test", &b, 0);
	MUST(table_make_part_end(m, NULL, NULL) == E_OK && table_make_net(m) == E_OK);
	add(m, "10.0.0.0/8", &b, 1);
	add(m, "2001:db8::/112", &b, 2);
	MUST(table_make_part_end(m, NULL, NULL) == E_OK && table_make_end(m) == E_OK);
	buf_clear(&b);
	MUST(table_make_begin(m, TABLE_LOGINS, &id) == E_OK && table_make_hash(m) == E_OK);
	MUST(table_put_login(&b, SLICE_LIT("alice")) == E_OK);
	add(m, "a@b.test", &b, 0);
	MUST(table_make_part_end(m, NULL, NULL) == E_OK && table_make_end(m) == E_OK);
	MUST(table_make_finish(m, &good) == E_OK);
	buf_clear(&b);
	table_maker_free(m);
}

static void
use(const struct table *t, const struct table_value *v, int depth)
{
	struct table_value	 list;
	struct table_iter	 it;
	struct target		 g;
	struct action		 a;
	struct slice		 s;
	char			 where[64];
	unsigned		 n = 0;

	MUST(v->key.p >= t->image.p && v->data.p + v->data.n <= t->image.p + t->image.n);
	table_where(t, v, where, sizeof(where));
	table_action(v, &a);
	for (table_logins(&it, v); table_login_next(&it, &s) == E_OK; )
		MUST(s.n != 0 && s.p + s.n <= v->data.p + v->data.n);
	for (table_targets(&it, v); table_target_next(&it, &g) == E_OK && n < WALK_MAX; n++) {
		if (g.kind == TARGET_INCLUDE && depth < 3 && table_include(t, g.include, &list) == E_OK)
			use(t, &list, depth + 1);
	}
}

static void
look(struct slice image, uint32_t id)
{
	static const char *const	 keys[] = { "a@b.test", "list", "b.test", "user" };
	static const char *const	 ips[] = { "10.1.2.3", "2001:db8::1", "192.0.2.1" };
	struct table			 t = { .image = image, .id = id };
	struct table_value		 v;
	struct table_access		 access;
	struct action			 action;
	struct net_addr			 ip;
	uint64_t			 pos = 0;

	for (size_t i = 0; i < 4; i++) {
		if (table_get(&t, slice_str(keys[i]), &v) == E_OK) {
			MUST(slice_eq(v.key, slice_str(keys[i])));
			use(&t, &v, 0);
		}
	}
	for (size_t i = 0; i < 3; i++) {
		net_addr_parse(&ip, slice_str(ips[i]));
		if (table_get_net(&t, &ip, &v) == E_OK)
			use(&t, &v, 0);
		table_access_client(&access, &t, "x.b.test", &ip);
		for (int n = 0; n < 64 && table_access_next(&access, &v, &action) == E_OK; n++)
			use(&t, &v, 0);
	}
	table_access_mail(&access, &t, "a+x@b.test", "+");
	if (table_access_next(&access, &v, &action) == E_OK)
		use(&t, &v, 0);
	for (int n = 0; n < WALK_MAX && table_walk(&t, &pos, &v) == E_OK; n++)
		use(&t, &v, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice	 image;
	uint8_t		*copy;
	size_t		 n;

	if (good.p == NULL)
		make_good();
	if (size == 0 || size > 65536)
		return (0);
	n = data[0] % 2 == 0 ? good.n : size - 1;
	copy = malloc(n + 1);	/* of its own, so that ASan sees each octet too far */
	MUST(copy != NULL);
	memcpy(copy, data[0] % 2 == 0 ? (const uint8_t *)good.p : data + 1, n);
	for (size_t i = 1; data[0] % 2 == 0 && i + 3 <= size; i += 3)
		copy[(data[i] | (size_t)data[i + 1] << 8) % n] = data[i + 2];
	copy = realloc(copy, n != 0 ? n : 1);
	image = slice_make(copy, n);
	table_image_check(image);
	for (uint32_t id = 0; id <= 4; id++)
		look(image, id);
	free(copy);
	return (0);
}
