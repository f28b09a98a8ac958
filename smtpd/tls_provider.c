/*
 * tls_provider.c -- see tls_provider.h.  Shell (OpenSSL 3).
 *
 * What had to be found out: libssl first tries to take the key into its default provider, and turns
 * to us only because the export of a private half fails; it compares key and certificate by
 * exporting our public half; and TLS 1.2 needs the one-shot digest_sign and dupctx.  Public-key
 * work is done in a library context of its own, where this provider does not exist.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/tls_provider.h"

#define NAME		"postern-keys"
#define PROPERTIES	"provider=" NAME
#define PARAM_ID	"postern-key-id"	/* for fromdata, beside the public half as DER */
#define PARAM_SPKI	"postern-spki"

struct remote_key {
	EVP_PKEY	*public;
	uint32_t	 id;
};

struct sign_ctx {
	struct remote_key *key;		/* borrowed: libssl holds it longer */
	uint8_t		 digest;	/* enum digest */
	uint8_t		 pss;
};

enum digest { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

static struct {
	tls_ask		 ask;
	void		*arg;
	OSSL_LIB_CTX	*public;
	OSSL_PROVIDER	*public_default, *own_default, *own;
} tls;

/* ---- keys ---- */

static void *
key_new(void *provctx)
{
	return (calloc(1, sizeof(struct remote_key)));
}

static void
key_free(void *vkey)
{
	struct remote_key	*k = vkey;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int
key_has(const void *vkey, int selection)
{
	return (vkey != NULL && ((const struct remote_key *)vkey)->public != NULL);
}

static int
key_match(const void *va, const void *vb, int selection)
{
	const struct remote_key	*a = va, *b = vb;

	return (EVP_PKEY_eq(a->public, b->public) == 1);
}

/*
 * From fromdata: our two parameters.  From libssl, to compare: a public half in the algorithm's own
 * parameters.
 */
static int
key_import(struct remote_key *k, const char *type, const OSSL_PARAM params[])
{
	const OSSL_PARAM	*id = OSSL_PARAM_locate_const(params, PARAM_ID);
	const OSSL_PARAM	*spki = OSSL_PARAM_locate_const(params, PARAM_SPKI);
	EVP_PKEY_CTX		*ctx;
	const unsigned char	*p;
	int			 ok;

	if (spki != NULL) {
		p = spki->data;
		k->public = d2i_PUBKEY_ex(NULL, &p, (long)spki->data_size, tls.public, NULL);
		return (k->public != NULL && id != NULL && OSSL_PARAM_get_uint32(id, &k->id));
	}
	if ((ctx = EVP_PKEY_CTX_new_from_name(tls.public, type, NULL)) == NULL)
		return (0);
	ok = EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	return (ok);
}

static int
key_export(void *vkey, int selection, OSSL_CALLBACK *give, void *arg)
{
	struct remote_key	*k = vkey;
	OSSL_PARAM		*params;
	int			 ok;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || k->public == NULL ||
	    EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return (0);
	ok = give(params, arg);
	OSSL_PARAM_free(params);
	return (ok);
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_uint32(PARAM_ID, NULL),
		OSSL_PARAM_octet_string(PARAM_SPKI, NULL, 0),
		OSSL_PARAM_END
	};

	return (types);
}

/* What libssl wants to know (sizes, group, point format) the public half knows. */
static int
key_get_params(void *vkey, OSSL_PARAM params[])
{
	struct remote_key	*k = vkey;

	return (EVP_PKEY_get_params(k->public, params));
}

static const OSSL_PARAM *
key_gettable(void *provctx)
{
	static const OSSL_PARAM	gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_END
	};

	return (gettable);
}

#define KEY_TYPE(what, name, operation) \
static int \
what##_import(void *vkey, int selection, const OSSL_PARAM params[]) \
{ \
	return (key_import(vkey, name, params)); \
} \
static const char * \
what##_operation(int id) \
{ \
	return (id == OSSL_OP_SIGNATURE ? (operation) : NULL); \
} \
static const OSSL_DISPATCH what##_key[] = { \
	{ OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))key_new }, \
	{ OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))key_free }, \
	{ OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))key_has }, \
	{ OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))key_match }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))what##_import }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))key_types }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT, (void (*)(void))key_export }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (void (*)(void))key_types }, \
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))key_get_params }, \
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))key_gettable }, \
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (void (*)(void))what##_operation }, \
	{ 0, NULL } \
};
KEY_TYPE(rsa, "RSA", "RSA")
KEY_TYPE(ec, "EC", "ECDSA")
KEY_TYPE(ed25519, "ED25519", "ED25519")

static const OSSL_ALGORITHM keymgmts[] = {
	{ "RSA:rsaEncryption", PROPERTIES, rsa_key, "RSA keys of the keys process" },
	{ "EC:id-ecPublicKey", PROPERTIES, ec_key, "EC keys of the keys process" },
	{ "ED25519", PROPERTIES, ed25519_key, "Ed25519 keys of the keys process" },
	{ NULL, NULL, NULL, NULL }
};

/* ---- signatures ---- */

static void *
sign_new(void *provctx, const char *propq)
{
	return (calloc(1, sizeof(struct sign_ctx)));
}

static void
sign_free(void *ctx)
{
	free(ctx);
}

static void *
sign_dup(void *ctx)
{
	struct sign_ctx	*c = malloc(sizeof(*c));

	if (c != NULL)
		memcpy(c, ctx, sizeof(*c));
	return (c);
}

/*
 * Padding comes as a number or as a word; the salt's length is the hash's in TLS, and nothing else
 * is signed.
 */
static int
sign_set_params(void *vctx, const OSSL_PARAM params[])
{
	struct sign_ctx		*c = vctx;
	const OSSL_PARAM	*p;
	int			 pad;

	if (params == NULL || (p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) == NULL)
		return (1);
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		c->pss = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
	else if (OSSL_PARAM_get_int(p, &pad))
		c->pss = pad == RSA_PKCS1_PSS_PADDING;
	else
		return (0);
	return (1);
}

static const OSSL_PARAM *
sign_settable(void *vctx, void *provctx)
{
	static const OSSL_PARAM	settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END
	};

	return (settable);
}

static int
sign_init(void *vctx, const char *digest, void *vkey, const OSSL_PARAM params[])
{
	static const struct { const char *name; enum digest d; } names[] = {
		{ "SHA256", DIGEST_SHA256 }, { "SHA2-256", DIGEST_SHA256 }, { "SHA384", DIGEST_SHA384 },
		{ "SHA2-384", DIGEST_SHA384 }, { "SHA512", DIGEST_SHA512 }, { "SHA2-512", DIGEST_SHA512 },
	};
	struct sign_ctx	*c = vctx;
	size_t		 i;

	if (vkey != NULL)
		c->key = vkey;
	c->digest = DIGEST_NONE;
	c->pss = 0;
	if (digest != NULL && digest[0] != '\0') {
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (OPENSSL_strcasecmp(digest, names[i].name) == 0)
				c->digest = (uint8_t)names[i].d;
		if (c->digest == DIGEST_NONE)
			return (0);	/* SHA-1 and worse are not signed */
	}
	return (c->key != NULL && sign_set_params(c, params));
}

/* RFC 8446 4.2.3; in TLS 1.2 an EC key of any curve goes with any hash, named by the hash. */
static uint16_t
scheme_of(const struct sign_ctx *c)
{
	static const uint16_t	pkcs1[] = { 0, 0x0401, 0x0501, 0x0601 }, pss[] = { 0, 0x0804, 0x0805, 0x0806 };
	static const uint16_t	ecdsa[] = { 0, 0x0403, 0x0503, 0x0603 };

	if (EVP_PKEY_is_a(c->key->public, "RSA"))
		return (c->pss ? pss[c->digest] : pkcs1[c->digest]);
	if (EVP_PKEY_is_a(c->key->public, "EC"))
		return (ecdsa[c->digest]);
	return (c->digest == DIGEST_NONE ? 0x0807 : 0);
}

static int
sign(void *vctx, unsigned char *sig, size_t *len, size_t size, const unsigned char *tbs, size_t n)
{
	struct sign_ctx	*c = vctx;
	uint16_t	 scheme = scheme_of(c);
	uint8_t		 got[TLS_SIG_MAX];
	size_t		 ngot = 0;

	if (sig == NULL) {
		*len = (size_t)EVP_PKEY_get_size(c->key->public);
		return (1);
	}
	if (scheme == 0 || tls.ask(tls.arg, (uint16_t)c->key->id, scheme, slice_make(tbs, n), got, &ngot) != E_OK ||
	    ngot == 0 || ngot > size)
		return (0);
	memcpy(sig, got, ngot);
	*len = ngot;
	return (1);
}

static const OSSL_DISPATCH sign_functions[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))sign_new },
	{ OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))sign_free },
	{ OSSL_FUNC_SIGNATURE_DUPCTX, (void (*)(void))sign_dup },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (void (*)(void))sign_init },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (void (*)(void))sign },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (void (*)(void))sign_set_params },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (void (*)(void))sign_settable },
	{ 0, NULL }
};

static const OSSL_ALGORITHM signatures[] = {
	{ "RSA:rsaEncryption", PROPERTIES, sign_functions, "RSA signatures of the keys process" },
	{ "ECDSA", PROPERTIES, sign_functions, "ECDSA signatures of the keys process" },
	{ "ED25519", PROPERTIES, sign_functions, "Ed25519 signatures of the keys process" },
	{ NULL, NULL, NULL, NULL }
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_store)
{
	*no_store = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return (keymgmts);
	return (operation == OSSL_OP_SIGNATURE ? signatures : NULL);
}

static const OSSL_DISPATCH provider_functions[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL }
};

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provctx)
{
	static char	none;

	*out = provider_functions;
	*provctx = &none;
	return (1);
}

int
tls_provider_open(tls_ask ask, void *arg)
{
	tls.ask = ask;
	tls.arg = arg;
	if ((tls.public = OSSL_LIB_CTX_new()) == NULL ||
	    (tls.public_default = OSSL_PROVIDER_load(tls.public, "default")) == NULL ||
	    OSSL_PROVIDER_add_builtin(NULL, NAME, provider_init) != 1 ||
	    (tls.own_default = OSSL_PROVIDER_load(NULL, "default")) == NULL ||
	    (tls.own = OSSL_PROVIDER_load(NULL, NAME)) == NULL ||
	    EVP_set_default_properties(NULL, "?provider=default") != 1) {
		tls_provider_close();
		return (E_IO);
	}
	return (E_OK);
}

void
tls_provider_close(void)
{
	OSSL_PROVIDER	*all[] = { tls.own, tls.own_default, tls.public_default };
	size_t		 i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL)
			OSSL_PROVIDER_unload(all[i]);
	OSSL_LIB_CTX_free(tls.public);
	memset(&tls, 0, sizeof(tls));
}

EVP_PKEY *
tls_provider_key(X509 *cert, uint16_t key)
{
	EVP_PKEY	*public = X509_get0_pubkey(cert), *handle = NULL;
	EVP_PKEY_CTX	*ctx = NULL;
	unsigned char	*spki = NULL;
	uint32_t	 id = key;
	OSSL_PARAM	 params[3];
	int		 n;

	if (public == NULL || (n = i2d_PUBKEY(public, &spki)) <= 0)
		return (NULL);
	params[0] = OSSL_PARAM_construct_uint32(PARAM_ID, &id);
	params[1] = OSSL_PARAM_construct_octet_string(PARAM_SPKI, spki, (size_t)n);
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, EVP_PKEY_get0_type_name(public), PROPERTIES);
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &handle, EVP_PKEY_KEYPAIR, params);	/* leaves NULL on failure */
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(spki);
	return (handle);
}
