/*
 * checker.h -- run postern-conf on a configuration file, and find the control socket by it.  Shell.
 *
 * posternctl does not read the configuration's text itself: there is one parser of it.
 */
#ifndef CTL_CHECKER_H
#define CTL_CHECKER_H

#include <stddef.h>

#include "common/conf.h"
#include "common/slice.h"
#include "ctl/args.h"

#define CONF_DEFAULT	SYSCONFDIR "/postern/postern.conf"
#define RUNTIME_DEFAULT	"/run/postern"
#define SOCKET_PATH_MAX	1024

struct check {
	struct conf	*conf;		/* NULL if there are errors; conf_free() it */
	char		*text;		/* the errors, each "FILE:LINE: text" and LF; free() it */
	size_t		 text_len;
};

/* Whole file at once; with tables or without a look at them.  E_OK even if it has errors; E_IO with why if it could not
 * be checked. */
int	check_run(struct check *, const char *file, int tables, char *why, size_t size);
void	check_clear(struct check *);

/* "FILE:LINE: text" taken apart; line 0 if there is none.  Slices borrow. */
struct check_error {
	struct slice	file, text;
	unsigned	line;
};
void	check_error_split(struct check_error *, struct slice line);

/*
 * The path of the control socket: -s, -d, the runtime directory of the file named by -c or of
 * the default one, or the built-in default.  Exit status; what is wrong goes to standard error.
 */
int	socket_find(const struct ctl_args *, char *dst, size_t size);

#endif
