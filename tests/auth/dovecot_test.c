/*
 * dovecot_test.c -- Dovecot's auth protocol: its handshake, its answers whole and in pieces, what is no answer, limits; and what
 * we say, to the octet.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "auth/dovecot.h"
#include "common/base64.h"
#include "common/err.h"
#include "common/net.h"

#define HELLO	"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tscram-sha-256\tmutual-auth\n" \
		"MECH\tXOAUTH2\nSPID\t17\nCUID\t1\nCOOKIE\t0123456789abcdef\nDONE\n"

static struct dovecot	d;
static char		heard[4096];	/* what the callbacks said, as text */

static void
on_ready(struct dovecot *dd, unsigned mechanisms)
{
	(void)snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "ready %x;", mechanisms);
}

static void
on_answer(struct dovecot *dd, uint32_t id, enum dovecot_answer what, const char *login, struct slice data)
{
	static const char *const	names[] = { "cont", "ok", "fail", "temp" };

	(void)snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s %u <%s> %.*s;", names[what], id, login,
	    (int)(data.n < 64 ? data.n : 64), data.n != 0 ? data.p : "");
}

static const struct dovecot_ops ops = { on_ready, on_answer };

static int
feed(const char *s)
{
	return (dovecot_feed(&d, s, strlen(s)));
}

static void
open_it(void)
{
	dovecot_init(&d, &ops, NULL);
	heard[0] = '\0';
	assert_int_equal(feed(HELLO), E_OK);
	assert_string_equal(heard, "ready 7;");
	heard[0] = '\0';
}

static void
handshake(void **state)
{
	static const struct { const char *text; int err; const char *want; } v[] = {
		{ HELLO, E_OK, "ready 7;" },
		{ "VERSION\t1\t0\nDONE\n", E_OK, "ready 0;" },
		{ "VERSION\t1\nDONE\n", E_OK, "ready 0;" },
		{ "VERSION\t1\t9\nSOMETHING\tNEW\n\nMECH\nMECH\t\nMECH\tPLAINER\nMECH\tLOGIN\nDONE\tx\n", E_OK, "ready 2;" },
		{ "VERSION\t2\t0\nDONE\n", E_PROTO, "" }, { "VERSION\t11\t0\nDONE\n", E_PROTO, "" },
		{ "VERSION\t\nDONE\n", E_PROTO, "" }, { "VERSION\n", E_PROTO, "" }, { "VERSION\tx\n", E_PROTO, "" },
		{ "VERSION\t-1\n", E_PROTO, "" }, { "VERSION\t4294967297\n", E_PROTO, "" },
		{ "MECH\tPLAIN\nVERSION\t1\t0\nDONE\n", E_PROTO, "" }, { "DONE\n", E_PROTO, "" },
		{ "220 mail.example.org ESMTP\r\n", E_PROTO, "" }, { "* OK\n", E_PROTO, "" }, { "\n", E_PROTO, "" },
		/* Answers before the end of the handshake are none. */
		{ "VERSION\t1\t2\nOK\t1\tuser=root\nDONE\n", E_OK, "ready 0;" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		dovecot_init(&d, &ops, NULL);
		heard[0] = '\0';
		if (feed(v[i].text) != v[i].err || strcmp(heard, v[i].want) != 0)
			fail_msg("%zu: \"%s\"", i, heard);
		if (v[i].err != E_OK) {
			assert_non_null(d.why);
			assert_int_equal(feed(HELLO), E_PROTO);	/* and that was all */
			assert_string_equal(heard, "");
		}
	}
}

static void
answers(void **state)
{
	static const struct { const char *text; int err; const char *want; } v[] = {
		{ "OK\t1\tuser=alice\n", E_OK, "ok 1 <alice> ;" },
		{ "OK\t1\tuser=alice\ttoken=user=mallory\tuser_admin=yes\n", E_OK, "ok 1 <alice> ;" },
		{ "OK\t4294967295\tanonymous\tuser=a@b.example\n", E_OK, "ok 4294967295 <a@b.example> ;" },
		{ "OK\t1\tuser=tab\001tin\n", E_OK, "temp 1 <> ;" },	/* no login has a TAB: nobody we know */
		{ "OK\t1\tuser=a\001/b\n", E_OK, "ok 1 <a/b> ;" },
		{ "OK\t1\tuser=a\001\n", E_OK, "temp 1 <> ;" }, { "OK\t1\tuser=a\001nb\n", E_OK, "temp 1 <> ;" },
		{ "OK\t1\tuser=a\0010b\n", E_OK, "temp 1 <> ;" }, { "OK\t1\tuser=a\r\n", E_OK, "temp 1 <> ;" },
		{ "OK\t1\n", E_OK, "temp 1 <> ;" }, { "OK\t1\tuser=\n", E_OK, "temp 1 <> ;" }, { "OK\t1\tuser\n", E_OK, "temp 1 <> ;" },
		{ "OK\t1\tuser=b\xc3\xa4r\n", E_OK, "ok 1 <b\xc3\xa4r> ;" },
		{ "FAIL\t7\tuser=bob\n", E_OK, "fail 7 <bob> ;" }, { "FAIL\t7\n", E_OK, "fail 7 <> ;" },
		{ "FAIL\t7\tuser=bob\treason=no\tauthz\n", E_OK, "fail 7 <bob> ;" },
		{ "FAIL\t7\tuser=bob\ttemp\n", E_OK, "temp 7 <bob> ;" },
		{ "FAIL\t7\tcode=temp_fail\n", E_OK, "temp 7 <> ;" }, { "FAIL\t7\tcode=pass_expired\n", E_OK, "fail 7 <> ;" },
		{ "FAIL\t7\treason=temp\n", E_OK, "fail 7 <> ;" }, { "FAIL\t7\ttemp=no\n", E_OK, "fail 7 <> ;" },
		{ "CONT\t3\t\n", E_OK, "cont 3 <> ;" }, { "CONT\t3\n", E_OK, "cont 3 <> ;" },
		{ "CONT\t3\tcj1hYmM=\n", E_OK, "cont 3 <> r=abc;" }, { "CONT\t3\tcj1hYmM=\tmore\n", E_OK, "cont 3 <> r=abc;" },
		{ "CONT\t3\tcj1hYmM\n", E_PROTO, "" }, { "CONT\t3\t*\n", E_PROTO, "" },
		{ "CONT\n", E_PROTO, "" }, { "OK\n", E_PROTO, "" }, { "OK\t\n", E_PROTO, "" }, { "OK\tx\tuser=a\n", E_PROTO, "" },
		{ "OK\t-1\tuser=a\n", E_PROTO, "" }, { "OK\t4294967296\tuser=a\n", E_PROTO, "" }, { "FAIL\t1x\n", E_PROTO, "" },
		{ "OK \t1\tuser=a\n", E_OK, "" }, { "ok\t1\tuser=a\n", E_OK, "" }, { "OKAY\t1\tuser=a\n", E_OK, "" },
		{ "NEWS\t1\tuser=a\n\nMECH\tPLAIN\nDONE\nSPID\t3\n", E_OK, "" },
		{ "OK\t1\tuser=a\nFAIL\t2\nCONT\t3\t\n", E_OK, "ok 1 <a> ;fail 2 <> ;cont 3 <> ;" },
	};
	char	whole[sizeof(heard)];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		open_it();
		if (feed(v[i].text) != v[i].err || strcmp(heard, v[i].want) != 0)
			fail_msg("%zu: \"%s\"", i, heard);
		(void)snprintf(whole, sizeof(whole), "%s", heard);
		open_it();	/* an octet at a time is the same */
		for (const char *p = v[i].text; *p != '\0'; p++) {
			if (dovecot_feed(&d, p, 1) != E_OK)
				break;
		}
		assert_string_equal(heard, whole);
	}
	open_it();
	assert_int_equal(dovecot_feed(&d, "OK\t1\tuser=a\0b\n", 15), E_OK);
	assert_string_equal(heard, "temp 1 <> ;");
}

/* A login, a line, a handshake: at, below and above. */
static void
limits(void **state)
{
	static char	line[DOVECOT_LINE_MAX + 64];
	int		n;

	for (size_t k = LOGIN_MAX - 1; k <= LOGIN_MAX + 1; k++) {
		open_it();
		n = snprintf(line, sizeof(line), "OK\t1\tuser=");
		memset(line + n, 'l', k);
		memcpy(line + n + k, "\n", 2);
		assert_int_equal(feed(line), E_OK);
		assert_memory_equal(heard, k > LOGIN_MAX ? "temp" : "ok 1", 4);
	}
	for (size_t k = DOVECOT_LINE_MAX - 1; k <= DOVECOT_LINE_MAX + 1; k++) {
		open_it();
		memset(line, 'x', k);
		memcpy(line + k, "\n", 2);
		assert_int_equal(feed(line), k > DOVECOT_LINE_MAX ? E_LIMIT : E_OK);
	}
	open_it();	/* without an end */
	memset(line, 'x', sizeof(line));
	assert_int_equal(dovecot_feed(&d, line, DOVECOT_LINE_MAX + 1), E_LIMIT);
	/* A challenge of SASL_DATA_MAX octets, and of one more. */
	for (size_t k = SASL_DATA_MAX - 1; k <= SASL_DATA_MAX + 1; k++) {
		static char	data[SASL_DATA_MAX + 1];

		open_it();
		n = snprintf(line, sizeof(line), "CONT\t1\t");
		n += (int)base64_encode(line + n, slice_make(data, k));
		memcpy(line + n, "\n", 2);
		assert_int_equal(feed(line), k > SASL_DATA_MAX ? E_PROTO : E_OK);
	}
	for (int k = DOVECOT_HELLO_MAX - 1; k <= DOVECOT_HELLO_MAX + 1; k++) {
		dovecot_init(&d, &ops, NULL);
		heard[0] = '\0';
		assert_int_equal(feed("VERSION\t1\t1\n"), E_OK);
		for (int i = 2; i < k; i++)
			assert_int_equal(feed("MECH\tPLAIN\n"), E_OK);
		assert_int_equal(feed("DONE\n"), k > DOVECOT_HELLO_MAX ? E_LIMIT : E_OK);
	}
}

static void
sent(void **state)
{
	static char	out[DOVECOT_SEND_MAX + 1], data[SASL_DATA_MAX];
	struct ipc_sasl	m = { .mechanism = SASL_PLAIN, .initial = 1, .tls = 1, .client_port = 40000, .own_port = 465,
			      .data = SLICE_LIT("\0alice\0pw") };
	size_t		n, k;

	assert_int_equal(net_addr_parse(&m.client, SLICE_LIT("192.0.2.7")), E_OK);
	assert_int_equal(net_addr_parse(&m.own, SLICE_LIT("2001:db8::1")), E_OK);
	n = dovecot_hello(out, 4294967295u);
	assert_int_equal(n, strlen(out));
	assert_string_equal(out, "VERSION\t1\t1\nCPID\t4294967295\n");
	(void)dovecot_auth(out, 9, &m);
	assert_string_equal(out, "AUTH\t9\tPLAIN\tservice=smtp\tnologin\tlip=2001:db8::1\trip=192.0.2.7\tlport=465\trport=40000\t"
	    "secured\tresp=AGFsaWNlAHB3\n");
	m.tls = 0;
	m.mechanism = SASL_SCRAM_SHA_256;
	m.data = slice_make(NULL, 0);
	(void)dovecot_auth(out, 10, &m);
	assert_non_null(strstr(out, "\trport=40000\tresp=\n"));
	assert_null(strstr(out, "secured"));
	m.initial = 0;
	(void)dovecot_auth(out, 11, &m);
	assert_null(strstr(out, "resp"));
	m.mechanism = SASL_EXTERNAL;
	(void)snprintf(m.external, sizeof(m.external), "a\tresp=x\nAUTH\001");
	(void)dovecot_auth(out, 12, &m);
	assert_non_null(strstr(out, "\tvalid-client-cert\tcert_username=a\001tresp=x\001nAUTH\0011\n"));
	(void)dovecot_cont(out, 3, SLICE_LIT("hello"));
	assert_string_equal(out, "CONT\t3\taGVsbG8=\n");
	(void)dovecot_cont(out, 3, slice_make(NULL, 0));
	assert_string_equal(out, "CONT\t3\t\n");
	(void)dovecot_cancel(out, 3);
	assert_string_equal(out, "CANCEL\t3\n");
	/* A line that is too long is none, whole or in part. */
	memset(data, 's', sizeof(data));
	for (n = 0, k = 1; k <= sizeof(data); k++) {
		size_t	len = dovecot_cont(out, 3, slice_make(data, k));

		if (len == 0)
			break;
		assert_int_equal(len, strlen("CONT\t3\t\n") + BASE64_LEN(k));
		n = len;
	}
	assert_true(n <= DOVECOT_SEND_MAX && n + 4 > DOVECOT_SEND_MAX);
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(handshake), cmocka_unit_test(answers), cmocka_unit_test(limits), cmocka_unit_test(sent),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
