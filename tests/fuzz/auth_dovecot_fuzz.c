/*
 * auth_dovecot_fuzz.c -- lines of Dovecot's auth service, whole and in pieces.
 *
 * Input: one octet, the length of the pieces, then what the service says.  Oracle: in pieces it is understood as it is in one;
 * a login is not empty where somebody is let in, and holds no control character; a plain reading of whole lines finds no answer
 * where there was none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/dovecot.h"
#include "common/err.h"

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct seen {
	unsigned	ready, answers, let_in;
	uint64_t	hash;
};

static struct dovecot	d;

static void
mix(struct seen *s, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ ((const uint8_t *)p)[i]) * 1099511628211u;
}

static void
on_ready(struct dovecot *dd, unsigned mechanisms)
{
	struct seen	*s = dd->arg;

	CHECK(++s->ready == 1 && s->answers == 0 && mechanisms < 1u << SASL_MECHANISMS);
	mix(s, &mechanisms, sizeof(mechanisms));
}

static void
on_answer(struct dovecot *dd, uint32_t id, enum dovecot_answer what, const char *login, struct slice data)
{
	struct seen	*s = dd->arg;

	CHECK(s->ready == 1);
	s->answers++;
	s->let_in += what == DOVECOT_OK;
	CHECK(what != DOVECOT_OK || login[0] != '\0');
	CHECK(strlen(login) <= LOGIN_MAX && data.n <= SASL_DATA_MAX && (what == DOVECOT_CONT || data.n == 0));
	for (const char *p = login; *p != '\0'; p++)
		CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
	mix(s, &id, sizeof(id));
	mix(s, &what, sizeof(what));
	mix(s, login, strlen(login) + 1);
	mix(s, data.p, data.n);
}

static const struct dovecot_ops ops = { on_ready, on_answer };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen	 one = { 0 }, many = { 0 };
	const uint8_t	*p, *end;
	size_t		 piece, n;
	unsigned	 lines = 0;
	int		 err1, err2 = E_OK;

	if (size < 1)
		return (0);
	piece = (size_t)data[0] + 1;
	p = ++data;
	end = data + --size;
	dovecot_init(&d, &ops, &one);
	err1 = dovecot_feed(&d, (const char *)p, size);
	dovecot_init(&d, &ops, &many);
	for (; p < end && err2 == E_OK; p += n) {
		n = (size_t)(end - p) < piece ? (size_t)(end - p) : piece;
		err2 = dovecot_feed(&d, (const char *)p, n);
	}
	CHECK(err1 == err2 && one.ready == many.ready && one.answers == many.answers && one.hash == many.hash);
	/* Nobody is let in by anything but a line that begins so. */
	for (p = data; p < end; p++)
		lines += (p == data || p[-1] == '\n') && end - p > 3 && memcmp(p, "OK\t", 3) == 0;
	CHECK(one.let_in <= lines);
	return (0);
}
