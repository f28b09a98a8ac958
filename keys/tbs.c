/*
 * tbs.c -- see tbs.h.  Core.
 */
#include <string.h>

#include "common/err.h"
#include "keys/tbs.h"

#define BLANKS		64
#define RANDOM_LEN	32
#define HASH256		32
#define HASH384		48
#define NAMED_CURVE	3		/* ECCurveType, RFC 8422 5.4 */
#define PARAMS_HEAD	4		/* type, two octets of curve, length of the point */
#define X25519		29		/* the rest are points on a curve of NIST's */
#define UNCOMPRESSED	4		/* a point's first octet, RFC 8422 5.4.1 */

static const char context[] = "TLS 1.3, server CertificateVerify";	/* with its NUL */

static const struct tbs_scheme schemes[] = {
	{ 0x0401, TBS_RSA,	"SHA256", 0 },	/* rsa_pkcs1_*: TLS 1.2 alone */
	{ 0x0501, TBS_RSA,	"SHA384", 0 },
	{ 0x0601, TBS_RSA,	"SHA512", 0 },
	{ 0x0403, TBS_EC_P256,	"SHA256", 0 },
	{ 0x0503, TBS_EC_P384,	"SHA384", 0 },
	{ 0x0603, TBS_EC_P521,	"SHA512", 0 },
	{ 0x0804, TBS_RSA,	"SHA256", 1 },	/* rsa_pss_rsae_* */
	{ 0x0805, TBS_RSA,	"SHA384", 1 },
	{ 0x0806, TBS_RSA,	"SHA512", 1 },
	{ 0x0807, TBS_ED25519,	NULL, 0 },
};

static const struct {
	uint16_t	curve;
	uint8_t		len;		/* of the point */
	uint8_t		first;		/* 0: any */
} curves[] = {
	{ 23, 65, UNCOMPRESSED },	/* secp256r1 */
	{ 24, 97, UNCOMPRESSED },	/* secp384r1 */
	{ 25, 133, UNCOMPRESSED },	/* secp521r1 */
	{ X25519, 32, 0 },
};

const struct tbs_scheme *
tbs_scheme(uint16_t number)
{
	size_t	i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].number == number)
			return (&schemes[i]);
	}
	return (NULL);
}

static int
is_tls13(struct slice tbs)
{
	size_t	i, hash;

	if (tbs.n <= BLANKS + sizeof(context))
		return (0);
	for (i = 0; i < BLANKS; i++) {
		if (tbs.p[i] != ' ')
			return (0);
	}
	hash = tbs.n - BLANKS - sizeof(context);
	return (memcmp(tbs.p + BLANKS, context, sizeof(context)) == 0 && (hash == HASH256 || hash == HASH384));
}

/*
 * The randoms may be anything, so what follows them must not be mistaken for the other form: it
 * begins with 3.
 */
static int
is_tls12(struct slice tbs)
{
	const unsigned char	*p = (const unsigned char *)tbs.p + 2 * RANDOM_LEN;
	size_t			 i, n;
	uint16_t		 curve;

	if (tbs.n <= 2 * RANDOM_LEN + PARAMS_HEAD)
		return (0);
	n = tbs.n - 2 * RANDOM_LEN - PARAMS_HEAD;
	curve = (uint16_t)(p[1] << 8 | p[2]);
	if (p[0] != NAMED_CURVE || p[3] != n)
		return (0);
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].curve == curve)
			return (curves[i].len == n && (curves[i].first == 0 || p[PARAMS_HEAD] == curves[i].first));
	}
	return (0);
}

uint16_t
tbs_point(struct slice tbs, struct slice *point)
{
	const unsigned char	*p = (const unsigned char *)tbs.p + 2 * RANDOM_LEN;

	if (!is_tls12(tbs) || p[2] == X25519)
		return (0);
	*point = slice_make(tbs.p + 2 * RANDOM_LEN + PARAMS_HEAD, tbs.n - 2 * RANDOM_LEN - PARAMS_HEAD);
	return ((uint16_t)(p[1] << 8 | p[2]));
}

int
tbs_check(const struct tbs_scheme *s, struct slice tbs)
{
	int	pkcs1 = s->key == TBS_RSA && !s->pss;

	if (is_tls13(tbs))
		return (pkcs1 ? E_SYNTAX : E_OK);	/* RFC 8446 4.4.3 */
	return (is_tls12(tbs) ? E_OK : E_SYNTAX);
}
