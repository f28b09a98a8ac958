/*
 * conf_unpack_tls.c -- certificates, trust anchors and TLS policies of a snapshot.  Core.
 */
#include "common/conf_number.h"
#include "common/conf_unpack.h"
#include "common/err.h"
#include "common/limits.h"

/* The fewest octets that each takes when packed. */
#define CERT_LEAST	(3u + 3 + 3 + 4 + SPKI_HASH_LEN + 4)
#define POLICY_LEAST	(3u + 1 + 4 + 4 + 1)

#define DER_SEQUENCE	0x30		/* tag; X.690 8.9 */
#define DER_LONG	0x80u		/* length in so many octets more; alone: not known, which DER does not allow */
#define DER_LENGTH_MAX	3u		/* of them: CHAIN_MAX */

/* The next DER element of type SEQUENCE; 0 if there is none. */
static int
next_sequence(struct slice *der)
{
	const unsigned char	*p = (const unsigned char *)der->p;
	size_t			 head = 2, n;

	if (der->n < head || p[0] != DER_SEQUENCE || p[1] == DER_LONG || p[1] > (DER_LONG | DER_LENGTH_MAX))
		return (0);
	n = p[1];
	if (p[1] > DER_LONG) {
		head += p[1] & ~DER_LONG;
		if (head > der->n)
			return (0);
		n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | p[i];
	}
	if (n == 0 || n > der->n - head)
		return (0);
	*der = slice_make(der->p + head + n, der->n - head - n);
	return (1);
}

/* Certificates as far as it can be told without reading them: one DER sequence behind the other. */
static int
is_chain(struct slice der)
{
	size_t	 n = 0;

	while (der.n != 0) {
		if (++n > CHAIN_CERTS_MAX || !next_sequence(&der))
			return (0);
	}
	return (n != 0);
}

static void
take_cert(struct unpacker *u, struct conf_cert *cert)
{
	struct slice	 chain;
	const char	*name;
	char		*p;

	cert->name = unpack_string(u);
	cert->certificate_path = unpack_string(u);
	cert->key_path = unpack_string(u);
	chain = rd_bytes(&u->r, CHAIN_MAX);
	rd_raw(&u->r, cert->spki, sizeof(cert->spki));
	cert->names = unpack_strings(u, CERT_NAMES_MAX, &cert->nnames);
	unpack_expect(u, conf_is_domain(cert->name));
	unpack_expect(u, conf_path_why(cert->certificate_path, CONF_PATH_MAX, 0) == NULL);
	unpack_expect(u, conf_path_why(cert->key_path, CONF_PATH_MAX, 0) == NULL);
	unpack_expect(u, is_chain(chain));
	for (size_t i = 0; i < cert->nnames && u->r.err == E_OK; i++) {
		name = cert->names[i];
		unpack_expect(u, conf_is_domain(strncmp(name, "*.", 2) == 0 ? name + 2 : name));
	}
	if (u->r.err != E_OK || (p = unpack_memory(u, chain.n, 1)) == NULL)
		return;
	memcpy(p, chain.p, chain.n);
	cert->chain = slice_make(p, chain.n);
}

/* Certificates in PEM as postern-conf writes them: nothing before, nothing between, nothing behind. */
static int
is_pem(struct slice s)
{
	static const struct slice	 begin = SLICE_LIT("-----BEGIN CERTIFICATE-----\n"), end = SLICE_LIT("-----END CERTIFICATE-----\n");

	if (s.n < begin.n + end.n || memcmp(s.p, begin.p, begin.n) != 0 || memcmp(s.p + s.n - end.n, end.p, end.n) != 0)
		return (0);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\n' && (s.p[i] < 0x20 || s.p[i] > 0x7e))
			return (0);
	}
	return (1);
}

static void
take_anchors(struct unpacker *u, struct slice *out)
{
	struct slice	 pem = rd_bytes(&u->r, TLS_CA_MAX);
	char		*p;

	if (pem.n == 0)
		return;
	unpack_expect(u, is_pem(pem));
	if (u->r.err != E_OK || (p = unpack_memory(u, pem.n, 1)) == NULL)
		return;
	memcpy(p, pem.p, pem.n);
	*out = slice_make(p, pem.n);
}

static void
take_policy(struct unpacker *u, struct conf_tls_policy *p)
{
	p->name = unpack_string(u);
	p->want = (enum tls_want)rd_u8max(&u->r, WANTS - 1);
	p->names = unpack_strings(u, TLS_POLICY_NAMES_MAX, &p->nnames);
	p->nfingerprints = unpack_count(u, TLS_POLICY_NAMES_MAX, SPKI_HASH_LEN);
	if (p->nfingerprints != 0 &&
	    (p->fingerprints = unpack_memory(u, p->nfingerprints, sizeof(*p->fingerprints))) == NULL)
		return;
	for (size_t i = 0; i < p->nfingerprints; i++)
		rd_raw(&u->r, p->fingerprints[i], sizeof(*p->fingerprints));
	p->resume = rd_u8max(&u->r, 1);
	unpack_expect(u, conf_is_policy_name(p->name));
	unpack_expect(u, p->nnames == 0 || p->want == WANT_VERIFY);
	unpack_expect(u, (p->nfingerprints != 0) == (p->want == WANT_FINGERPRINT));
	for (size_t i = 0; i < p->nnames && u->r.err == E_OK; i++)
		unpack_expect(u, conf_is_domain(p->names[i] + (p->names[i][0] == '.')));
}

static void
take_policies(struct unpacker *u, struct conf *c)
{
	size_t	 n = unpack_count(u, TLS_POLICIES_MAX, POLICY_LEAST);

	if (n == 0 || (c->policies = unpack_memory(u, n, sizeof(*c->policies))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		take_policy(u, &c->policies[i]);
		if (i != 0)
			unpack_expect(u, strcmp(c->policies[i - 1].name, c->policies[i].name) < 0);
	}
	c->npolicies = n;
}

void
conf_unpack_tls(struct unpacker *u, struct conf *c)
{
	size_t	 n;

	c->tls_level = (enum tls_level)rd_u8max(&u->r, TLS_LEVELS - 1);
	n = unpack_count(u, CERTS_MAX, CERT_LEAST);
	if (n != 0 && (c->certs = unpack_memory(u, n, sizeof(*c->certs))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++)
		take_cert(u, &c->certs[i]);
	c->ncerts = n;
	take_anchors(u, &c->ca);
	take_anchors(u, &c->client_ca);
	take_policies(u, c);
	for (size_t i = 0; i < c->nlisteners && u->r.err == E_OK; i++) {
		unpack_expect(u, c->listeners[i].tls == LISTEN_CLEAR || n != 0);
		unpack_expect(u, !c->listeners[i].client_certs || (c->listeners[i].tls != LISTEN_CLEAR && c->client_ca.n != 0));
	}
}
