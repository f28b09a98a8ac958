/*
 * sandbox_modules.c -- the system calls of a process that runs code of others (PAM's modules,
 * threat-model.md 4).
 *
 * Shell.  What such code needs nobody can list, so this names what it is refused, with an error
 * instead of death: sockets but Unix ones; what looks into or acts on other processes; what changes
 * the file system beyond what Landlock sees (modes, owners, attributes, mounts); name spaces; and
 * what the kernel offers to root or has had most of its faults in.  Files and signals are
 * Landlock's.  What the lack of capabilities forbids anyhow is here as well: one lock is none.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

#define NEW_SPACES	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | \
			CLONE_NEWUTS)

static const int refused[] = {
	/* Other processes. */
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(process_madvise), SCMP_SYS(migrate_pages), SCMP_SYS(move_pages), SCMP_SYS(setpriority),
	SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(ioprio_set),
	/* Files in ways that Landlock does not see: their owner is uid 0 as we are. */
	SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(lchown),
	SCMP_SYS(fchownat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(removexattr),
	SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr), SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(utimensat), SCMP_SYS(futimesat),
	SCMP_SYS(truncate), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at), SCMP_SYS(quotactl), SCMP_SYS(fanotify_init),
	/* Mounts and name spaces. */
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(unshare),
	SCMP_SYS(setns),
	/* The machine. */
	SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(personality), SCMP_SYS(lookup_dcookie),
	/* Much of the kernel behind one call. */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(mbind),
	SCMP_SYS(set_mempolicy), SCMP_SYS(vmsplice),
};

static void
refuse(scmp_filter_ctx ctx, int err, int nr, unsigned n, const struct scmp_arg_cmp *arg)
{
	int	bad;

	if ((bad = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((unsigned)err), nr, n, arg)) != 0)
		log_fatal("sandbox: seccomp rule for call %d: %s", nr, strerror(-bad));
}

void
seccomp_modules(void)
{
	const struct scmp_arg_cmp	family = SCMP_CMP64(0, SCMP_CMP_NE, AF_UNIX, 0);
	scmp_filter_ctx			ctx;
	int				err;

	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		log_fatal("sandbox: seccomp filter: out of memory");
	if ((err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) != 0)
		log_fatal("sandbox: seccomp: %s", strerror(-err));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		refuse(ctx, EPERM, refused[i], 0, NULL);
	/*
	 * EAFNOSUPPORT is what libaudit takes for a kernel without audit, whose log is not ours to
	 * write.
	 */
	refuse(ctx, EAFNOSUPPORT, SCMP_SYS(socket), 1, &family);
	refuse(ctx, EAFNOSUPPORT, SCMP_SYS(socketpair), 1, &family);
	for (int bit = 0; bit < 32; bit++) {
		const struct scmp_arg_cmp	space = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit);

		if ((NEW_SPACES & 1u << bit) != 0)
			refuse(ctx, EPERM, SCMP_SYS(clone), 1, &space);
	}
	refuse(ctx, ENOSYS, SCMP_SYS(clone3), 0, NULL);		/* its flags are out of a filter's sight */
	if ((err = seccomp_load(ctx)) != 0)
		log_fatal("sandbox: seccomp filter cannot be loaded: %s", strerror(-err));
	seccomp_release(ctx);
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS || socket(AF_INET, SOCK_DGRAM, 0) != -1 ||
	    errno != EAFNOSUPPORT)
		log_fatal("sandbox: seccomp filter is not in force");
}
