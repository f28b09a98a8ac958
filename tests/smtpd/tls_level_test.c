/*
 * tls_level_test.c -- which certificate, version, cipher and group a client gets, and tickets; at the real shell.
 */
#include "tests/smtpd/tls_kit.h"

static int
old(void **state)
{
	return (kit_setup_with(state, LISTEN_STARTTLS, TLS_OLD));
}

static int
modern(void **state)
{
	return (kit_setup_with(state, LISTEN_STARTTLS, TLS_MODERN));
}

/* Certificates by name and by what the client can verify, in TLS 1.2 and 1.3. */
static void
certificates(void **state)
{
	static const struct {
		const char	*name, *algorithms, *want;
		int		 type;
	} t[] = {
		{ NULL, NULL, "mx.example.org", EVP_PKEY_EC },
		{ NULL, "RSA-PSS+SHA256:RSA+SHA256", "mx.example.org", EVP_PKEY_RSA },
		{ "mx.example.org", "ECDSA+SHA256", "mx.example.org", EVP_PKEY_EC },
		{ "MX.Example.ORG", "RSA-PSS+SHA256:RSA+SHA256", "mx.example.org", EVP_PKEY_RSA },
		{ "other.example.net", NULL, "*.example.net", EVP_PKEY_EC },
		{ "a.example.net", NULL, "*.example.net", EVP_PKEY_EC },
		{ "A.EXAMPLE.net", NULL, "*.example.net", EVP_PKEY_EC },
		{ "b.a.example.net", NULL, "mx.example.org", EVP_PKEY_EC },	/* one label, RFC 6125 6.4.3 */
		{ "example.net", NULL, "mx.example.org", EVP_PKEY_EC },
		{ "nobody.example", NULL, "mx.example.org", EVP_PKEY_EC },
	};
	char		cn[100];
	struct peer	p;
	size_t		i;
	int		v, type;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
			p = kit_peer(kit_starttls(&kit), t[i].name);
			SSL_set_min_proto_version(p.ssl, v);
			SSL_set_max_proto_version(p.ssl, v);
			if (t[i].algorithms != NULL)
				assert_int_equal(SSL_set1_sigalgs_list(p.ssl, t[i].algorithms), 1);
			if (kit_handshake(&kit, &p) != 1)
				fail_msg("case %zu, version %x: no handshake", i, (unsigned)v);
			kit_shown(&p, cn, &type);
			if (strcmp(cn, t[i].want) != 0 || type != t[i].type)
				fail_msg("case %zu, version %x: %s %d", i, (unsigned)v, cn, type);
			kit_leave(&p);
		}
	}
}

/* What a level does not take: 0. */
static int
try(int version, const char *ciphers, const char *groups)
{
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);
	int		ok;

	SSL_set_security_level(p.ssl, 0);
	SSL_set_min_proto_version(p.ssl, version);
	SSL_set_max_proto_version(p.ssl, version);
	if (ciphers != NULL)
		assert_int_equal(SSL_set_cipher_list(p.ssl, ciphers), 1);
	if (groups != NULL)
		assert_int_equal(SSL_set1_groups_list(p.ssl, groups), 1);
	ok = kit_handshake(&kit, &p);
	kit_leave(&p);
	return (ok);
}

static void
intermediate_level(void **state)
{
	assert_int_equal(try(TLS1_VERSION, "ALL:@SECLEVEL=0", NULL), 0);
	assert_int_equal(try(TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL), 0);
	assert_int_equal(try(TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA", NULL), 0);
	assert_int_equal(try(TLS1_2_VERSION, "AES128-GCM-SHA256:AES256-SHA", NULL), 0);	/* no forward secrecy */
	assert_int_equal(try(TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL), 0);
	assert_int_equal(try(TLS1_2_VERSION, "ADH-AES128-GCM-SHA256:AECDH-AES128-SHA", NULL), 0);
	assert_int_equal(try(TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", NULL), 1);
	assert_int_equal(try(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL), 1);
	assert_int_equal(try(TLS1_2_VERSION, NULL, "P-256"), 1);
	assert_int_equal(try(TLS1_3_VERSION, NULL, "P-384"), 1);
	assert_int_equal(try(TLS1_3_VERSION, NULL, "P-521"), 0);
	assert_int_equal(try(TLS1_3_VERSION, NULL, "ffdhe2048"), 0);
}

static void
modern_level(void **state)
{
	assert_int_equal(try(TLS1_2_VERSION, NULL, NULL), 0);
	assert_int_equal(try(TLS1_3_VERSION, NULL, NULL), 1);
}

static void
old_level(void **state)
{
	assert_int_equal(try(TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL), 0);
	assert_int_equal(try(TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", NULL), 1);
	assert_int_equal(try(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", NULL), 1);
	assert_int_equal(try(TLS1_2_VERSION, "AES128-SHA", NULL), 0);
	assert_int_equal(try(TLS1_3_VERSION, NULL, "P-521"), 1);
}

/* ---- tickets ---- */

static void
tell_tickets(const uint8_t *seeds, uint8_t n)
{
	struct ipc_ticket_keys	m = { .n = n };
	uint8_t			i;

	for (i = 0; i < n; i++)
		memset(&m.key[i], seeds[i], sizeof(m.key[i]));
	TELL(kit.b, TICKET_KEYS, ticket_keys, &m, -1);
}

static SSL_SESSION	*got;

/* A session of its own; got is its ticket.  1 if it was resumed. */
static int
visit_as(const char *name, int version, SSL_SESSION *with)
{
	struct peer	p = kit_peer(kit_starttls(&kit), name);
	int		resumed;

	SSL_set_max_proto_version(p.ssl, version);
	if (with != NULL)
		SSL_set_session(p.ssl, with);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "QUIT\r\n");
	kit_hear(&kit, &p, "221");
	resumed = SSL_session_reused(p.ssl);
	SSL_SESSION_free(got);
	got = SSL_get1_session(p.ssl);
	SSL_shutdown(p.ssl);
	kit_leave(&p);
	return (resumed);
}

/* Keys as master rotates them: the new one seals, the old ones open until they are gone.  Two processes share them. */
static int
visit(int version, SSL_SESSION *with)
{
	return (visit_as(NULL, version, with));
}

static void
tickets(void **state)
{
	SSL_SESSION	*first, *second;
	int		 v;

	for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		tell_tickets((const uint8_t[]){ 1 }, 1);
		assert_int_equal(visit(v, NULL), 0);
		assert_non_null(first = got);
		got = NULL;
		assert_int_equal(SSL_SESSION_has_ticket(first), 1);
		kit.asked = 0;
		assert_int_equal(visit(v, first), 1);
		assert_int_equal(kit.asked, 0);		/* nothing to sign */
		tell_tickets((const uint8_t[]){ 2, 1 }, 2);
		assert_int_equal(visit(v, first), 1);
		second = got;				/* renewed under 2 */
		got = NULL;
		tell_tickets((const uint8_t[]){ 3, 2 }, 2);
		assert_int_equal(visit(v, first), 0);
		assert_int_equal(visit(v, second), 1);
		SSL_SESSION_free(second);
		SSL_SESSION_free(first);
		/* Another process with the same keys. */
		assert_int_equal(visit(v, NULL), 0);
		first = got;
		got = NULL;
		assert_int_equal(kit_teardown(state), 0);
		assert_int_equal(kit_setup(state), 0);
		assert_int_equal(visit(v, first), 0);
		tell_tickets((const uint8_t[]){ 3, 2 }, 2);
		assert_int_equal(visit(v, first), 1);
		SSL_SESSION_free(first);
		SSL_SESSION_free(got);
		got = NULL;
	}
}

/* A session is resumed where it was made: RFC 6066 3 MUST NOT, and not past a change of the level. */
static void
tickets_stay(void **state)
{
	static const char	*const names[] = { NULL, "mx.example.org", "a.example.net", "b.example.net", "nobody.example" };
	const size_t		 n = sizeof(names) / sizeof(names[0]);
	SSL_SESSION		*of;
	size_t			 i, k;
	int			 v;

	tell_tickets((const uint8_t[]){ 1 }, 1);
	for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		for (i = 0; i < n; i++) {
			assert_int_equal(visit_as(names[i], v, NULL), 0);
			of = got;
			got = NULL;
			for (k = 0; k < n; k++) {
				/* The client would not offer it: the name in its session is its own to change. */
				SSL_SESSION_set1_hostname(of, names[k]);
				if (visit_as(names[k], v, of) != (i == k))
					fail_msg("made as %s, resumed as %s, version %x", names[i] != NULL ? names[i] : "none",
					    names[k] != NULL ? names[k] : "none", (unsigned)v);
			}
			if (i == 0) {
				kit_level = TLS_OLD;
				send_conf(kit.b);
				assert_int_equal(visit_as(NULL, v, of), 0);
				kit_level = TLS_INTERMEDIATE;
				send_conf(kit.b);
				assert_int_equal(visit_as(NULL, v, of), 1);
			}
			SSL_SESSION_free(of);
		}
	}
	SSL_SESSION_free(got);
	got = NULL;
}

/* Without keys for tickets there are none, and all works. */
static void
no_tickets(void **state)
{
	int	v;

	for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		assert_int_equal(visit(v, NULL), 0);
		assert_true(got == NULL || SSL_SESSION_has_ticket(got) == 0);
		SSL_SESSION_free(got);
		got = NULL;
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(certificates, none, kit_teardown),
		cmocka_unit_test_setup_teardown(intermediate_level, none, kit_teardown),
		cmocka_unit_test_setup_teardown(tickets, none, kit_teardown),
		cmocka_unit_test_setup_teardown(tickets_stay, none, kit_teardown),
		cmocka_unit_test_setup_teardown(no_tickets, none, kit_teardown),
		cmocka_unit_test_setup_teardown(modern_level, modern, kit_teardown),
		cmocka_unit_test_setup_teardown(old_level, old, kit_teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	if (kit_open() != 0)
		return (1);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
