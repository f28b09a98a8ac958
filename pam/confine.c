/*
 * confine.c -- an asker's own filter: it signals nobody but itself.  Shell.
 *
 * As uid 0 it could otherwise end other processes of root's: the kernel asks for no capability
 * between processes of one uid. (Landlock forbids the same from its ABI 6 on.)
 */
#include <errno.h>
#include <seccomp.h>
#include <unistd.h>

#include "pam/pam.h"

int
asker_confine(void)
{
#if SANDBOX_SANITIZER
	return (0);
#else
	static const int	calls[] = {
		SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo),
		SCMP_SYS(pidfd_send_signal), SCMP_SYS(pidfd_getfd),
	};
	scmp_filter_ctx		ctx = seccomp_init(SCMP_ACT_ALLOW);
	int			bad = ctx == NULL;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !bad; i++)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0) != 0;
	bad = bad || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid())) != 0 || seccomp_load(ctx) != 0;
	seccomp_release(ctx);
	return (bad ? -1 : 0);
#endif
}
