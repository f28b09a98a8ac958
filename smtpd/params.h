/*
 * params.h -- the parameters behind the path of MAIL and RCPT (core: pure).
 *
 * RFC 5321 4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value].
 */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "common/slice.h"

struct param {
	struct slice	keyword;
	struct slice	value;		/* n is 0 and p NULL without "=" */
};

/* Split the next parameter off *rest.  E_OK, E_NOTFOUND at the end, E_SYNTAX. */
int	param_next(struct slice *rest, struct param *);

#endif
