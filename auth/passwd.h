/* passwd.h -- what auth.c does for passwd.c. */
#ifndef AUTH_PASSWD_H
#define AUTH_PASSWD_H

void	passwd_open(void);	/* before the sandbox, and before the first check() */

#endif
