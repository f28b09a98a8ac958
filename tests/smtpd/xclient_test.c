/*
 * xclient_test.c -- XCLIENT and XFORWARD: grammar, limits, and what they change in a session (core alone).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "smtpd/session.h"
#include "smtpd/xclient.h"

#define FROM	"198.51.100.7"

static struct net_prefix	trusted, relaying;
static struct conf_listener	listener = { .name = "mx", .path = "" };
static struct conf_domain	domain = { .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } };
static struct conf		conf = { .hostname = "mx.example.org", .postmaster = "", .recipient_delimiter = "",
				    .message_size_limit = 1000000, .ndomains = 1, .domains = &domain };
static struct buf		out;
static struct smtp_env		env;
static struct smtp_session	s;
static const char		*limit;		/* the shell's answer to a new client */
static int			 asked;		/* it was asked for the client's name */
static char			 origin[ORIGIN_MAX + 1];

static int
op_begin(struct smtp_session *u)
{
	snprintf(origin, sizeof(origin), "%s", u->origin != NULL ? u->origin : "");
	return (E_OK);
}

static int
op_body(struct smtp_session *u, struct slice run)
{
	return (E_OK);
}

static int
op_commit(struct smtp_session *u)
{
	return (E_OK);
}

static void
op_abort(struct smtp_session *u)
{
}

static void
op_reject(struct smtp_session *u, struct slice reply)
{
}

static int
op_own(struct smtp_session *u, const struct net_addr *a)
{
	return (u->own_known && net_addr_cmp(&u->own, a) == 0);
}

static int
op_client(struct smtp_session *u, const struct net_addr *a, int named, const char **why)
{
	if (limit != NULL) {
		*why = limit;
		return (E_LIMIT);
	}
	asked += !named;
	u->name_pending = 0;
	u->client = *a;
	return (E_OK);
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_body = op_body, .txn_commit = op_commit, .txn_abort = op_abort,
	.reject = op_reject, .own_address = op_own, .client = op_client,
};

static void
say(const char *line, const char *reply)
{
	struct slice	got;

	buf_drain(&out, out.len);
	assert_int_equal(smtp_input(&s, slice_str(line), 2000), strlen(line));
	got = buf_slice(&out);
	if (got.n < strlen(reply) || (got.n != 0 && memcmp(got.p, reply, strlen(reply)) != 0))
		fail_msg("to \"%s\": wanted \"%s\", got \"%.*s\"", line, reply, (int)got.n, got.p);
}

static int
setup(void **state)
{
	memset(&s, 0, sizeof(s));
	memset(&env, 0, sizeof(env));
	buf_init(&out, REPLIES_MAX);
	assert_int_equal(net_prefix_parse(&trusted, SLICE_LIT(FROM)), E_OK);
	assert_int_equal(net_prefix_parse(&relaying, SLICE_LIT("10.0.0.0/8")), E_OK);
	listener.xclient_from = listener.xforward_from = (struct conf_prefixes){ 1, &trusted };
	listener.lmtp = 0;
	conf.nrelay_from = 1;
	conf.relay_from = &relaying;
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = 1000;
	conf.smtpd.commands_max = 1000;
	conf.smtpd.rcpt_max = RCPT_MAX;
	conf.smtpd.header_size_max = 1u << 20;
	conf.smtpd.header_count_max = 2000;
	env = (struct smtp_env){ .conf = &conf, .ops = &ops, .out = &out, .queue_up = 1 };
	s.env = &env;
	s.listener = "mx";
	s.conf_listener = &listener;
	s.port = 1234;
	limit = NULL;
	asked = 0;
	origin[0] = '\0';
	assert_int_equal(net_addr_parse(&s.client, SLICE_LIT(FROM)), E_OK);
	s.peer = s.client;
	smtp_open(&s, 1000);
	return (0);
}

static int
teardown(void **state)
{
	smtp_eof(&s, "eof");
	assert_null(s.forward);
	smtp_env_clear(&env);
	buf_clear(&out);
	return (0);
}

static const char *
client(void)
{
	static char	ip[NET_ADDR_STRLEN];

	return (net_addr_str(&s.client, ip));
}

static void
ehlo_lists_for_whom_they_are(void **state)
{
	static const struct conf_prefixes	nobody = { 0, NULL };

	say("EHLO c.example\r\n", "250-");
	assert_non_null(memmem(buf_slice(&out).p, out.len, "\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR "
	    "DESTPORT REVERSE_NAME\r\n250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n", 129));
	listener.xclient_from = nobody;
	say("EHLO c.example\r\n", "250-");
	assert_null(memmem(buf_slice(&out).p, out.len, "XCLIENT", 7));
	assert_non_null(memmem(buf_slice(&out).p, out.len, "XFORWARD", 8));
	say("XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.1");
	listener.xforward_from = nobody;
	say("XFORWARD ADDR=192.0.2.1\r\n", "550 5.7.1");
	listener.xclient_from = (struct conf_prefixes){ 1, &trusted };
	s.conf_listener = NULL;		/* a reload took the listener away */
	say("XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.1");
	s.conf_listener = &listener;
	memset(&s.peer, 0, sizeof(s.peer));	/* behind a proxy that does not say, or a local user */
	trusted = (struct net_prefix){ { { 0 } }, 0 };
	say("XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.1");
	assert_string_equal(client(), FROM);
}

static void
syntax(void **state)
{
	static const char *const	bad[] = {
		"", " ", " NAME", " NAME=", " =x", " ADDR=192.0.2.1 NAME", " WHO=x", " NAME=a..b", " NAME=-.example",
		" NAME=a+2", " NAME=a+2b", " NAME=a+20b", " NAME=a=b", " ADDR=192.0.2", " ADDR=192.0.2.256", " ADDR=[192.0.2.1]",
		" ADDR=2001:db8::1", " ADDR=IPV6:", " ADDR=IPV6:192.0.2.1", " ADDR=IPV6:2001:db8::g", " ADDR=[TEMPUNAVAIL]",
		" PORT=x", " PORT=65536", " PORT=-1", " PORT=+2B1", " PROTO=LMTP", " PROTO=[UNAVAILABLE]", " PROTO=ESMTPS",
		" HELO=a..b", " HELO=[1.2.3]", " HELO=a+0Ab", " LOGIN=a+00b", " LOGIN=a+0Db", " LOGIN=a+FFb", " LOGIN=a+7Fb",
		" DESTADDR=x", " DESTPORT=65536", " REVERSE_NAME=a..b", " NAME = a", " NAME=a ,ADDR=192.0.2.1",
	};
	char	line[256];
	size_t	i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "XCLIENT%s\r\n", bad[i]);
		say(line, "501 5.5.4 XCLIENT");
		assert_string_equal(client(), FROM);
		assert_int_equal(s.port, 1234);
		assert_string_equal(s.name, "");
		assert_int_equal(s.state, ST_CONNECT);
	}
	assert_int_equal(asked, 0);
	assert_int_equal(s.errors, sizeof(bad) / sizeof(bad[0]));
}

static void
client_takes_the_place(void **state)
{
	s.errors = 3;
	say("EHLO proxy.example\r\n", "250-");
	say("xclient name=Mail.Example addr=ipv6:2001:DB8::1 port=4711 reverse_name=[tempunavail] destaddr=192.0.2.1 destport=25\r\n",
	    "220 mx.example.org ESMTP Postern\r\n");
	assert_string_equal(client(), "2001:db8::1");
	assert_string_equal(s.name, "mail.example");
	assert_int_equal(s.port, 4711);
	assert_string_equal(s.helo, "");
	assert_int_equal(s.state, ST_CONNECT);
	assert_int_equal(s.opened_ms, 2000);
	assert_int_equal(s.errors, 3);		/* patience is the connection's */
	assert_int_equal(asked, 0);
	say("MAIL FROM:<>\r\n", "503 5.5.1");
	say("EHLO c.example\r\n", "250-");
	say("MAIL FROM:<>\r\n", "250");
	say("XCLIENT ADDR=192.0.2.9\r\n", "503 5.5.1");
	say("RCPT TO:<x@else.example>\r\n", "550 5.7.1");
	say("RCPT TO:<postmaster@[192.0.2.1]>\r\n", "250");
	say("RSET\r\n", "250");
	say("XCLIENT ADDR=10.9.8.7\r\n", "220 ");	/* by the connection's address it may go on */
	assert_int_equal(asked, 1);
	assert_int_equal(s.may_relay, 1);
	assert_string_equal(s.name, "");
	assert_int_equal(s.port, 0);
	say("EHLO c.example\r\n", "250-");
	say("MAIL FROM:<>\r\n", "250");
	say("RCPT TO:<x@else.example>\r\n", "250");
	say("RSET\r\n", "250");
	say("XCLIENT PORT=9 NAME=[UNAVAILABLE]\r\n", "220 ");
	assert_string_equal(client(), "10.9.8.7");
	assert_int_equal(s.port, 9);
	assert_int_equal(s.may_relay, 1);
	assert_int_equal(asked, 1);		/* there is none, says who knows */
}

static void
client_unknown_has_no_rights(void **state)
{
	relaying = (struct net_prefix){ { { 0 } }, 0 };		/* ::/0 has :: */
	say("XCLIENT ADDR=IPV6:2001:db8::1\r\n", "220 ");
	assert_int_equal(s.may_relay, 1);
	say("XCLIENT ADDR=[UNAVAILABLE]\r\n", "220 ");
	assert_int_equal(s.may_relay, 0);
	assert_string_equal(client(), "::");
	conf.smtpd.vrfy_from = (struct conf_prefixes){ 1, &relaying };
	assert_false(smtp_vrfy_allowed(&s));
	say("XCLIENT LOGIN=ann\r\n", "220 ");
	assert_int_equal(s.may_relay, 1);
	say("XCLIENT ADDR=[unavailable]\r\n", "220 ");		/* another: not ann */
	assert_int_equal(s.may_relay, 0);
	assert_string_equal(s.login, "");
	say("XCLIENT ADDR=IPV6:2001:db8::1\r\n", "220 ");
	assert_int_equal(s.may_relay, 1);
	assert_true(smtp_vrfy_allowed(&s));
	conf.smtpd.vrfy_from.n = 0;
}

/* A command line is short: a client may need two. */
static void
several_commands_for_one_client(void **state)
{
	say("XCLIENT NAME=a.example LOGIN=ann PORT=5\r\n", "220 ");
	say("XCLIENT ADDR=192.0.2.1\r\n", "220 ");
	assert_string_equal(s.name, "a.example");
	assert_string_equal(s.login, "ann");
	assert_int_equal(s.port, 5);
	say("XCLIENT PORT=6\r\n", "220 ");
	assert_string_equal(s.name, "a.example");
	assert_string_equal(s.login, "ann");
	assert_string_equal(client(), "192.0.2.1");
	assert_int_equal(asked, 0);
	say("XCLIENT ADDR=192.0.2.1\r\n", "220 ");	/* another, with the same address */
	assert_string_equal(s.name, "");
	assert_string_equal(s.login, "");
	assert_int_equal(s.port, 0);
	assert_int_equal(asked, 1);
	say("XCLIENT NAME=b.example\r\n", "220 ");
	say("XCLIENT ADDR=192.0.2.2 NAME=[TEMPUNAVAIL] LOGIN=bob\r\n", "220 ");
	assert_string_equal(s.name, "");
	assert_string_equal(s.login, "bob");
}

/* The proxy's TLS is not that of the client it speaks for: neither its certificate nor its channel binding. */
static void
tls_is_the_proxys(void **state)
{
	const unsigned	plus = 1u << SASL_SCRAM_SHA_256_PLUS, external = 1u << SASL_EXTERNAL;

	listener.auth = 1;
	conf.auth.mechanisms = (1u << SASL_MECHANISMS) - 1;
	s.tls = s.bindable = 1;
	s.external = "proxy@example.org";
	assert_int_equal(smtp_auth_offered(&s), conf.auth.mechanisms);
	say("XCLIENT ADDR=192.0.2.1 HELO=c.example PROTO=ESMTP\r\n", "220 ");
	assert_int_equal(smtp_auth_offered(&s), conf.auth.mechanisms & ~(plus | external));
	say("AUTH EXTERNAL =\r\n", "504 5.5.4 ");
	listener.auth = 0;
}

static void
helo_said_before(void **state)
{
	say("XCLIENT ADDR=192.0.2.1 HELO=c.example PROTO=esmtp\r\n", "220 ");
	assert_int_equal(s.state, ST_HELO);
	say("MAIL FROM:<a@b.example> SIZE=5\r\n", "250");
	say("RSET\r\n", "250");
	say("XCLIENT HELO=[192.0.2.1] PROTO=SMTP\r\n", "220 ");
	assert_string_equal(s.helo, "[192.0.2.1]");
	say("MAIL FROM:<a@b.example> SIZE=5\r\n", "555");
	say("HELO d.example\r\n", "250");
	assert_string_equal(s.helo, "d.example");
	say("XCLIENT HELO=[UNAVAILABLE]\r\n", "220 ");
	say("MAIL FROM:<a@b.example>\r\n", "503");
}

static void
lmtp_greets_as_itself(void **state)
{
	listener.lmtp = s.lmtp = 1;
	say("LHLO c.example\r\n", "250-");
	say("XCLIENT PROTO=LMTP ADDR=192.0.2.1\r\n", "220 mx.example.org LMTP Postern\r\n");
	assert_int_equal(s.esmtp, 1);
}

static void
past_a_limit(void **state)
{
	limit = "too many";
	say("XCLIENT ADDR=192.0.2.1\r\n", "421 4.7.0 mx.example.org too many\r\n");
	assert_true(smtp_closed(&s));
	assert_string_equal(s.reason, "client-limit");
}

static void
values_at_their_limits(void **state)
{
	static const struct { size_t n; const char *reply; } v[] = {
		{ LOGIN_MAX - 1, "220" }, { LOGIN_MAX, "220" }, { LOGIN_MAX + 1, "501" },
	};
	char	line[1200], login[LOGIN_MAX + 2];
	size_t	i;

	for (i = 0; i < 3; i++) {
		memset(login, 'x', v[i].n);
		login[v[i].n] = '\0';
		snprintf(line, sizeof(line), "XCLIENT LOGIN=%s\r\n", login);
		say(line, v[i].reply);
		assert_int_equal(strlen(s.login), i == 2 ? LOGIN_MAX : v[i].n);
	}
	say("XCLIENT LOGIN=j+C3+B6rg+20x\r\n", "220 ");
	assert_string_equal(s.login, "j\xc3\xb6rg x");
	say("XCLIENT PORT=0\r\n", "220 ");
	say("XCLIENT PORT=65535\r\n", "220 ");
	assert_int_equal(s.port, 65535);
	for (i = 0; i < 3; i++) {
		memset(login, 'p', XATTR_PROTO_MAX - 1 + i);
		login[XATTR_PROTO_MAX - 1 + i] = '\0';
		snprintf(line, sizeof(line), "XFORWARD PROTO=%s\r\n", login);
		say(line, i == 2 ? "501" : "250");
	}
}

static void
message(void)
{
	say("MAIL FROM:<a@b.example>\r\n", "250");
	say("RCPT TO:<r@all.example>\r\n", "250");
	say("DATA\r\n", "354");
	say("Subject: x\r\n\r\nx\r\n.\r\n", "");
	assert_int_equal(s.state, ST_COMMIT);
	smtp_result(&s, TXN_DURABLE, 1, 2000);
}

static void
forwards_add_up(void **state)
{
	say("EHLO c.example\r\n", "250-");
	say("XFORWARD NAME=far.example ADDR=192.0.2.33\r\n", "250 2.0.0");
	assert_string_equal(s.origin, "far.example[192.0.2.33]");
	say("XFORWARD PORT=55 PROTO=ESMTP HELO=he+28lo+29 IDENT=3CF6 source=remote\r\n", "250 2.0.0");
	assert_string_equal(s.origin, "far.example[192.0.2.33]:55");
	assert_string_equal(s.forward->helo, "he?lo?");
	assert_string_equal(s.forward->proto, "ESMTP");
	assert_string_equal(s.forward->ident, "3CF6");
	assert_string_equal(s.forward->source, "REMOTE");
	assert_string_equal(client(), FROM);		/* nothing else changed */
	assert_string_equal(s.helo, "c.example");
	message();
	assert_string_equal(origin, "far.example[192.0.2.33]:55");
	assert_null(s.origin);
	message();
	assert_string_equal(origin, "");
	say("XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:DB8::5\r\n", "250");
	assert_string_equal(s.origin, "unknown[2001:db8::5]");
	say("XFORWARD ADDR=[UNAVAILABLE] NAME=x\r\n", "250");
	assert_string_equal(s.origin, "local");
	say("MAIL FROM:<>\r\n", "250");
	say("XFORWARD NAME=y\r\n", "503 5.5.1");
	say("RSET\r\n", "250");
	assert_null(s.origin);
	say("XFORWARD NAME=y\r\n", "250");
	assert_string_equal(s.origin, "y[unknown]");
	say("EHLO c.example\r\n", "250-");
	assert_null(s.origin);
	say("XFORWARD NAME=y\r\n", "250");
	say("XCLIENT PORT=1\r\n", "220");
	assert_null(s.origin);
}

static void
forward_syntax(void **state)
{
	static const char *const	bad[] = {
		"", " NAME", " NAME=", " LOGIN=x", " DESTADDR=192.0.2.1", " ADDR=far", " ADDR=2001:db8::1", " PORT=70000", " PORT=a",
		" SOURCE=HERE", " NAME=a+20b", " NAME=a+09b", " IDENT=a+00b", " HELO=a+C3+B6", " HELO=a+7Fb", " PROTO=a+0Ab",
	};
	char	line[256];
	size_t	i;

	say("XFORWARD NAME=kept.example\r\n", "250");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "XFORWARD%s\r\n", bad[i]);
		say(line, "501 5.5.4 XFORWARD");
		assert_string_equal(s.origin, "kept.example[unknown]");
	}
	say("XFORWARD IDENT=a HELO=ok PORT=bad\r\n", "501");	/* all or nothing */
	assert_string_equal(s.forward->ident, "");
}

/* The longest of each still fits ORIGIN_MAX, and a command line. */
static void
forward_longest(void **state)
{
	char	line[COMMAND_LINE_MAX], name[XATTR_VALUE_MAX + 2];
	size_t	n;

	for (n = XATTR_VALUE_MAX - 1; n <= XATTR_VALUE_MAX + 1; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		snprintf(line, sizeof(line), "XFORWARD ADDR=IPV6:2001:db8:1111:2222:3333:4444:5555:6666 PORT=65535 NAME=%s "
		    "HELO=%s IDENT=%s\r\n", name, name, name);
		say(line, n > XATTR_VALUE_MAX ? "501" : "250");
		if (n == XATTR_VALUE_MAX)
			assert_int_equal(strlen(s.origin), n + strlen("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"));
	}
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	tests[] = {
		TEST(ehlo_lists_for_whom_they_are),
		TEST(syntax),
		TEST(client_takes_the_place),
		TEST(client_unknown_has_no_rights),
		TEST(several_commands_for_one_client),
		TEST(tls_is_the_proxys),
		TEST(helo_said_before),
		TEST(lmtp_greets_as_itself),
		TEST(past_a_limit),
		TEST(values_at_their_limits),
		TEST(forwards_add_up),
		TEST(forward_syntax),
		TEST(forward_longest),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
