/*
 * keys_tbs_fuzz.c -- what is signed, against a plain description of the two forms.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "keys/tbs.h"

/* RFC 8446 4.4.3: built anew and compared. */
static int
is_13(const uint8_t *p, size_t n)
{
	uint8_t	want[98];

	memset(want, 0x20, 64);
	memcpy(want + 64, "TLS 1.3, server CertificateVerify", 34);
	return ((n == 98 + 32 || n == 98 + 48) && memcmp(p, want, 98) == 0);
}

/* RFC 8422 5.4: by the length of each curve's point. */
static int
is_12(const uint8_t *p, size_t n)
{
	if (n < 68 || p[64] != 3 || p[65] != 0 || (size_t)p[67] + 68 != n)
		return (0);
	switch (p[66]) {
	case 23:
		return (n == 68 + 65 && p[68] == 4);
	case 24:
		return (n == 68 + 97 && p[68] == 4);
	case 25:
		return (n == 68 + 133 && p[68] == 4);
	case 29:
		return (n == 68 + 32);
	}
	return (0);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tbs_scheme	*s;
	uint16_t		 scheme;
	struct slice		 point;
	int			 want, pkcs1, curve;

	if (size < 2)
		return (0);
	scheme = (uint16_t)(data[0] << 8 | data[1]);
	if ((s = tbs_scheme(scheme)) == NULL)
		return (0);
	pkcs1 = data[1] == 1;
	want = (is_13(data + 2, size - 2) && !pkcs1) || is_12(data + 2, size - 2);
	if ((tbs_check(s, slice_make(data + 2, size - 2)) == E_OK) != want)
		abort();
	curve = is_12(data + 2, size - 2) ? data[2 + 66] : 0;
	if (tbs_point(slice_make(data + 2, size - 2), &point) != (curve == 29 ? 0 : curve) ||
	    (curve > 0 && curve < 29 && (point.p != (const char *)data + 2 + 68 || point.n != size - 2 - 68)))
		abort();
	return (0);
}
