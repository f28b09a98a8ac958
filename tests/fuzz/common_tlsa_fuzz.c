/*
 * common_tlsa_fuzz.c -- TLSA records as strangers publish them, answers in any order, and records as text.
 *
 * The input: an octet of the search's shape, then answers (status, secure, number of records, each with usage, selector,
 * matching, length, data); then the same octets as a line of text.  Oracles: what OpenSSL takes and what we call usable agree
 * but for whole certificates that only OpenSSL can read; the strongest digest is never set aside; the search ends, and each
 * end holds what RFC 7672 2.2 says of it; text is read back as it was written.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/dane.h"
#include "common/err.h"
#include "common/ipc_msg.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct in {
	const uint8_t	*p;
	size_t		 n;
};

static unsigned
octet(struct in *in)
{
	if (in->n == 0)
		return (0);
	in->n--;
	return (*in->p++);
}

static struct dns_record	rec[DNS_RECORDS_MAX];

static struct ipc_dns_answer
answer(struct in *in)
{
	struct ipc_dns_answer	a = { .status = (uint8_t)(octet(in) % DNS_STATUSES), .rec = rec };
	size_t			len;

	a.secure = octet(in) & 1;
	a.ttl = octet(in);
	if (a.status != DNS_OK)
		return (a);
	a.nrec = (uint16_t)(1 + octet(in) % DNS_RECORDS_MAX);
	for (unsigned i = 0; i < a.nrec; i++) {
		rec[i].tlsa.usage = (uint8_t)octet(in);
		rec[i].tlsa.selector = (uint8_t)octet(in);
		rec[i].tlsa.matching = (uint8_t)octet(in);
		len = octet(in) << 8;
		len |= octet(in);
		len = len < in->n ? len : in->n;
		len = len < TLSA_DATA_MAX ? len : TLSA_DATA_MAX;
		memcpy(rec[i].tlsa.data, in->p, len);
		rec[i].tlsa.len = (uint16_t)len;
		in->p += len;
		in->n -= len;
	}
	return (a);
}

static void
check_openssl(const struct tlsa *t)
{
	static SSL_CTX	*ctx;
	SSL		*ssl;
	int		 rc;

	if (ctx == NULL) {
		ctx = SSL_CTX_new(TLS_client_method());
		MUST(ctx != NULL && SSL_CTX_dane_enable(ctx) > 0);
	}
	ssl = SSL_new(ctx);
	MUST(ssl != NULL && SSL_dane_enable(ssl, "mx.example.net") > 0);
	rc = SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching, t->data, t->len);
	ERR_clear_error();
	SSL_free(ssl);
	if (rc > 0)
		MUST(tlsa_unusable(t) == NULL || t->usage < TLSA_DANE_TA);
	else
		MUST(tlsa_unusable(t) != NULL || t->matching == TLSA_FULL);
}

static void
check_text(const struct tlsa *t)
{
	static char	 text[TLSA_TEXT_MAX];
	char		 kind[TLSA_KIND_LEN];
	const char	*why;
	struct tlsa	 again;
	struct arena	 mem;

	(void)tlsa_kind(t, kind);
	MUST(strlen(kind) < TLSA_KIND_LEN);
	(void)tlsa_text(t, text, sizeof(text));
	arena_init(&mem, 1 << 20);
	if (t->len == 0)
		MUST(tlsa_parse(&again, &mem, slice_str(text), &why) == E_SYNTAX);
	else
		MUST(tlsa_parse(&again, &mem, slice_str(text), &why) == E_OK &&
		    again.usage == t->usage && again.selector == t->selector &&
		    again.matching == t->matching && again.len == t->len &&
		    memcmp(again.data, t->data, t->len) == 0);
	arena_clear(&mem);
}

static void
check_found(const struct dane_found *f)
{
	size_t	used = 0;

	for (size_t i = 0; i < f->nall; i++) {
		const struct tlsa	*t = &f->all[i];

		used += f->unusable[i] == NULL;
		MUST(f->unusable[i] != NULL || tlsa_unusable(t) == NULL);
		/* What no other record of its kind outdoes is in use. */
		if (tlsa_unusable(t) == NULL &&
		    (t->matching == TLSA_FULL || t->matching == TLSA_SHA512))
			MUST(f->unusable[i] == NULL);
		check_openssl(t);
		check_text(t);
	}
	MUST(used == f->ntlsa);
	MUST((f->status == DANE_USABLE) == (f->ntlsa != 0));
	MUST(f->status != DANE_UNUSABLE || f->nall != 0);
	MUST((f->base[0] != '\0') == (f->status == DANE_USABLE || f->status == DANE_UNUSABLE));
	MUST(f->why[0] != '\0' && f->nnames <= DANE_NAMES_MAX);
	MUST(f->nnames == 0 || strcmp(f->names[0], f->base) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct in		 in = { data, size };
	unsigned		 shape = octet(&in);
	struct dane_host h = { .host = "mx.example.net",
		.port = 25,
		.by_mx = shape & 1,
		.mx_secure = shape >> 1 & 1,
		.nexthop = "example.net",
		.nexthop_end = shape & 4 ? "end.example" : "" };
	struct ipc_dns_answer a = {
		.status = DNS_OK, .secure = shape >> 3 & 1, .nrec = 1, .rec = rec
	};
	struct dane_search	 s;
	struct arena		 mem;
	struct tlsa		 t;
	const char		*why;
	int			 asked = 0, broken = 0;

	arena_init(&mem, 1 << 20);
	if (shape & 16)
		memcpy(a.canonical, "www.example.org", sizeof("www.example.org"));
	dane_begin(&s, &mem, &h, &a);
	while (s.step != DANE_DONE) {
		MUST(++asked <= 2);
		a = answer(&in);
		broken |= a.status != DNS_OK && a.status != DNS_NODATA && a.status != DNS_NXDOMAIN;
		dane_answer(&s, &a);
		if (broken)
			MUST(s.step == DANE_DONE && s.found.status == DANE_FAILED);
		/* Nothing but a signed answer asks for anything. */
		if (s.step == DANE_DONE &&
		    (s.found.status == DANE_USABLE || s.found.status == DANE_UNUSABLE))
			MUST(a.secure && a.status == DNS_OK);
	}
	check_found(&s.found);
	arena_reset(&mem);
	if (tlsa_parse(&t, &mem, slice_make(data, size), &why) == E_OK)
		check_text(&t);
	arena_clear(&mem);
	return (0);
}
