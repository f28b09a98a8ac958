/*
 * passwd.h -- posternctl passwd: entries of the password table that postern-auth(8) reads.
 *
 * passwd_edit.c is a core: text in, text out.  passwd.c asks for the password; passwd_file.c
 * replaces the file whole, under a lock.
 */
#ifndef CTL_PASSWD_H
#define CTL_PASSWD_H

#include <stddef.h>

#include "common/buf.h"
#include "common/limits.h"
#include "common/slice.h"
#include "ctl/args.h"

#define PASSWD_ENTRY_MAX	512	/* octets of what stands behind the login */
#define PASSWD_LOCK_S		10	/* another posternctl is waited for so long */

int	cmd_passwd(const struct ctl_args *);

/* A login in the form in which it is compared, prepared: E_OK, or E_SYNTAX, E_LIMIT with why. */
int	passwd_login(char dst[LOGIN_MAX + 1], const char *text, const char **why);
/* The same for a password; crypt: for crypt(3), which takes less. */
int	passwd_password(char dst[PASSWORD_MAX + 1], struct slice text, int crypt, const char **why);

enum passwd_did { PASSWD_ADDED, PASSWD_CHANGED, PASSWD_REMOVED, PASSWD_NONE };
/*
 * old with login's entry changed, added at its end, or (entry NULL) removed; of several the first
 * counts and the others go, as do no other lines.  E_OK; E_LIMIT: the table would be longer than
 * AUTH_TABLE_MAX.
 */
int	passwd_edit(struct buf *dst, struct slice old, const char *login, const char *entry, enum passwd_did *);

/* The same on a file; complains by itself.  An exit status. */
int	passwd_change(const char *path, const char *login, const char *entry, enum passwd_did *);

#endif
