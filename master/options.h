/*
 * options.h -- the command line, the environment, and the way into the background.
 */
#ifndef MASTER_OPTIONS_H
#define MASTER_OPTIONS_H

#include "master/master.h"

#define CONF_DEFAULT	SYSCONFDIR "/postern/postern.conf"

/* -f, -c FILE, -d DIR, -V; exits with status 2 for anything else. */
void	options_parse(struct master *, int argc, char **argv);
/* Notification socket, state directory; empties the environment after that. */
void	options_environment(struct master *);
/* Fork; the parent exits 0 when an octet comes, 1 at end of file.  Returns the child's end. */
int	options_detach(void);

#endif
