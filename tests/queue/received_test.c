/*
 * received_test.c -- the Received field as golden text, and at its longest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/received.h"

#define WHEN 1795305325		/* Sat, 21 Nov 2026 23:55:25 */

static void
test_golden(void **state)
{
	static const struct {
		const char *helo, *name, *ip, *rcpt;
		int esmtp;
		const char *want;
	} t[] = {
		{ "client.example.net", "mail.example.net", "192.0.2.7", "b@example.org", 1,
		    "Received: from client.example.net (mail.example.net [192.0.2.7])\r\n"
		    "\tby mx.example.org with ESMTP id 3Z;\r\n"
		    "\tSat, 21 Nov 2026 23:55:25 +0000\r\n" },
		{ "h", "", "2001:db8::1", NULL, 0,
		    "Received: from h ([IPv6:2001:db8::1])\r\n"
		    "\tby mx.example.org with SMTP id 3Z;\r\n"
		    "\tSat, 21 Nov 2026 23:55:25 +0000\r\n" },
		/* What could end the clause, open a comment or a field does not come through. */
		{ "a) (by evil; x", "", "192.0.2.7", NULL, 1,
		    "Received: from a???by?evil??x ([192.0.2.7])\r\n"
		    "\tby mx.example.org with ESMTP id 3Z;\r\n"
		    "\tSat, 21 Nov 2026 23:55:25 +0000\r\n" },
		{ "", "", "192.0.2.7", NULL, 1,
		    "Received: from unknown ([192.0.2.7])\r\n"
		    "\tby mx.example.org with ESMTP id 3Z;\r\n"
		    "\tSat, 21 Nov 2026 23:55:25 +0000\r\n" },
	};
	char got[RECEIVED_MAX], want[RECEIVED_MAX], *semi;
	struct ipc_txn_begin b;
	size_t i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&b, 0, sizeof(b));
		(void)snprintf(b.helo, sizeof(b.helo), "%s", t[i].helo);
		(void)snprintf(b.name, sizeof(b.name), "%s", t[i].name);
		assert_int_equal(net_addr_parse(&b.client, slice_str(t[i].ip)), 0);
		b.protocol = t[i].esmtp ? PROTO_ESMTP : PROTO_SMTP;
		(void)snprintf(want, sizeof(want), "%s", t[i].want);
		if (t[i].rcpt != NULL) {	/* in front of the semicolon, on its own line */
			semi = strchr(want, ';');
			(void)snprintf(semi, sizeof(want) - (size_t)(semi - want),
			    "\r\n\tfor <%s>%s", t[i].rcpt, strchr(t[i].want, ';'));
		}
		n = received_write(got, &b, "mx.example.org", 127, t[i].rcpt, WHEN);
		assert_string_equal(got, want);
		assert_int_equal(n, strlen(want));
	}
}

/* Which protocol, who submitted, which priority: the clauses in the order of RFC 5321 4.4. */
static void
test_clauses(void **state)
{
	static const struct {
		struct ipc_txn_begin b;
		const char *rcpt, *want;
	} t[] = {
		{ { .protocol = PROTO_LMTP, .helo = "h" }, NULL, "with LMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .utf8 = 1 }, NULL, "with UTF8SMTP id 3Z;" },
		{ { .protocol = PROTO_LMTP, .helo = "h", .utf8 = 1 }, NULL, "with UTF8LMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .tls = 1, .tls_text = "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519" },
		    "b@example.org", "with ESMTPS id 3Z\r\n\tfor <b@example.org>\r\n"
		    "\ttls TLS_AES_128_GCM_SHA256 group x25519 (TLSv1.3);\r\n\tSat" },
		{ { .protocol = PROTO_LMTP, .helo = "h", .tls = 1, .tls_text = "TLSv1.2 TLS_X" }, NULL,
		    "with LMTPS id 3Z\r\n\ttls TLS_X (TLSv1.2);" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .tls = 1, .utf8 = 1 }, NULL, "with UTF8SMTPS id 3Z;" },
		{ { .protocol = PROTO_SMTP, .helo = "h", .tls = 1 }, NULL, "with SMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .tls = 1, .tls_text = "TLSv1.3 a;b x25519" }, NULL,
		    "with ESMTPS id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .tls_text = "TLSv1.3 TLS_X" }, NULL, "with ESMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .prioritized = 1, .priority = -9 }, "b@example.org",
		    "with ESMTP id 3Z\r\n\tfor <b@example.org>\r\n\tPRIORITY -9;\r\n\tSat" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .prioritized = 1 }, NULL, "id 3Z\r\n\tPRIORITY 0;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .priority = 3 }, NULL, "with ESMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h", .utf8 = 1 }, "\xc3\xa9@example.org", "with UTF8SMTP id 3Z;" },
		{ { .protocol = PROTO_ESMTP, .helo = "h\xc3\xa9.example" }, NULL, "Received: from h??.example (" },
		{ { .local = 1, .uid = 1000, .helo = "nobody", .protocol = PROTO_ESMTP }, "b@example.org",
		    "Received: by mx.example.org (Postern, from userid 1000)\r\n\tid 3Z\r\n\tfor <b@example.org>;\r\n\tSat" },
	};
	char got[RECEIVED_MAX];
	const char *p;
	size_t i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = received_write(got, &t[i].b, "mx.example.org", 127, t[i].rcpt, WHEN);
		assert_int_equal(n, strlen(got));
		if (strstr(got, t[i].want) == NULL)
			fail_msg("row %zu: %s", i, got);
		for (p = got; *p != '\0'; p++)
			assert_true((unsigned char)*p < 0x80);
	}
}

static void
test_longest(void **state)
{
	char got[RECEIVED_MAX], host[DOMAIN_MAX + 1], rcpt[ADDRESS_MAX + 1];
	struct ipc_txn_begin b;
	const char *line, *nl;
	size_t n;

	memset(&b, 0xff, sizeof(b));
	b.local = 0;
	b.tls = 1;
	memset(b.tls_text, 'a', TLS_TEXT_MAX);
	b.tls_text[40] = ' ';
	b.tls_text[TLS_TEXT_MAX] = '\0';
	b.protocol = PROTO_LMTP;
	b.priority = -PRIORITY_MAX;
	memset(b.helo, 'h', HELO_MAX);
	b.helo[HELO_MAX] = '\0';
	memset(b.name, 'n', DOMAIN_MAX);
	b.name[DOMAIN_MAX] = '\0';
	memset(host, 'm', DOMAIN_MAX);
	host[DOMAIN_MAX] = '\0';
	memset(rcpt, 'r', ADDRESS_MAX);
	rcpt[ADDRESS_MAX] = '\0';
	n = received_write(got, &b, host, UINT64_MAX, rcpt, WHEN);
	assert_in_range(n, 1000, RECEIVED_MAX - 1);
	for (line = got; *line != '\0'; line = nl + 2) {
		nl = strstr(line, "\r\n");
		assert_non_null(nl);
		assert_true(nl - line <= TEXT_LINE_MAX);
	}
	b.local = 1;
	n = received_write(got, &b, host, UINT64_MAX, rcpt, WHEN);
	assert_in_range(n, 600, RECEIVED_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_clauses),
		cmocka_unit_test(test_longest),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
