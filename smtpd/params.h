/*
 * params.h -- the parameters behind the path of MAIL and RCPT (core: pure).
 *
 * RFC 5321 4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value]; RFC 6531 3.3: a value may hold UTF-8.
 * RFC 1870 (SIZE), 6152 and 3030 (BODY), 3461 (RET, ENVID, NOTIFY, ORCPT), 6531 (SMTPUTF8), 2852 (BY),
 * 4865 (HOLDFOR, HOLDUNTIL), 6710 (MT-PRIORITY), 4954 (AUTH).
 *
 * What is not offered to this client is 555, what is offered and wrong 501, each at most once.
 */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"

struct param {
	struct slice	keyword;
	struct slice	value;		/* n is 0 and p NULL without "=" */
};

struct param_rules {			/* what this client is offered */
	int		 esmtp;		/* EHLO or LHLO was said: else nothing */
	int		 trusted;	/* DELIVERBY, FUTURERELEASE and MT-PRIORITY: clients that may relay */
	int		 auth;		/* AUTH is known here (RFC 4954 5: whether this client has said it or not) */
	int		 utf8;		/* RCPT: the transaction is SMTPUTF8 */
	uint64_t	 size_limit;	/* 0: none */
	int64_t		 now;		/* epoch seconds */
};

struct mail_params {
	uint64_t	 size;		/* SIZE, or 0 */
	int64_t		 hold_until;	/* epoch seconds, 0 none */
	int32_t		 by_s;
	uint8_t		 body;		/* enum body_kind */
	uint8_t		 utf8;
	uint8_t		 ret;		/* enum dsn_ret */
	uint8_t		 by_mode;	/* enum by_mode */
	uint8_t		 by_trace;
	uint8_t		 prioritized;
	int8_t		 priority;
	char		 envid[ENVID_MAX + 1];
	struct slice	 auth;		/* AUTH= as it was written, xtext; nobody believes it (RFC 4954 5) */
};

struct rcpt_params {
	uint8_t		 notify;	/* NOTIFY_* */
	char		 orcpt[ORCPT_MAX + 1];
};

struct param_fault {			/* the reply, if it is none of ours */
	unsigned	 code;
	const char	*enhanced;
	char		 text[128];
};

/* Split the next parameter off *rest.  E_OK, E_NOTFOUND at the end, E_SYNTAX. */
int	param_next(struct slice *rest, struct param *);

/* All parameters behind a path.  E_OK, or E_SYNTAX and the fault is told. */
int	mail_params(struct mail_params *, struct slice, const struct param_rules *, struct param_fault *);
int	rcpt_params(struct rcpt_params *, struct slice, const struct param_rules *, struct param_fault *);

/* For both: the fault, E_SYNTAX. */
int	param_bad(struct param_fault *, unsigned code, const char *enhanced, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

/*
 * RFC 3339 5.6 date-time, with any offset, as epoch seconds; a part of a second is left out.  A leap second is
 * taken where one can be (5.7), as the second after it.  E_SYNTAX.
 */
int	date_time_parse(int64_t *, struct slice);

#endif
