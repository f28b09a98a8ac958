/*
 * args.h -- sendmail's command line, as its users of forty years write it.  Core.
 *
 * Options cluster and take their values attached or apart, as with getopt(3).  What only tunes a way of working that
 * Postern does not have is taken and ignored; what would have another meaning than the caller thinks is refused.
 */
#ifndef SENDMAIL_ARGS_H
#define SENDMAIL_ARGS_H

#include <stddef.h>
#include <stdint.h>

enum mode {
	MODE_DELIVER,		/* -bm, the default: a message on standard input */
	MODE_SMTP,		/* -bs: SMTP on standard input and output */
	MODE_LIST,		/* -bp, mailq: what is queued */
	MODE_TABLES,		/* -bi, -I, newaliases: compile the tables anew */
	MODE_FLUSH,		/* -q: try all that waits */
	MODE_FLUSH_DOMAIN,	/* -qRdomain, -qSdomain */
	MODE_FLUSH_ID,		/* -qIid */
	MODE_VERSION,
};

struct args {
	enum mode	 mode;
	int		 extract;	/* -t */
	int		 keep_dot;	/* -i: a lone dot does not end the message */
	const char	*sender;	/* -f, -r; NULL: the caller */
	const char	*full_name;	/* -F; NULL: from the password database */
	uint8_t		 notify;	/* -N: NOTIFY_*; 0 not given */
	uint8_t		 ret;		/* -R: 'F', 'H' or 0 */
	const char	*envid;		/* -V; "" none; printable ASCII */
	uint8_t		 body;		/* -B: '7', '8' or 0: look at the message */
	const char	*runtime;	/* -O postern-runtime=; NULL: the default */
	const char	*directory;	/* -O postern-directory=; NULL: as the server says, or the default */
	const char	*what;		/* MODE_FLUSH_DOMAIN, _ID */
	int		 nop;
	char	       **op;		/* recipients: points into argv */
};

/* An exit status of sysexits.h: EX_OK, or EX_USAGE with what is wrong in err. */
int	args_parse(struct args *, int argc, char **argv, char *err, size_t size);

#endif
