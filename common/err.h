/*
 * err.h -- the error codes of every function that returns int.
 *
 * E_OK is 0, every other code is negative.  Results go to out-parameters, which
 * are not to be read after a failure.  Foreign codes (errno, LMDB, libuv,
 * libunbound) are translated once, at the door of the module that calls them.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

enum {
	E_OK = 0,
	E_AGAIN = -1,		/* nothing to do now, or would block; try later */
	E_NOMEM = -2,		/* no memory, or a memory budget is used up */
	E_LIMIT = -3,		/* longer, larger or more than the named limit */
	E_SYNTAX = -4,		/* text that does not follow its grammar */
	E_PROTO = -5,		/* a peer's message breaks the message table */
	E_CLOSED = -6,		/* the peer has gone */
	E_NOTFOUND = -7,
	E_EXISTS = -8,
	E_FULL = -9,		/* disk, quota or map full */
	E_IO = -10,		/* the medium or the kernel failed */
	E_CORRUPT = -11,	/* a stored record does not match its checksum or shape */
	E_DENIED = -12,		/* no permission, or a privilege could not be dropped */
	E_TIMEOUT = -13,
	E_RANGE = -14,		/* a number outside its range */
	E_BUSY = -15,		/* held by another process */
};

/* A short constant name such as "E_PROTO", for logs. */
const char	*err_name(int);

#endif
