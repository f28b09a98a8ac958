/*
 * args_test.c -- sendmail's command line: what is meant, what is ignored, what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/ipc_msg.h"
#include "sendmail/args.h"

#define WORDS	12

static int
parse(struct args *a, const char *line, char *words, size_t size, char **argv)
{
	char err[512], *p, *save = NULL;
	int argc = 0, rc;

	(void)snprintf(words, size, "%s", line);
	for (p = strtok_r(words, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save)) {
		if (strcmp(p, "''") == 0)
			*p = '\0';
		argv[argc++] = p;
	}
	argv[argc] = NULL;
	err[0] = '\0';
	rc = args_parse(a, argc, argv, err, sizeof(err));
	assert_true((rc == EX_OK) == (err[0] == '\0'));
	return (rc);
}

static const struct {
	const char *line;
	enum mode mode;
	int extract, keep_dot, nop;
	const char *sender, *name;
	uint8_t notify, ret, body;
	const char *envid, *what;
} good[] = {
	{ "sendmail bob", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -t", MODE_DELIVER, 1, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -ti", MODE_DELIVER, 1, 1, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -oi -t bob", MODE_DELIVER, 1, 1, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -o i bob", MODE_DELIVER, 0, 1, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -f a@b.example bob", MODE_DELIVER, 0, 0, 1, "a@b.example", NULL, 0, 0, 0, "", NULL },
	{ "sendmail -fa@b.example bob", MODE_DELIVER, 0, 0, 1, "a@b.example", NULL, 0, 0, 0, "", NULL },
	{ "sendmail -ra@b.example bob", MODE_DELIVER, 0, 0, 1, "a@b.example", NULL, 0, 0, 0, "", NULL },
	{ "sendmail -f '' bob", MODE_DELIVER, 0, 0, 1, "", NULL, 0, 0, 0, "", NULL },
	{ "sendmail -tif a bob", MODE_DELIVER, 1, 1, 1, "a", NULL, 0, 0, 0, "", NULL },
	{ "sendmail bob -f a", MODE_DELIVER, 0, 0, 1, "a", NULL, 0, 0, 0, "", NULL },
	{ "sendmail -i -- -odd", MODE_DELIVER, 0, 1, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -FCronDaemon -i -B8BITMIME -oem root", MODE_DELIVER, 0, 1, 1, NULL, "CronDaemon", 0, 0, '8', "", NULL },
	{ "sendmail -B 7bit x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 0, '7', "", NULL },
	{ "sendmail -N never x", MODE_DELIVER, 0, 0, 1, NULL, NULL, NOTIFY_NEVER, 0, 0, "", NULL },
	{ "sendmail -N success,Failure,DELAY x", MODE_DELIVER, 0, 0, 1, NULL, NULL,
	    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, 0, 0, "", NULL },
	{ "sendmail -R hdrs -V id7 x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 'H', 0, "id7", NULL },
	{ "sendmail -Rfull x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 'F', 0, "", NULL },
	{ "sendmail -bm -m -n -v -U -G -Am -X /tmp/x -d8.1 -h 3 -L tag -p smtp x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 0, 0,
	    "", NULL },
	{ "sendmail -O DeliveryMode=b -odb -oA/etc/aliases -em -s x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -bs", MODE_SMTP, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -bp", MODE_LIST, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -bi", MODE_TABLES, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -I", MODE_TABLES, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -q", MODE_FLUSH, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail -qRexample.org", MODE_FLUSH_DOMAIN, 0, 0, 0, NULL, NULL, 0, 0, 0, "", "example.org" },
	{ "sendmail -qSexample.org", MODE_FLUSH_DOMAIN, 0, 0, 0, NULL, NULL, 0, 0, 0, "", "example.org" },
	{ "sendmail -qI4F", MODE_FLUSH_ID, 0, 0, 0, NULL, NULL, 0, 0, 0, "", "4F" },
	{ "sendmail -q15m x", MODE_DELIVER, 0, 0, 1, NULL, NULL, 0, 0, 0, "", NULL },
	{ "/usr/bin/mailq", MODE_LIST, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "newaliases", MODE_TABLES, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
	{ "sendmail --version", MODE_VERSION, 0, 0, 0, NULL, NULL, 0, 0, 0, "", NULL },
};

static int
same(const char *a, const char *b)
{
	return (a == NULL || b == NULL ? a == b : strcmp(a, b) == 0);
}

static void
test_good(void **state)
{
	char words[512], *argv[32];
	struct args a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (parse(&a, good[i].line, words, sizeof(words), argv) != EX_OK || a.mode != good[i].mode ||
		    a.extract != good[i].extract || a.keep_dot != good[i].keep_dot || a.nop != good[i].nop ||
		    !same(a.sender, good[i].sender) || !same(a.full_name, good[i].name) || a.notify != good[i].notify ||
		    a.ret != good[i].ret || a.body != good[i].body || !same(a.envid, good[i].envid) ||
		    !same(a.what, good[i].what))
			fail_msg("%s", good[i].line);
	}
	assert_int_equal(parse(&a, "sendmail -i -- -odd", words, sizeof(words), argv), EX_OK);
	assert_string_equal(a.op[0], "-odd");
	assert_int_equal(parse(&a, "sendmail -O postern-runtime=/r -Opostern-directory=/d x", words, sizeof(words), argv), EX_OK);
	assert_string_equal(a.runtime, "/r");
	assert_string_equal(a.directory, "/d");
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"sendmail", "sendmail -i", "sendmail -f", "sendmail -bd", "sendmail -bv x", "sendmail -bt", "sendmail -bh",
		"sendmail -bx", "sendmail -bmm x", "sendmail -b", "sendmail -C /etc/x x", "sendmail -Z x", "sendmail -N maybe x",
		"sendmail -N never,delay x", "sendmail -N delay,never x", "sendmail -N success, x", "sendmail -N '' x",
		"sendmail -R most x", "sendmail -V '' x", "sendmail -B BINARYMIME x", "sendmail -qX x", "sendmail -qI",
		"sendmail -O postern-runtime=relative x", "sendmail -O postern-x=/y x", "sendmail -O postern-runtime x",
		"sendmail -F \x01 x", "sendmail -o '' x",
	};
	char words[512], *argv[32];
	struct args a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(&a, bad[i], words, sizeof(words), argv) != EX_USAGE)
			fail_msg("%s was taken", bad[i]);
	}
}

static void
test_envid_limit(void **state)
{
	char line[256], words[512], *argv[32];
	struct args a;
	size_t n;

	(void)state;
	for (n = ENVID_MAX - 1; n <= ENVID_MAX + 1; n++) {
		(void)memcpy(line, "sendmail -V ", 12);
		memset(line + 12, 'v', n);
		(void)memcpy(line + 12 + n, " x", 3);
		assert_int_equal(parse(&a, line, words, sizeof(words), argv), n <= ENVID_MAX ? EX_OK : EX_USAGE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_refused), cmocka_unit_test(test_envid_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
