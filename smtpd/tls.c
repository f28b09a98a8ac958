/*
 * tls.c -- see tls.h.  Shell (OpenSSL).
 *
 * A section's certificates (RSA and ECDSA side by side) share a context; OpenSSL takes the one
 * that the client's signature algorithms and cipher suites allow.  Server Name Indication (RFC
 * 6066 3) picks the section: a name as it stands, then a wildcard (RFC 6125 6.4.3: one label),
 * else the first.  A name nobody has is no error: mail's clients verify names by policy or not
 * at all.
 */
#include "smtpd/tls.h"

#include <openssl/async.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/tls_client.h"
#include "common/tls_text.h"

#define SETS		256		/* numbers of sets before one comes again: a handle is a set's and an index */
#define SID_LEN		32		/* SHA-256; SSL_MAX_SID_CTX_LENGTH */
#define SESSION_LIFE_S	7200		/* of a ticket */
#define CERT_LIST_MAX	65536		/* octets of a client's certificates */

struct name {
	char		*name;
	size_t		 section;
};

struct set {
	uint64_t	 generation;
	size_t		 nsections;
	SSL_CTX		**section;
	unsigned char	(*sid)[SID_LEN];	/* of each: what a session of it is bound to */
	size_t		 nnames;
	struct name	*names;		/* sorted; wildcards as they are */
};

static struct {
	int		 open;
	struct set	*now, *coming;
	uint8_t		 serial;		/* of the last set made */
	uint64_t	 generation[SETS];	/* by serial */
	struct ipc_ticket_keys tickets;
} tls;

/*
 * Levels.  Forward secrecy and AEAD from intermediate on; old adds what clients without AEAD have.
 * DHE is left out: it costs the server most where an attacker asks for it, and who has it has
 * ECDHE.
 */
static const struct level {
	int		 version;
	int		 security;	/* of SSL_CTX_set_security_level(3) */
	const char	*ciphers;	/* of TLS 1.2 */
	const char	*groups;
} levels[TLS_LEVELS] = {
	[TLS_MODERN] = { TLS1_3_VERSION, 2, NULL, "X25519:P-256:P-384" },
	[TLS_INTERMEDIATE] = { TLS1_2_VERSION, 2,
	    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
	    "X25519:P-256:P-384" },
	[TLS_OLD] = { TLS1_2_VERSION, 1,
	    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
	    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
	    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA",
	    "X25519:P-256:P-384:P-521" },
};

#define SUITES13	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* ---- names ---- */

static int
compare_names(const void *va, const void *vb)
{
	const struct name	*a = va, *b = vb;
	int			 c = strcmp(a->name, b->name);

	return (c != 0 ? c : (a->section > b->section) - (a->section < b->section));
}

static const struct name *
find_name(const struct set *s, const char *name)
{
	size_t	lo = 0, hi = s->nnames, mid;

	while (lo < hi) {		/* the first that is not less */
		mid = lo + (hi - lo) / 2;
		if (strcmp(s->names[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo < s->nnames && strcmp(s->names[lo].name, name) == 0 ? &s->names[lo] : NULL);
}

static void
lower_name(char *name)
{
	size_t	i, len = strlen(name);

	if (len != 0 && name[len - 1] == '.')
		name[--len] = '\0';
	for (i = 0; i < len; i++)
		name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
}

/* The section for a name in lower case. */
static size_t
choose(const struct set *s, const char *name)
{
	char			 wild[DOMAIN_MAX + 3];
	const struct name	*n = find_name(s, name);
	const char		*dot = strchr(name, '.');

	if (n == NULL && dot != NULL && dot != name) {
		(void)snprintf(wild, sizeof(wild), "*%s", dot);
		n = find_name(s, wild);
	}
	return (n != NULL ? n->section : 0);
}

/* The name in a ClientHello, as RFC 6066 3 has it; "" if there is none, or none of a host. */
static void
read_name(SSL *ssl, char name[DOMAIN_MAX + 2])
{
	const unsigned char	*p;
	size_t			 n;

	name[0] = '\0';
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1 || n < 5 || p[2] != TLSEXT_NAMETYPE_host_name ||
	    (size_t)(p[0] << 8 | p[1]) != n - 2 || (size_t)(p[3] << 8 | p[4]) != n - 5 || n - 5 > DOMAIN_MAX + 1 ||
	    memchr(p + 5, '\0', n - 5) != NULL)
		return;		/* OpenSSL says what is wrong with it */
	memcpy(name, p + 5, n - 5);
	name[n - 5] = '\0';
}

/*
 * A session is resumed where it was made, and nowhere else: under the same name (RFC 6066 3: MUST
 * NOT under another one), by the same certificates and authorities, at the same level, and where a
 * client's certificate is asked for as it was then.
 */
static int
set_sessions(SSL *ssl, const struct set *s, size_t section, const char *name)
{
	struct {
		unsigned char	section[SID_LEN];
		unsigned char	verify;
		char		name[DOMAIN_MAX + 2];
	} in;
	unsigned char	sid[SID_LEN];

	memset(&in, 0, sizeof(in));
	memcpy(in.section, s->sid[section], SID_LEN);
	in.verify = (unsigned char)SSL_get_verify_mode(ssl);
	memcpy(in.name, name, strlen(name));
	return (EVP_Digest(&in, sizeof(in), sid, NULL, EVP_sha256(), NULL) == 1 &&
	    SSL_set_session_id_context(ssl, sid, sizeof(sid)) == 1);
}

/* Before a ticket is looked at.  A handshake that began before a reload gets what is in use now. */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	char	name[DOMAIN_MAX + 2];
	size_t	section;

	if (tls.now == NULL || tls.now->nsections == 0)
		return (SSL_CLIENT_HELLO_SUCCESS);
	read_name(ssl, name);
	lower_name(name);
	section = choose(tls.now, name);
	if (SSL_set_SSL_CTX(ssl, tls.now->section[section]) == NULL || !set_sessions(ssl, tls.now, section, name)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return (SSL_CLIENT_HELLO_ERROR);
	}
	return (SSL_CLIENT_HELLO_SUCCESS);
}

/* The choice is made: it is acknowledged, whatever the name was. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	return (SSL_TLSEXT_ERR_OK);
}

/* ---- tickets ---- */

void
tls_tickets(const struct ipc_ticket_keys *m)
{
	memcpy(&tls.tickets, m, sizeof(tls.tickets));
}

static int
ticket_ciphers(const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac, int seal)
{
	char		digest[] = "SHA256";
	OSSL_PARAM	params[3];

	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->hmac, sizeof(k->hmac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	return (EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, k->aes, iv, seal) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1);
}

/* The first key seals, all of them open; a ticket under one that is not the first is renewed. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac, int seal)
{
	const struct ticket_key	*k = tls.tickets.key;
	uint8_t			 i;

	if (seal) {
		if (tls.tickets.n == 0)
			return (0);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 || !ticket_ciphers(k, iv, c, mac, 1))
			return (-1);
		memcpy(name, k->name, sizeof(k->name));
		return (1);
	}
	for (i = 0; i < tls.tickets.n; i++) {
		if (memcmp(name, k[i].name, sizeof(k[i].name)) == 0)
			return (!ticket_ciphers(&k[i], iv, c, mac, 0) ? -1 : i == 0 ? 1 : 2);
	}
	return (0);
}

/* ---- contexts ---- */

static SSL_CTX *
new_context(enum tls_level level)
{
	const struct level	*l = &levels[level];
	SSL_CTX			*ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return (NULL);
	SSL_CTX_set_security_level(ctx, l->security);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_SINGLE_ECDH_USE | SSL_OP_CLEANSE_PLAINTEXT);
	/* The chain is what the file holds: nothing is looked for. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, SESSION_LIFE_S);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	if (SSL_CTX_set_min_proto_version(ctx, l->version) != 1 ||
	    (l->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, l->ciphers) != 1) ||
	    SSL_CTX_set_ciphersuites(ctx, SUITES13) != 1 || SSL_CTX_set1_groups_list(ctx, l->groups) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1 ||
	    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name) != 1) {
		SSL_CTX_free(ctx);
		return (NULL);
	}
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	return (ctx);
}

/* A certificate with its chain and the handle of its key. */
static int
add_pair(SSL_CTX *ctx, const struct conf_cert *cert, uint16_t handle)
{
	const unsigned char	*p = (const unsigned char *)cert->chain.p, *end = p + cert->chain.n;
	X509			*own = d2i_X509(NULL, &p, end - p), *next;
	EVP_PKEY		*key = own != NULL ? tls_provider_key(own, handle) : NULL;
	int			 ok;

	ok = key != NULL && SSL_CTX_use_certificate(ctx, own) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	while (ok && p < end) {
		next = d2i_X509(NULL, &p, end - p);
		ok = next != NULL && SSL_CTX_add1_chain_cert(ctx, next) == 1;
		X509_free(next);
	}
	EVP_PKEY_free(key);
	X509_free(own);
	return (ok ? E_OK : E_CORRUPT);
}

static void
free_set(struct set *s)
{
	size_t	i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nsections; i++)
		SSL_CTX_free(s->section[i]);
	for (i = 0; i < s->nnames; i++)
		free(s->names[i].name);
	free(s->section);
	free(s->sid);
	free(s->names);
	free(s);
}

static int
add_names(struct set *s, const struct conf_cert *cert)
{
	struct name	*v = realloc(s->names, (s->nnames + cert->nnames + 1) * sizeof(*v));
	size_t		 i;

	if (v == NULL)
		return (E_NOMEM);
	s->names = v;
	for (i = 0; i <= cert->nnames; i++) {	/* the section's title is a name too */
		v[s->nnames].section = s->nsections - 1;
		if ((v[s->nnames].name = strdup(i < cert->nnames ? cert->names[i] : cert->name)) == NULL)
			return (E_NOMEM);
		s->nnames++;
	}
	return (E_OK);
}

/* What of a section its sessions are bound to (see set_sessions). */
static int
bind_section(struct set *s, const struct conf *conf, const struct conf_cert *cert)
{
	unsigned char	*sid = s->sid[s->nsections - 1];
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	uint32_t	 level = (uint32_t)conf->tls_level;
	int		 ok;

	ok = m != NULL && EVP_DigestInit_ex(m, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(m, sid, SID_LEN) == 1 &&
	    EVP_DigestUpdate(m, &level, sizeof(level)) == 1 &&
	    EVP_DigestUpdate(m, conf->client_ca.p, conf->client_ca.n) == 1 &&
	    EVP_DigestUpdate(m, cert->chain.p, cert->chain.n) == 1 && EVP_DigestFinal_ex(m, sid, NULL) == 1;
	EVP_MD_CTX_free(m);
	return (ok ? E_OK : E_NOMEM);
}

static int
fill_set(struct set *s, const struct conf *conf, uint8_t serial)
{
	const struct conf_cert	*cert;
	SSL_CTX			*ctx = NULL;
	size_t			 i;
	int			 err;

	for (i = 0; i < conf->ncerts; i++) {
		cert = &conf->certs[i];
		if (i == 0 || strcmp(cert->name, conf->certs[i - 1].name) != 0) {
			if ((ctx = new_context(conf->tls_level)) == NULL)
				return (E_NOMEM);
			s->section[s->nsections++] = ctx;
			if ((err = tls_client_authorities(ctx, conf->client_ca)) != E_OK) {
				log_warn("client-ca: %s", tls_error());
				return (err);
			}
		}
		if ((err = add_pair(ctx, cert, (uint16_t)(serial << 8 | i))) == E_OK && (err = add_names(s, cert)) == E_OK)
			err = bind_section(s, conf, cert);
		if (err != E_OK) {
			log_warn("certificate=%s tls=%s: %s", cert->certificate_path, cert->name, tls_error());
			return (err);
		}
	}
	if (s->nnames > 1)	/* of a snapshot without certificates there is no array */
		qsort(s->names, s->nnames, sizeof(s->names[0]), compare_names);
	return (E_OK);
}

int
tls_prepare(const struct conf *conf, uint64_t generation)
{
	struct set	*s;
	int		 err;

	_Static_assert(CERTS_MAX <= 256, "an index is the low octet of a handle");
	free_set(tls.coming);
	tls.coming = NULL;
	if ((err = tls_open()) != E_OK)
		return (err);
	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->section = calloc(conf->ncerts + 1, sizeof(*s->section))) == NULL ||
	    (s->sid = calloc(conf->ncerts + 1, sizeof(*s->sid))) == NULL) {
		if (s != NULL)
			free(s->section);
		free(s);
		return (E_NOMEM);
	}
	s->generation = generation;
	tls.serial++;
	tls.generation[tls.serial] = generation;
	if ((err = fill_set(s, conf, tls.serial)) != E_OK)
		free_set(s);
	else
		tls.coming = s;
	return (err);
}

void
tls_use(void)
{
	if (tls.coming == NULL)
		return;
	free_set(tls.now);
	tls.now = tls.coming;
	tls.coming = NULL;
}

int
tls_ready(void)
{
	return (tls.now != NULL && tls.now->nsections != 0);
}

SSL *
tls_new(void)
{
	SSL	*ssl = tls_ready() ? SSL_new(tls.now->section[0]) : NULL;

	if (ssl == NULL)
		return (NULL);
	SSL_set_accept_state(ssl);
	if (tls.tickets.n == 0) {
		SSL_set_num_tickets(ssl, 0);
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	}
	return (ssl);
}

int
tls_open(void)
{
	SSL_CTX		*ctx;
	unsigned char	 b;
	int		 ok;

	if (tls.open)
		return (E_OK);
	/*
	 * Only the configuration speaks of TLS here; what is looked up by name later is in the
	 * library.
	 */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL) != 1 || tls_provider_open(tls_ask_key, NULL) != E_OK || ASYNC_init_thread(TLS_HANDSHAKES_MAX, 0) != 1 ||
	    RAND_bytes(&b, 1) != 1 || RAND_priv_bytes(&b, 1) != 1)
		return (E_IO);
	ctx = new_context(TLS_INTERMEDIATE);
	ok = ctx != NULL;
	SSL_CTX_free(ctx);
	tls.open = ok;
	return (ok ? E_OK : E_IO);
}

void
tls_key_of(uint16_t handle, uint64_t *generation, uint16_t *index)
{
	*generation = tls.generation[handle >> 8];
	*index = handle & 0xff;
}

void
tls_close(void)
{
	free_set(tls.now);
	free_set(tls.coming);
	if (tls.open) {
		ASYNC_cleanup_thread();
		tls_provider_close();
	}
	OPENSSL_cleanse(&tls, sizeof(tls));
}
