/*
 * tlsa.c -- TLSA records by themselves: usable or not, and as text.  Core.  See dane.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/dane.h"
#include "common/err.h"

#define SHA256_LEN	32
#define SHA512_LEN	64
#define DER_SEQUENCE	0x30

/*
 * A certificate and a SubjectPublicKeyInfo are both one DER SEQUENCE.  What is no such thing can match nobody, and
 * "matches nobody" would close the door that "unusable" leaves open to TLS (RFC 7672 2.2).
 */
static int
is_sequence(const uint8_t *p, size_t n)
{
	size_t	len, octets, i;

	if (n < 2 || p[0] != DER_SEQUENCE)
		return (0);
	if (p[1] < 0x80)
		return (n - 2 == p[1]);
	octets = p[1] & 0x7f;
	if (octets == 0 || octets > 2 || n < 2 + octets)
		return (0);
	for (len = 0, i = 0; i < octets; i++)
		len = len << 8 | p[2 + i];
	return (n - 2 - octets == len);
}

const char *
tlsa_unusable(const struct tlsa *t)
{
	switch (t->usage) {
	case TLSA_DANE_TA:
	case TLSA_DANE_EE:
		break;
	case TLSA_PKIX_TA:
	case TLSA_PKIX_EE:
		return ("usages 0 and 1 are not for SMTP (RFC 7672 3.1.3)");
	default:
		return ("unknown usage");
	}
	if (t->selector > TLSA_SPKI)
		return ("unknown selector");
	if (t->len == 0)
		return ("no data, or more than can be looked at");
	switch (t->matching) {
	case TLSA_FULL:
		return (is_sequence(t->data, t->len) ? NULL :
						       "the data is no certificate or public key");
	case TLSA_SHA256:
		return (t->len == SHA256_LEN ? NULL : "a SHA2-256 digest has 32 octets");
	case TLSA_SHA512:
		return (t->len == SHA512_LEN ? NULL : "a SHA2-512 digest has 64 octets");
	default:
		return ("unknown matching type");
	}
}

void
tlsa_judge(const struct tlsa *t, size_t n, const char **why)
{
	size_t	i, j;

	for (i = 0; i < n; i++)
		why[i] = tlsa_unusable(&t[i]);
	/* RFC 7671 9: per usage and selector the strongest digest alone counts, and whole ones always do.  Of the two
	 * digests there are the greater number is the stronger. */
	for (i = 0; i < n; i++) {
		for (j = 0; j < n && why[i] == NULL && t[i].matching != TLSA_FULL; j++) {
			if (tlsa_unusable(&t[j]) == NULL && t[j].usage == t[i].usage &&
			    t[j].selector == t[i].selector && t[j].matching > t[i].matching)
				why[i] = "set aside for the stronger digest beside it (RFC 7671 9)";
		}
	}
}

/* ---- text ---- */

char *
tlsa_text(const struct tlsa *t, char *dst, size_t size)
{
	static const char	hex[] = "0123456789abcdef";
	int n = snprintf(dst, size, "%u %u %u ", t->usage, t->selector, t->matching);
	size_t			at = n < 0 ? 0 : (size_t)n;

	for (size_t i = 0; i < t->len && at + 3 <= size; i++) {
		dst[at++] = hex[t->data[i] >> 4];
		dst[at++] = hex[t->data[i] & 15];
	}
	if (at < size)
		dst[at] = '\0';
	return (dst);
}

static const char *
name_of(const char *const *names, size_t n, unsigned v)
{
	return (v < n ? names[v] : "?");
}

char *
tlsa_kind(const struct tlsa *t, char dst[static TLSA_KIND_LEN])
{
	static const char *const	usages[] = { "PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE" };
	static const char *const	selectors[] = { "Cert", "SPKI" };
	static const char *const	matchings[] = { "Full", "SHA2-256", "SHA2-512" };

	(void)snprintf(dst, TLSA_KIND_LEN, "%s(%u) %s(%u) %s(%u)", name_of(usages, 4, t->usage),
	    t->usage, name_of(selectors, 2, t->selector), t->selector,
	    name_of(matchings, 3, t->matching), t->matching);
	return (dst);
}

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || c == ')');
}

/* The next word; parentheses only join lines in a zone, and here all is one line. */
static struct slice
next_word(struct slice *s)
{
	struct slice	w;

	while (s->n != 0 && is_blank(s->p[0])) {
		s->p++;
		s->n--;
	}
	w = slice_make(s->p, 0);
	while (s->n != 0 && !is_blank(s->p[0])) {
		w.n++;
		s->p++;
		s->n--;
	}
	return (w);
}

static int
take_number(struct slice *s, uint8_t *v)
{
	struct slice	w = next_word(s);
	unsigned	n = 0;

	if (w.n == 0 || w.n > 3)
		return (E_SYNTAX);
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return (E_SYNTAX);
		n = n * 10 + (unsigned)(w.p[i] - '0');
	}
	*v = (uint8_t)n;
	return (n <= UINT8_MAX ? E_OK : E_SYNTAX);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 0x20;
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

static int
take_hex(struct tlsa *t, struct arena *mem, struct slice s, const char **why)
{
	uint8_t		*data = arena_alloc(mem, s.n / 2 + 1);
	struct slice	 w;
	size_t		 n = 0;

	if (data == NULL)
		return (E_NOMEM);
	while ((w = next_word(&s)).n != 0) {
		for (size_t i = 0; i < w.n; i++, n++) {
			int	v = hex_value(w.p[i]);

			if (v < 0) {
				*why = "the data is not hexadecimal";
				return (E_SYNTAX);
			}
			data[n / 2] = (uint8_t)(data[n / 2] << 4 | v);
		}
	}
	if (n == 0 || n % 2 != 0 || n / 2 > TLSA_DATA_MAX) {
		*why = n == 0 ? "the data is missing" : n % 2 != 0 ? "half an octet at the end of the data" :
		    "more data than can be looked at";
		return (E_SYNTAX);
	}
	t->data = data;
	t->len = (uint16_t)(n / 2);
	return (E_OK);
}

int
tlsa_parse(struct tlsa *t, struct arena *mem, struct slice s, const char **why)
{
	const char	*comment = s.n != 0 ? memchr(s.p, ';', s.n) : NULL;
	struct slice	 rest, w;

	if (comment != NULL)
		s.n = (size_t)(comment - s.p);
	rest = s;
	if (next_word(&rest).n == 0)
		return (E_RANGE);
	/* What stands before the type in a zone is passed over. */
	for (rest = s; (w = next_word(&rest)).n != 0;) {
		if (slice_caseeq(w, SLICE_LIT("TLSA"))) {
			s = rest;
			break;
		}
	}
	*why = "usage, selector and matching type are numbers up to 255";
	if (take_number(&s, &t->usage) != E_OK || take_number(&s, &t->selector) != E_OK ||
	    take_number(&s, &t->matching) != E_OK)
		return (E_SYNTAX);
	return (take_hex(t, mem, s, why));
}
