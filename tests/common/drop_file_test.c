/*
 * drop_file_test.c -- the format of waiting messages: what is read back, what is refused, its limits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/drop_file.h"
#include "common/err.h"
#include "common/ipc_msg.h"

#define START	"postern-drop 1\n"

static const struct { const char *in; int err; } rows[] = {
	{ START "from a@b.example\nto 0 c@d.example\ndata\n", E_OK },
	{ START "uid 7\nfrom \nret full\nenvid a+20b\nbody 8bit\nutf8\nto 6 c@d.example\nto 1 e@f.example\ndata\nrest", E_OK },
	{ START "from \xc3\xb6@b.example\nto 0 \"a b\"@d.example\ndata\n", E_OK },
	{ "", E_AGAIN }, { "postern-drop", E_AGAIN }, { START, E_AGAIN }, { START "from a@b.example\nto 0 c@d.example\ndata", E_AGAIN },
	{ "postern-drop 2\nfrom a\nto 0 b\ndata\n", E_SYNTAX }, { "x", E_SYNTAX },
	{ START "to 0 c@d.example\ndata\n", E_SYNTAX },			/* no sender */
	{ START "from a@b.example\ndata\n", E_SYNTAX },			/* no recipient */
	{ START "from a@b.example\nto 0 \ndata\n", E_SYNTAX }, { START "from a@b.example\nto c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nto 16 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nto 3 c@d.example\ndata\n", E_SYNTAX },	/* never, and something */
	{ START "from a@b.example\nto 0 c@d.example\nret full\ndata\n", E_SYNTAX },	/* order */
	{ START "from a@b.example\nfrom a@b.example\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nret some\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nenvid a=b\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nbody 7bit\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "uid -1\nfrom a@b.example\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "uid 4294967296\nfrom a@b.example\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example> SIZE=1\nto 0 c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nto 0 c@d.example\r\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nto 0 \"c@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nto 0 \"a\\\x01\"@d.example\ndata\n", E_SYNTAX },
	{ START "from a@b.example\nx\nto 0 c@d.example\ndata\n", E_SYNTAX },
};

static void
test_read(void **state)
{
	struct drop_head h;
	struct arena mem;
	const char *why;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		arena_init(&mem, 1 << 20);
		err = drop_head_read(&h, &mem, slice_str(rows[i].in), &why);
		if (err != rows[i].err)
			fail_msg("row %zu: %s (%s)", i, err_name(err), why);
		assert_true(err != E_SYNTAX || why[0] != '\0');
		arena_clear(&mem);
	}
}

static void
test_back(void **state)
{
	struct submit_rcpt rcpt[2] = { { .address = "c@d.example", .notify = NOTIFY_FAILURE }, { .address = "\"e f\"@g.example" } };
	struct drop_head h = { .has_uid = 1, .uid = UINT32_MAX, .mail = { .sender = "", .envid = "a+20b", .ret = 'H',
	    .body8 = 1, .utf8 = 1, .nrcpt = 2, .rcpt = rcpt } }, g;
	struct arena mem;
	const char *why;
	struct buf b;

	(void)state;
	arena_init(&mem, 1 << 20);
	buf_init(&b, DROP_HEAD_MAX);
	assert_int_equal(drop_head_write(&b, &h), E_OK);
	assert_int_equal(drop_head_read(&g, &mem, buf_slice(&b), &why), E_OK);
	assert_int_equal(g.len, b.len);
	assert_true(g.has_uid && g.uid == UINT32_MAX && g.mail.ret == 'H' && g.mail.body8 && g.mail.utf8);
	assert_string_equal(g.mail.sender, "");
	assert_string_equal(g.mail.envid, "a+20b");
	assert_int_equal(g.mail.nrcpt, 2);
	assert_string_equal(g.mail.rcpt[1].address, "\"e f\"@g.example");
	assert_int_equal(g.mail.rcpt[0].notify, NOTIFY_FAILURE);
	rcpt[0].address = "a@b> X";
	buf_clear(&b);
	assert_int_equal(drop_head_write(&b, &h), E_SYNTAX);
	buf_clear(&b);
	arena_clear(&mem);
}

static void
test_recipients_limit(void **state)
{
	struct submit_rcpt *rcpt = calloc(DROP_RCPT_MAX + 1, sizeof(*rcpt));
	struct drop_head h = { .mail = { .sender = "a@b.example", .envid = "", .rcpt = rcpt } }, g;
	struct arena mem;
	const char *why;
	struct buf b;
	size_t i, n;

	(void)state;
	assert_non_null(rcpt);
	for (i = 0; i <= DROP_RCPT_MAX; i++)
		rcpt[i].address = "c@d.example";
	for (n = DROP_RCPT_MAX - 1; n <= DROP_RCPT_MAX + 1; n++) {
		buf_init(&b, DROP_HEAD_MAX);
		arena_init(&mem, 64 << 20);
		h.mail.nrcpt = n;
		assert_int_equal(drop_head_write(&b, &h), n <= DROP_RCPT_MAX ? E_OK : E_RANGE);
		if (n > DROP_RCPT_MAX) {	/* one more, by hand */
			h.mail.nrcpt = DROP_RCPT_MAX;
			buf_clear(&b);
			assert_int_equal(drop_head_write(&b, &h), E_OK);
			b.len -= 5;
			assert_int_equal(buf_adds(&b, "to 0 c@d.example\ndata\n"), E_OK);
		}
		assert_int_equal(drop_head_read(&g, &mem, buf_slice(&b), &why), n <= DROP_RCPT_MAX ? E_OK : E_LIMIT);
		assert_true(n > DROP_RCPT_MAX || g.mail.nrcpt == n);
		arena_clear(&mem);
		buf_clear(&b);
	}
	free(rcpt);
}

/* Lines without end: more is asked for up to the limit, and not past it. */
static void
test_head_limit(void **state)
{
	char *text = malloc(DROP_HEAD_MAX + 1);
	struct drop_head h;
	struct arena mem;
	const char *why;
	size_t n;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', DROP_HEAD_MAX + 1);
	(void)memcpy(text, START, sizeof(START) - 1);
	for (n = DROP_HEAD_MAX - 1; n <= DROP_HEAD_MAX + 1; n++) {
		arena_init(&mem, 1 << 20);
		assert_int_equal(drop_head_read(&h, &mem, slice_make(text, n), &why), n < DROP_HEAD_MAX ? E_AGAIN : E_LIMIT);
		arena_clear(&mem);
	}
	free(text);
}

static void
test_envid_limit(void **state)
{
	char text[1024];
	struct drop_head h;
	struct arena mem;
	const char *why;
	size_t n;

	(void)state;
	for (n = DROP_ENVID_MAX - 1; n <= DROP_ENVID_MAX + 1; n++) {
		arena_init(&mem, 1 << 20);
		(void)snprintf(text, sizeof(text), START "from a@b.example\nenvid %.*d\nto 0 c@d.example\ndata\n", (int)n, 7);
		assert_int_equal(drop_head_read(&h, &mem, slice_str(text), &why), n <= DROP_ENVID_MAX ? E_OK : E_SYNTAX);
		arena_clear(&mem);
	}
}

static void
test_trailer_and_names(void **state)
{
	static const char *const bad[] = { "m-0123456789abcdef0123456789abcde", "x-0123456789abcdef0123456789abcdef",
	    "m-0123456789ABCDEF0123456789abcdef", "m_0123456789abcdef0123456789abcdef", "", "m-",
	    "m-0123456789abcdef0123456789abcdef0", "m-../3456789abcdef0123456789abcdef" };
	char text[DROP_TRAILER_LEN + 1], name[DROP_NAME_LEN + 1];
	uint8_t random[16] = { 0, 1, 0xfe, 0xff };
	uint64_t len, sum;
	size_t i;

	(void)state;
	drop_trailer_write(text, UINT64_MAX, UINT64_MAX);
	assert_int_equal(strlen(text), DROP_TRAILER_LEN);
	assert_int_equal(drop_trailer_read(slice_str(text), &len, &sum), E_OK);
	assert_true(len == UINT64_MAX && sum == UINT64_MAX);
	text[12] = '9';		/* past 64 bits */
	assert_int_equal(drop_trailer_read(slice_str(text), &len, &sum), E_SYNTAX);
	drop_trailer_write(text, 1, 2);
	for (i = 0; i < DROP_TRAILER_LEN; i++) {
		char was = text[i];

		text[i] = 'X';
		assert_int_equal(drop_trailer_read(slice_str(text), &len, &sum), E_SYNTAX);
		text[i] = was;
	}
	assert_int_equal(drop_trailer_read(slice_make(text, DROP_TRAILER_LEN - 1), &len, &sum), E_SYNTAX);
	assert_true(drop_sum(DROP_SUM_START, SLICE_LIT("a")) == UINT64_C(0xaf63dc4c8601ec8c));	/* FNV-1a's own vector */
	drop_name(name, 'm', random);
	assert_string_equal(name, "m-0001feff000000000000000000000000");
	assert_int_equal(drop_name_kind(name), 'm');
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(drop_name_kind(bad[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_back), cmocka_unit_test(test_recipients_limit),
		cmocka_unit_test(test_head_limit), cmocka_unit_test(test_envid_limit), cmocka_unit_test(test_trailer_and_names),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
