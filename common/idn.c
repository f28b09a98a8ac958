/*
 * idn.c -- see idn.h.
 *
 * libidn2 works from tables in memory: it opens no file, neither at first nor later.
 */
#include "common/idn.h"

#include <idn2.h>

#include "common/addr.h"
#include "common/err.h"

static int
to_ascii(char dst[static DOMAIN_MAX + 1], const char *utf8)
{
	uint8_t	*ascii = NULL;
	int	 rc, err;

	rc = idn2_lookup_u8((const uint8_t *)utf8, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	switch (rc) {
	case IDN2_OK:
		err = slice_copy(slice_str((char *)ascii), dst, DOMAIN_MAX + 1);
		idn2_free(ascii);
		return (err);
	case IDN2_TOO_BIG_DOMAIN:
	case IDN2_TOO_BIG_LABEL:
		return (E_LIMIT);
	case IDN2_MALLOC:
		return (E_NOMEM);
	default:
		return (E_SYNTAX);
	}
}

void
idn_init(void)
{
	addr_use_idn(to_ascii);
}
