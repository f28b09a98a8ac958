/*
 * sandbox_parts.h -- the pieces sandbox_enter() puts together; for sandbox*.c and landlock.c alone.
 */
#ifndef COMMON_SANDBOX_PARTS_H
#define COMMON_SANDBOX_PARTS_H

#include "common/sandbox.h"

/*
 * Landlock in two steps: the rules are made while the directories can still be opened by
 * their names, and put in force once no_new_privs is set.
 * Returns a ruleset's descriptor, or -1 if the kernel has no Landlock (errno says why).  Any
 * other failure is fatal.  *abi is the kernel's, 0 if it has none.
 */
int	landlock_prepare(const struct sandbox *, const struct sandbox_run *, int *abi);
void	landlock_enforce(int ruleset, int abi, const struct sandbox *);		/* closes ruleset */

/* Loads the filter and proves that it is in force.  Fatal on failure. */
void	seccomp_enter(const struct sandbox *);
void	seccomp_modules(void);		/* the filter for sandbox.modules; called by it */

#endif
