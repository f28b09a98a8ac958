/*
 * args_test.c -- tables for posternctl's command line, cells and JSON.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/units.h"
#include "ctl/args.h"
#include "ctl/cells.h"
#include "ctl/checker.h"
#include "ctl/cmd.h"
#include "ctl/json.h"

#define ARGS_MAX	12

/* Split at blanks; the first word is the program's name. */
static int
parse(struct ctl_args *a, const char *line, char **argv, char *copy, size_t size, char *err, size_t nerr)
{
	int	argc = 0;
	char	*p, *rest = copy;

	(void)snprintf(copy, size, "posternctl %s", line);
	while ((p = strsep(&rest, " ")) != NULL) {
		if (*p == '\0')
			continue;
		assert_true(argc < ARGS_MAX);
		argv[argc++] = p;
	}
	argv[argc] = NULL;
	return (args_parse(a, argc, argv, err, nerr));
}

static void
commands(void **state)
{
	static const struct {
		const char	*line;
		int		 status;
		enum ctl_verb	 verb;
		int		 nop;
		const char	*op0;
		int		 json, all;
		uint8_t		 states;
		const char	*err;		/* a part of it */
	} t[] = {
		{ "status", 0, CTL_STATUS_QUEUE, 0, NULL, 0, 0, 0, NULL },
		{ "status --json", 0, CTL_STATUS_QUEUE, 0, NULL, 1, 0, 0, NULL },
		{ "--json -c /x/y status", 0, CTL_STATUS_QUEUE, 0, NULL, 1, 0, 0, NULL },
		{ "passwd alice", 0, CTL_NONE, 1, "alice", 0, 0, 0, NULL },
		{ "passwd -c -d -f /x alice", 0, CTL_NONE, 1, "alice", 0, 0, 0, NULL },
		{ "passwd alice -s", 0, CTL_NONE, 1, "alice", 0, 0, 0, NULL },
		{ "-c /x/y passwd --crypt alice", 0, CTL_NONE, 1, "alice", 0, 0, 0, NULL },
		{ "-c passwd alice", 2, CTL_NONE, 0, NULL, 0, 0, 0, "unknown command" },
		{ "passwd", 2, CTL_NONE, 0, NULL, 0, 0, 0, "usage" },
		{ "passwd a b", 2, CTL_NONE, 0, NULL, 0, 0, 0, "usage" },
		{ "passwd --all a", 2, CTL_NONE, 0, NULL, 0, 0, 0, "does not take --all" },
		{ "status --crypt", 2, CTL_NONE, 0, NULL, 0, 0, 0, "does not take --crypt" },
		{ "-c/x/y -s /z status", 0, CTL_STATUS_QUEUE, 0, NULL, 0, 0, 0, NULL },
		{ "queue list", 0, CTL_LIST, 0, NULL, 0, 0, 0, NULL },
		{ "queue list a@b.example --state held,deferred", 0, CTL_LIST, 1, "a@b.example", 0, 0,
		    1 << MSG_HELD | 1 << MSG_DEFERRED, NULL },
		{ "queue --state=active list", 0, CTL_LIST, 0, NULL, 0, 0, 1 << MSG_ACTIVE, NULL },
		{ "queue hold 1 2 3", 0, CTL_HOLD, 3, "1", 0, 0, 0, NULL },
		{ "queue retry --all", 0, CTL_RETRY, 0, NULL, 0, 1, 0, NULL },
		{ "queue delete --all example.com", 0, CTL_DELETE, 1, "example.com", 0, 1, 0, NULL },
		{ "flush example.com", 0, CTL_FLUSH, 1, "example.com", 0, 0, 0, NULL },
		{ "why -- -odd-name", 0, CTL_WHY, 1, "-odd-name", 0, 0, 0, NULL },
		{ "reload", 0, CTL_RELOAD, 0, NULL, 0, 0, 0, NULL },
		{ "", 2, 0, 0, NULL, 0, 0, 0, "no command" },
		{ "queue", 2, 0, 0, NULL, 0, 0, 0, "unknown command queue" },
		{ "queue frob", 2, 0, 0, NULL, 0, 0, 0, "unknown command queue frob" },
		{ "queue hold", 2, 0, 0, NULL, 0, 0, 0, "usage: posternctl queue hold ID" },
		{ "queue hold --all a b", 2, 0, 0, NULL, 0, 0, 0, "usage" },
		{ "flush", 2, 0, 0, NULL, 0, 0, 0, "usage: posternctl flush DOMAIN" },
		{ "flush a b", 2, 0, 0, NULL, 0, 0, 0, "usage" },
		{ "status --all", 2, 0, 0, NULL, 0, 0, 0, "status does not take --all" },
		{ "queue show 1 --state held", 2, 0, 0, NULL, 0, 0, 0, "does not take --state" },
		{ "queue list --state frozen", 2, 0, 0, NULL, 0, 0, 0, "--state needs" },
		{ "queue list --state", 2, 0, 0, NULL, 0, 0, 0, "--state needs" },
		{ "status -x", 2, 0, 0, NULL, 0, 0, 0, "unknown option -x" },
		{ "status --jsonx", 2, 0, 0, NULL, 0, 0, 0, "unknown option --jsonx" },
		{ "status --json=1", 2, 0, 0, NULL, 0, 0, 0, "unknown option" },
		{ "status -c", 2, 0, 0, NULL, 0, 0, 0, "-c needs" },
	};
	struct ctl_args	a;
	char		*argv[ARGS_MAX + 1], copy[256], err[512];
	size_t		 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		err[0] = '\0';
		if (parse(&a, t[i].line, argv, copy, sizeof(copy), err, sizeof(err)) != t[i].status)
			fail_msg("%s: %s", t[i].line, err);
		if (t[i].status != 0) {
			if (strstr(err, t[i].err) == NULL)
				fail_msg("%s: \"%s\", expected \"%s\"", t[i].line, err, t[i].err);
			continue;
		}
		assert_int_equal(a.cmd->verb, t[i].verb);
		assert_int_equal(a.nop, t[i].nop);
		if (t[i].op0 != NULL)
			assert_string_equal(a.op[0], t[i].op0);
		assert_int_equal(a.json, t[i].json);
		assert_int_equal(a.all, t[i].all);
		assert_int_equal(a.states, t[i].states);
	}
	assert_int_equal(parse(&a, "-c/x/y -s /z -d /d status -H", argv, copy, sizeof(copy), err, sizeof(err)), 2);
	assert_int_equal(parse(&a, "-c/x/y -s /z -d /d queue list -H", argv, copy, sizeof(copy), err,
	    sizeof(err)), 0);
	assert_string_equal(a.conf, "/x/y");
	assert_string_equal(a.socket, "/z");
	assert_string_equal(a.dir, "/d");
	assert_true(a.no_header);
	assert_int_equal(parse(&a, "-V", argv, copy, sizeof(copy), err, sizeof(err)), 0);
	assert_true(a.version);
	assert_int_equal(parse(&a, "queue list -h", argv, copy, sizeof(copy), err, sizeof(err)), 0);
	assert_true(a.help);
}

static void
requests(void **state)
{
	static const struct {
		const char	*line;
		int		 err;
		const char	*id, *text;
	} t[] = {
		{ "queue hold 7k2q", E_OK, "7K2Q", "" },
		{ "queue hold a@b.example", E_SYNTAX, "", "" },
		{ "queue hold --all a@b.example", E_OK, "", "a@b.example" },
		{ "queue show b.example", E_SYNTAX, "", "" },
		{ "why 7K2Q", E_OK, "7K2Q", "" },
		{ "why b.example", E_OK, "", "b.example" },
		{ "flush test", E_OK, "", "test" },		/* would be an ID elsewhere */
		{ "queue list test", E_OK, "", "test" },
		{ "queue delete --all test", E_OK, "", "test" },
	};
	struct ctl_args		a;
	struct ipc_ctl_request	q;
	char			*argv[ARGS_MAX + 1], copy[256], err[512], id[MSGID_STRLEN];
	char			longer[ADDRESS_MAX + 2];
	size_t			 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(parse(&a, t[i].line, argv, copy, sizeof(copy), err, sizeof(err)), 0);
		assert_int_equal(request_make(&q, &a, a.op[0]), t[i].err);
		if (t[i].err != E_OK)
			continue;
		assert_int_equal(q.verb, a.cmd->verb);
		assert_string_equal(q.text, t[i].text);
		if (t[i].id[0] != '\0')
			assert_string_equal(msgid_str(q.msgid, id), t[i].id);
		else
			assert_int_equal(q.msgid, 0);
	}
	memset(longer, 'x', sizeof(longer) - 1);
	for (i = 0; i < 2; i++) {
		longer[ADDRESS_MAX + 1 - i] = '\0';
		assert_int_equal(parse(&a, "flush x", argv, copy, sizeof(copy), err, sizeof(err)), 0);
		assert_int_equal(request_make(&q, &a, longer), i == 0 ? E_LIMIT : E_OK);
	}
	assert_int_equal(exit_status(E_OK, CTL_OK), 0);
	assert_int_equal(exit_status(E_OK, CTL_NOT_FOUND), 1);
	assert_int_equal(exit_status(E_OK, CTL_FAILED), 1);
	assert_int_equal(exit_status(E_OK, CTL_DENIED), 4);
	assert_int_equal(exit_status(E_DENIED, CTL_OK), 4);
	assert_int_equal(exit_status(E_NOTFOUND, CTL_OK), 3);
	assert_int_equal(exit_status(E_CLOSED, CTL_OK), 3);
	assert_int_equal(exit_status(E_PROTO, CTL_OK), 1);
}

static void
cells(void **state)
{
	static const struct { uint64_t n; const char *want; } sizes[] = {
		{ 0, "0" }, { 999, "999" }, { 1023, "1023" }, { 1024, "1.0K" }, { 4900, "4.7K" },
		{ 10240, "10K" }, { 1048575, "1023K" }, { 1048576, "1.0M" }, { 64ull << 30, "64G" },
		{ UINT64_MAX, "15E" },
	};
	char	s[CELL_LEN], p[16];
	size_t	i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(cell_size(sizes[i].n, s), sizes[i].want);
	assert_string_equal(cell_age(0, 100, s), "-");
	assert_string_equal(cell_age(100, 7600, s), "2h5m");
	assert_string_equal(cell_age(200, 100, s), "0s");
	assert_string_equal(cell_until(0, 100, s), "-");
	assert_string_equal(cell_until(100, 100, s), "now");
	assert_string_equal(cell_until(160, 100, s), "1m");
	assert_string_equal(cell_time(0, s), "-");
	assert_string_equal(cell_plain(s, sizeof(s), "a \"b\" \\ \033\xc3", 10), "a \"b\" \\ \\x1b\\xc3");
	assert_string_equal(cell_plain(s, 8, "abcdefgh", 8), "abcd");
	assert_string_equal(cell_path("", p, sizeof(p)), "<>");
	assert_string_equal(cell_path("a@b", p, sizeof(p)), "<a@b>");
	assert_string_equal(cell_path("a\033[2J", p, sizeof(p)), "<a\\x1b[2J>");
	assert_string_equal(cell_path("aaaaaaaaaaaaaaaaaaaaaaaa", p, sizeof(p)), "<aaaaaaaaaa>");
}

/* Whatever octets come, valid JSON text goes out, and valid UTF-8 is not changed. */
static void
json_texts(void **state)
{
#define R "\xef\xbf\xbd"
	static const struct { const char *in, *want; } t[] = {
		{ "", "" }, { "plain \"q\" \\", "plain \"q\" \\" }, { "\xc3\xa4", "\xc3\xa4" },
		{ "\xe4", R }, { "a\xff" "b", "a" R "b" }, { "\xc3", R }, { "\xc0\xaf", R R },
		{ "\xed\xa0\x80", R R R }, { "\xf4\x90\x80\x80", R R R R }, { "\xf0\x9f\x93\xa7\x80", "\xf0\x9f\x93\xa7" R },
		{ "\xe2\x82", R R }, { "\x01\x7f", "\x01\x7f" },
	};
	json_t	*j;
	size_t	 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		j = json_text(slice_str(t[i].in));
		assert_non_null(j);
		assert_string_equal(json_string_value(j), t[i].want);
		json_decref(j);
	}
	j = json_text(slice_make("a\0b", 3));
	assert_int_equal(json_string_length(j), 3);
	json_decref(j);
	assert_true(json_is_null(json_time(0)));
}

static void
check_lines(void **state)
{
	static const struct { const char *in, *file; unsigned line; const char *text; } t[] = {
		{ "/etc/p.conf:12: unknown key", "/etc/p.conf", 12, "unknown key" },
		{ "a:b:7:  odd: name", "a:b", 7, "odd: name" },
		{ "no line at all", "", 0, "no line at all" },
		{ "x:99999999999: text", "", 0, "x:99999999999: text" },
		{ ":", "", 0, ":" }, { "", "", 0, "" },
	};
	struct check_error	e;
	size_t			i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		check_error_split(&e, slice_str(t[i].in));
		assert_true(slice_eq(e.file, slice_str(t[i].file)));
		assert_int_equal(e.line, t[i].line);
		assert_true(slice_eq(e.text, slice_str(t[i].text)));
	}
}

/* Every command has its help, and none is left out of the list. */
static void
help(void **state)
{
	const struct ctl_command *c;
	char	*text, *words[2];
	size_t	 size, n;
	FILE	*f;

	for (c = ctl_commands; c->name != NULL; c++) {
		n = 0;
		if (c->group != NULL)
			words[n++] = (char *)(uintptr_t)c->group;
		words[n++] = (char *)(uintptr_t)c->name;
		f = open_memstream(&text, &size);
		assert_non_null(f);
		help_print(f, words, (int)n);
		assert_int_equal(fclose(f), 0);
		assert_non_null(strstr(text, c->name));
		if (c->action != ACT_HELP)
			assert_non_null(strstr(text, c->summary));
		free(text);

		f = open_memstream(&text, &size);
		assert_non_null(f);
		help_print(f, NULL, 0);
		assert_int_equal(fclose(f), 0);
		assert_non_null(strstr(text, c->summary));
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(requests), cmocka_unit_test(cells),
		cmocka_unit_test(json_texts), cmocka_unit_test(check_lines), cmocka_unit_test(help),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
