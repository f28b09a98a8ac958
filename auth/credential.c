/* credential.c -- see credential.h.  Core. */
#include "auth/credential.h"

#include <string.h>

#include "common/err.h"

static enum sasl_status
over(struct credential *c, enum sasl_status status, const char *why)
{
	c->state = CRED_OVER;
	c->why = why;
	explicit_bzero(c->out, c->len);
	c->len = 0;
	return (status);
}

/* ---- the first step ---- */

static int
choose(unsigned offered, unsigned kind, enum sasl_mechanism *m)
{
	if ((offered & 1u << SASL_SCRAM_SHA_256_PLUS) != 0 && kind < BINDINGS)
		*m = SASL_SCRAM_SHA_256_PLUS;
	else if ((offered & 1u << SASL_SCRAM_SHA_256) != 0)
		*m = SASL_SCRAM_SHA_256;
	else if ((offered & 1u << SASL_PLAIN) != 0)
		*m = SASL_PLAIN;
	else if ((offered & 1u << SASL_LOGIN) != 0)
		*m = SASL_LOGIN;
	else
		return (0);
	return (1);
}

/* RFC 4616 2: no authorization identity. */
static void
put_plain(struct credential *c)
{
	c->out[c->len++] = '\0';
	memcpy(c->out + c->len, c->user.p, c->user.n);
	c->len += c->user.n;
	c->out[c->len++] = '\0';
	memcpy(c->out + c->len, c->password.p, c->password.n);
	c->len += c->password.n;
}

enum sasl_status
credential_begin(struct credential *c, struct slice user, struct slice password, unsigned mechanisms,
    const struct slice binding[static BINDINGS], const uint8_t nonce[static SCRAM_NONCE_OCTETS])
{
	unsigned	kind = 0, use;
	int		plus;

	memset(c, 0, sizeof(*c));
	c->user = user;
	c->password = password;
	if (user.n == 0 || user.n > LOGIN_MAX || password.n == 0 || password.n > PASSWORD_MAX ||
	    memchr(user.p, '\0', user.n) != NULL || memchr(password.p, '\0', password.n) != NULL)
		return (over(c, SASL_FAILED, "its user or password is of no use"));
	while (kind < BINDINGS && (binding[kind].n == 0 || binding[kind].n > SASL_BINDING_MAX))
		kind++;		/* the first that there is: the newest, RFC 9266 */
	if (!choose(mechanisms, kind, &c->mechanism))
		return (over(c, SASL_FAILED, "no mechanism that both sides have"));
	switch (c->mechanism) {
	case SASL_PLAIN:
		put_plain(c);
		c->has_data = 1;
		c->state = CRED_PROVED;
		break;
	case SASL_LOGIN:
		c->state = CRED_USER;
		break;
	default:
		plus = c->mechanism == SASL_SCRAM_SHA_256_PLUS;
		use = plus ? kind : BINDINGS;
		/* "y" says: we could have bound, and saw no -PLUS.  Only where that is so. */
		if (scram_client_first(&c->scram, c->out, &c->len, user, use, plus ? binding[kind] : slice_make(NULL, 0),
		    kind < BINDINGS && !plus, nonce) != E_OK)
			return (over(c, SASL_FAILED, "its user is of no use"));
		c->has_data = 1;
		c->state = CRED_FIRST;
	}
	return (SASL_CONTINUE);
}

/* ---- challenges ---- */

static enum sasl_status
say(struct credential *c, struct slice s, enum credential_state next)
{
	memcpy(c->out, s.p, s.n);
	c->len = s.n;
	c->state = next;
	return (SASL_CONTINUE);
}

static enum sasl_status
verify(struct credential *c, struct slice message)
{
	const char	*why = NULL;
	int		 err = scram_client_verify(&c->scram, message, &why);

	if (err != E_OK)
		return (over(c, err == E_SYNTAX ? SASL_BAD : SASL_FAILED, why));
	c->state = CRED_PROVED;
	return (SASL_CONTINUE);	/* with an empty response */
}

enum sasl_status
credential_step(struct credential *c, struct slice challenge)
{
	const char	*why = NULL;

	c->hash = 0;
	credential_sent(c);
	if (challenge.n > SASL_DATA_MAX)
		return (over(c, SASL_BAD, "a challenge is too long"));
	switch (c->state) {
	case CRED_USER:		/* what it says there is for people: "Username:", "User Name" */
		return (say(c, c->user, CRED_PASSWORD));
	case CRED_PASSWORD:
		return (say(c, c->password, CRED_PROVED));
	case CRED_FIRST:
		if (scram_client_take(&c->scram, challenge, &why) != E_OK)
			return (over(c, SASL_BAD, why));
		c->state = CRED_HASH;
		c->hash = 1;
		return (SASL_CONTINUE);
	case CRED_FINAL:
		return (verify(c, challenge));
	default:
		return (over(c, SASL_BAD, "a challenge where none belongs"));
	}
}

enum sasl_status
credential_hashed(struct credential *c, int err, const uint8_t salted[static SCRAM_KEY_LEN])
{
	c->hash = 0;
	if (c->state != CRED_HASH)
		return (over(c, SASL_BAD, "a challenge where none belongs"));
	if (err != E_OK || scram_client_final(&c->scram, c->out, &c->len, salted) != E_OK)
		return (over(c, SASL_TEMPORARY, "its proof cannot be computed"));
	c->state = CRED_FINAL;
	return (SASL_CONTINUE);
}

enum sasl_status
credential_done(struct credential *c, struct slice data)
{
	credential_sent(c);
	if (c->state == CRED_FINAL && data.n != 0)	/* against RFC 4954 4, and as good */
		(void)verify(c, data);
	switch (c->state) {
	case CRED_PROVED:
		c->state = CRED_OVER;
		return (SASL_OK);
	case CRED_OVER:
		return (SASL_FAILED);
	case CRED_USER:
	case CRED_PASSWORD:
		return (over(c, SASL_FAILED, "it said 235 before it was told who we are"));
	default:
		return (over(c, SASL_FAILED, "it said 235 without a proof that it knows the password"));
	}
}

void
credential_sent(struct credential *c)
{
	explicit_bzero(c->out, c->len);
	c->len = 0;
}

void
credential_end(struct credential *c)
{
	explicit_bzero(c, sizeof(*c));
}

/* ---- the password ---- */

int
credential_password(struct slice file, struct slice *password, const char **why)
{
	const char	*lf = file.n != 0 ? memchr(file.p, '\n', file.n) : NULL;
	size_t		 n = lf != NULL ? (size_t)(lf - file.p) : file.n;

	if (n != 0 && file.p[n - 1] == '\r')
		n--;
	*why = "its first line is empty";
	if (n == 0)
		return (E_SYNTAX);
	*why = "its first line is too long for a password";
	if (n > PASSWORD_MAX)
		return (E_LIMIT);
	*why = "its first line holds a NUL";
	if (memchr(file.p, '\0', n) != NULL)
		return (E_SYNTAX);
	*password = slice_make(file.p, n);
	return (E_OK);
}
