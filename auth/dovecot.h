/*
 * dovecot.h -- the client's side of Dovecot's authentication protocol, versions 1.0 to 1.x, without
 * I/O.  Core.
 *
 * Lines ended by LF; fields parted by TAB; in a field ^A is the escape ("\001t" TAB, "\001n" LF,
 * "\001r" CR, "\0010" NUL, "\0011" itself).  The server's octets go in by dovecot_feed() in pieces
 * of any size; what it says comes out by the calls of dovecot_ops.  Of what is not known here,
 * commands and parameters, it is said that clients ignore it; all that is known is checked, since
 * the peer is another program (R2).
 *
 * After a code other than E_OK the stream is over: its other end does not speak this protocol.
 */
#ifndef AUTH_DOVECOT_H
#define AUTH_DOVECOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/limits.h"
#include "common/slice.h"

enum dovecot_answer {
	DOVECOT_CONT,		/* data is a challenge */
	DOVECOT_OK,		/* login is who */
	DOVECOT_FAIL,		/* login is who it was, or "" */
	DOVECOT_TEMP,		/* the server could not find out */
};

struct dovecot;

struct dovecot_ops {
	/*
	 * The handshake is over; mechanisms: 1 << enum sasl_mechanism, those of ours that it has.
	 */
	void	(*ready)(struct dovecot *, unsigned mechanisms);
	/*
	 * id as the server said it: of an exchange that was cancelled an answer may still come.
	 * data and login borrow.
	 */
	void	(*answer)(struct dovecot *, uint32_t id, enum dovecot_answer, const char *login, struct slice data);
};

struct dovecot {
	const struct dovecot_ops *ops;
	void		*arg;		/* the owner's */
	const char	*why;		/* after a failure: what was wrong */
	unsigned	 mechanisms;
	unsigned	 hello_lines;
	uint8_t		 versioned;	/* VERSION came */
	uint8_t		 ready;		/* DONE came */
	uint8_t		 over;
	size_t		 len;		/* of the line that has begun */
	char		 line[DOVECOT_LINE_MAX];
};

void	dovecot_init(struct dovecot *, const struct dovecot_ops *, void *arg);
/* E_OK, E_PROTO, E_LIMIT.  The lines are wiped once they are read. */
int	dovecot_feed(struct dovecot *, const char *, size_t);

/*
 * What goes to the server: whole lines, LF and NUL behind, into dst of DOVECOT_SEND_MAX + 1; the
 * length, 0 if it is longer than any line that the server reads: it would drop the stream, and with
 * it all exchanges of others.  They may hold passwords.
 */
size_t	dovecot_hello(char *dst, uint32_t pid);
size_t	dovecot_auth(char *dst, uint32_t id, const struct ipc_sasl *first);
size_t	dovecot_cont(char *dst, uint32_t id, struct slice data);
size_t	dovecot_cancel(char *dst, uint32_t id);

#endif
