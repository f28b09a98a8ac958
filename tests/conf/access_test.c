/*
 * access_test.c -- access rules through the look-ups that smtpd makes: which rule speaks for whom (access(5),
 * cidr_table(5)).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/conf/map_kit.h"

enum who { CLIENT, NAME, MAIL };

struct asked {
	enum who	 who;
	const char	*name, *addr;
	const char	*answer;	/* all rules, with " | " between them; "" none */
};

static void
check(const char *conf, const struct kit_file *files, size_t n, const struct asked *ask, size_t nasks)
{
	char			 text[4096], all[1024], one[512];
	struct conf		*c = kit_build(conf, files, n, text, sizeof(text));
	struct table_access	 a;
	struct table_value	 v;
	struct action		 action;
	struct net_addr		 ip;
	const struct table	*t;
	size_t			 len;
	int			 err;

	if (c == NULL)
		fail_msg("%s", text);
	t = &c->tables.client_access;
	for (size_t i = 0; i < nasks; i++) {
		if (ask[i].addr != NULL)
			assert_int_equal(net_addr_parse(&ip, slice_str(ask[i].addr)), E_OK);
		if (ask[i].who == CLIENT)
			table_access_client(&a, t, ask[i].name, ask[i].addr != NULL ? &ip : NULL);
		else if (ask[i].who == NAME)
			table_access_name(&a, t, ask[i].name);
		else
			table_access_mail(&a, t, ask[i].name, "+-");
		for (all[0] = '\0', len = 0; (err = table_access_next(&a, &v, &action)) == E_OK; ) {
			kit_value(t, &v, one, sizeof(one));
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len != 0 ? " | " : "", one);
			if (action.kind == ACTION_OK || action.kind == ACTION_REJECT)
				break;
		}
		assert_true(err == E_OK || err == E_NOTFOUND);
		if (strcmp(all, ask[i].answer) != 0)
			fail_msg("%s %s\n--- gives\n%s\n--- wanted\n%s", ask[i].name, ask[i].addr, all, ask[i].answer);
	}
	conf_free(c);
}

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
test_client(void **state)
{
	static const struct kit_file	 file = { "/a",
	    "mail.example.org OK\nexample.org REJECT a\n.sub.test REJECT b\nsub.test REJECT c\n10.1.2.3 REJECT d\n10.1.2 REJECT e\n"
	    "10 REJECT f\n2001:db8:1::5 REJECT g\n2001:db8:1 REJECT h\n2001 REJECT i\n" };
	static const struct asked	 ask[] = {
		{ CLIENT, "mail.example.org", "10.9.9.9", "OK (/a:1)" }, { CLIENT, "x.y.Example.org", "1.1.1.1", "554 5.7.1 a (/a:2)" },
		{ CLIENT, "example.org", NULL, "554 5.7.1 a (/a:2)" }, { CLIENT, "badexample.org", NULL, "" },
		{ CLIENT, "h.sub.test", NULL, "554 5.7.1 b (/a:3)" }, { CLIENT, "sub.test", NULL, "554 5.7.1 c (/a:4)" },
		{ CLIENT, "", "10.1.2.3", "554 5.7.1 d (/a:5)" }, { CLIENT, "", "10.1.2.4", "554 5.7.1 e (/a:6)" },
		{ CLIENT, "", "10.1.20.3", "554 5.7.1 f (/a:7)" }, { CLIENT, "", "100.1.2.3", "" },
		{ CLIENT, "", "2001:db8:1::5", "554 5.7.1 g (/a:8)" }, { CLIENT, "", "2001:db8:1::6", "554 5.7.1 h (/a:9)" },
		{ CLIENT, "", "2001:db9::", "554 5.7.1 i (/a:10)" }, { CLIENT, "", "2002:db9::", "" },
		{ NAME, "[10.1.2.3]", NULL, "" }, { NAME, "10.1.2.99", NULL, "" }, { NAME, "a.example.org", NULL, "554 5.7.1 a (/a:2)" },
		{ NAME, "", NULL, "" },
	};

	(void)state;
	check("client-access-file = \"hash:/a\"\n", &file, 1, ask, N(ask));
}

static void
test_mail(void **state)
{
	static const struct kit_file	 file = { "/a",
	    "<> 450 null\nUser+x@a.test OK\nuser@a.test 550 b\na.test 550 c\nuser+y@ 550 d\nuser@ 550 e\n\"o d\"@a.test 550 f\n"
	    "postmaster@ OK\n" };
	static const struct asked	 ask[] = {
		{ MAIL, "", NULL, "450 4.7.1 null (/a:1)" }, { MAIL, "user+X@a.test", NULL, "OK (/a:2)" },
		{ MAIL, "USER+z@a.test", NULL, "550 5.7.1 b (/a:3)" }, { MAIL, "user@a.test", NULL, "550 5.7.1 b (/a:3)" },
		{ MAIL, "other@sub.a.test", NULL, "550 5.7.1 c (/a:4)" }, { MAIL, "user+y@b.test", NULL, "550 5.7.1 d (/a:5)" },
		{ MAIL, "user-z@b.test", NULL, "550 5.7.1 e (/a:6)" }, { MAIL, "\"o d\"@a.test", NULL, "550 5.7.1 f (/a:7)" },
		{ MAIL, "\"user+y z\"@b.test", NULL, "550 5.7.1 e (/a:6)" },
		{ MAIL, "\"o d+x\"@a.test", NULL, "550 5.7.1 f (/a:7)" }, { MAIL, "+user@b.test", NULL, "" },
		{ MAIL, "postmaster", NULL, "OK (/a:8)" },
	};

	(void)state;
	check("client-access-file = \"/a\"\n", &file, 1, ask, N(ask));
}

/* Files in their order; DUNNO is passed over, HOLD, WARN and INFO are not the last word. */
static void
test_order(void **state)
{
	static const struct kit_file	 files[] = {
		{ "/a", "a.test HOLD look\nb.test DUNNO\nc.test OK\nd.test WARN w\n" },
		{ "/n", "192.0.2.1 INFO i\n192.0.2.0/24 REJECT n\n" },
		{ "/b", "a.test REJECT x\nb.test REJECT y\nc.test REJECT z\nd.test OK\n" },
	};
	static const struct asked	 ask[] = {
		{ CLIENT, "a.test", "1.1.1.1", "HOLD look (/a:1) | 554 5.7.1 x (/b:1)" },
		{ CLIENT, "b.test", "192.0.2.9", "554 5.7.1 n (/n:2)" }, { CLIENT, "b.test", "1.1.1.1", "554 5.7.1 y (/b:2)" },
		{ CLIENT, "c.test", "192.0.2.9", "OK (/a:3)" },
		{ CLIENT, "d.test", "192.0.2.1", "WARN w (/a:4) | INFO i (/n:1) | OK (/b:4)" },
		{ CLIENT, "in.test", "203.0.113.9", "554 5.7.1 early (c:2)" }, { CLIENT, "late.test", "1.1.1.1", "554 5.7.1 l (c:3)" },
	};

	(void)state;
	check("client-access-file = { \"/a\", \"cidr:/n\", \"/b\" }\n"
	    "client-access = { \"203.0.113.0/24 REJECT early\",\n \"late.test REJECT l\" }\n", files, 3, ask, N(ask));
}

static void
test_cidr(void **state)
{
	static const struct kit_file	 file = { "/n",
	    "# first match\n10.1.0.0/16 OK\n10.0.0.0/8 REJECT b\n10.2.0.0/16 OK\n"
	    "if 192.168.0.0/16\n!192.168.2.0/24 REJECT d\nif !192.168.2.0/25\n192.168.2.0/24 REJECT e\n"
	    "endif\nendif\n[2001:db8::]/32 REJECT f\n::/0 REJECT g\n!10.0.0.0/7 WARN h\n" };
	static const struct asked	 ask[] = {
		{ CLIENT, "", "10.1.2.3", "OK (/n:2)" }, { CLIENT, "", "10.2.0.1", "554 5.7.1 b (/n:3)" },
		{ CLIENT, "", "192.168.2.1", "WARN h (/n:13)" }, { CLIENT, "", "192.168.2.200", "554 5.7.1 e (/n:8)" },
		{ CLIENT, "", "192.168.9.9", "554 5.7.1 d (/n:6)" }, { CLIENT, "", "2001:db8:ffff::", "554 5.7.1 f (/n:11)" },
		{ CLIENT, "", "2001:db9::", "554 5.7.1 g (/n:12)" }, { CLIENT, "", "::", "554 5.7.1 g (/n:12)" },
		{ CLIENT, "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "554 5.7.1 g (/n:12)" },
		{ CLIENT, "", "11.0.0.0", "" }, { CLIENT, "", "12.0.0.0", "WARN h (/n:13)" },
		{ CLIENT, "", "255.255.255.255", "WARN h (/n:13)" }, { CLIENT, "", "0.0.0.0", "WARN h (/n:13)" },
	};

	(void)state;
	check("client-access-file = \"cidr:/n\"\n", &file, 1, ask, N(ask));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_client), cmocka_unit_test(test_mail), cmocka_unit_test(test_order),
		cmocka_unit_test(test_cidr),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
