/*
 * tls.c -- see tls.h.  Shell (OpenSSL).
 */
#include "deliver/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "common/dane_verify.h"
#include "common/err.h"
#include "common/tls_text.h"
#include "deliver/deliver_limits.h"

#define CERT_LIST_MAX	65536	/* octets of a host's certificates */

struct set {
	int		 made;
	uint64_t	 serial;
	uint8_t		 of[32];	/* what it was made of, as a hash: the same again need not be made */
	SSL_CTX		*ctx[WANTS];	/* by enum tls_want, without those that need none */
};

static struct {
	int		 open;
	uint64_t	 serial;
	struct set	 now, coming;
} tls;

/* By what is asked; see tls.h. */
static const struct strength {
	int		 security;
	const char	*ciphers;	/* of TLS 1.2 and below */
	int		 old, other, modern;	/* least version, by tls-level */
} strengths[WANTS] = {
	[WANT_MAY] = { 0, "DEFAULT:!PSK:!SRP", TLS1_VERSION, TLS1_2_VERSION, TLS1_2_VERSION },
	[WANT_ENCRYPT] = { 1, "HIGH:!aNULL:!PSK:!SRP", TLS1_2_VERSION, TLS1_2_VERSION, TLS1_2_VERSION },
	[WANT_DANE] = { 1, "HIGH:!aNULL:!PSK:!SRP", TLS1_2_VERSION, TLS1_2_VERSION, TLS1_2_VERSION },
	[WANT_VERIFY] = { 2, "HIGH:!aNULL:!PSK:!SRP:!kRSA", TLS1_2_VERSION, TLS1_2_VERSION, TLS1_3_VERSION },
	[WANT_FINGERPRINT] = { 2, "HIGH:!aNULL:!PSK:!SRP:!kRSA", TLS1_2_VERSION, TLS1_2_VERSION, TLS1_3_VERSION },
};

static int
least_version(const struct strength *s, enum tls_level level)
{
	return (level == TLS_OLD ? s->old : level == TLS_MODERN ? s->modern : s->other);
}

/*
 * Called when a session may be kept: in the handshake (TLS 1.2), or with any later record (1.3).
 * 1: taken.
 */
static int
on_session(SSL *ssl, SSL_SESSION *s)
{
	struct tls_peer	*t = SSL_get_app_data(ssl);

	if (t == NULL || !t->policy->resume || SSL_SESSION_is_resumable(s) != 1 ||
	    sk_X509_num(SSL_get_peer_cert_chain(ssl)) > TLS_SESSION_CHAIN_MAX)	/* it is kept with the session */
		return (0);
	tls_session_put(t->key, s);
	return (1);
}

/* ---- contexts ---- */

static void
free_set(struct set *s)
{
	for (size_t i = 0; i < WANTS; i++)
		SSL_CTX_free(s->ctx[i]);
	memset(s, 0, sizeof(*s));
}

static SSL_CTX *
new_context(enum tls_want want, enum tls_level level)
{
	const struct strength	*s = &strengths[want];
	SSL_CTX			*ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return (NULL);
	SSL_CTX_set_security_level(ctx, s->security);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (want == WANT_MAY)		/* RFC 5746 4.1: old servers; there is nothing here to take over by renegotiation */
		SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_cert_verify_callback(ctx, tls_verify, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);		/* whatever tls_verify() then asks */
	if (SSL_CTX_set_min_proto_version(ctx, least_version(s, level)) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, s->ciphers) != 1 || (want == WANT_DANE && SSL_CTX_dane_enable(ctx) <= 0)) {
		SSL_CTX_free(ctx);
		return (NULL);
	}
	return (ctx);
}

/* All certificates of the text; the first that is none ends it in error. */
static int
add_anchors(SSL_CTX *ctx, struct slice pem)
{
	X509_STORE	*store = SSL_CTX_get_cert_store(ctx);
	BIO		*b;
	X509		*x;
	int		 err = E_OK;

	if (pem.n == 0)
		return (E_OK);
	if (pem.n > TLS_CA_MAX || (b = BIO_new_mem_buf(pem.p, (int)pem.n)) == NULL)
		return (E_NOMEM);
	while (err == E_OK && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, x) != 1)		/* one that is there twice is no error */
			err = E_NOMEM;
		X509_free(x);
	}
	if (err == E_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		err = E_CORRUPT;
	ERR_clear_error();
	BIO_free(b);
	return (err);
}

static int
hash_of(uint8_t dst[32], enum tls_level level, struct slice ca)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	int		 ok;

	ok = m != NULL && EVP_DigestInit_ex(m, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(m, &level, sizeof(level)) == 1 &&
	    EVP_DigestUpdate(m, ca.p, ca.n) == 1 && EVP_DigestFinal_ex(m, dst, NULL) == 1;
	EVP_MD_CTX_free(m);
	return (ok ? E_OK : E_NOMEM);
}

static int
fill_set(struct set *s, enum tls_level level, struct slice ca)
{
	s->made = 1;
	s->serial = ++tls.serial;
	for (unsigned i = 0; i < WANTS; i++) {
		if (strengths[i].ciphers != NULL && (s->ctx[i] = new_context((enum tls_want)i, level)) == NULL)
			return (E_NOMEM);
	}
	return (add_anchors(s->ctx[WANT_VERIFY], ca));
}

int
tls_prepare(const struct conf *conf)
{
	uint8_t	of[32];
	int	err;

	free_set(&tls.coming);
	if ((err = tls_open()) != E_OK || (err = hash_of(of, conf->tls_level, conf->ca)) != E_OK)
		return (err);
	if (tls.now.made && memcmp(of, tls.now.of, sizeof(of)) == 0)
		return (E_OK);		/* and the sessions stay */
	memcpy(tls.coming.of, of, sizeof(of));
	if ((err = fill_set(&tls.coming, conf->tls_level, conf->ca)) != E_OK)
		free_set(&tls.coming);
	return (err);
}

void
tls_use(void)
{
	if (!tls.coming.made)
		return;
	free_set(&tls.now);
	tls.now = tls.coming;
	memset(&tls.coming, 0, sizeof(tls.coming));
	tls_session_forget_all();	/* their keys have the set's number: none of them would be found */
}

int
tls_open(void)
{
	struct set	s = { 0 };
	unsigned char	b;
	int		err;

	if (tls.open)
		return (E_OK);
	/* What is looked up by name later is in the library. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL) != 1 || RAND_bytes(&b, 1) != 1 || RAND_priv_bytes(&b, 1) != 1)
		return (E_IO);
	err = fill_set(&s, TLS_INTERMEDIATE, slice_make(NULL, 0));
	free_set(&s);
	tls.open = err == E_OK;
	return (tls.open ? E_OK : E_IO);
}

void
tls_close(void)
{
	tls_session_forget_all();
	free_set(&tls.now);
	free_set(&tls.coming);
	tls.open = 0;
}

/* ---- one connection ---- */

static void
digest_add(void *arg, const void *p, size_t n)
{
	(void)EVP_DigestUpdate(arg, p, n);	/* what fails here fails at the end */
}

static int
make_key(struct tls_peer *t, const struct net_addr *a, uint16_t port)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	char		 ip[NET_ADDR_STRLEN];
	int		 ok;

	if (m == NULL)
		return (E_NOMEM);
	ok = EVP_DigestInit_ex(m, EVP_sha256(), NULL) == 1;
	(void)net_addr_str(a, ip);
	digest_add(m, &tls.now.serial, sizeof(tls.now.serial));
	digest_add(m, ip, strlen(ip) + 1);
	digest_add(m, &port, sizeof(port));
	digest_add(m, &t->want, sizeof(t->want));
	policy_octets(t->policy, digest_add, m);
	ok = ok && EVP_DigestFinal_ex(m, t->key, NULL) == 1;
	EVP_MD_CTX_free(m);
	return (ok ? E_OK : E_NOMEM);
}

static int
new_ssl(struct tls_peer *t)
{
	if ((t->ssl = SSL_new(tls.now.ctx[t->want])) == NULL)
		return (E_NOMEM);
	SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	return (E_OK);
}

static int
set_dane(struct tls_peer *t)
{
	const struct tls_policy	*p = t->policy;
	int			 err;

	err = dane_verify_setup(t->ssl, p->base, p->tlsa, p->ntlsa, p->names, p->nnames);
	if (err != E_SYNTAX)
		return (err);
	ERR_clear_error();
	SSL_free(t->ssl);
	t->ssl = NULL;
	if (p->dane_only)
		return (E_SYNTAX);
	t->want = WANT_ENCRYPT;		/* RFC 7672 2.2: none is usable after all */
	return (new_ssl(t));
}

int
tls_peer_init(struct tls_peer *t, const struct tls_policy *p, const struct net_addr *a, uint16_t port, const char **why)
{
	SSL_SESSION	*s;
	int		 err;

	memset(t, 0, sizeof(*t));
	t->policy = p;
	t->want = p->want;
	*why = "out of memory";
	if (!tls.now.made || tls.now.ctx[t->want] == NULL) {
		*why = "there is no TLS here";
		return (E_SYNTAX);
	}
	if ((err = new_ssl(t)) != E_OK || (t->want == WANT_DANE && (err = set_dane(t)) != E_OK) ||
	    (err = make_key(t, a, port)) != E_OK) {
		if (err == E_SYNTAX)
			*why = "no TLSA record is usable";
		goto fail;
	}
	if (p->sni[0] != '\0' && SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) == NULL &&
	    SSL_set_tlsext_host_name(t->ssl, p->sni) != 1) {
		*why = "the name is none for SNI";
		err = E_SYNTAX;
		goto fail;
	}
	if (p->resume && (s = tls_session_get(t->key)) != NULL) {
		if (SSL_set_session(t->ssl, s) != 1)
			ERR_clear_error();	/* a full handshake will do */
		SSL_SESSION_free(s);
	}
	return (E_OK);
fail:
	ERR_clear_error();
	SSL_free(t->ssl);
	t->ssl = NULL;
	return (err);
}

void
tls_peer_clear(struct tls_peer *t)
{
	sk_X509_pop_free(t->seen, X509_free);
	t->seen = NULL;
	if (t->ssl == NULL)
		return;
	SSL_set_app_data(t->ssl, NULL);
	SSL_free(t->ssl);
	t->ssl = NULL;
}

int
tls_peer_done(struct tls_peer *t, char text[TLS_TEXT_MAX + 1])
{
	static const char *const	 how[WANTS] = {
		[WANT_VERIFY] = " verified by ca", [WANT_FINGERPRINT] = " verified by fingerprint", [WANT_DANE] = " verified by dane",
	};
	size_t				 n;
	long				 result = SSL_get_verify_result(t->ssl);

	if (how[t->want] != NULL && result != X509_V_OK) {	/* tls_verify() has ended it already; of a resumed one too */
		(void)snprintf(t->why, sizeof(t->why), "the certificate is not accepted: %s", X509_verify_cert_error_string(result));
		return (E_IO);
	}
	tls_describe(t->ssl, text);
	n = strlen(text);
	(void)snprintf(text + n, TLS_TEXT_MAX + 1 - n, "%s%s%s", how[t->want] != NULL ? how[t->want] : " unverified",
	    t->want == WANT_DANE && t->policy->mx_unsigned ? ", MX unsigned" : "", SSL_session_reused(t->ssl) ? ", resumed" : "");
	return (E_OK);
}

const char *
tls_peer_why(struct tls_peer *t)
{
	const char	*text = tls_error();

	return (t->why[0] != '\0' ? t->why : text);
}
