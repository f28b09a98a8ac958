/*
 * map_test.c -- tables as administrators have them: what is looked up in them, and what is said of the bad ones.
 * The forms are those of postmap(1), aliases(5), virtual(5), canonical(5), access(5) and cidr_table(5) of Postfix.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/conf/map_kit.h"

#define D	"domain \"d.test\" { recipients = { \"*\" } "
#define DOMAIN	D "}\n"

struct question {
	const char	*table, *key;
	const char	*answer;	/* NULL: not found */
};

struct good {
	const char	*conf;
	struct kit_file	 file[3];
	struct question	 ask[12];
};

static const struct good goods[] = {
	{ DOMAIN "virtual-file = { \"hash:/v\" }\n", { { "/v",
	  "# comments, blank lines\n"
	  "   \t\n"
	  "   # and comments that are indented\n"
	  "info@Example.ORG   alice\n"
	  "Sales@example.org bob@x.example,\n"
	  "\tcarol@Y.example  dave,\n"
	  "# a comment amid a line that goes on\n"
	  "   <Eve@z.example>, \"Fred F.\" <fred@z.example> (and a, comment)\n"
	  "@old.example  @new.example\n"
	  "webmaster     root\n"
	  "\"john doe\"@example.org  \"j d\"@x.example\n"
	  "\"quoted@example.org\"  q@x.example\n"
	  "nobody@example.org /dev/null\r\n"
	  "d.test anything\n"
	  "john.doe jd" } }, {
	  { "virtual", "INFO@example.org", "alice@d.test (/v:4)" },
	  { "virtual", "sales@example.org", "bob@x.example, carol@y.example, dave@d.test, Eve@z.example, fred@z.example (/v:5)" },
	  { "virtual", "@old.example", "@new.example (/v:9)" },
	  { "virtual", "webmaster", "root@d.test (/v:10)" },
	  { "virtual", "\"john doe\"@example.org", "\"j d\"@x.example (/v:11)" },
	  { "virtual", "quoted@example.org", "q@x.example (/v:12)" },
	  { "virtual", "nobody@example.org", "discard (/v:13)" },
	  { "virtual", "d.test", NULL },
	  { "virtual", "john.doe", "jd@d.test (/v:15)" },
	  { "virtual", "info@example.or", NULL } } },
	/* Of several sources the first one counts, inline lines before files. */
	{ DOMAIN "virtual-file = { \"lmdb:/a\", \"/b\" }\nvirtual = { \"x@y.test one@o.test\",\n \"v@y.test two@o.test\" }\n", {
	  { "/a", "x@y.test three@o.test\nw@y.test four@o.test\nw@y.test four@o.test\n" },
	  { "/b", "w@y.test five@o.test\nz@y.test six@o.test\n" } }, {
	  { "virtual", "x@y.test", "one@o.test (c:3)" }, { "virtual", "v@y.test", "two@o.test (c:4)" },
	  { "virtual", "w@y.test", "four@o.test (/a:2)" }, { "virtual", "z@y.test", "six@o.test (/b:2)" } } },
	/* aliases(5) */
	{ D "aliases-file = { \"/etc/aliases\" } }\n", { { "/etc/aliases",
	  "# Basic system aliases\n"
	  "postmaster:    root\n"
	  "MAILER-DAEMON: postmaster\n"
	  "root: alice, bob@x.example\n"
	  "\"John Doe\": \"j.doe\", 'quote\n"
	  "list:  :include:/lists/a, \":include:/lists/a\"\n"
	  "owner-list:list-request\n"
	  "null:/dev/null\n"
	  "quiet: \"/dev/null\"\n"
	  "back: \\alice\n"
	  "many: a@x.example b@x.example,\n"
	  " c@x.example , , d@x.example\n"
	  "odd : Person (with (nested) words) <p+q@x.example>, \"r, s\" <\"t u\"@x.example>\n" },
	  { "/lists/a", "# members\n  one@x.example\ntwo, \"T H\" <three@x.example>\n\n:include:/lists/b\n" },
	  { "/lists/b", ":include:/lists/a\n" } }, {
	  { "aliases", "Postmaster", "root@d.test (/etc/aliases:2)" },
	  { "aliases", "mailer-daemon", "postmaster@d.test (/etc/aliases:3)" },
	  { "aliases", "root", "alice@d.test, bob@x.example (/etc/aliases:4)" },
	  { "aliases", "john doe", "j.doe@d.test, 'quote@d.test (/etc/aliases:5)" },
	  { "aliases", "list", ":include:/lists/a, :include:/lists/a (/etc/aliases:6)" },
	  { "aliases", "owner-list", "list-request@d.test (/etc/aliases:7)" },
	  { "aliases", "null", "discard (/etc/aliases:8)" }, { "aliases", "quiet", "discard (/etc/aliases:9)" },
	  { "aliases", "back", "alice@d.test (/etc/aliases:10)" },
	  { "aliases", "many", "a@x.example, b@x.example, c@x.example, d@x.example (/etc/aliases:11)" },
	  { "aliases", "odd", "p+q@x.example, \"t u\"@x.example (/etc/aliases:13)" } } },
	{ D "aliases = { \"a: b\", \"c : \\\"d e\\\"\" } }\n", { { NULL, NULL } }, {
	  { "aliases", "a", "b@d.test (c:1)" }, { "aliases", "c", "\"d e\"@d.test (c:1)" } } },
	/* recipients: the first word of a line; a file for several domains; postmaster needs no line. */
	{ "domain \"d.test\" { recipients = { Inline, \"\\\"x y\\\"\" } recipients-file = { \"/r\" } }\n",
	  { { "/r", "alice\nBob  x\ncarol@d.test OK\ndave@elsewhere.test OK\n\"sp ace\" 1\n" } }, {
	  { "recipients", "inline", "present (c:1)" }, { "recipients", "x y", "present (c:1)" },
	  { "recipients", "ALICE", "present (/r:1)" }, { "recipients", "bob", "present (/r:2)" },
	  { "recipients", "carol", "present (/r:3)" }, { "recipients", "dave", NULL },
	  { "recipients", "sp ace", "present (/r:5)" }, { "recipients", "carol@d.test", NULL } } },
	{ "domain \"d.test\" { recipients-file = \"/r\" }\n", { { "/r", "x@d.test x\n@d.test x\n" } }, {
	  { "recipients", "x", NULL } } },
	/* canonical(5) */
	{ DOMAIN "canonical-file = \"/c\"\nsender-canonical = { \"user john.smith@example.org\" }\n", { { "/c",
	  "user@Old.example new@x.example\nlocal other\n@a.example @b.example\n" } }, {
	  { "canonical", "user@old.example", "new@x.example (/c:1)" }, { "canonical", "local", "other@d.test (/c:2)" },
	  { "canonical", "@a.example", "@b.example (/c:3)" },
	  { "sender-canonical", "user", "john.smith@example.org (c:3)" } } },
	{ DOMAIN "sender-login-file = \"/l\"\n", { { "/l",
	  "alice@d.test alice, uid:1000\n@d.test Admin  root,\n uid:0\nbob bob\n" } }, {
	  { "sender-login", "alice@d.test", "alice, uid:1000 (/l:1)" },
	  { "sender-login", "@d.test", "Admin, root, uid:0 (/l:2)" }, { "sender-login", "bob", "bob (/l:4)" } } },
	/* access(5) */
	{ DOMAIN "client-access-file = \"texthash:/a\"\n", { { "/a",
	  "1.2.3.4 REJECT\n1.2 reject 5.7.26 we know you\n2001:DB8:0::1 550 5.7.99  No.\n2001:db8 421 later\n"
	  "[192.0.2.1] OK\nExample.COM DUNNO\n.sub.example.com DEFER 452 4.3.2 soon\nlocalhost 20260101120000\n"
	  "hold.test HOLD look\nwarn.test WARN hm\ninfo.test info\n" } }, {
	  { "client-access", "1.2.3.4", "554 5.7.1  (/a:1)" },
	  { "client-access", "1.2", "554 5.7.26 we know you (/a:2)" },
	  { "client-access", "2001:db8::1", "550 5.7.99 No. (/a:3)" },
	  { "client-access", "2001:db8", "421 4.7.1 later (/a:4)" }, { "client-access", "[192.0.2.1]", "OK (/a:5)" },
	  { "client-access", "example.com", "DUNNO (/a:6)" },
	  { "client-access", ".sub.example.com", "452 4.3.2 soon (/a:7)" }, { "client-access", "localhost", "OK (/a:8)" },
	  { "client-access", "hold.test", "HOLD look (/a:9)" }, { "client-access", "warn.test", "WARN hm (/a:10)" },
	  { "client-access", "info.test", "INFO (/a:11)" } } },
	{ DOMAIN "sender-access = { \"<> OK\", \"User@x.test REJECT 553 5.1.8 no\", \"\\\"a b\\\"@ 550\", \"u@ 450\" }\n",
	  { { NULL, NULL } }, {
	  { "sender-access", "<>", "OK (c:2)" }, { "sender-access", "user@x.test", "553 5.1.8 no (c:2)" },
	  { "sender-access", "\"a b\"@", "550 5.7.1  (c:2)" }, { "sender-access", "U@", "450 4.7.1  (c:2)" } } },
};

static void
test_good(void **state)
{
	char			 text[4096], value[512];
	struct table_value	 v;
	struct conf		*c;
	const struct table	*t;
	size_t			 nfiles;
	int			 err;

	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		for (nfiles = 0; nfiles < 3 && goods[i].file[nfiles].path != NULL; nfiles++)
			;
		c = kit_build(goods[i].conf, goods[i].file, nfiles, text, sizeof(text));
		if (c == NULL)
			fail_msg("%s\n%s", goods[i].conf, text);
		for (const struct question *q = goods[i].ask; q < goods[i].ask + 12 && q->table != NULL; q++) {
			t = kit_table(c, q->table);
			err = table_get(t, slice_str(q->key), &v);
			if (err != (q->answer != NULL ? E_OK : E_NOTFOUND))
				fail_msg("%s: %s: %d", q->table, q->key, err);
			if (err != E_OK)
				continue;
			kit_value(t, &v, value, sizeof(value));
			if (strcmp(value, q->answer) != 0)
				fail_msg("%s: %s\n--- gives\n%s\n--- wanted\n%s", q->table, q->key, value, q->answer);
		}
		conf_free(c);
	}
}

/* An include is read once, may name itself, and keeps its own place. */
static void
test_includes(void **state)
{
	static const struct kit_file	 files[] = { { "/a", "l: :include:/i, :include:/j\nm: :include:/i\n" },
					     { "/i", "one\n:include:/j\n" }, { "/j", " # nobody\n" } };
	char				 text[4096], value[256];
	struct conf			*c = kit_build(D "aliases-file = /a }\n", files, 3, text, sizeof(text));
	const struct table		*t;
	struct table_value		 v;
	struct table_iter		 it;
	struct target			 g;

	(void)state;
	assert_non_null(c);
	t = &c->domains[0].aliases;
	assert_int_equal(table_get_local(t, SLICE_LIT("l"), &v), E_OK);
	table_targets(&it, &v);
	assert_int_equal(table_target_next(&it, &g), E_OK);
	assert_int_equal(g.include, 0);
	assert_int_equal(table_include(t, g.include, &v), E_OK);
	kit_value(t, &v, value, sizeof(value));
	assert_string_equal(value, "one@d.test, :include:/j (/i:1)");
	assert_int_equal(table_target_next(&it, &g), E_OK);
	assert_int_equal(table_include(t, g.include, &v), E_OK);
	kit_value(t, &v, value, sizeof(value));
	assert_string_equal(value, " (/j:1)");
	assert_int_equal(table_include(t, 2, &v), E_CORRUPT);
	assert_int_equal(table_get_local(t, SLICE_LIT("m"), &v), E_OK);
	table_targets(&it, &v);
	assert_int_equal(table_target_next(&it, &g), E_OK);
	assert_int_equal(g.include, 0);
	conf_free(c);
}

/* Which domain a bare name gets: the host's own if it is one of ours, else the only one, else none. */
static void
test_origin(void **state)
{
	static const struct { const char *conf, *answer; } cases[] = {
		{ "virtual = { \"a@x.test b\" }\n", "b@h.test (c:1)" },
		{ "virtual = { \"a@x.test b\" } domain one.test { }\n", "b@one.test (c:1)" },
		{ "virtual = { \"a@x.test b\" } domain one.test { } domain h.test { }\n", "b@h.test (c:1)" },
		{ "virtual = { \"a@x.test b\" } domain one.test { } relay-domain h.test { }\n", "b@one.test (c:1)" },
		{ "virtual = { \"a@x.test b\" } domain one.test { } domain two.test { }\n", NULL },
	};
	char			 text[4096], value[256];
	struct table_value	 v;
	struct conf		*c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = kit_build(cases[i].conf, NULL, 0, text, sizeof(text));
		assert_int_equal(c != NULL, cases[i].answer != NULL);
		if (c == NULL) {
			assert_string_equal(text, "c:1: virtual: \"b\": which domain is meant? write b@example.org (there is "
			    "no section domain for the host's own name, nor only one)\n");
			continue;
		}
		assert_int_equal(table_get(&c->tables.virtual, SLICE_LIT("a@x.test"), &v), E_OK);
		kit_value(&c->tables.virtual, &v, value, sizeof(value));
		assert_string_equal(value, cases[i].answer);
		conf_free(c);
	}
}

static const struct { const char *conf, *file, *said; } bads[] = {
#include "tests/conf/map_cases.h"
};

static void
test_bad(void **state)
{
	struct kit_file	 file = { .path = "/f" };
	struct conf	*c;
	char		 text[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		file.text = bads[i].file;
		c = kit_build(bads[i].conf, &file, file.text != NULL, text, sizeof(text));
		if (c != NULL || strcmp(text, bads[i].said) != 0)
			fail_msg("%s\n%s\n--- says\n%s--- wanted\n%s", bads[i].conf, file.text != NULL ? file.text : "",
			    text, bads[i].said);
	}
}

/* The longest line and one octet more; errors of a long file are counted and not all shown. */
static void
test_long(void **state)
{
	static const char	 conf[] = DOMAIN "virtual-file = /f\n";
	struct kit_file		 file = { .path = "/f" };
	char			*text = malloc(TABLE_LINE_MAX + 64), said[32768];
	struct conf		*c;

	(void)state;
	file.text = text;
	for (size_t n = TABLE_LINE_MAX - 1; n <= TABLE_LINE_MAX + 1; n++) {
		memset(text, ' ', n);
		memcpy(text, "a@b.test c@d.test,", 18);
		text[n - 1 - 1] = ',';		/* the line's octets count without its LF, with a separator each */
		text[n - 1] = '\n';
		text[n] = '\0';
		c = kit_build(conf, &file, 1, said, sizeof(said));
		assert_int_equal(c != NULL, n <= TABLE_LINE_MAX);
		if (c == NULL)
			assert_string_equal(said, "/f:1: the line, with those that continue it, is longer than 4194304 "
			    "octets\n");
		conf_free(c);
	}
	for (size_t i = 0; i < 5000; i++)
		memcpy(text + 4 * i, "@ y\n", 5);
	assert_null(kit_build(conf, &file, 1, said, sizeof(said)));
	assert_true(strlen(said) <= ERRORS_OCTETS + 64);
	assert_non_null(strstr(said, "/f:100: "));
	assert_non_null(strstr(said, "\nc: and 4900 more errors\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_includes), cmocka_unit_test(test_origin),
		cmocka_unit_test(test_bad), cmocka_unit_test(test_long),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
