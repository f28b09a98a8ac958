/*
 * ca.h -- a file of trust anchors: what of it goes into the snapshot.
 */
#ifndef CONF_CA_H
#define CONF_CA_H

#include <stdint.h>

#include "common/slice.h"
#include "conf/cert.h"
#include "conf/mem.h"

struct ca {
	struct slice	 pem;		/* its certificates alone, in OpenSSL's form of PEM; in the arena */
	size_t		 n;
	char		 warning[CERT_WHY_MAX];	/* of one that is not a CA's or not valid now; "" none */
};

/* PEM text; words between the certificates are passed over.  now is epoch seconds.  0 and why, if it cannot serve. */
int	ca_read(struct ca *, const char *pem, int64_t now, struct arena *, char why[static CERT_WHY_MAX]);

#endif
