/*
 * defaults.h -- what the machine says where the configuration says nothing.
 */
#ifndef CONF_DEFAULTS_H
#define CONF_DEFAULTS_H

#include "common/limits.h"
#include "common/slice.h"

/* The host's full name from gethostname() and, where that has no dot, the text of /etc/hosts; no DNS.
 * "localhost" if neither gives a domain name. */
void	 defaults_hostname(char dst[static DOMAIN_MAX + 1], struct slice node, struct slice hosts);

/* The embedded configuration with its state beneath dir, as malloc'd text; NULL with why if dir is unfit. */
char	*defaults_text(const char *dir, const char *hostname, const char **why);

#endif
