/* scram_server.c -- see scram_server.h.  Core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/sasl.h"
#include "auth/scram_server.h"
#include "common/err.h"
#include "common/utf8.h"

#define CHALLENGE_MAX	(SCRAM_MESSAGE_MAX + BASE64_LEN(SCRAM_NONCE_OCTETS) + \
			BASE64_LEN(SCRAM_SALT_MAX) + 32)

static int
fail(struct scram_server *s, int err, const char *error)
{
	s->error = error;
	return (err);
}

struct scram_server *
scram_server_new(int plus, int offered, const struct slice *binding)
{
	struct scram_server	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		return (NULL);
	s->plus = plus != 0;
	s->offered = offered != 0;
	s->bound = -1;
	s->error = "other-error";
	for (size_t i = 0; i < BINDINGS; i++) {
		if (binding[i].n == 0 || binding[i].n > SASL_BINDING_MAX)
			continue;
		s->binding_len[i] = (uint8_t)binding[i].n;
		memcpy(s->binding[i], binding[i].p, binding[i].n);
	}
	return (s);
}

void
scram_server_free(struct scram_server *s)
{
	if (s == NULL)
		return;
	free(s->client_first);
	free(s->server_first);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

/* ---- grammar, RFC 5802 7 ---- */

/* The text up to the next comma, which is taken too; whether there was one is in *comma. */
static struct slice
take(struct slice *s, int *comma)
{
	const char	*p = s->n == 0 ? NULL : memchr(s->p, ',', s->n);
	struct slice	 f = slice_make(s->p, p == NULL ? s->n : (size_t)(p - s->p));

	*comma = p != NULL;
	*s = slice_make(s->p + f.n + *comma, s->n - f.n - (size_t)*comma);
	return (f);
}

/* "x=value" with a value that is not empty. */
static int
is_attr(struct slice s, char name)
{
	return (s.n > 2 && s.p[0] == name && s.p[1] == '=');
}

static struct slice
value(struct slice attr)
{
	return (slice_make(attr.p + 2, attr.n - 2));
}

/* What may follow the attributes that we know: unknown ones, which do not matter, but "m", which
 * does. */
static int
extensions(struct scram_server *s, struct slice text)
{
	struct slice	f;
	int		more = 1;

	while (more) {
		f = take(&text, &more);
		if (f.n < 3 || f.p[1] != '=' ||
		    !((f.p[0] >= 'a' && f.p[0] <= 'z') || (f.p[0] >= 'A' && f.p[0] <= 'Z')) ||
		    memchr(f.p, '\0', f.n) != NULL || !utf8_is_valid(f))
			return (fail(s, E_SYNTAX, "invalid-encoding"));
		if (f.p[0] == 'm')
			return (fail(s, E_DENIED, "extensions-not-supported"));
	}
	return (E_OK);
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other "=". */
static int
decode_name(char dst[static LOGIN_MAX + 1], struct slice s)
{
	char	plain[LOGIN_MAX + 1];
	size_t	n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (n == LOGIN_MAX)
			return (E_SYNTAX);
		if (s.p[i] != '=') {
			plain[n++] = s.p[i];
			continue;
		}
		if (s.n - i < 3 || (memcmp(s.p + i, "=2C", 3) != 0 && memcmp(s.p + i, "=3D", 3) != 0))
			return (E_SYNTAX);
		plain[n++] = s.p[i + 1] == '2' ? ',' : '=';
		i += 2;
	}
	return (sasl_login(dst, slice_make(plain, n)));
}

/* ---- the client's first message ---- */

static int
cbind_flag(struct scram_server *s, struct slice flag)
{
	struct slice	name;

	if (slice_eq(flag, SLICE_LIT("n")) || slice_eq(flag, SLICE_LIT("y"))) {
		if (s->plus)
			return (fail(s, E_DENIED, "channel-bindings-dont-match"));
		/* Who took the offer out of what the client saw? */
		if (flag.p[0] == 'y' && s->offered)
			return (fail(s, E_DENIED, "server-does-support-channel-binding"));
		return (E_OK);
	}
	if (!is_attr(flag, 'p'))
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	if (!s->plus)
		return (fail(s, E_DENIED, "channel-binding-not-supported"));
	name = value(flag);
	for (int i = 0; i < BINDINGS; i++) {
		if (slice_eq(name, slice_str(binding_name((unsigned)i))) && s->binding_len[i] != 0)
			s->bound = i;
	}
	return (s->bound >= 0 ? E_OK : fail(s, E_DENIED, "unsupported-channel-binding-type"));
}

static int
nonce_ok(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return (0);
	}
	return (s.n != 0);
}

/* client-first-message-bare.  The login before the flag of channel binding, so that a failure has a
 * name in the log. */
static int
bare(struct scram_server *s, struct slice text)
{
	struct slice	f;
	int		more;

	f = take(&text, &more);
	if (is_attr(f, 'm'))
		return (fail(s, E_DENIED, "extensions-not-supported"));
	if (!is_attr(f, 'n') || !more)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	if (decode_name(s->login, value(f)) != E_OK)
		return (fail(s, E_SYNTAX, "invalid-username-encoding"));
	f = take(&text, &more);
	if (!is_attr(f, 'r') || !nonce_ok(value(f)))
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	return (more ? extensions(s, text) : E_OK);
}

int
scram_server_first(struct scram_server *s, struct slice data)
{
	struct slice	rest, flag, authzid;
	char		name[LOGIN_MAX + 1];
	int		more, err;

	if (data.n == 0 || data.n > SCRAM_MESSAGE_MAX || memchr(data.p, '\0', data.n) != NULL)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	if (s->client_first != NULL)
		return (fail(s, E_SYNTAX, "other-error"));
	if ((s->client_first = malloc(data.n)) == NULL)
		return (fail(s, E_NOMEM, "no-resources"));
	memcpy(s->client_first, data.p, data.n);
	s->client_first_n = data.n;
	rest = slice_make(s->client_first, data.n);
	flag = take(&rest, &more);
	authzid = more ? take(&rest, &more) : slice_make("", 0);
	if (!more || (authzid.n != 0 && !is_attr(authzid, 'a')))
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	s->gs2_n = s->bare_at = data.n - rest.n;
	if ((err = bare(s, rest)) != E_OK || (err = cbind_flag(s, flag)) != E_OK)
		return (err);
	if (authzid.n == 0)
		return (E_OK);
	if (decode_name(name, value(authzid)) != E_OK)
		return (fail(s, E_SYNTAX, "invalid-username-encoding"));
	/* Nobody acts for somebody else here. */
	return (strcmp(name, s->login) == 0 ? E_OK : fail(s, E_DENIED, "other-error"));
}

/* ---- the server's first message ---- */

static struct slice
client_nonce(const struct scram_server *s)
{
	struct slice	rest = slice_make(s->client_first + s->bare_at, s->client_first_n - s->bare_at);
	int		more;

	(void)take(&rest, &more);
	return (value(take(&rest, &more)));
}

int
scram_server_challenge(struct scram_server *s, int known, const struct scram_entry *e,
    const uint8_t nonce[static SCRAM_NONCE_OCTETS], struct slice *out)
{
	struct slice	theirs = client_nonce(s);
	char		salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	size_t		n = 2;

	s->known = known != 0;
	s->entry = *e;
	if ((s->server_first = malloc(CHALLENGE_MAX)) == NULL)
		return (fail(s, E_NOMEM, "no-resources"));
	memcpy(s->server_first, "r=", 2);
	memcpy(s->server_first + n, theirs.p, theirs.n);
	n += theirs.n;
	n += base64_encode(s->server_first + n, slice_make(nonce, SCRAM_NONCE_OCTETS));
	s->nonce_n = n - 2;
	(void)base64_encode(salt, slice_make(e->salt, e->salt_len));
	n += (size_t)snprintf(s->server_first + n, CHALLENGE_MAX - n, ",s=%s,i=%u", salt,
	    (unsigned)e->iterations);
	s->server_first_n = n;
	*out = slice_make(s->server_first, n);
	return (E_OK);
}

/* ---- the client's last message ---- */

/* "c=" is the header of the first message and the binding that it names, in base64 (RFC 5802
 * 5.1). */
static int
check_cbind(struct scram_server *s, struct slice text)
{
	uint8_t	got[SCRAM_MESSAGE_MAX], want[SCRAM_MESSAGE_MAX + SASL_BINDING_MAX];
	size_t	n, want_n = s->gs2_n;

	if (base64_decode(got, sizeof(got), &n, text) != E_OK)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	memcpy(want, s->client_first, s->gs2_n);
	if (s->bound >= 0) {
		memcpy(want + want_n, s->binding[s->bound], s->binding_len[s->bound]);
		want_n += s->binding_len[s->bound];
	}
	if (n != want_n || !scram_same(got, want, n))
		return (fail(s, E_DENIED, "channel-bindings-dont-match"));
	return (E_OK);
}

/* The proof is the last attribute; *text is left with what stands before it. */
static int
take_proof(struct scram_server *s, struct slice *text, uint8_t proof[static SCRAM_KEY_LEN])
{
	const char	*comma = text->n == 0 ? NULL : memrchr(text->p, ',', text->n);
	struct slice	 f;
	size_t		 n, at;

	if (comma == NULL)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	at = (size_t)(comma - text->p);
	f = slice_make(comma + 1, text->n - at - 1);
	if (!is_attr(f, 'p') || base64_decode(proof, SCRAM_KEY_LEN, &n, value(f)) != E_OK ||
	    n != SCRAM_KEY_LEN)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	text->n = at;
	return (E_OK);
}

int
scram_server_final(struct scram_server *s, struct slice data, char dst[static SCRAM_FINAL_MAX + 1],
    size_t *len)
{
	struct scram_auth	a;
	struct slice		rest = data, cbind, nonce;
	uint8_t			proof[SCRAM_KEY_LEN], signature[SCRAM_KEY_LEN];
	int			err, more;

	if (data.n > SCRAM_MESSAGE_MAX || s->server_first == NULL)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	if ((err = take_proof(s, &rest, proof)) != E_OK)
		return (err);
	a.part[0] = slice_make(s->client_first + s->bare_at, s->client_first_n - s->bare_at);
	a.part[1] = slice_make(s->server_first, s->server_first_n);
	a.part[2] = rest;
	cbind = take(&rest, &more);
	if (is_attr(cbind, 'm'))
		return (fail(s, E_DENIED, "extensions-not-supported"));
	if (!is_attr(cbind, 'c') || !more)
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	nonce = take(&rest, &more);
	if (!is_attr(nonce, 'r') || !nonce_ok(value(nonce)))
		return (fail(s, E_SYNTAX, "invalid-encoding"));
	if (more && (err = extensions(s, rest)) != E_OK)
		return (err);
	if ((err = check_cbind(s, value(cbind))) != E_OK)
		return (err);
	if (!slice_eq(value(nonce), slice_make(s->server_first + 2, s->nonce_n)))
		return (fail(s, E_DENIED, "other-error"));
	err = scram_check_proof(s->entry.stored, &a, proof);
	if (err == E_OK && !s->known)		/* nobody's key: such a proof cannot be */
		err = E_DENIED;
	if (err != E_OK)
		return (fail(s, err, err == E_DENIED ? "invalid-proof" : "no-resources"));
	if (scram_server_signature(signature, s->entry.server, &a) != E_OK)
		return (fail(s, E_IO, "no-resources"));
	memcpy(dst, "v=", 2);
	*len = 2 + base64_encode(dst + 2, slice_make(signature, sizeof(signature)));
	return (E_OK);
}

int
scram_fake(struct scram_entry *e, const uint8_t secret[static SCRAM_KEY_LEN], struct slice login,
    uint32_t iterations)
{
	uint8_t	salt[SCRAM_KEY_LEN];

	memset(e, 0, sizeof(*e));
	e->iterations = iterations;
	e->salt_len = SCRAM_SALT_LEN;
	if (scram_hmac(salt, secret, SLICE_LIT("salt "), login) != E_OK ||
	    scram_hmac(e->stored, secret, SLICE_LIT("stored "), login) != E_OK ||
	    scram_hmac(e->server, secret, SLICE_LIT("server "), login) != E_OK)
		return (E_IO);
	memcpy(e->salt, salt, SCRAM_SALT_LEN);
	return (E_OK);
}
