/*
 * mailpath.h -- names of maildirs and of the files in them, and how a message looks there.  Core.
 *
 * %u and %d each stand for one whole component of a path: the recipient's local part, unquoted and in
 * lower case, and the domain.  What could leave the directory or hide in it is refused, never altered (R8).
 */
#ifndef DELIVER_MAILPATH_H
#define DELIVER_MAILPATH_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "deliver/deliver_limits.h"

#define MAILPATH_MAX	1024

/*
 * The maildir of a recipient, relative to root: path must lie beneath root (E_DENIED).  mailbox is what %u stands
 * for, without quotes (rcpt.h: no extension); NULL: the whole local part.  domain stands in for a recipient without
 * one (<postmaster>).  E_SYNTAX: the address makes no safe component; *why says which.
 */
int	mailpath_expand(char dst[static MAILPATH_MAX], const char *path, const char *root, const char *address,
	    const char *mailbox, const char *domain, const char **why);

/*
 * A file's name: arrival.QmsgidRindex.host, where "/", ":" and what is not printable in host become \ooo.
 * The same message for the same recipient gets the same name again, so a repeat after a crash finds what
 * it did before.  E_LIMIT.
 */
int	mailpath_file(char dst[static FILE_NAME_MAX + 1], int64_t arrival, uint64_t msgid, uint32_t index,
	    const char *host);

/* CRLF becomes LF, all other octets stay; *cr remembers one at the end.  dst has room for in.n + 1; the length. */
size_t	mailpath_lines(char *dst, struct slice in, int *cr);

#endif
