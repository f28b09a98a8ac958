/*
 * build.h -- from the values of postern.conf to the snapshot.
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "common/conf.h"
#include "conf/errors.h"

struct conf_world {		/* what the snapshot needs from outside the text */
	const char	*hostname;	/* where the text gives none */
	/* The whole of a file of at most max octets, as malloc'd text with NUL; NULL, and why not. */
	char		*(*read_file)(const char *path, size_t max, const char **why);
};

/*
 * The snapshot, or NULL if there are errors.  Everything in it has been packed and unpacked once, so that what
 * daemons will check holds.  The caller frees with conf_free().
 */
struct conf	*conf_build(struct slice text, const struct conf_world *, struct errors *);

#endif
