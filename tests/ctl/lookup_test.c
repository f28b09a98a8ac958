/* lookup_test.c -- queue's lines about a recipient, shown to people and as JSON; options of the command. */
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
#include "ctl/args.h"
#include "ctl/lookup.h"

static const char	lines[] =
    "step /etc/postern/virtual:3 | sales@d.test -> alice@d.test, x@else.test\n"
    "end mailbox | alice@d.test | maildir:/m/%d/%u | alice | \n"
    "end remote | x@else.test | mx |  | owner-sales@d.test\n"
    "end discard |  |  |  | \n"
    "more than 2\n"
    "reply 250 2.1.5 recipient ok\n";

/* Hands text in as frames of at most cut octets. */
static int
feed(struct lookup_view *v, const char *text, size_t cut)
{
	uint8_t			 room[IPC_PAYLOAD_MAX];
	struct ipc_ctl_text	 t;
	struct slice		 all = slice_str(text);
	struct wr		 w;
	struct rd		 rd;
	int			 err = E_OK;

	while (all.n != 0 && err == E_OK) {
		t.text = slice_make(all.p, all.n < cut ? all.n : cut);
		wr_init(&w, room, sizeof(room));
		ipc_pack_ctl_text(&w, &t);
		rd_init(&rd, room, w.len);
		err = lookup_take(v, IPC_CTL_TEXT, &rd);
		all = slice_make(all.p + t.text.n, all.n - t.text.n);
	}
	return (err);
}

static char *
show(const char *text, size_t cut, int json, int *err)
{
	struct lookup_view	 v;
	char			*out = NULL;
	size_t			 n = 0;
	FILE			*f = open_memstream(&out, &n);

	assert_non_null(f);
	assert_int_equal(lookup_init(&v, f, "sales@d.test", json), E_OK);
	if ((*err = feed(&v, text, cut)) == E_OK)
		*err = lookup_end(&v);
	lookup_clear(&v);
	fclose(f);
	return (out);
}

static void
test_people(void **state)
{
	static const char	want[] =
	    "  /etc/postern/virtual:3           sales@d.test -> alice@d.test, x@else.test\n"
	    "  -> alice@d.test  mailbox alice by maildir:/m/%d/%u\n"
	    "  -> x@else.test  remote by mx, sender owner-sales@d.test\n"
	    "  -> /dev/null\n"
	    "  -> more than 2\n"
	    "  RCPT: 250 2.1.5 recipient ok\n";
	char	*out;
	int	 err;

	for (size_t cut = 1; cut < sizeof(lines); cut += 7) {
		out = show(lines, cut, 0, &err);
		assert_int_equal(err, E_OK);
		assert_string_equal(out, want);
		free(out);
	}
}

static void
test_json(void **state)
{
	json_t		*o, *e;
	char		*out;
	int		 err;

	out = show(lines, 10, 1, &err);
	assert_int_equal(err, E_OK);
	assert_non_null(o = json_loads(out, 0, NULL));
	assert_string_equal(json_string_value(json_object_get(o, "address")), "sales@d.test");
	assert_true(json_is_false(json_object_get(o, "complete")));
	e = json_array_get(json_object_get(o, "steps"), 0);
	assert_string_equal(json_string_value(json_object_get(e, "where")), "/etc/postern/virtual:3");
	assert_string_equal(json_string_value(json_object_get(e, "what")), "sales@d.test -> alice@d.test, x@else.test");
	assert_int_equal(json_array_size(json_object_get(o, "ends")), 3);
	e = json_array_get(json_object_get(o, "ends"), 1);
	assert_string_equal(json_string_value(json_object_get(e, "kind")), "remote");
	assert_string_equal(json_string_value(json_object_get(e, "route")), "mx");
	assert_true(json_is_null(json_object_get(e, "mailbox")));
	assert_string_equal(json_string_value(json_object_get(e, "sender")), "owner-sales@d.test");
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(o, "ends"), 2), "address")));
	e = json_object_get(o, "reply");
	assert_int_equal(json_integer_value(json_object_get(e, "code")), 250);
	assert_string_equal(json_string_value(json_object_get(e, "enhanced")), "2.1.5");
	assert_string_equal(json_string_value(json_object_get(e, "text")), "recipient ok");
	json_decref(o);
	free(out);
}

static void
test_not_ours(void **state)
{
	static const char *const bad[] = {
		"what is this\n", "step alone\n", "end mailbox | a | b\n", "reply\n", "reply 99 2.1.5 x\n",
		"reply 600 2.1.5 x\n", "reply 250 2.1.5\n", "\n",
	};
	char	*out;
	int	 err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (int json = 0; json < 2; json++) {
			out = show(bad[i], 100, json, &err);
			if (err != E_PROTO)
				fail_msg("%s: %s", bad[i], err_name(err));
			free(out);
		}
	}
}

static void
test_options(void **state)
{
	static const struct {
		const char	*argv[8];
		const char	*err;		/* a part of it; NULL: fine */
		const char	*sender;	/* NULL: not set */
		int		 from;
	} t[] = {
		{ { "posternctl", "lookup", "a@d.test" }, NULL, NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "--from", "192.0.2.7" }, NULL, NULL, 1 },
		{ { "posternctl", "lookup", "--from=2001:db8::1", "a@d.test", "--sender=b@E.test" }, NULL, "b@e.test", 1 },
		{ { "posternctl", "lookup", "a@d.test", "--sender", "<>" }, NULL, "", 0 },
		{ { "posternctl", "lookup", "a@d.test", "--sender", "<b@e.test>" }, NULL, "b@e.test", 0 },
		{ { "posternctl", "lookup", "a@d.test", "--sender", "b@" }, "--sender needs an address", NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "--sender", "<b@e.test>x" }, "follows its bracket", NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "--from", "example.org" }, "--from needs an IP", NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "--from" }, "--from needs an IP", NULL, 0 },
		{ { "posternctl", "lookup" }, "usage: posternctl lookup ADDRESS", NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "b@d.test" }, "usage: posternctl lookup ADDRESS", NULL, 0 },
		{ { "posternctl", "why", "a@d.test", "--from", "192.0.2.7" }, "why does not take --from", NULL, 0 },
		{ { "posternctl", "status", "--sender", "a@d.test" }, "status does not take --sender", NULL, 0 },
		{ { "posternctl", "lookup", "a@d.test", "--all" }, "lookup does not take --all", NULL, 0 },
	};
	struct ctl_args	 a;
	char		*argv[9], err[512];
	int		 argc;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (argc = 0; argc < 8 && t[i].argv[argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)t[i].argv[argc];
		argv[argc] = NULL;
		err[0] = '\0';
		assert_int_equal(args_parse(&a, argc, argv, err, sizeof(err)), t[i].err != NULL ? EXIT_USAGE : EXIT_DONE);
		if (t[i].err != NULL) {
			if (strstr(err, t[i].err) == NULL)
				fail_msg("%s", err);
			continue;
		}
		assert_int_equal(a.cmd->verb, CTL_LOOKUP);
		assert_int_equal(a.from_set, t[i].from);
		assert_int_equal(a.sender_set, t[i].sender != NULL);
		assert_string_equal(a.sender, t[i].sender != NULL ? t[i].sender : "");
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_options),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
