/*
 * cert.h -- a certificate file: what of it goes into the snapshot, and whether it can serve.
 */
#ifndef CONF_CERT_H
#define CONF_CERT_H

#include <stdint.h>

#include "common/conf.h"
#include "conf/mem.h"

#define CERT_WHY_MAX	192

struct cert {
	struct slice	 chain;		/* DER, in the arena */
	uint8_t		 spki[SPKI_HASH_LEN];
	struct vec	 names;		/* const char *, in the arena; the caller frees the vec */
	char		 warning[CERT_WHY_MAX];	/* it serves all the same; "" none */
};

/*
 * PEM text: the server's own certificate first, then the one that signed it, and so on.  now is epoch
 * seconds.  0 and why, if it cannot serve: then nothing is to be freed.
 */
int	cert_read(struct cert *, const char *pem, int64_t now, struct arena *, char why[static CERT_WHY_MAX]);

#endif
