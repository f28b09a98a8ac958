/*
 * tlsa.h -- `posternctl tlsa-check': a chain of certificates held against TLSA records, without a
 * server.  Shell: OpenSSL.
 */
#ifndef CTL_TLSA_H
#define CTL_TLSA_H

#include "ctl/args.h"

/*
 * Exit status: 0 a server with this chain would be authenticated, 1 it would not, 2 what was given
 * makes no sense.
 */
int	cmd_tlsa_check(const struct ctl_args *);

#endif
