/*
 * drop.c -- see drop.h.  Shell.
 */
#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "master/drop.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DROP_NO_FILTER	1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DROP_NO_FILTER	1	/* the leak checker traces its own process */
#endif

#define MEMLOCK_WANTED	(128u << 20)	/* octets: the memory of the keys; the password table in use, and the one of a reload */

static const int keep[] = {
	CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_CHROOT, CAP_NET_BIND_SERVICE, CAP_KILL,
};
#define NKEEP	(sizeof(keep) / sizeof(keep[0]))

void
drop_raise_limits(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
			log_warn("RLIMIT_NOFILE: %s", strerror(errno));
	}
	if (getrlimit(RLIMIT_MEMLOCK, &rl) == 0 && rl.rlim_max < MEMLOCK_WANTED) {
		rl.rlim_cur = rl.rlim_max = MEMLOCK_WANTED;
		(void)setrlimit(RLIMIT_MEMLOCK, &rl);	/* if not, postern-keys and postern-auth say so, where it is too little */
	}
}

static void
drop_capabilities(void)
{
	unsigned have[NKEEP];
	size_t i;
	int cap;

	/* A container may have taken some; asking for what is not there would fail. */
	if (capng_get_caps_process() != 0)
		log_fatal("capabilities cannot be read");
	for (i = 0; i < NKEEP; i++) {
		have[i] = (unsigned)capng_have_capability(CAPNG_PERMITTED, (unsigned)keep[i]);
		if (!have[i] && keep[i] != CAP_NET_BIND_SERVICE)
			log_fatal("capability %s is missing: as root it is needed to start daemons "
			    "of other users", capng_capability_to_name((unsigned)keep[i]));
	}
	capng_clear(CAPNG_SELECT_ALL);
	for (i = 0; i < NKEEP; i++) {
		if (have[i] && capng_update(CAPNG_ADD,
		    CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, (unsigned)keep[i]) != 0)
			log_fatal("capabilities cannot be chosen");
	}
	if (capng_apply(CAPNG_SELECT_ALL) != 0)
		log_fatal("capabilities cannot be dropped: %s", strerror(errno));
	/* Believe what can be read back, nothing else. */
	if (capng_get_caps_process() != 0)
		log_fatal("capabilities cannot be read");
	for (cap = 0; cap <= CAP_LAST_CAP; cap++) {
		for (i = 0; i < NKEEP && keep[i] != cap; i++)
			;
		if (i == NKEEP && (capng_have_capability(CAPNG_PERMITTED, (unsigned)cap) ||
		    capng_have_capability(CAPNG_BOUNDING_SET, (unsigned)cap)))
			log_fatal("capability %s was not dropped", capng_capability_to_name((unsigned)cap));
	}
}

#ifndef DROP_NO_FILTER
/* Names, since a library of Debian 12 need not know the numbers of all of them. */
static const char *const refused[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
	"io_uring_setup", "io_uring_enter", "io_uring_register",
	"keyctl", "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "personality",
	"mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
	"fspick", "mount_setattr", "unshare", "setns", "swapon", "swapoff", "reboot",
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"acct", "quotactl", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex",
	"sethostname", "setdomainname", "syslog", "iopl", "ioperm", "modify_ldt", "lookup_dcookie",
	"open_by_handle_at", "name_to_handle_at", "fanotify_init", "nfsservctl", "vhangup",
};

static void
drop_filter(void)
{
	scmp_filter_ctx ctx;
	size_t i;
	int nr, rc = 0;

	/* ENOSYS, as on a kernel without them: a library that probes for one goes on without. */
	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		log_fatal("seccomp: no memory");
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		nr = seccomp_syscall_resolve_name(refused[i]);
		if (nr == __NR_SCMP_ERROR || nr < 0)
			continue;	/* not on this architecture */
		if ((rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0)) != 0)
			log_fatal("seccomp: %s: %s", refused[i], strerror(-rc));
	}
	if ((rc = seccomp_load(ctx)) != 0)
		log_fatal("seccomp: %s", strerror(-rc));
	seccomp_release(ctx);
}
#endif

void
drop_enter(void)
{
	if (geteuid() == 0)
		drop_capabilities();
	else
		log_info("not root: root directories and ids stay as they are, daemons run as uid %u",
		    (unsigned)geteuid());
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		log_fatal("no_new_privs: %s", strerror(errno));
#ifndef DROP_NO_FILTER
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		log_fatal("PR_SET_DUMPABLE: %s", strerror(errno));
	drop_filter();
#endif
}
