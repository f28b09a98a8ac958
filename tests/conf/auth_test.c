/*
 * auth_test.c -- AUTH, logins at next hops, TLS policies and trust anchors in postern.conf: what the snapshot gets,
 * and the exact lines that tell what is wrong.
 */
#include "common/ipc_msg.h"
#include "common/limits.h"
#include "conf/ca.h"
#include "tests/conf/build_kit.h"
#include "tests/conf/cert_kit.h"

#define SYSTEM_CA	"/etc/ssl/certs/ca-certificates.crt"
#define ALL		(1u << SASL_PLAIN | 1u << SASL_LOGIN | 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS)

static char	*own_pem, *ca_pem, *two_pem;
static int	 no_system_ca;

static char *
no_file(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	*why = "none";
	return (NULL);
}

static char *
fake_cert(const char *path, size_t max, const char **why)
{
	assert_int_equal(max, strcmp(path, "/own.pem") == 0 ? CERT_FILE_MAX : TLS_CA_MAX);
	if (strcmp(path, "/own.pem") == 0 || strcmp(path, "/leaf.pem") == 0)
		return (strdup(own_pem));
	if (strcmp(path, "/ca.pem") == 0)
		return (strdup(ca_pem));
	if (strcmp(path, "/two.pem") == 0 || (strcmp(path, SYSTEM_CA) == 0 && !no_system_ca))
		return (strdup(two_pem));
	if (strcmp(path, "/words.pem") == 0)
		return (strdup("nothing here\n"));
	*why = "No such file or directory";
	return (NULL);
}

static const struct conf_world world = { .name = "c", .hostname = "host.test", .read_file = no_file, .read_cert = fake_cert, .now = NOW };

static struct conf *
build(const char *in, int no_tables, char *text, size_t size)
{
	struct conf_world	 w = world;

	w.no_tables = no_tables;
	return (build_in(&w, slice_str(in), text, size));
}

/* The same of a text with which nothing is wrong. */
static struct conf *
good(const char *in)
{
	char		 text[4096];
	struct conf	*c = build(in, 0, text, sizeof(text));

	if (c == NULL)
		fail_msg("%s: %s", in, text);
	return (c);
}

#define TLS	"tls \"host.test\" { certificate = \"/own.pem\" key = \"/own.key\" }\n"
#define PASSWD	"auth { passwd = \"/p\" }\n"
#define FP	"01AAbb0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d"

static void
test_errors(void **state)
{
	static const struct build_case cases[] = {
#include "tests/conf/auth_cases.h"
	};
	char	 text[4096];

	(void)state;
	build_cases(&world, cases, sizeof(cases) / sizeof(cases[0]));
	no_system_ca = 1;
	assert_null(build("tls-policy a.test { level = verify }\n", 0, text, sizeof(text)));
	assert_string_equal(text, "c:1: level \"verify\" needs certification authorities, and " SYSTEM_CA " cannot be read: "
	    "install the package ca-certificates, or name a file of them: tls-ca = \"...\"\n");
	no_system_ca = 0;
}

/* A server for submission: its listeners, and where passwords are. */
static void
test_submission(void **state)
{
	static const char	 in[] = TLS
	    "client-ca = \"/ca.pem\"\n"
	    "listener a { address = \"::\" port = 465 tls = implicit auth = true client-certificates = true }\n"
	    "listener b { address = \"::\" port = 587 tls = starttls auth = true any-sender = true }\n"
	    "listener c { address = \"127.0.0.1\" port = 2587 auth = true }\n"
	    "listener d { address = \"unix:/run/x\" auth = true }\n"
	    "listener e { address = \"::\" port = 25 tls = starttls client-certificates = true }\n"
	    "smtpd { submission-processes = 3 }\n"
	    "auth { passwd = \"/etc/postern/passwd\" workers = 4 failures-max = 7 failure-window = 5m }\n";
	static char	 text[4096];
	struct conf	*c = build(in, 0, text, sizeof(text));

	(void)state;
	assert_string_equal(text, "");
	assert_non_null(c);
	for (size_t i = 0; i < 4; i++)
		assert_true(c->listeners[i].auth);
	assert_true(c->listeners[0].client_certs && !c->listeners[0].any_sender);
	assert_true(c->listeners[1].any_sender && !c->listeners[1].client_certs);
	assert_true(c->listeners[4].client_certs && !c->listeners[4].auth);
	assert_false(c->listeners[5].auth);	/* that of local-submission */
	assert_true(c->auth.needed);
	assert_string_equal(c->auth.passwd_path, "/etc/postern/passwd");
	assert_string_equal(c->auth.dovecot_path, "");
	assert_int_equal(c->auth.mechanisms, ALL | 1u << SASL_EXTERNAL);
	assert_int_equal(c->auth.workers, 4);
	assert_int_equal(c->auth.failures_max, 7);
	assert_int_equal(c->auth.failure_window, 300);
	assert_int_equal(c->smtpd.submission_processes, 3);
	assert_memory_equal(c->client_ca.p, "-----BEGIN CERTIFICATE-----\n", 28);
	assert_int_equal(c->ca.n, 0);
	conf_free(c);
	/* Who asks without tables gets no TLS, hence no AUTH, but still learns where the table of passwords is. */
	c = build(in, 1, text, sizeof(text));
	assert_non_null(c);
	assert_false(c->listeners[0].auth || c->listeners[0].client_certs || c->listeners[1].any_sender || c->auth.needed);
	assert_string_equal(c->auth.passwd_path, "/etc/postern/passwd");
	conf_free(c);
}

static void
test_mechanisms(void **state)
{
	static const struct { const char *in; unsigned want; } cases[] = {
		{ "", 0 }, { "auth { workers = 1 }", 0 }, { "auth { passwd = \"/p\" }", ALL },
		{ "auth { dovecot = \"/d\" }", 1u << SASL_PLAIN | 1u << SASL_LOGIN },
		{ "auth { pam = p }", 1u << SASL_PLAIN | 1u << SASL_LOGIN },
		{ "auth { dovecot = \"/d\" mechanisms = { SCRAM-SHA-256 } }", 1u << SASL_SCRAM_SHA_256 },
		{ "auth { passwd = \"/p\" mechanisms = { LOGIN, SCRAM-SHA-256-PLUS } }",
		  1u << SASL_LOGIN | 1u << SASL_SCRAM_SHA_256_PLUS },
		{ TLS "client-ca = \"/ca.pem\" listener a { tls = starttls auth = true client-certificates = true }\n"
		  "auth { passwd = \"/p\" mechanisms = EXTERNAL }", 1u << SASL_EXTERNAL },
		{ TLS "client-ca = \"/ca.pem\" listener a { tls = starttls client-certificates = true }\n" PASSWD, ALL },
		{ TLS "client-ca = \"/ca.pem\" listener a { tls = starttls auth = true client-certificates = true }\n"
		  "auth { pam = p }", 1u << SASL_PLAIN | 1u << SASL_LOGIN },
	};
	struct conf	*c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = good(cases[i].in);
		assert_int_equal(c->auth.mechanisms, cases[i].want);
		conf_free(c);
	}
}

static void
test_policies(void **state)
{
	static const char	 in[] =
	    "tls-policy \"*\" { level = may }\n"
	    "tls-policy \"Example.NET\" { level = verify names = { \"mx.example.net\", \"*.Example.com\" } resume = false }\n"
	    "tls-policy \".Below.Example\" { level = fingerprint\n fingerprints = { \"" FP "\", \""
	    "00:01:02:03:04:05:06:07:08:09:0A:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1A:1b:1c:1d:1e:ff\" } }\n"
	    "tls-policy \"2001:DB8::1\" { level = encrypt }\ntls-policy p.test { }\n";
	char		 text[4096];
	struct conf	*c = build(in, 0, text, sizeof(text));

	(void)state;
	assert_string_equal(text, "");
	assert_non_null(c);
	assert_int_equal(c->npolicies, 5);
	assert_string_equal(c->policies[0].name, "*");
	assert_int_equal(c->policies[0].want, WANT_MAY);
	assert_string_equal(c->policies[1].name, ".below.example");
	assert_int_equal(c->policies[1].nfingerprints, 2);
	assert_memory_equal(c->policies[1].fingerprints[0], "\x01\xaa\xbb\x01\x02", 5);
	assert_int_equal(c->policies[1].fingerprints[1][0], 0);
	assert_int_equal(c->policies[1].fingerprints[1][31], 0xff);
	assert_string_equal(c->policies[2].name, "2001:db8::1");
	assert_string_equal(c->policies[3].name, "example.net");
	assert_int_equal(c->policies[3].nnames, 2);
	assert_string_equal(c->policies[3].names[1], ".example.com");
	assert_false(c->policies[3].resume);
	assert_true(c->policies[4].resume);
	assert_int_equal(c->policies[4].want, WANT_DANE);
	assert_non_null(memmem(c->ca.p, c->ca.n, "CATE-----\n-----BEGIN", 20));	/* two, the words between them left out */
	conf_free(c);
}

/* Where there are authorities in the snapshot: what asks for them, and nothing else. */
static void
test_ca_wanted(void **state)
{
	static const struct { const char *in; int want; } cases[] = {
		{ "tls-ca = \"/two.pem\"\n", 0 },
		{ "tls-policy a.test { level = dane-only }\ntls-policy b.test { level = encrypt }\n", 0 },
		{ "tls-policy a.test { level = verify }\n", 1 },
		{ "login o { user = u password-file = \"/f\" }\n", 0 },
		{ "login o { user = u password-file = \"/f\" }\nroute \"*\" { via = \"smtp:o@[smart.test]:587\" }\n", 1 },
		{ "login o { user = u password-file = \"/f\" }\ndomain a.test { deliver = \"smtps:o@smart.test\" }\n", 1 },
		{ "login o { user = u password-file = \"/f\" }\nroute \"*\" { via = \"smtp:o@[127.0.0.1]:587\" }\n", 0 },
		{ "login o { user = u password-file = \"/f\" }\nroute \"*\" { via = \"smtp:o@[smart.test]:587\" }\n"
		  "tls-policy \".test\" { level = dane-only }\n", 0 },
		{ "login o { user = u password-file = \"/f\" }\nroute \"*\" { via = \"smtp:o@[smart.test]:587\" }\n"
		  "tls-policy \"*\" { level = may }\n", 1 },
	};
	char		 text[4096];
	struct conf	*c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = good(cases[i].in);
		if ((c->ca.n != 0) != cases[i].want)
			fail_msg("%s: %zu octets", cases[i].in, c->ca.n);
		assert_int_equal(c->auth.needed, c->nlogins != 0);
		conf_free(c);
		conf_free(build(cases[i].in, 1, text, sizeof(text)));
		assert_string_equal(strstr(cases[i].in, "login") != NULL ? "" : text, "");
	}
}

static void
test_login(void **state)
{
	static const char	 in[] =
	    "login office { user = \"us\xc3\xa9r@example.net\" password-file = \"/etc/postern/office.password\" }\n"
	    "route a.test { via = \"smtps:office@[192.0.2.1]\" }\nroute b.test { via = \"smtp:office@Smart.test:587\" }\n"
	    "tls-policy smart.test { level = fingerprint fingerprints = \"" FP "\" }\n";
	static char	 text[4096];
	struct conf	*c = build(in, 0, text, sizeof(text));
	enum tls_want	 want;

	(void)state;
	if (c == NULL)
		fail_msg("%s", text);
	assert_string_equal(c->logins[0].user, "us\xc3\xa9r@example.net");
	assert_string_equal(c->logins[0].password_path, "/etc/postern/office.password");
	assert_true(c->routes[0].via.implicit);
	assert_int_equal(c->routes[0].via.port, 465);
	assert_string_equal(c->routes[1].via.login, "office");
	assert_null(conf_login_policy(c, c->routes[0].via.host, &want));
	assert_int_equal(want, WANT_VERIFY);
	assert_ptr_equal(conf_login_policy(c, c->routes[1].via.host, &want), &c->policies[0]);
	assert_int_equal(want, WANT_FINGERPRINT);
	assert_true(c->auth.needed);
	assert_int_equal(c->auth.mechanisms, 0);
	conf_free(c);
}

/* ---- files of authorities ---- */

static void
read_ca(struct ca *out, const char *pem_text, const char *want)
{
	char		 why[CERT_WHY_MAX] = "";
	struct arena	 mem;

	arena_init(&mem, SIZE_MAX);
	if (ca_read(out, pem_text, NOW, &mem, why) != (want == NULL) || strcmp(why, want != NULL ? want : "") != 0)
		fail_msg("says \"%s\", wanted \"%s\"", why, want);
	if (want == NULL)
		assert_memory_equal(out->pem.p + out->pem.n - 26, "-----END CERTIFICATE-----\n", 26);
	arena_clear(&mem);
}

static void
test_ca_read(void **state)
{
	X509		*old[] = { certificate("x", ec, "x", ec, -9, -1, "CA:TRUE") };
	X509		*early[] = { certificate("x", ec, "x", ec, 1, 9, "CA:TRUE") };
	struct ca	 ca;
	char		*text, *cut;

	(void)state;
	read_ca(&ca, ca_pem, NULL);
	assert_int_equal(ca.n, 1);
	assert_string_equal(ca.warning, "");
	read_ca(&ca, two_pem, NULL);
	assert_int_equal(ca.n, 2);
	assert_string_equal(ca.warning, "certificate 2 of the file is not that of a certification authority");
	text = pem(old, 1);
	read_ca(&ca, text, NULL);
	assert_string_equal(ca.warning, "certificate 1 of the file has expired");
	free(text);
	text = pem(early, 1);
	read_ca(&ca, text, NULL);
	assert_string_equal(ca.warning, "certificate 1 of the file is not valid yet");
	free(text);
	read_ca(&ca, "", "no certificate in PEM (-----BEGIN CERTIFICATE-----)");
	read_ca(&ca, "-----BEGIN PRIVATE KEY-----\n", "it holds a private key too, which belongs to nobody but its authority");
	cut = strdup(two_pem);
	memset(strstr(strstr(cut, "END"), "BEGIN CERTIFICATE-----\n") + 23, '!', 8);
	read_ca(&ca, cut, "certificate 2 of the file cannot be read");
	free(cut);
}

/* What is read of a file, and what is written again: this one is shorter in its lines, so longer by their ends. */
static void
test_ca_limit(void **state)
{
	struct arena	 mem;
	struct ca	 ca, one;
	char		 why[CERT_WHY_MAX], *text, *at;
	size_t		 each, n;

	(void)state;
	arena_init(&mem, SIZE_MAX);
	assert_true(ca_read(&one, ca_pem, NOW, &mem, why));
	each = one.pem.n;
	n = TLS_CA_MAX / each;
	assert_non_null(text = malloc((n + 1) * each + 1));
	at = text;
	for (size_t i = 0; i <= n; i++, at += each)
		memcpy(at, one.pem.p, each);
	*at = '\0';
	assert_false(ca_read(&ca, text, NOW, &mem, why));
	assert_string_equal(why, "its certificates are more than 4194304 octets");
	text[n * each] = '\0';
	assert_true(ca_read(&ca, text, NOW, &mem, why));
	assert_int_equal(ca.n, n);
	assert_int_equal(ca.pem.n, n * each);
	free(text);
	arena_clear(&mem);
}

/* ---- how many, and how long ---- */

/* In the texts below n is what the limit is about: a number of things, or of octets. */
static void
letters(FILE *f, const char *before, int n, const char *after)
{
	fputs(before, f);
	while (n-- > 0)
		fputc('a', f);
	fputs(after, f);
}

static void
login_title(FILE *f, int n)
{
	letters(f, "login ", n, " { user = u password-file = \"/f\" }\n");
}

static void
login_user(FILE *f, int n)
{
	letters(f, "login a { password-file = \"/f\" user = \"", n, "\" }\n");
}

static void
password_path(FILE *f, int n)
{
	letters(f, "login a { user = u password-file = \"/", n - 1, "\" }\n");
}

static void
login_sections(FILE *f, int n)
{
	for (int i = 0; i < n; i++)
		fprintf(f, "login l%d { user = u password-file = \"/f\" }\n", i);
}

static void
policies(FILE *f, int n)
{
	for (int i = 0; i < n; i++)
		fprintf(f, "tls-policy n%d.test { }\n", i);
}

static void
policy_names(FILE *f, int n)
{
	fputs("tls-policy a.test { level = verify names = { a", f);
	for (int i = 1; i < n; i++)
		fprintf(f, ", \"*.n%d.test\"", i);
	fputs(" } }\n", f);
}

static void
policy_fingerprints(FILE *f, int n)
{
	fputs("tls-policy a.test { level = fingerprint fingerprints = { " FP, f);
	for (int i = 1; i < n; i++)
		fputs(", " FP, f);
	fputs(" } }\n", f);
}

static void
passwd_path(FILE *f, int n)
{
	letters(f, "auth { passwd = \"/", n - 1, "\" }\n");
}

static void
dovecot_path(FILE *f, int n)
{
	letters(f, "auth { dovecot = \"/", n - 1, "\" }\n");
}

static void
pam_service(FILE *f, int n)
{
	letters(f, "auth { pam = ", n, " }\n");
}

static void
test_limits(void **state)
{
	static const struct build_limit cases[] = {
		{ login_title, LOGIN_TITLE_MAX, "expected a name of at most 63 letters" },
		{ login_user, LOGIN_MAX, "expected 1 to 255 octets" },
		{ password_path, CONF_PATH_MAX, "expected an absolute path of at most 1000 octets" },
		{ login_sections, LOGINS_MAX, "c:257: login: more than 256 sections\n" },
		{ policies, TLS_POLICIES_MAX, "c:10001: tls-policy: more than 10000 sections\n" },
		{ policy_names, TLS_POLICY_NAMES_MAX, "c:1: names: more than 64\n" },
		{ policy_fingerprints, TLS_POLICY_NAMES_MAX, "c:1: fingerprints: more than 64\n" },
		{ passwd_path, CONF_PATH_MAX, "expected an absolute path of at most 1000 octets" },
		{ dovecot_path, CONF_SOCKET_MAX, "expected an absolute path of at most 107 octets" },
		{ pam_service, PAM_SERVICE_MAX, "at most 63 letters" },
	};

	(void)state;
	build_limits(&world, cases, sizeof(cases) / sizeof(cases[0]));
}

static int
set_up(void **state)
{
	X509	*a[1], *b[2];

	if (make_keys(state) == -1)
		return (-1);
	a[0] = own(ec, "DNS:host.test");
	own_pem = pem(a, 1);
	a[0] = certificate("ca", rsa, "ca", rsa, -1, 300, "CA:TRUE");
	ca_pem = pem(a, 1);
	b[0] = certificate("ca", rsa, "ca", rsa, -1, 300, "CA:TRUE");
	b[1] = own(ec, "DNS:host.test");
	two_pem = pem(b, 2);
	return (0);
}

static int
tear_down(void **state)
{
	free(own_pem);
	free(ca_pem);
	free(two_pem);
	return (free_keys(state));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors), cmocka_unit_test(test_submission), cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_policies), cmocka_unit_test(test_ca_wanted), cmocka_unit_test(test_login),
		cmocka_unit_test(test_ca_read), cmocka_unit_test(test_ca_limit),
		cmocka_unit_test(test_limits),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
