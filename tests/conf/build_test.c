/* build_test.c -- texts of postern.conf, and the exact lines that tell what is wrong with them. */
#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/rcpt.h"
#include "conf/file.h"
#include "tests/conf/build_kit.h"

static char *
fake_read(const char *path, size_t max, const char **why)
{
	(void)max;
	if (strcmp(path, "/anchor") == 0)
		return (strdup(". IN DS 1 2 3 AB\r\n"));
	if (strcmp(path, "/binary") == 0)
		return (strdup("\x01"));
	*why = "No such file or directory";
	return (NULL);
}

static int
fake_open(const char *path, const char **why)
{
	(void)path;
	*why = "No such file or directory";
	return (-1);
}

static const struct conf_world world = {
	.name = "c", .hostname = "host.test", .read_file = fake_read, .read_cert = fake_read, .open_file = fake_open,
};

static struct conf *
build(const char *in, size_t n, char *text, size_t size)
{
	return (build_in(&world, slice_make(in, n), text, size));
}

static void
test_errors(void **state)
{
	static const struct build_case cases[] = {
#include "tests/conf/build_cases.h"
	};

	(void)state;
	build_cases(&world, cases, sizeof(cases) / sizeof(cases[0]));
}

/* Whether RCPT takes this address of a final domain. */
static int
takes(const struct conf *c, const char *address)
{
	struct rcpt_verdict	 v;
	struct arena		 scratch;
	struct addr		 addr;
	const char		*why;
	struct rcpt_ask		 ask = { .conf = c, .addr = &addr };

	assert_int_equal(addr_parse(&addr, slice_str(address), &why), E_OK);
	arena_init(&scratch, 1 << 16);
	rcpt_verdict(&ask, &scratch, &v);
	arena_clear(&scratch);
	return (v.kind == TO_MAILBOX);
}

static void
test_empty(void **state)
{
	char		 text[4096];
	struct conf	*c = build("", 0, text, sizeof(text));
	struct hop	 hop;

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->hostname, "host.test");
	assert_string_equal(c->directory, "/var/lib/postern");
	assert_string_equal(c->runtime, "/run/postern");
	assert_string_equal(c->user_prefix, "postern-");
	assert_int_equal(c->log, LOG_TO_SYSLOG);
	assert_int_equal(c->nlisteners, 2);
	assert_string_equal(c->listeners[1].path, "/run/postern/submit");
	assert_true(c->listeners[1].everybody);
	assert_int_equal(c->listeners[0].port, 2525);
	assert_true(net_addr_is_loopback(&c->listeners[0].addr));
	assert_int_equal(c->nrelay_from, 2);
	assert_int_equal(c->ndomains, 1);
	assert_int_equal(c->queue.nretry, 4);
	assert_int_equal(c->queue.retry[3], 3600);
	conf_route(c, "host.test", &hop);
	assert_string_equal(hop.path, "/var/mail/postern/%d/%u");
	assert_true(takes(c, "anybody@host.test"));
	for (size_t i = 0; i < conf_nnumbers; i++)
		assert_int_equal(conf_number_get(c, &conf_numbers[i]), conf_numbers[i].def);
	conf_free(c);
}

static void
test_everything(void **state)
{
	static const char	 in[] =
	    "# a comment {\n// another }\n/* and \" one */\n"
	    "hostname = 'MX.Example.org.'\ndirectory = /srv/mail\nruntime = /run/p\nuser-prefix = \"\"\n"
	    "log = stderr\npostmaster = \"root@Example.org\"\nrelay-from = { }\nmessage-size-limit = 1K\n"
	    "listener b { address = \"::\" port = 26 connections = 7 per-address = 8 per-prefix = 9 }\n"
	    "listener a { tls = none auth = false }\n"
	    "relay-domain z.test { }\n"
	    "domain Y.test { deliver = \"smtp:[h]:9\" recipients = { Bob, \"\\\"a b\\\"\", bob, alice } }\n"
	    "route '*' { via = mx }\nroute a.test { via = 'smtp:[::1]' }\n"
	    "smtpd { rcpt-max = 5 client-names = true }\n"
	    "queue { retry = { 1s } lifetime = 1d paused = true store-max = 1G reserve = 1M }\n"
	    "deliver { port = 2526 bind4 = 192.0.2.1 bind6 = '2001:DB8::1' total-timeout = 9m }\n"
	    "resolver { forward = { \"127.0.0.1@5353\", \"::1\" } trust-anchor = /anchor\n"
	    " stub s.test { server = { \"10.0.0.1\", \"10.0.0.2@54\" } } }\n";
	char		 text[4096];
	struct conf	*c = build(in, strlen(in), text, sizeof(text));

	(void)state;
	assert_string_equal(text, "");
	assert_string_equal(c->hostname, "mx.example.org");
	assert_string_equal(c->user_prefix, "");
	assert_string_equal(c->postmaster, "root@example.org");
	assert_int_equal(c->nrelay_from, 0);
	assert_int_equal(c->message_size_limit, 1024);
	assert_string_equal(c->listeners[0].name, "b");
	assert_int_equal(c->listeners[0].per_prefix, 9);
	assert_int_equal(c->listeners[1].port, 25);
	assert_int_equal(c->ndomains, 2);
	assert_string_equal(c->domains[0].name, "y.test");
	assert_true(takes(c, "\"A B\"@y.test") && takes(c, "bob@y.test") && !takes(c, "b@y.test"));
	assert_int_equal(c->domains[1].relay, 1);
	assert_string_equal(c->routes[0].name, "a.test");
	assert_string_equal(c->routes[1].name, "*");
	assert_int_equal(c->smtpd.rcpt_max, 5);
	assert_int_equal(c->queue.nretry, 1);
	assert_int_equal(c->deliver.port, 2526);
	assert_string_equal(c->deliver.bind6, "2001:db8::1");
	assert_string_equal(c->resolver.forward[1], "::1@53");
	assert_int_equal(c->resolver.nstub, 2);
	assert_string_equal(c->resolver.stub_server[1], "10.0.0.2@54");
	assert_string_equal(c->resolver.trust_anchor, ". IN DS 1 2 3 AB \n");
	conf_free(c);
}

/* Each number of the table can be written, at min-1, min, max and max+1. */
static void
test_numbers(void **state)
{
	static const char	*const unit[] = { "", "s", "", "" };
	char			 in[256], text[4096];
	struct conf		*c;

	(void)state;
	for (size_t i = 0; i < conf_nnumbers; i++) {
		const struct conf_number	*n = &conf_numbers[i];
		uint64_t			 v[] = { n->min, n->max, n->max + 1, n->min - 1 };

		for (size_t j = 0; j < (n->min != 0 ? 4u : 3u) && n->unit != UNIT_BOOL; j++) {
			snprintf(in, sizeof(in), "%s%s%s = \"%llu%s\" %s%s\n", n->section, n->section[0] ? " { " : "", n->key,
			    (unsigned long long)v[j], unit[n->unit],
			    strcmp(n->key, "store-max") == 0 ? "reserve = 64K" :
			    strcmp(n->key, "reserve") == 0 ? "store-max = 64T" : "", n->section[0] ? " }" : "");
			c = build(in, strlen(in), text, sizeof(text));
			if ((c != NULL) != (j < 2))
				fail_msg("%s: %s", in, text);
			if (c != NULL)
				assert_int_equal(conf_number_get(c, n), v[j]);
			conf_free(c);
		}
	}
}

static void
test_sample_file(void **state)
{
	char		 text[4096], *in;
	const char	*why;
	struct conf	*c;

	(void)state;
	in = file_read("etc/postern.conf", CONF_FILE_MAX, &why);
	assert_non_null(in);
	c = build(in, strlen(in), text, sizeof(text));
	assert_string_equal(text, "");
	conf_free(c);
	free(in);
}

static void
test_many_errors(void **state)
{
	char	 in[ERRORS_SHOWN * 24], text[ERRORS_SHOWN * 80];
	size_t	 n = 0;

	(void)state;
	for (int i = 0; i < ERRORS_SHOWN + 2; i++)
		n += (size_t)snprintf(in + n, sizeof(in) - n, "route r%d { }\n", i);
	assert_null(build(in, n, text, sizeof(text)));
	assert_non_null(strstr(text, "c:1: route \"r0\" has no via\n"));
	assert_non_null(strstr(text, "c: and 2 more errors\n"));
}

static void
test_nul(void **state)
{
	char	 text[4096];

	(void)state;
	assert_null(build("\nlog\0", 5, text, sizeof(text)));
	assert_string_equal(text, "c:2: the file holds a NUL octet; it is not text\n");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_errors), cmocka_unit_test(test_empty), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_sample_file),
		cmocka_unit_test(test_many_errors), cmocka_unit_test(test_nul),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
