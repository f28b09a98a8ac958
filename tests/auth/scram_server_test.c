/*
 * scram_server_test.c -- RFC 7677 3's exchange, channel bindings by name, every message that is
 * refused and with what word, and the same steps for who is not there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram_server.h"
#include "common/err.h"

static const struct slice	none[BINDINGS];
static const struct slice	tls13[BINDINGS] = { SLICE_LIT("exporter-of-this-session-32-octs"), { NULL, 0 }, SLICE_LIT("hash-of-the-certificate") };
static const uint8_t		nonce[SCRAM_NONCE_OCTETS] = "\xfb\xff\xbfxyzabcdefghijkl";
#define SERVER_NONCE		"+/+/eHl6YWJjZGVmZ2hpamts"	/* the same in base64 */

static struct scram_entry
pencil(void)
{
	struct scram_entry	e = { .iterations = 4096 };
	size_t			n;

	assert_int_equal(base64_decode(e.salt, sizeof(e.salt), &n, SLICE_LIT("W22ZaJ0SNY7soEsUEjb6gQ==")), E_OK);
	e.salt_len = (uint8_t)n;
	assert_int_equal(scram_derive(&e, SLICE_LIT("pencil")), E_OK);
	return (e);
}

/* A client that is right in all but what it is told to be wrong in: the text before the proof is
 * given. */
static size_t
client_final(char *dst, size_t size, const char *bare, struct slice server_first, const char *without_proof, const char *password)
{
	struct scram_auth	a = { { slice_str(bare), server_first, slice_str(without_proof) } };
	struct scram_entry	e = pencil();
	uint8_t			salted[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN];
	char			text[BASE64_LEN(SCRAM_KEY_LEN) + 1];

	assert_int_equal(scram_salted_password(salted, slice_str(password), slice_make(e.salt, e.salt_len), 4096), E_OK);
	assert_int_equal(scram_client_proof(proof, salted, &a), E_OK);
	(void)base64_encode(text, slice_make(proof, sizeof(proof)));
	return ((size_t)snprintf(dst, size, "%s,p=%s", without_proof, text));
}

static struct scram_server *
first(int plus, int offered, const struct slice *binding, const char *text, int want, const char *error)
{
	struct scram_server	*s = scram_server_new(plus, offered, binding);

	assert_non_null(s);
	if (scram_server_first(s, slice_str(text)) != want || (want != E_OK && strcmp(s->error, error) != 0))
		fail_msg("%s: %s", text, s->error);
	return (s);
}

static struct slice
challenge(struct scram_server *s, int known)
{
	struct scram_entry	e = pencil();
	struct slice		out;

	assert_int_equal(scram_server_challenge(s, known, &e, nonce, &out), E_OK);
	return (out);
}

/* RFC 7677 3, but for the server's nonce, which we draw otherwise. */
static void
vector(void **state)
{
	struct scram_server	*s = first(0, 0, none, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", E_OK, "");
	struct slice		 c = challenge(s, 1);
	struct scram_auth	 a;
	struct scram_entry	 e = pencil();
	uint8_t			 v[SCRAM_KEY_LEN];
	char			 text[512], last[SCRAM_FINAL_MAX + 1], want[BASE64_LEN(SCRAM_KEY_LEN) + 1];
	size_t			 n, len;

	assert_string_equal(s->login, "user");
	assert_true(slice_eq(c, slice_str("r=rOprNGfwEbeRWgbNEkqO" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	n = client_final(text, sizeof(text), "n=user,r=rOprNGfwEbeRWgbNEkqO", c, "c=biws,r=rOprNGfwEbeRWgbNEkqO" SERVER_NONCE, "pencil");
	assert_int_equal(scram_server_final(s, slice_make(text, n), last, &len), E_OK);
	assert_int_equal(len, strlen(last));
	a = (struct scram_auth){ { SLICE_LIT("n=user,r=rOprNGfwEbeRWgbNEkqO"), c, SLICE_LIT("c=biws,r=rOprNGfwEbeRWgbNEkqO" SERVER_NONCE) } };
	assert_int_equal(scram_server_signature(v, e.server, &a), E_OK);
	(void)base64_encode(want, slice_make(v, sizeof(v)));
	assert_memory_equal(last, "v=", 2);
	assert_string_equal(last + 2, want);
	scram_server_free(s);
	scram_server_free(NULL);
}

static void
first_messages(void **state)
{
	static const struct { int plus, offered, err; const char *text, *error; } v[] = {
		{ 0, 0, E_OK, "n,,n=user,r=x", "" }, { 0, 1, E_OK, "n,,n=user,r=x", "" }, { 0, 0, E_OK, "y,,n=user,r=x", "" },
		{ 0, 0, E_OK, "n,a=user,n=user,r=x", "" }, { 0, 0, E_OK, "n,a=u=2Cs=3Der,n=u=2Cs=3Der,r=x", "" },
		{ 0, 0, E_OK, "n,,n=user,r=x,a=b,Z==", "" }, { 0, 0, E_OK, "n,,n=user,r==", "" },
		{ 1, 1, E_OK, "p=tls-exporter,,n=user,r=x", "" }, { 1, 1, E_OK, "p=tls-server-end-point,a=user,n=user,r=x", "" },
		/* Downgrade, and what does not go together. */
		{ 0, 1, E_DENIED, "y,,n=user,r=x", "server-does-support-channel-binding" },
		{ 0, 0, E_DENIED, "p=tls-exporter,,n=user,r=x", "channel-binding-not-supported" },
		{ 0, 1, E_DENIED, "p=tls-exporter,,n=user,r=x", "channel-binding-not-supported" },
		{ 1, 1, E_DENIED, "n,,n=user,r=x", "channel-bindings-dont-match" }, { 1, 1, E_DENIED, "y,,n=user,r=x", "channel-bindings-dont-match" },
		{ 1, 1, E_DENIED, "p=tls-unique,,n=user,r=x", "unsupported-channel-binding-type" },	/* TLS 1.3 has none */
		{ 1, 1, E_DENIED, "p=tls-exporte,,n=user,r=x", "unsupported-channel-binding-type" },
		{ 1, 1, E_DENIED, "p=TLS-EXPORTER,,n=user,r=x", "unsupported-channel-binding-type" },
		/* Others. */
		{ 0, 0, E_DENIED, "n,a=other,n=user,r=x", "other-error" },
		{ 0, 0, E_DENIED, "n,,m=x,n=user,r=x", "extensions-not-supported" }, { 0, 0, E_DENIED, "n,,n=user,r=x,m=y", "extensions-not-supported" },
		{ 0, 0, E_DENIED, "n,,n=user,r=x,a=1,m=y,b=2", "extensions-not-supported" },
		{ 0, 0, E_SYNTAX, "", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,n=user,r=x", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "N,,n=user,r=x", "invalid-encoding" }, { 0, 0, E_SYNTAX, "nn,,n=user,r=x", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, ",,n=user,r=x", "invalid-encoding" }, { 1, 1, E_SYNTAX, "p=,,n=user,r=x", "invalid-encoding" },
		{ 1, 1, E_SYNTAX, "p,,n=user,r=x", "invalid-encoding" }, { 0, 0, E_SYNTAX, "F,n,,n=user,r=x", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,a=,n=user,r=x", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,user,n=user,r=x", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,a=u=2c,n=user,r=x", "invalid-username-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user,", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user,r=", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,r=x,n=user", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=,r=x", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,user,r=x", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=us=er,r=x", "invalid-username-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user=,r=x", "invalid-username-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user=2,r=x", "invalid-username-encoding" }, { 0, 0, E_SYNTAX, "n,,n=us=2cer,r=x", "invalid-username-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=us=00er,r=x", "invalid-username-encoding" }, { 0, 0, E_SYNTAX, "n,,n=us\ner,r=x", "invalid-username-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=us\xff" "er,r=x", "invalid-username-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user,r=x y", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user,r=\xc3\xa4", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user,r=x,", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user,r=x,a", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user,r=x,a=", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user,r=x,1=b", "invalid-encoding" },
		{ 0, 0, E_SYNTAX, "n,,n=user,r=x,a=\xff", "invalid-encoding" }, { 0, 0, E_SYNTAX, "n,,n=user,r=x,ab=c", "invalid-encoding" },
	};
	struct scram_server	*s;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		scram_server_free(first(v[i].plus, v[i].offered, v[i].offered ? tls13 : none, v[i].text, v[i].err, v[i].error));
	s = scram_server_new(0, 0, none);
	assert_int_equal(scram_server_first(s, slice_make("n,,n=us\0er,r=x", 14)), E_SYNTAX);
	scram_server_free(s);
	s = first(0, 0, none, "n,,n=u=2Cs=3Der,r=x", E_OK, "");
	assert_string_equal(s->login, "u,s=er");
	scram_server_free(s);
	/* The login is known where the failure comes after it, for the log. */
	s = first(0, 1, tls13, "y,,n=user,r=x", E_DENIED, "server-does-support-channel-binding");
	assert_string_equal(s->login, "user");
	scram_server_free(s);
	/* SASLprep: IX as one character. */
	s = first(0, 0, none, "n,,n=I\xc2\xadX,r=x", E_OK, "");
	assert_string_equal(s->login, "IX");
	scram_server_free(s);
}

/* What is bound is the header of this message and the data of this channel. */
static void
bindings(void **state)
{
	static const struct { const char *gs2; int endpoint; struct slice data; int err; const char *error; } v[] = {
		{ "p=tls-exporter,,", 0, SLICE_LIT("exporter-of-this-session-32-octs"), E_OK, "" },
		{ "p=tls-server-end-point,,", 1, SLICE_LIT("hash-of-the-certificate"), E_OK, "" },
		{ "p=tls-exporter,,", 0, SLICE_LIT("exporter-of-that-session-32-octs"), E_DENIED, "channel-bindings-dont-match" },
		{ "p=tls-exporter,,", 0, SLICE_LIT("hash-of-the-certificate"), E_DENIED, "channel-bindings-dont-match" },
		{ "p=tls-exporter,,", 0, SLICE_LIT(""), E_DENIED, "channel-bindings-dont-match" },
		{ "p=tls-server-end-point,,", 0, SLICE_LIT("exporter-of-this-session-32-octs"), E_DENIED, "channel-bindings-dont-match" },
		{ "n,,", 0, SLICE_LIT("exporter-of-this-session-32-octs"), E_DENIED, "channel-bindings-dont-match" },
		{ "y,,", 0, SLICE_LIT(""), E_DENIED, "channel-bindings-dont-match" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		const char		*text = v[i].endpoint ? "p=tls-server-end-point,,n=user,r=abc" : "p=tls-exporter,,n=user,r=abc";
		struct scram_server	*s = first(1, 1, tls13, text, E_OK, "");
		struct slice		 c = challenge(s, 1);
		char			 cbind[200], b64[300], before[400], last[SCRAM_FINAL_MAX + 1], msg[600];
		size_t			 n = (size_t)snprintf(cbind, sizeof(cbind), "%s%.*s", v[i].gs2, (int)v[i].data.n, v[i].data.p), len;

		(void)base64_encode(b64, slice_make(cbind, n));
		(void)snprintf(before, sizeof(before), "c=%s,r=abc" SERVER_NONCE, b64);
		n = client_final(msg, sizeof(msg), "n=user,r=abc", c, before, "pencil");
		assert_int_equal(scram_server_final(s, slice_make(msg, n), last, &len), v[i].err);
		if (v[i].err != E_OK)
			assert_string_equal(s->error, v[i].error);
		scram_server_free(s);
	}
}

#define R	"r=abc" SERVER_NONCE

static void
final_messages(void **state)
{
	static const struct { int err; const char *before, *error; } v[] = {
		{ E_OK, "c=biws," R, "" }, { E_OK, "c=biws," R ",a=b", "" }, { E_OK, "c=biws," R ",a=b,p=q", "" },
		{ E_DENIED, "c=biws,r=abc", "other-error" }, { E_DENIED, "c=biws,r=abd" SERVER_NONCE, "other-error" },
		{ E_DENIED, "c=biws," R "x", "other-error" }, { E_DENIED, "c=biws,r=" SERVER_NONCE, "other-error" },
		{ E_DENIED, "c=eSws," R, "channel-bindings-dont-match" },	/* "y,," */
		{ E_DENIED, "c=bixhPXVzZXIs," R, "channel-bindings-dont-match" },	/* "n,a=user," */
		{ E_DENIED, "m=x,c=biws," R, "extensions-not-supported" }, { E_DENIED, "c=biws," R ",m=x", "extensions-not-supported" },
		{ E_SYNTAX, "c=biw," R, "invalid-encoding" }, { E_SYNTAX, "c=," R, "invalid-encoding" }, { E_SYNTAX, R ",c=biws", "invalid-encoding" },
		{ E_SYNTAX, "c=biws", "invalid-encoding" }, { E_SYNTAX, R, "invalid-encoding" }, { E_SYNTAX, "c=biws,r=", "invalid-encoding" },
		{ E_SYNTAX, "", "invalid-encoding" }, { E_SYNTAX, "c=biws," R ",", "invalid-encoding" }, { E_SYNTAX, "c=biws," R ",a", "invalid-encoding" },
		{ E_SYNTAX, "d=biws," R, "invalid-encoding" }, { E_SYNTAX, "c=biws, " R, "invalid-encoding" },
	};
	static const char *const	proofs[] = { "", "p", "p=", "p=AAAA", "q=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=" };
	struct scram_server		*s;
	char				 msg[600], last[SCRAM_FINAL_MAX + 1];
	struct slice			 c;
	size_t				 n, len;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
		c = challenge(s, 1);
		n = client_final(msg, sizeof(msg), "n=user,r=abc", c, v[i].before, "pencil");
		if (scram_server_final(s, slice_make(msg, n), last, &len) != v[i].err ||
		    (v[i].err != E_OK && strcmp(s->error, v[i].error) != 0))
			fail_msg("%s: %s", v[i].before, s->error);
		scram_server_free(s);
	}
	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
		(void)challenge(s, 1);
		n = (size_t)snprintf(msg, sizeof(msg), "c=biws," R ",%s", proofs[i]);
		assert_int_equal(scram_server_final(s, slice_make(msg, n), last, &len), E_SYNTAX);
		scram_server_free(s);
	}
	/* Before its time, and twice. */
	s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
	assert_int_equal(scram_server_final(s, slice_str("c=biws," R ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), last, &len), E_SYNTAX);
	assert_int_equal(scram_server_first(s, slice_str("n,,n=user,r=abc")), E_SYNTAX);
	scram_server_free(s);
}

static void
wrong_passwords(void **state)
{
	static const char *const	bad[] = { "", "Pencil", "pencil ", "pencils" };
	struct scram_server		*s;
	char				 msg[600], last[SCRAM_FINAL_MAX + 1];
	struct slice			 c;
	size_t				 n, len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
		c = challenge(s, 1);
		n = client_final(msg, sizeof(msg), "n=user,r=abc", c, "c=biws," R, bad[i]);
		assert_int_equal(scram_server_final(s, slice_make(msg, n), last, &len), E_DENIED);
		assert_string_equal(s->error, "invalid-proof");
		scram_server_free(s);
	}
	/* Another's name with the right password: AuthMessage differs. */
	s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
	c = challenge(s, 1);
	n = client_final(msg, sizeof(msg), "n=resu,r=abc", c, "c=biws," R, "pencil");
	assert_int_equal(scram_server_final(s, slice_make(msg, n), last, &len), E_DENIED);
	scram_server_free(s);
}

/* The same words in the same places; the salt is its own, and stays; not even a proof of its "keys"
 * helps. */
static void
nobody(void **state)
{
	static const uint8_t	secret[SCRAM_KEY_LEN] = "of this process", other[SCRAM_KEY_LEN] = "of another";
	struct scram_entry	e, again, f;
	struct scram_server	*s;
	struct slice		 c;
	char			 msg[600], last[SCRAM_FINAL_MAX + 1];
	size_t			 n, len;

	assert_int_equal(scram_fake(&e, secret, SLICE_LIT("user"), 15000), E_OK);
	assert_int_equal(scram_fake(&again, secret, SLICE_LIT("user"), 15000), E_OK);
	assert_memory_equal(&e, &again, sizeof(e));
	assert_int_equal(e.iterations, 15000);
	assert_int_equal(e.salt_len, SCRAM_SALT_LEN);
	assert_int_equal(scram_fake(&f, secret, SLICE_LIT("user2"), 15000), E_OK);
	assert_memory_not_equal(e.salt, f.salt, SCRAM_SALT_LEN);
	assert_memory_not_equal(e.stored, f.stored, SCRAM_KEY_LEN);
	assert_int_equal(scram_fake(&f, other, SLICE_LIT("user"), 15000), E_OK);
	assert_memory_not_equal(e.salt, f.salt, SCRAM_SALT_LEN);
	assert_memory_not_equal(e.stored, e.server, SCRAM_KEY_LEN);

	s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
	c = challenge(s, 0);	/* with pencil's own keys, and yet unknown */
	n = client_final(msg, sizeof(msg), "n=user,r=abc", c, "c=biws," R, "pencil");
	assert_int_equal(scram_server_final(s, slice_make(msg, n), last, &len), E_DENIED);
	assert_string_equal(s->error, "invalid-proof");
	scram_server_free(s);
}

static void
limits(void **state)
{
	static char	msg[SCRAM_MESSAGE_MAX + 2], fin[2 * SCRAM_MESSAGE_MAX], out[3 * SCRAM_MESSAGE_MAX];
	char		last[SCRAM_FINAL_MAX + 1];

	for (size_t n = SCRAM_MESSAGE_MAX - 1; n <= SCRAM_MESSAGE_MAX + 1; n++) {
		struct scram_server	*s = scram_server_new(0, 0, none);
		struct slice		 c;
		size_t			 len;

		memcpy(msg, "n,,n=user,r=", 12);
		memset(msg + 12, 'x', n - 12);
		msg[n] = '\0';
		assert_int_equal(scram_server_first(s, slice_make(msg, n)), n <= SCRAM_MESSAGE_MAX ? E_OK : E_SYNTAX);
		if (n <= SCRAM_MESSAGE_MAX) {
			c = challenge(s, 1);
			assert_true(c.n > n && c.n <= SASL_DATA_MAX);
			/* The client's last message has the same bound: an extension fills it. */
			(void)snprintf(fin, sizeof(fin), "c=biws,%.*s", (int)(n - 10 + 24), c.p);
			len = client_final(out, sizeof(out), msg + 3, c, fin, "pencil");
			assert_int_equal(scram_server_final(s, slice_make(out, len), last, &len), len <= SCRAM_MESSAGE_MAX ? E_OK : E_SYNTAX);
		}
		scram_server_free(s);
	}
	for (size_t n = SCRAM_MESSAGE_MAX - 1; n <= SCRAM_MESSAGE_MAX + 1; n++) {
		struct scram_server	*s = first(0, 0, none, "n,,n=user,r=abc", E_OK, "");
		struct slice		 c = challenge(s, 1);
		size_t			 len, before = n - 3 - BASE64_LEN(SCRAM_KEY_LEN);

		memset(fin, 'x', sizeof(fin));
		len = (size_t)snprintf(fin, sizeof(fin), "c=biws," R ",z=");
		fin[len] = 'x';
		fin[before] = '\0';
		len = client_final(out, sizeof(out), "n=user,r=abc", c, fin, "pencil");
		assert_int_equal(len, n);
		assert_int_equal(scram_server_final(s, slice_make(out, len), last, &len), n <= SCRAM_MESSAGE_MAX ? E_OK : E_SYNTAX);
		scram_server_free(s);
	}
	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++) {
		memcpy(msg, "n,,n=", 5);
		memset(msg + 5, 'u', n);
		memcpy(msg + 5 + n, ",r=x", 5);
		scram_server_free(first(0, 0, none, msg, n <= LOGIN_MAX ? E_OK : E_SYNTAX, "invalid-username-encoding"));
	}
	/* Each comma is three octets on the wire, one in the login. */
	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++) {
		memcpy(msg, "n,,n=", 6);
		for (size_t i = 0; i < n; i++)
			memcpy(msg + 5 + 3 * i, "=2C", 3);
		memcpy(msg + 5 + 3 * n, ",r=x", 5);
		scram_server_free(first(0, 0, none, msg, n <= LOGIN_MAX ? E_OK : E_SYNTAX, "invalid-username-encoding"));
	}
	/* Bindings. */
	for (size_t n = SASL_BINDING_MAX - 1; n <= SASL_BINDING_MAX + 1; n++) {
		struct slice	b[BINDINGS] = { slice_make(msg, n), { NULL, 0 }, { NULL, 0 } };

		scram_server_free(first(1, 1, b, "p=tls-exporter,,n=user,r=x", n <= SASL_BINDING_MAX ? E_OK : E_DENIED,
		    "unsupported-channel-binding-type"));
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(vector), cmocka_unit_test(first_messages), cmocka_unit_test(bindings), cmocka_unit_test(final_messages),
		cmocka_unit_test(wrong_passwords), cmocka_unit_test(nobody), cmocka_unit_test(limits),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
