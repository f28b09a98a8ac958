/*
 * build.h -- from the values of postern.conf to the snapshot.
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include <stdint.h>

#include "common/conf.h"
#include "conf/errors.h"

struct conf_world {		/* what the snapshot needs from outside the text */
	const char	*name;		/* of the text, as entries of tables tell where they are from */
	const char	*hostname;	/* where the text gives none */
	/* The whole of a file of at most max octets, as malloc'd text with NUL; NULL, and why not. */
	char		*(*read_file)(const char *path, size_t max, const char **why);
	char		*(*read_cert)(const char *path, size_t max, const char **why);	/* the same of a certificate file */
	/* A descriptor of a table file, to be closed by us; -1, and why not. */
	int		 (*open_file)(const char *path, const char **why);
	int64_t		 now;		/* epoch seconds: certificates are valid for a time */
	int		 no_tables;	/* leave all tables and certificates out, and with these TLS: who asks wants something else */
};

/*
 * The snapshot, or NULL if there are errors; warnings (errors.h) may be there in both cases.  Everything in it has been packed and unpacked once, so that what
 * daemons will check holds; its image is the compiled tables.  The caller frees with conf_free().
 */
struct conf	*conf_build(struct slice text, const struct conf_world *, struct errors *);

#endif
