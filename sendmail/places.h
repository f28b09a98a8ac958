/*
 * places.h -- where the server is.  Shell; the parser is pure.
 *
 * No configuration is read: the server writes what matters here to <runtime>/paths (master/places.h), readable for
 * everybody, and leaves it there when it stops.  Without that file the built-in places hold.
 */
#ifndef SENDMAIL_PLACES_H
#define SENDMAIL_PLACES_H

#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"
#include "sendmail/args.h"

#define RUNTIME_DEFAULT		"/run/postern"
#define DIRECTORY_DEFAULT	"/var/lib/postern"
#define PLACES_PATH_MAX		1024

struct places {
	char		runtime[PLACES_PATH_MAX];
	char		directory[PLACES_PATH_MAX];
	char		hostname[DOMAIN_MAX + 1];	/* "" unknown */
	uint64_t	size_limit;			/* octets of a message; 0 unknown */
	int		closed;				/* the server takes no local submissions */
};

/* The lines of that file; what is malformed or unknown is left as it was. */
void	places_parse(struct places *, struct slice);
/* E_LIMIT: a path too long. */
int	places_find(struct places *, const struct args *);

#endif
