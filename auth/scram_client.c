/* scram_client.c -- see scram_client.h.  Core. */
#include "auth/scram_client.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/units.h"

/* ---- what we say ---- */

/* saslname of RFC 5802 7: no NUL; "=" and "," have other forms. */
static int
put_name(struct scram_client *c, struct slice user)
{
	const char	*form;

	if (user.n == 0 || user.n > LOGIN_MAX || memchr(user.p, '\0', user.n) != NULL)
		return (E_LIMIT);
	memcpy(c->bare, "n=", 2);
	c->bare_len = 2;
	for (size_t i = 0; i < user.n; i++) {
		form = user.p[i] == ',' ? "=2C" : user.p[i] == '=' ? "=3D" : NULL;
		if (form != NULL) {
			memcpy(c->bare + c->bare_len, form, 3);
			c->bare_len += 3;
		} else
			c->bare[c->bare_len++] = user.p[i];
	}
	return (E_OK);
}

int
scram_client_first(struct scram_client *c, char *dst, size_t *len, struct slice user, unsigned kind, struct slice binding,
    int able, const uint8_t nonce[static SCRAM_NONCE_OCTETS])
{
	size_t	n;

	memset(c, 0, sizeof(*c));
	if (kind < BINDINGS && (binding.n == 0 || binding.n > sizeof(c->binding)))
		return (E_LIMIT);
	if (put_name(c, user) != E_OK)
		return (E_LIMIT);
	if (kind < BINDINGS) {
		(void)snprintf(c->gs2, sizeof(c->gs2), "p=%s,,", binding_name(kind));
		memcpy(c->binding, binding.p, binding.n);
		c->binding_len = binding.n;
	} else
		(void)snprintf(c->gs2, sizeof(c->gs2), "%s,,", able ? "y" : "n");
	(void)base64_encode(c->nonce, slice_make(nonce, SCRAM_NONCE_OCTETS));
	memcpy(c->bare + c->bare_len, ",r=", 3);
	memcpy(c->bare + c->bare_len + 3, c->nonce, SCRAM_NONCE_TEXT);
	c->bare_len += 3 + SCRAM_NONCE_TEXT;
	n = strlen(c->gs2);
	memcpy(dst, c->gs2, n);
	memcpy(dst + n, c->bare, c->bare_len);
	*len = n + c->bare_len;
	return (E_OK);
}

int
scram_client_final(struct scram_client *c, char *dst, size_t *len, const uint8_t salted[static SCRAM_KEY_LEN])
{
	char			input[SCRAM_GS2_MAX + SASL_BINDING_MAX];	/* cbind-input */
	uint8_t			stored[SCRAM_KEY_LEN], server[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN];
	size_t			n = strlen(c->gs2), at = 2;
	struct scram_auth	auth;
	int			err;

	memcpy(input, c->gs2, n);
	memcpy(input + n, c->binding, c->binding_len);
	memcpy(dst, "c=", 2);
	at += base64_encode(dst + at, slice_make(input, n + c->binding_len));
	memcpy(dst + at, ",r=", 3);
	memcpy(dst + at + 3, c->full_nonce.p, c->full_nonce.n);
	at += 3 + c->full_nonce.n;
	auth = (struct scram_auth){ { slice_make(c->bare, c->bare_len), slice_make(c->server, c->server_len),
	    slice_make(dst, at) } };
	if ((err = scram_keys(stored, server, salted)) == E_OK &&
	    (err = scram_server_signature(c->expected, server, &auth)) == E_OK &&
	    (err = scram_client_proof(proof, salted, &auth)) == E_OK) {
		memcpy(dst + at, ",p=", 3);
		at += 3;
		at += base64_encode(dst + at, slice_make(proof, sizeof(proof)));
	}
	*len = at;
	explicit_bzero(stored, sizeof(stored));
	explicit_bzero(server, sizeof(server));
	return (err);
}

/* ---- what the server says ---- */

/* The next attribute must be this one: its value; 0 if it is not, or is empty. */
static int
next_attr(struct slice *rest, char name, struct slice *value)
{
	const char	*comma = rest->n != 0 ? memchr(rest->p, ',', rest->n) : NULL;
	size_t		 n = comma != NULL ? (size_t)(comma - rest->p) : rest->n;

	if (n < 3 || rest->p[0] != name || rest->p[1] != '=')
		return (0);
	*value = slice_make(rest->p + 2, n - 2);
	rest->p += n + (comma != NULL);
	rest->n -= n + (comma != NULL);
	return (comma == NULL || rest->n != 0);	/* a comma has something behind it */
}

/*
 * Extensions: each is attr-val; they mean nothing to us, but "m" forbids to go on (RFC 5802 5.1).
 */
static int
extensions_ok(struct slice rest)
{
	struct slice	value;
	char		c;

	while (rest.n != 0) {
		c = (char)(rest.p[0] | 0x20);
		if (c < 'a' || c > 'z' || rest.p[0] == 'm' || !next_attr(&rest, rest.p[0], &value))
			return (0);
	}
	return (1);
}

static int
bad(const char **why, int err, const char *text)
{
	*why = text;
	return (err);
}

int
scram_client_take(struct scram_client *c, struct slice message, const char **why)
{
	struct slice	rest, salt, count, nonce;
	uint64_t	n;
	int		err;

	if (message.n > sizeof(c->server))
		return (bad(why, E_LIMIT, "its first message is too long"));
	memcpy(c->server, message.p != NULL ? message.p : "", message.n);
	c->server_len = message.n;
	rest = slice_make(c->server, c->server_len);
	if (memchr(c->server, '\0', c->server_len) != NULL || !next_attr(&rest, 'r', &nonce) ||
	    !next_attr(&rest, 's', &salt) || !next_attr(&rest, 'i', &count) || !extensions_ok(rest))
		return (bad(why, E_SYNTAX, "its first message is not SCRAM's"));
	for (size_t i = 0; i < nonce.n; i++) {
		if (nonce.p[i] < '!' || nonce.p[i] > '~')
			return (bad(why, E_SYNTAX, "its nonce is not printable"));
	}
	/*
	 * It must go on from ours, and have something of its own: else an old exchange could be
	 * played again.
	 */
	if (nonce.n <= SCRAM_NONCE_TEXT || memcmp(nonce.p, c->nonce, SCRAM_NONCE_TEXT) != 0)
		return (bad(why, E_SYNTAX, "its nonce does not begin with ours"));
	c->full_nonce = nonce;
	if ((err = base64_decode(c->salt, sizeof(c->salt), &c->salt_len, salt)) != E_OK)
		return (bad(why, err, err == E_LIMIT ? "its salt is too long" : "its salt is no base64"));
	if (count.p[0] == '0' || ((err = number_parse(&n, count, UINT32_MAX)) != E_OK && err == E_SYNTAX))
		return (bad(why, E_SYNTAX, "its iteration count is no number"));
	if (err != E_OK || n > SCRAM_CLIENT_ITERATIONS_MAX)
		return (bad(why, E_RANGE, "its iteration count is too large"));
	if (n < SCRAM_ITERATIONS_MIN)
		return (bad(why, E_RANGE, "its iteration count is too small to protect the password"));
	c->iterations = (uint32_t)n;
	return (E_OK);
}

int
scram_client_verify(const struct scram_client *c, struct slice message, const char **why)
{
	struct slice	rest = message, value;
	uint8_t		got[SCRAM_KEY_LEN];
	size_t		n;

	if (message.n > SCRAM_MESSAGE_MAX)
		return (bad(why, E_SYNTAX, "its last message is too long"));
	if (next_attr(&rest, 'e', &value))
		return (bad(why, E_DENIED, slice_eq(value, SLICE_LIT("channel-bindings-dont-match")) ?
		    "it sees another TLS session than we do: somebody is between" : "it refuses the login"));
	rest = message;
	if (!next_attr(&rest, 'v', &value) || !extensions_ok(rest) ||
	    base64_decode(got, sizeof(got), &n, value) != E_OK || n != sizeof(got))
		return (bad(why, E_SYNTAX, "its last message is not SCRAM's"));
	if (!scram_same(got, c->expected, sizeof(got)))
		return (bad(why, E_DENIED, "it does not know the password: it is not the server it should be"));
	return (E_OK);
}

void
scram_client_wipe(struct scram_client *c)
{
	explicit_bzero(c, sizeof(*c));
}
