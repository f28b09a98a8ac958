/* table_test.c -- the password table: each kind of hash, each mistake with its line, every limit,
 * and who stands for who is not there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/secure.h"
#include "auth/table.h"
#include "auth/workers.h"
#include "common/err.h"
#include "common/limits.h"

#define SCRAM	"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SHA512	"$6$abc$rRTcfWvALYtkkOkpqvuybYHRlTFyt9CJqjJUQ3m7hYq2LlkbfSTJk2V2rXLBHzAx9rCqW.BkLhiHWG6fWU0lr1"
#define H22	"0123456789abcdefghijkl"
#define H43	"0123456789abcdefghijklmnopqrstuvwxyz0123456"
#define H53	H43 "0123456789"
#define H86	H43 H43

static char		scratch[WORK_SCRATCH];
static struct table_error why;

static int
parse_n(struct table **t, const char *text, size_t n)
{
	char	*copy = secure_alloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	why = (struct table_error){ .why = "" };
	return (table_parse(t, copy, n, &why));
}

static struct table *
parse(const char *text)
{
	struct table	*t = NULL;
	int		 err = parse_n(&t, text, strlen(text));

	if (err != E_OK)
		fail_msg("line %zu: %s", why.line, why.why);
	return (t);
}

static int
right(const struct table *t, const char *login, const char *password)
{
	struct hash	h;
	int		known = table_find(t, slice_str(login), &h), err;

	err = hash_check(&h, slice_str(password), scratch);
	return (known && err == E_OK);
}

/* Each with the password "pencil", made by crypt(3) or, SCRAM, by RFC 7677. */
static void
kinds(void **state)
{
	static const struct { const char *prefix; unsigned long count; } v[] = {
		{ "$y$", 1 }, { "$y$", 5 }, { "$gy$", 1 }, { "$2b$", 4 }, { "$2a$", 4 }, { "$2y$", 4 }, { "$6$", 0 }, { "$6$", 1000 },
		{ "$5$", 0 }, { "$5$", 123456 }, { "$1$", 0 },
	};
	char			text[16384] = "scram:" SCRAM "\nnone:!\n", login[32], salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data	*data = calloc(1, sizeof(*data));
	struct table		*t;
	size_t			 i, n = strlen(text);

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_non_null(crypt_gensalt_rn(v[i].prefix, v[i].count, NULL, 0, salt, sizeof(salt)));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "u%zu:%s\n", i, crypt_r("pencil", salt, data));
	}
	free(data);
	t = parse(text);
	assert_int_equal(table_count(t), i + 2);
	while (i-- > 0) {
		(void)snprintf(login, sizeof(login), "u%zu", i);
		if (!right(t, login, "pencil") || right(t, login, "pencils") || right(t, login, "penci") || right(t, login, ""))
			fail_msg("%s", v[i].prefix);
	}
	assert_true(right(t, "scram", "pencil"));
	assert_false(right(t, "scram", "Pencil"));
	assert_false(right(t, "none", "pencil"));
	assert_false(right(t, "none", "!"));
	assert_false(right(t, "nobody", "pencil"));
	assert_true(table_has(t, slice_str("none")));
	assert_false(table_has(t, slice_str("nobody")));
	table_free(t);
}

static void
lines(void **state)
{
	struct table	*t = parse("# a comment: of mine\n\nb:!\nalice@example.org:!\n#x:!\na b:!\nA:!\n\xc3\xa4:!");

	assert_int_equal(table_count(t), 5);
	assert_true(table_has(t, slice_str("alice@example.org")));
	assert_true(table_has(t, slice_str("a b")));
	assert_true(table_has(t, slice_str("A")));
	assert_true(table_has(t, slice_str("\xc3\xa4")));
	assert_false(table_has(t, slice_str("a")));
	assert_false(table_has(t, slice_str("alice")));
	assert_false(table_has(t, slice_str("alice@example.or")));
	assert_false(table_has(t, slice_str("alice@example.org ")));
	assert_false(table_has(t, slice_str("#x")));
	assert_false(table_has(t, slice_str("")));
	table_free(t);
	t = parse("");
	assert_int_equal(table_count(t), 0);
	assert_false(table_has(t, slice_str("a")));
	assert_false(right(t, "a", "b"));
	table_free(t);
}

static void
mistakes(void **state)
{
	static const struct { size_t line; const char *why, *text; } v[] = {
		{ 1, "no \":\"", "alice" }, { 2, "no \":\"", "a:!\nalice $6$\n" }, { 1, "no login", ":!" },
		{ 3, "earlier line", "a:!\nb:!\na:!\n" }, { 4, "earlier line", "a:" SHA512 "\nb:!\n#\na:!" },
		{ 1, "blank", " a:!" }, { 1, "blank", "a :!" }, { 1, "control", "a\tb:!" }, { 1, "control", "a\x7f:!" },
		{ 1, "no hash", "a:" }, { 1, "neither a hash", "a:!\r\nb:!\r\n" }, { 1, "neither a hash", "a:secret" },
		{ 1, "neither a hash", "a:!!" }, { 1, "neither a hash", "a:*" }, { 1, "neither a hash", "a: !" },
		{ 1, "neither a hash", "a:JlIkRYMdLd5p6" }, { 1, "neither a hash", "a:$3$$8846f7eaee8fb117ad06bdd830b7586c" },
		{ 1, "neither a hash", "a:$sha1$1000$abcdefgh$S1ArdJYzrh17g244/Kvgwg8.Q1c0" },
		{ 1, "argon2", "a:$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG" },
		{ 1, "braces", "a:{BLF-CRYPT}$2y$05$" H53 }, { 1, "braces", "a:{PLAIN}secret" }, { 1, "braces", "a:{SCRAM-SHA-1}4096,x,y,z" },
		{ 1, "iterations of SCRAM", "a:{SCRAM-SHA-256}1,AAAA,AAAA,AAAA" },
		{ 1, "not {SCRAM", "a:" SCRAM ":" }, { 1, "not {SCRAM", "a:{SCRAM-SHA-256}" },
		{ 1, "cut off", "a:$6$abc" }, { 1, "cut off", "a:$6$abc$" }, { 1, "cut off", "a:$6$abc$" H43 },
		{ 1, "behind the hash", "a:" SHA512 ":" }, { 1, "behind the hash", "a:" SHA512 ":1000:1000::/home/a" },
		{ 1, "behind the hash", "a:" SHA512 " " }, { 1, "behind the hash", "a:$5$abc$" H43 "." }, { 1, "behind the hash", "a:$5$abc$" H22 "-" H22 },
		{ 1, "salt", "a:$6$$" H86 }, { 1, "salt", "a:$6$0123456789abcdefg$" H86 }, { 1, "salt", "a:$6$a-c$" H86 },
		{ 1, "rounds", "a:$6$rounds=999$abc$" H86 }, { 1, "rounds", "a:$6$rounds=5000001$abc$" H86 },
		{ 1, "rounds", "a:$6$rounds=01000$abc$" H86 }, { 1, "rounds", "a:$6$rounds=$abc$" H86 }, { 1, "rounds", "a:$6$rounds=2000" },
		{ 1, "rounds", "a:$6$rounds=99999999999999999999$abc$" H86 },
		{ 1, "cost of the bcrypt", "a:$2b$03$" H53 }, { 1, "cost of the bcrypt", "a:$2b$15$" H53 }, { 1, "cost of the bcrypt", "a:$2b$5$" H53 },
		{ 1, "cost of the bcrypt", "a:$2b$" }, { 1, "cut off", "a:$2b$10$" H43 }, { 1, "behind the hash", "a:$2b$10$" H53 "x" },
		{ 1, "neither a hash", "a:$2x$10$" H53 },
		{ 1, "parameters of the yescrypt", "a:$y$" }, { 1, "parameters of the yescrypt", "a:$y$i9T$abc$" H43 },
		{ 1, "parameters of the yescrypt", "a:$y$j9T." }, { 1, "too much memory", "a:$y$jCT$abc$" H43 },
		{ 1, "too much memory", "a:$y$jzz$abc$" H43 }, { 1, "too much memory", "a:$y$j.T$abc$" H43 },
		{ 1, "cut off", "a:$y$j9T$abc$" H22 }, { 1, "salt", "a:$y$j9T$$" H43 }, { 1, "salt", "a:$y$j9T$" H86 ".$" H43 },
		{ 1, "cut off", "a:$1$abc" }, { 1, "salt", "a:$1$012345678$" H22 },
		{ 1, "longer than any", "a:$6$" H86 H86 H86 },
	};
	struct table	*t;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (parse_n(&t, v[i].text, strlen(v[i].text)) != E_SYNTAX || why.line != v[i].line || strstr(why.why, v[i].why) == NULL)
			fail_msg("%s: line %zu: %s", v[i].text, why.line, why.why);
	}
	assert_int_equal(parse_n(&t, "a\0b:!", 5), E_SYNTAX);
	assert_int_equal(parse_n(&t, "a:!\0", 4), E_SYNTAX);
	assert_int_equal(parse_n(&t, "a:$6$ab\0c$" H86, 10 + 86), E_SYNTAX);
}

/* At the limit and one to each side. */
static void
limits(void **state)
{
	static const struct { const char *text; int ok; } costs[] = {
		{ "a:$6$rounds=1000$abc$" H86, 1 }, { "a:$6$rounds=1001$abc$" H86, 1 }, { "a:$6$rounds=4999999$abc$" H86, 1 },
		{ "a:$6$rounds=5000000$abc$" H86, 1 }, { "a:$2b$04$" H53, 1 }, { "a:$2b$14$" H53, 1 }, { "a:$y$jBT$abc$" H43, 1 },
		{ "a:$6$0123456789abcdef$" H86, 1 }, { "a:$1$01234567$" H22, 1 }, { "a:$1$$" H22, 1 }, { "a:$y$j9T$" H86 "$" H43, 1 },
		{ "a:$y$j75$a$" H43, 1 },
	};
	char		*text = malloc(AUTH_ENTRIES_MAX * 12 + 64);
	struct table	*t;
	size_t		 n = 0;

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		table_free(parse(costs[i].text));
	for (size_t len = LOGIN_MAX - 1; len <= LOGIN_MAX + 1; len++) {
		memset(text, 'l', len);
		memcpy(text + len, ":!", 2);
		assert_int_equal(parse_n(&t, text, len + 2), len <= LOGIN_MAX ? E_OK : E_SYNTAX);
		if (len <= LOGIN_MAX)
			table_free(t);
	}
	for (size_t len = AUTH_TABLE_LINE_MAX - 1; len <= AUTH_TABLE_LINE_MAX + 1; len++) {
		memset(text, '#', len);
		memcpy(text + len, "\na:!\n", 5);
		assert_int_equal(parse_n(&t, text, len + 5), len <= AUTH_TABLE_LINE_MAX ? E_OK : E_LIMIT);
		if (len <= AUTH_TABLE_LINE_MAX)
			table_free(t);
		else
			assert_int_equal(why.line, 1);
	}
	for (size_t i = 0; i <= AUTH_ENTRIES_MAX; i++) {
		n += (size_t)snprintf(text + n, 64, "u%zu:!\n", i);
		if (i < AUTH_ENTRIES_MAX - 2)
			continue;
		if (i == AUTH_ENTRIES_MAX) {
			assert_int_equal(parse_n(&t, text, n), E_LIMIT);
			assert_int_equal(why.line, AUTH_ENTRIES_MAX + 1);
			break;
		}
		assert_int_equal(parse_n(&t, text, n), E_OK);
		assert_int_equal(table_count(t), i + 1);
		assert_true(table_has(t, slice_str("u0")));
		assert_true(table_has(t, slice_str("u99998")));
		table_free(t);
	}
	free(text);
}

/* secure_read(): the whole file or nothing. */
static void
file_sizes(void **state)
{
	const size_t	max = 5000;
	char		data[5001];
	void		*p;
	size_t		 len;
	int		 fd, pair[2];

	memset(data, 'x', sizeof(data));
	for (size_t n = 0; n <= max + 1; n = n == 0 ? max - 1 : n + 1) {
		assert_true((fd = memfd_create("t", MFD_CLOEXEC)) != -1);
		assert_int_equal(write(fd, data, n), n);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		if (n > max)
			assert_int_equal(secure_read(fd, max, &p, &len), E_LIMIT);
		else {
			assert_int_equal(secure_read(fd, max, &p, &len), E_OK);
			assert_int_equal(len, n);
			assert_memory_equal(p, data, n);
			assert_int_equal(((char *)p)[n], 0);
			secure_free(p, len + 1);
		}
		close(fd);
	}
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(secure_read(pair[0], max, &p, &len), E_IO);
	close(pair[0]);
	close(pair[1]);
}

/* Who is not there costs what most cost; SCRAM's iterations are the commonest of its own
 * entries. */
static void
dummy(void **state)
{
	static const struct { const char *text, *cost; uint32_t iterations; } v[] = {
		{ "", "{SCRAM-SHA-256}50000", SCRAM_ITERATIONS }, { "a:!\nb:!", "{SCRAM-SHA-256}50000", SCRAM_ITERATIONS },
		{ "a:" SHA512, "$6$", SCRAM_ITERATIONS },
		{ "a:" SHA512 "\nb:" SCRAM, "$6$", 4096 }, { "a:" SHA512 "\nb:" SCRAM "\nc:" SCRAM, "{SCRAM-SHA-256}4096", 4096 },
		{ "a:$6$rounds=2000$abc$" H86 "\nb:$6$rounds=3000$abc$" H86 "\nc:$6$rounds=3000$xyz$" H86, "$6$rounds=3000$", SCRAM_ITERATIONS },
		{ "a:$y$j9T$abc$" H43 "\nb:$2b$10$" H53 "\nc:$y$j9T$xyz$" H43 "\nd:!\ne:!\nf:!", "$y$j9T$", SCRAM_ITERATIONS },
		{ "a:$y$j9T$abc$" H43 "\nb:$2b$10$" H53 "\nc:$2b$10$" H53, "$2b$10$", SCRAM_ITERATIONS },
	};
	char		cost[HASH_COST_MAX + 1];
	struct table	*t;
	struct hash	 h;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		t = parse(v[i].text);
		assert_false(table_find(t, slice_str("nobody"), &h));
		hash_cost(&h, cost);
		assert_string_equal(cost, v[i].cost);
		assert_int_equal(table_iterations(t), v[i].iterations);
		table_free(t);
	}
	/* Without a password: the same. */
	t = parse("a:!\nb:" SHA512);
	assert_false(table_find(t, slice_str("a"), &h));
	hash_cost(&h, cost);
	assert_string_equal(cost, "$6$");
	table_free(t);
	/* More kinds of cost than are counted. */
	{
		char	text[100 * 120] = "";
		size_t	n = 0;

		for (unsigned i = 0; i < 100; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "u%u:$6$rounds=%u$a$" H86 "\n", i, 1000 + i);
		t = parse(text);
		assert_false(table_find(t, slice_str("x"), &h));
		hash_cost(&h, cost);
		assert_string_equal(cost, "$6$rounds=1000$");
		table_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(kinds), cmocka_unit_test(lines), cmocka_unit_test(mistakes), cmocka_unit_test(limits),
		cmocka_unit_test(file_sizes), cmocka_unit_test(dummy),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
