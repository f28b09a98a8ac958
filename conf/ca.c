/*
 * ca.c -- see ca.h.  OpenSSL reads the file, once, in a process that ends right after.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/limits.h"
#include "conf/ca.h"

#define KEY_MARK	"PRIVATE KEY-----"	/* of every form of key in PEM, RFC 7468 10, 11 */

static int
refuse(char *why, const char *text)
{
	(void)snprintf(why, CERT_WHY_MAX, "%s", text);
	return (0);
}

/* The first that is wrong is told; system bundles have some of each. */
static void
judge(struct ca *ca, X509 *x, int64_t now)
{
	time_t		 t = (time_t)now;
	const char	*what = NULL;

	if (ca->warning[0] != '\0')
		return;
	if (X509_check_ca(x) == 0)
		what = "is not that of a certification authority";
	else if (X509_cmp_time(X509_get0_notAfter(x), &t) <= 0)
		what = "has expired";
	else if (X509_cmp_time(X509_get0_notBefore(x), &t) > 0)
		what = "is not valid yet";
	if (what != NULL)
		(void)snprintf(ca->warning, sizeof(ca->warning), "certificate %zu of the file %s", ca->n, what);
}

static int
copy_all(struct ca *ca, BIO *in, BIO *out, int64_t now, char *why)
{
	X509	*x;
	int	 ok = 1;

	while (ok && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		ca->n++;
		judge(ca, x, now);
		if (PEM_write_bio_X509(out, x) != 1) {
			(void)snprintf(why, CERT_WHY_MAX, "certificate %zu of the file cannot be written again", ca->n);
			ok = 0;
		}
		X509_free(x);
	}
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		(void)snprintf(why, CERT_WHY_MAX, "certificate %zu of the file cannot be read", ca->n + 1);
		ok = 0;
	} else if (ok && ca->n == 0)
		ok = refuse(why, "no certificate in PEM (-----BEGIN CERTIFICATE-----)");
	ERR_clear_error();
	return (ok);
}

int
ca_read(struct ca *ca, const char *pem, int64_t now, struct arena *mem, char why[static CERT_WHY_MAX])
{
	BIO	*in, *out;
	char	*p;
	long	 n;
	int	 ok;

	*ca = (struct ca){ .n = 0 };
	if (strstr(pem, KEY_MARK) != NULL)
		return (refuse(why, "it holds a private key too, which belongs to nobody but its authority"));
	if ((in = BIO_new_mem_buf(pem, -1)) == NULL || (out = BIO_new(BIO_s_mem())) == NULL)
		mem_none();
	ok = copy_all(ca, in, out, now, why);
	n = BIO_get_mem_data(out, &p);
	if (ok && (n <= 0 || n > (long)TLS_CA_MAX)) {
		(void)snprintf(why, CERT_WHY_MAX, "its certificates are more than %u octets", TLS_CA_MAX);
		ok = 0;
	}
	if (ok) {
		if (BIO_write(out, "", 1) != 1)	/* its NUL */
			mem_none();
		(void)BIO_get_mem_data(out, &p);
		ca->pem = slice_make(mem_strdup(mem, p), (size_t)n);
	}
	BIO_free(in);
	BIO_free(out);
	return (ok);
}
