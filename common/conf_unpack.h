/*
 * conf_unpack.h -- what the parts of conf_unpack.c share.  Core.
 */
#ifndef COMMON_CONF_UNPACK_H
#define COMMON_CONF_UNPACK_H

#include "common/conf.h"
#include "common/wire.h"

/* What one unpacking shares: E_NOMEM in err; wrong contents fail the reader. */
struct unpacker {
	struct rd	 r;
	struct arena	*mem;
	struct slice	 image;
	uint32_t	 ntables;	/* of the image; 0 if there is none */
	int		 err;
};

void		 unpack_expect(struct unpacker *, int holds);
void		*unpack_memory(struct unpacker *, size_t n, size_t size);	/* zeroed; NULL once err is set */
const char	*unpack_string(struct unpacker *);				/* printable; "" after a failure */
/* A count of things that take at least so many octets each; 0 after a failure. */
size_t		 unpack_count(struct unpacker *, size_t max, size_t least);
const char	**unpack_strings(struct unpacker *, size_t max, size_t *count);

void		 conf_unpack_tls(struct unpacker *, struct conf *);	/* behind the listeners */
void		 conf_unpack_auth(struct unpacker *, struct conf *);	/* behind those, the domains, TLS and the routes */

#endif
