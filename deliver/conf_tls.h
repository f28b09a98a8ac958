/* conf_tls.h -- whether two snapshots ask the same of TLS and logins at next hops.  Core. */
#ifndef DELIVER_CONF_TLS_H
#define DELIVER_CONF_TLS_H

#include "common/conf.h"

int	conf_tls_differs(const struct conf *, const struct conf *);

#endif
