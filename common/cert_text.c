/* cert_text.c -- see cert_text.h.  Shell: OpenSSL. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/cert_text.h"

#define MORE	", ..."

static void
name_text(char *dst, size_t size, X509_NAME *name)
{
	BIO	*out = BIO_new(BIO_s_mem());
	char	*p;
	long	 n = 0;

	dst[0] = '\0';
	if (out != NULL &&
	    X509_NAME_print_ex(
		out, name, 0, (XN_FLAG_ONELINE | ASN1_STRFLGS_ESC_CTRL) & ~XN_FLAG_SPC_EQ) >= 0)
		n = BIO_get_mem_data(out, &p);
	if (n > 0) {
		n = n < (long)size ? n : (long)size - 1;
		for (long i = 0; i < n; i++)
			dst[i] = p[i] >= ' ' && p[i] <= '~' ? p[i] : '?';
		dst[n] = '\0';
	}
	BIO_free(out);
}

/* RFC 6125: the names that count are those of its subjectAltName; others' octets, so not copied as they are. */
static void
names_text(char dst[static CERT_NAMES_LEN], X509 *x)
{
	GENERAL_NAMES	*all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	size_t		 at = 0, n;

	dst[0] = '\0';
	for (int i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME	*g = sk_GENERAL_NAME_value(all, i);
		const unsigned char	*p;

		if (g->type != GEN_DNS)
			continue;
		p = ASN1_STRING_get0_data(g->d.dNSName);
		n = (size_t)ASN1_STRING_length(g->d.dNSName);
		if (at + n + 2 + sizeof(MORE) > CERT_NAMES_LEN) {
			memcpy(dst + at, MORE, sizeof(MORE));
			break;
		}
		if (at != 0) {
			dst[at++] = ',';
			dst[at++] = ' ';
		}
		for (size_t k = 0; k < n; k++)
			dst[at++] = p[k] > ' ' && p[k] <= '~' && p[k] != ',' ? (char)p[k] : '?';
		dst[at] = '\0';
	}
	GENERAL_NAMES_free(all);
}

static void
time_text(char dst[static 24], const ASN1_TIME *t)
{
	struct tm	tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1 ||
	    strftime(dst, 24, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		(void)snprintf(dst, 24, "?");
}

void
cert_describe(struct cert_text *t, X509 *x)
{
	EVP_PKEY	*key = X509_get0_pubkey(x);
	uint8_t		 digest[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;

	memset(t, 0, sizeof(*t));
	name_text(t->subject, sizeof(t->subject), X509_get_subject_name(x));
	name_text(t->issuer, sizeof(t->issuer), X509_get_issuer_name(x));
	names_text(t->names, x);
	time_text(t->from, X509_get0_notBefore(x));
	time_text(t->until, X509_get0_notAfter(x));
	t->early = X509_cmp_current_time(X509_get0_notBefore(x)) > 0;
	t->expired = X509_cmp_current_time(X509_get0_notAfter(x)) < 0;
	if (X509_digest(x, EVP_sha256(), digest, &n) == 1 && n == 32) {
		for (unsigned i = 0; i < n; i++)
			(void)snprintf(
			    t->sha256 + 3 * i, 4, i + 1 < n ? "%02X:" : "%02X", digest[i]);
	}
	if (key != NULL)
		(void)snprintf(t->key, sizeof(t->key), "%.40s %d bits",
		    EVP_PKEY_get0_type_name(key) != NULL ? EVP_PKEY_get0_type_name(key) : "?",
		    EVP_PKEY_get_bits(key));
	ERR_clear_error();
}
