/*
 * conf_auth_test.c -- AUTH, logins, TLS policies and trust anchors in the snapshot: the round trip, what unpack
 * refuses, how many there may be, and which policy counts for whom.
 */
#include <stdio.h>

#include "common/ipc_msg.h"
#include "tests/common/conf_kit.h"

#define PEM	"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define PLAIN	(1u << SASL_PLAIN | 1u << SASL_LOGIN)
#define SCRAM	(1u << SASL_SCRAM_SHA_256)
#define PLUS	(1u << SASL_SCRAM_SHA_256_PLUS)
#define EXTERNAL (1u << SASL_EXTERNAL)

static char der[] = "\x30\x02\x05\x00";
static struct conf_cert certs[] = {
	{ .name = "mx.test", .certificate_path = "/c.pem", .key_path = "/c.key", .chain = { der, 4 } },
};
static struct conf_listener listeners[] = {
	{ .name = "mx", .path = "", .port = 25, .connections = 1, .per_address = 1, .per_prefix = 1, .tls = LISTEN_STARTTLS },
	{ .name = "submissions", .path = "", .port = 465, .connections = 1, .per_address = 1, .per_prefix = 1,
	  .tls = LISTEN_IMPLICIT, .auth = 1, .client_certs = 1, .any_sender = 1 },
};
static const char *names[] = { "mx.example.net", ".example.net" };
static uint8_t fingerprints[2][SPKI_HASH_LEN] = { { 1 }, { 2 } };
static struct conf_tls_policy policies[] = {
	{ .name = "*", .want = WANT_MAY },
	{ .name = ".example.net", .want = WANT_VERIFY, .nnames = 2, .names = names, .resume = 1 },
	{ .name = "2001:db8::1", .want = WANT_FINGERPRINT, .nfingerprints = 2, .fingerprints = fingerprints },
	{ .name = "a.test", .want = WANT_DANE_ONLY },
	{ .name = "b.test", .want = WANT_ENCRYPT },
};
static struct conf_login logins[] = {
	{ .name = "office", .user = "u@example.net", .password_path = "/etc/postern/office.password" },
	{ .name = "b", .user = "x", .password_path = "/b" },
};
static struct conf_route routes[] = {
	{ "*", { HOP_SMTP, "smtp.example.net", 587, "", "office", 0 } },
};
static struct conf_domain domains[] = {
	{ .name = "final.test", .deliver = { HOP_SMTP, "a.test", 465, "", "b", 1 }, .all = 1, .catch_all = "" },
};
static uint32_t retry[] = { 60 };

static struct conf
sample(void)
{
	struct conf	 c = {
		.hostname = "mx.test", .directory = "/var/lib/postern", .runtime = "/run/postern", .user_prefix = "",
		.postmaster = "", .recipient_delimiter = "", .nlisteners = 2, .listeners = listeners, .ncerts = 1,
		.certs = certs, .ca = SLICE_LIT(PEM PEM), .client_ca = SLICE_LIT(PEM), .npolicies = 5, .policies = policies,
		.nlogins = 2, .logins = logins, .ndomains = 1, .domains = domains, .nroutes = 1, .routes = routes,
		.queue = { .nretry = 1, .retry = retry }, .deliver = { .bind4 = "", .bind6 = "" },
		.auth = { .needed = 1, .passwd_path = "/etc/postern/passwd", .dovecot_path = "", .pam_service = "",
		    .mechanisms = PLAIN | SCRAM | PLUS | EXTERNAL },
		.resolver = { .trust_anchor = "" },
	};

	kit_numbers(&c);
	return (c);
}

static void
test_round_trip(void **state)
{
	struct conf	 c = sample(), *back = kit_round_trip(&c);

	(void)state;
	assert_true(back->listeners[1].auth && back->listeners[1].client_certs && back->listeners[1].any_sender);
	assert_false(back->listeners[0].auth || back->listeners[0].client_certs || back->listeners[0].any_sender);
	assert_true(slice_eq(back->ca, c.ca) && slice_eq(back->client_ca, c.client_ca));
	assert_int_equal(back->npolicies, 5);
	assert_string_equal(back->policies[1].names[1], ".example.net");
	assert_true(back->policies[1].resume && !back->policies[2].resume);
	assert_memory_equal(back->policies[2].fingerprints, fingerprints, sizeof(fingerprints));
	assert_string_equal(back->logins[0].user, "u@example.net");
	assert_string_equal(back->logins[1].password_path, "/b");
	assert_string_equal(back->routes[0].via.login, "office");
	assert_string_equal(back->auth.passwd_path, "/etc/postern/passwd");
	assert_string_equal(back->auth.pam_service, "");
	assert_int_equal(back->auth.mechanisms, c.auth.mechanisms);
	assert_int_equal(back->auth.workers, 2);
	assert_int_equal(back->auth.failures_max, 10);
	assert_int_equal(back->auth.failure_window, 600);
	assert_int_equal(back->smtpd.submission_processes, 1);
	conf_free(back);
}

#define TAKEN(field, value) do { \
		__typeof__(field) was = (field); \
		(field) = (value); \
		assert_int_equal(unpacks(&c), E_OK); \
		(field) = was; \
	} while (0)

static void
test_listeners(void **state)
{
	struct conf	 c = sample();

	(void)state;
	REFUSED(listeners[0].auth, 2);
	REFUSED(listeners[0].client_certs, 2);
	REFUSED(listeners[1].any_sender, 2);
	REFUSED(listeners[0].any_sender, 1);	/* of a login, where there is none */
	REFUSED(listeners[1].lmtp, 1);
	TAKEN(listeners[0].auth, 1);
	TAKEN(listeners[0].client_certs, 1);
	REFUSED(c.client_ca, slice_make(NULL, 0));
	REFUSED(listeners[1].tls, LISTEN_CLEAR);	/* passwords in clear, and certificates without TLS */
	listeners[1].client_certs = 0;
	REFUSED(listeners[1].tls, LISTEN_CLEAR);
	TAKEN(c.client_ca, slice_make(NULL, 0));
	net_addr_parse(&listeners[1].addr, SLICE_LIT("127.0.0.2"));
	TAKEN(listeners[1].tls, LISTEN_CLEAR);	/* nobody but this machine's own hears it */
	listeners[1].addr = (struct net_addr){ .a = { 0 } };
	listeners[1].client_certs = 1;
	REFUSED(listeners[1].tls, LISTEN_CLEAR);
}

static void
test_source(void **state)
{
	static const struct { const char *passwd, *dovecot, *pam; unsigned mechanisms; int want; } rows[] = {
		{ "/p", "", "", PLAIN | SCRAM | PLUS | EXTERNAL, E_OK }, { "/p", "", "", EXTERNAL, E_OK },
		{ "/p", "", "", 0, E_PROTO }, { "/p", "", "", 1u << SASL_MECHANISMS, E_PROTO },
		{ "", "", "", 0, E_PROTO }, { "", "", "", PLAIN, E_PROTO },
		{ "/p", "/d", "", PLAIN, E_PROTO }, { "/p", "", "x", PLAIN, E_PROTO }, { "", "/d", "x", PLAIN, E_PROTO },
		{ "", "/d", "", PLAIN | SCRAM, E_OK }, { "", "/d", "", PLAIN | PLUS, E_PROTO },
		{ "", "/d", "", PLAIN | EXTERNAL, E_PROTO }, { "", "d", "", PLAIN, E_PROTO },
		{ "", "", "postern", PLAIN, E_OK }, { "", "", "postern", SCRAM, E_PROTO }, { "", "", "a/b", PLAIN, E_PROTO },
		{ "", "", "..", PLAIN, E_PROTO }, { "p", "", "", PLAIN, E_PROTO }, { "/p/../q", "", "", PLAIN, E_PROTO },
	};
	struct conf	 c = sample();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c.auth.passwd_path = rows[i].passwd;
		c.auth.dovecot_path = rows[i].dovecot;
		c.auth.pam_service = rows[i].pam;
		c.auth.mechanisms = rows[i].mechanisms;
		if (unpacks(&c) != rows[i].want)
			fail_msg("row %zu", i);
	}
	/* Without a listener that asks for it there need be none. */
	c = sample();
	listeners[1].auth = listeners[1].any_sender = 0;
	c.auth.passwd_path = "";
	c.auth.mechanisms = 0;
	REFUSED(c.auth.mechanisms, PLAIN);
	REFUSED(c.auth.needed, 0);		/* of the logins */
	routes[0].via.login = domains[0].deliver.login = "";
	c.nlogins = 0;
	assert_int_equal(unpacks(&c), E_PROTO);
	c.auth.needed = 0;
	assert_int_equal(unpacks(&c), E_OK);
	routes[0].via.login = "office";
	domains[0].deliver.login = "b";
	listeners[1].auth = listeners[1].any_sender = 1;
	c = sample();
	REFUSED(c.auth.needed, 0);
	REFUSED(c.auth.needed, 2);
}

static void
test_policies(void **state)
{
	struct conf	 c = sample();

	(void)state;
	REFUSED(policies[0].name, "b");			/* out of order */
	REFUSED(policies[3].name, "b.test");		/* twice */
	REFUSED(policies[4].name, "B.test");
	REFUSED(policies[4].name, "b.test.");
	REFUSED(policies[0].name, "");
	REFUSED(policies[0].name, ".");
	REFUSED(policies[0].name, "*.x");
	REFUSED(policies[2].name, "2001:db8:0::1");
	REFUSED(policies[0].want, WANTS);
	REFUSED(policies[1].want, WANT_DANE);		/* names mean nothing to it */
	REFUSED(policies[0].want, WANT_FINGERPRINT);	/* of nothing */
	REFUSED(policies[2].want, WANT_VERIFY);
	REFUSED(policies[2].nfingerprints, 0);
	REFUSED(policies[0].resume, 2);
	REFUSED(names[0], "Mx.example.net");
	REFUSED(names[1], "*.example.net");
	REFUSED(names[1], ".");
	REFUSED(names[1], "");
	TAKEN(policies[1].nnames, 0);
}

static void
test_logins(void **state)
{
	struct conf	 c = sample();

	(void)state;
	REFUSED(logins[1].name, "office");
	REFUSED(logins[1].name, "c");			/* a hop's is missing */
	REFUSED(logins[1].name, "a b");
	REFUSED(logins[0].user, "");
	REFUSED(logins[0].user, "a\x01");
	REFUSED(logins[0].password_path, "x");
	REFUSED(logins[0].password_path, "");
	REFUSED(routes[0].via.login, "nobody");
	REFUSED(routes[0].via.host, "b.test");		/* encryption alone is not enough for a password */
	REFUSED(domains[0].deliver.host, "b.test");
	TAKEN(domains[0].deliver.host, "other.test");	/* "*" is not named for it: it gets WANT_VERIFY */
	TAKEN(domains[0].deliver.host, "2001:db8::1");
	policies[2].name = "::1";
	TAKEN(domains[0].deliver.host, "::1");
	policies[2].name = "2001:db8::1";
	for (int want = 0; want < WANTS; want++) {
		policies[3].want = (enum tls_want)want;
		policies[3].nfingerprints = want == WANT_FINGERPRINT;
		policies[3].fingerprints = fingerprints;
		assert_int_equal(unpacks(&c), want == WANT_VERIFY || want == WANT_FINGERPRINT || want == WANT_DANE_ONLY ?
		    E_OK : E_PROTO);
	}
	policies[3].want = WANT_DANE_ONLY;
	policies[3].nfingerprints = 0;
}

static void
test_anchors(void **state)
{
	static const char *const bad[] = {
		"x", "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "x" PEM, PEM "x", PEM "\n",
		"-----BEGIN CERTIFICATE-----\n\x80\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\r\nAAAA\n-----END CERTIFICATE-----\n",
	};
	static char	 big[TLS_CA_MAX + 2];
	struct conf	 c = sample();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSED(c.ca, slice_str(bad[i]));
		REFUSED(c.client_ca, slice_str(bad[i]));
	}
	TAKEN(c.ca, slice_make(NULL, 0));
	for (size_t n = TLS_CA_MAX - 1; n <= TLS_CA_MAX + 1; n++) {
		memset(big, 'A', n);
		memcpy(big, PEM, 28);
		memcpy(big + n - 26, "-----END CERTIFICATE-----\n", 26);
		c.ca = c.client_ca = slice_make(big, n);
		assert_int_equal(unpacks(&c), n <= TLS_CA_MAX ? E_OK : E_PROTO);
	}
}

static void
test_counts(void **state)
{
	static struct conf_tls_policy	 many[TLS_POLICIES_MAX + 1];
	static struct conf_login	 more[LOGINS_MAX + 1];
	static char			 titles[TLS_POLICIES_MAX + 1][16], text[CONF_PATH_MAX + 2];
	static const char		*many_names[TLS_POLICY_NAMES_MAX + 1];
	static uint8_t			 many_prints[TLS_POLICY_NAMES_MAX + 1][SPKI_HASH_LEN];
	struct conf			 c = sample();

	(void)state;
	for (size_t i = 0; i < TLS_POLICIES_MAX + 1; i++) {
		snprintf(titles[i], sizeof(titles[i]), "n%05zu.test", i);
		many[i] = (struct conf_tls_policy){ .name = titles[i], .want = WANT_VERIFY };
	}
	for (size_t i = 0; i < LOGINS_MAX + 1; i++) {
		more[i] = logins[0];
		more[i].name = titles[i];
	}
	more[0].name = "office";
	more[1].name = "b";
	for (size_t i = 0; i < TLS_POLICY_NAMES_MAX + 1; i++)
		many_names[i] = "a.test";
	c.policies = many;
	COUNTED(c.npolicies, TLS_POLICIES_MAX);
	c.npolicies = 2;
	many[0].names = many_names;
	many[1].fingerprints = many_prints;
	COUNTED(many[0].nnames, TLS_POLICY_NAMES_MAX);
	many[1].want = WANT_FINGERPRINT;
	many[1].nfingerprints = 1;
	COUNTED(many[1].nfingerprints, TLS_POLICY_NAMES_MAX);
	c.logins = more;
	COUNTED(c.nlogins, LOGINS_MAX);
	c.nlogins = 3;
	memset(text, 'x', sizeof(text));
#define LENGTH(field, first, max) do { \
		const char *keep = (field); \
		(field) = text; \
		text[0] = (first); \
		for (size_t n = (max) - 1; n <= (max) + 1; n++) { \
			text[n] = '\0'; \
			assert_int_equal(unpacks(&c), n <= (max) ? E_OK : E_PROTO); \
			text[n] = 'x'; \
		} \
		(field) = keep; \
	} while (0)
	LENGTH(more[2].user, 'x', LOGIN_MAX);
	LENGTH(more[2].password_path, '/', CONF_PATH_MAX);
	LENGTH(more[2].name, 'x', LOGIN_TITLE_MAX);
	LENGTH(c.auth.passwd_path, '/', CONF_PATH_MAX);
	c.auth.mechanisms = PLAIN;
	c.auth.passwd_path = "";
	LENGTH(c.auth.dovecot_path, '/', CONF_SOCKET_MAX);
	LENGTH(c.auth.pam_service, 'x', PAM_SERVICE_MAX);
}

static void
test_which_policy(void **state)
{
	static const struct { const char *host, *policy; enum tls_want want; } rows[] = {
		{ "mx.example.net", ".example.net", WANT_VERIFY }, { "a.b.example.net", ".example.net", WANT_VERIFY },
		{ "example.net", "*", WANT_MAY }, { "net", "*", WANT_MAY }, { "", "*", WANT_MAY },
		{ "2001:db8::1", "2001:db8::1", WANT_FINGERPRINT }, { "2001:db8::2", "*", WANT_MAY },
		{ "a.test", "a.test", WANT_DANE_ONLY }, { "x.a.test", "*", WANT_MAY }, { "b.test", "b.test", WANT_ENCRYPT },
	};
	struct conf			 c = sample();
	const struct conf_tls_policy	*p;
	enum tls_want			 want;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = conf_tls_policy_find(&c, rows[i].host);
		assert_non_null(p);
		assert_string_equal(p->name, rows[i].policy);
		assert_int_equal(p->want, rows[i].want);
		/* With a login: never less than to know who it is. */
		p = conf_login_policy(&c, rows[i].host, &want);
		if (rows[i].want == WANT_MAY || rows[i].want == WANT_ENCRYPT) {
			assert_null(p);
			assert_int_equal(want, WANT_VERIFY);
		} else
			assert_int_equal(want, rows[i].want);
		assert_int_equal(conf_login_policy_ok(&c, rows[i].host), rows[i].want != WANT_ENCRYPT);
	}
	assert_non_null(conf_login_policy(&c, "127.0.0.1", &want));
	assert_int_equal(want, WANT_MAY);
	c.policies++;	/* without "*" */
	c.npolicies--;
	assert_null(conf_tls_policy_find(&c, "example.net"));
	assert_null(conf_tls_policy_find(&c, ""));
	assert_null(conf_login_policy(&c, "::1", &want));
	assert_int_equal(want, WANT_DANE);
	assert_null(conf_login_policy(&c, "localhost", &want));	/* whoever answers to that name */
	assert_int_equal(want, WANT_VERIFY);
	assert_ptr_equal(conf_login_find(&c, "b"), &logins[1]);
	assert_null(conf_login_find(&c, ""));
	assert_string_equal(tls_want_name(WANT_DANE_ONLY), "dane-only");
	assert_string_equal(tls_want_name(WANTS), "?");
}

static void
test_hops(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "smtps:host.test", "smtps:[host.test]:465" }, { "smtps:[10.0.0.1]:26", "smtps:[10.0.0.1]:26" },
		{ "smtp:office@host.test:587", "smtp:office@[host.test]:587" }, { "smtps:a.b-c_D9@[::1]", "smtps:a.b-c_D9@[::1]:465" },
		{ "smtps:", NULL }, { "smtp:@host", NULL }, { "smtp:a@", NULL }, { "smtp:a@b@c", NULL }, { "smtp:a/b@c", NULL },
		{ "smtps:a b@c", NULL }, { "maildir:a@/x", NULL }, { "a@mx", NULL },
	};
	struct arena	 mem;
	struct hop	 h;
	const char	*why;
	char		 in[LOGIN_TITLE_MAX + 16], text[128];

	(void)state;
	arena_init(&mem, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((hop_parse(&h, &mem, slice_str(rows[i].in), &why) == E_OK) != (rows[i].out != NULL))
			fail_msg("%s", rows[i].in);
		if (rows[i].out == NULL)
			continue;
		assert_string_equal(hop_str(&h, text, sizeof(text)), rows[i].out);
		assert_true(conf_hop_ok(&h));
	}
	for (int n = LOGIN_TITLE_MAX - 1; n <= LOGIN_TITLE_MAX + 1; n++) {
		memset(text, 'l', sizeof(text));
		snprintf(in, sizeof(in), "smtp:%.*s@h", n, text);
		assert_int_equal(hop_parse(&h, &mem, slice_str(in), &why) == E_OK, n <= LOGIN_TITLE_MAX);
	}
	arena_clear(&mem);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_listeners), cmocka_unit_test(test_source),
		cmocka_unit_test(test_policies), cmocka_unit_test(test_logins), cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_which_policy), cmocka_unit_test(test_hops),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
