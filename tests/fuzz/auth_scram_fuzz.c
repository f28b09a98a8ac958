/*
 * auth_scram_fuzz.c -- SCRAM's server against any two messages of a client.
 *
 * The first octet chooses the mechanism and what is offered; then the first message, a NUL, and the
 * last one, in which "@" is replaced by the right nonce, "%" by the right c=, and "~" by a right
 * proof for what stands before it.  A login is granted only with such a proof; without being known,
 * never.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram_server.h"
#include "common/err.h"
#include "common/utf8.h"

#define BINDING	"0123456789abcdef0123456789abcdef"
#define ROOM	(3 * SCRAM_MESSAGE_MAX)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t	nonce[SCRAM_NONCE_OCTETS] = "nonce-of-18-octets";
static const uint8_t	salted[SCRAM_KEY_LEN] = "stands for PBKDF2, which is slow";
static char		text[ROOM];

struct said {
	size_t	n;
	int	proof;		/* put in by us: it cannot be guessed */
};

static void
put(struct said *f, const void *p, size_t n)
{
	if (f->n + n > sizeof(text))
		n = sizeof(text) - f->n;
	memcpy(text + f->n, p, n);
	f->n += n;
}

static void
put_cbind(struct said *f, const struct scram_server *s)
{
	char	input[SCRAM_MESSAGE_MAX + sizeof(BINDING)], b64[BASE64_LEN(sizeof(input)) + 1];
	size_t	n = s->gs2_n;

	memcpy(input, s->client_first, n);
	if (s->bound >= 0) {
		memcpy(input + n, BINDING, sizeof(BINDING) - 1);
		n += sizeof(BINDING) - 1;
	}
	put(f, b64, base64_encode(b64, slice_make(input, n)));
}

static void
put_proof(struct said *f, const struct scram_server *s, struct slice challenge)
{
	struct scram_auth	a = { { slice_make(s->client_first + s->bare_at, s->client_first_n - s->bare_at), challenge,
		slice_make(text, f->n >= 3 ? f->n - 3 : 0) } };		/* before ",p=" */
	uint8_t			proof[SCRAM_KEY_LEN];
	char			b64[BASE64_LEN(SCRAM_KEY_LEN) + 1];

	if (scram_client_proof(proof, salted, &a) != E_OK)
		abort();
	put(f, b64, base64_encode(b64, slice_make(proof, sizeof(proof))));
	f->proof = 1;
}

static struct said
last_message(const struct scram_server *s, struct slice challenge, const uint8_t *p, size_t n)
{
	struct said	f = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '@')
			put(&f, challenge.p + 2, s->nonce_n);
		else if (p[i] == '%')
			put_cbind(&f, s);
		else if (p[i] == '~')
			put_proof(&f, s, challenge);
		else
			put(&f, p + i, 1);
	}
	return (f);
}

static int
run(struct scram_server *s, const uint8_t *p, size_t n, int known)
{
	struct scram_entry	e = { .iterations = SCRAM_ITERATIONS_MIN, .salt_len = 4, .salt = "salt" };
	const uint8_t		*nul = memchr(p, '\0', n);
	size_t			 first = nul == NULL ? n : (size_t)(nul - p), len = 0;
	struct slice		 challenge;
	struct said		 f;
	char			 last[SCRAM_FINAL_MAX + 1];
	int			 err;

	err = scram_server_first(s, slice_make(p, first));
	if (memchr(s->login, '\n', sizeof(s->login)) != NULL || !utf8_is_text(slice_str(s->login)))
		abort();
	if (err != E_OK)
		return (err);
	if (s->login[0] == '\0' || s->gs2_n < 3 || s->plus != (s->bound >= 0))
		abort();
	if (scram_keys(e.stored, e.server, salted) != E_OK ||
	    scram_server_challenge(s, known, &e, nonce, &challenge) != E_OK || challenge.n > SASL_DATA_MAX)
		abort();
	f = last_message(s, challenge, nul == NULL ? p : nul + 1, nul == NULL ? 0 : n - first - 1);
	err = scram_server_final(s, slice_make(text, f.n), last, &len);
	if (err == E_OK && (!known || !f.proof || len != SCRAM_FINAL_MAX || memcmp(last, "v=", 2) != 0))
		abort();
	if (err != E_OK && s->error == NULL)
		abort();
	return (err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice		 b[BINDINGS] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	struct scram_server	*s;
	int			 plus, offered, err[2];

	if (size < 1)
		return (0);
	plus = data[0] & 1;
	offered = plus || (data[0] & 2) != 0;
	if (offered)
		b[(data[0] >> 2) % BINDINGS] = SLICE_LIT(BINDING);
	for (int known = 0; known < 2; known++) {
		if ((s = scram_server_new(plus, offered, b)) == NULL)
			return (0);
		err[known] = run(s, data + 1, size - 1, known);
		scram_server_free(s);
	}
	/* Who is not there hears what one with a wrong password hears. */
	if (err[0] != err[1] && !(err[0] == E_DENIED && err[1] == E_OK))
		abort();
	return (0);
}
