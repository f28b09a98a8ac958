/*
 * sandbox.c -- giving up everything a daemon does not need, each step read back (see sandbox.h).
 *
 * Shell.  Every failure is fatal: a daemon that could not drop a right does not serve.
 */
#include "common/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

#if SANDBOX_SANITIZER
/*
 * The leak checker asks this at exit.  It needs /proc and a second process, and what it cannot have
 * inside the sandbox it takes for a failure of the program.
 */
static int	entered;

int	__lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return (entered);
}
#endif

/* ---- limits ---- */

static void
limit_set(int what, const char *name, rlim_t value)
{
	struct rlimit want, got;

	if (getrlimit(what, &got) == -1)
		log_fatal("sandbox: getrlimit %s: %s", name, strerror(errno));
	want.rlim_max = got.rlim_max < value ? got.rlim_max : value;
	want.rlim_cur = want.rlim_max;
	if (setrlimit(what, &want) == -1)
		log_fatal("sandbox: setrlimit %s: %s", name, strerror(errno));
	if (getrlimit(what, &got) == -1 || got.rlim_cur != want.rlim_cur || got.rlim_max != want.rlim_max)
		log_fatal("sandbox: limit %s did not stay", name);
}

static void
limits(const struct sandbox *sb, const struct sandbox_run *run)
{
	if (run->nofile != 0)
		limit_set(RLIMIT_NOFILE, "nofile", run->nofile);
	limit_set(RLIMIT_CORE, "core", 0);
	if (sb->file_max != UINT64_MAX)
		limit_set(RLIMIT_FSIZE, "fsize", sb->file_max);
	if (sb->data_max != 0 && !SANDBOX_SANITIZER)
		limit_set(RLIMIT_DATA, "data", sb->data_max);
}

/* ---- root directory and ids ---- */

static void
change_root(const struct sandbox_run *run)
{
	struct stat before, after;

	if (run->root == NULL || run->root[0] == '\0')
		return;
	if (chdir(run->root) == -1)
		log_fatal("sandbox: %s: %s", run->root, strerror(errno));
	if (!run->privileged)
		return;
	if (stat(".", &before) == -1 || chroot(".") == -1 || chdir("/") == -1 || stat("/", &after) == -1)
		log_fatal("sandbox: root directory %s: %s", run->root, strerror(errno));
	if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
		log_fatal("sandbox: %s did not become the root directory", run->root);
}

static void
change_ids(const struct sandbox *sb, const struct sandbox_run *run)
{
	uid_t	r, e, s;
	gid_t	rg, eg, sg;

	if (run->privileged && sb->keep_root) {
		if (run->uid != 0 || run->gid != 0 || getuid() != 0 || geteuid() != 0)
			log_fatal("sandbox: uid %u is not root, which is needed", run->uid);
		if (setgroups(0, NULL) == -1 || setresgid(0, 0, 0) == -1 || getgroups(0, NULL) != 0)
			log_fatal("sandbox: groups: %s", strerror(errno));
		return;
	}
	if (run->privileged) {
		if (run->uid == 0 || run->gid == 0)
			log_fatal("sandbox: refusing to run as root");
		if (setgroups(0, NULL) == -1 || setresgid(run->gid, run->gid, run->gid) == -1 ||
		    setresuid(run->uid, run->uid, run->uid) == -1)
			log_fatal("sandbox: uid %u gid %u: %s", run->uid, run->gid, strerror(errno));
		if (getresuid(&r, &e, &s) == -1 || r != run->uid || e != run->uid || s != run->uid ||
		    getresgid(&rg, &eg, &sg) == -1 || rg != run->gid || eg != run->gid || sg != run->gid ||
		    getgroups(0, NULL) != 0)
			log_fatal("sandbox: uid %u gid %u did not stay", run->uid, run->gid);
	}
	if (getuid() == 0 || geteuid() == 0)
		log_fatal("sandbox: refusing to run as root");
}

/* ---- capabilities ---- */

/* The bounding set goes first: it takes setpcap, which leaves with the ids. */
static void
drop_bounding(void)
{
	int cap;

	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		log_fatal("sandbox: capability bounding set cannot be dropped");
	/* The kernel answers EINVAL past its last capability. */
	for (cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			log_fatal("sandbox: capability %d is still in the bounding set", cap);
	}
}

static void
drop_capabilities(void)
{
	struct __user_cap_header_struct	head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct	data[_LINUX_CAPABILITY_U32S_3];
	size_t				i;

	/* Not there before Linux 4.3: no ambient set, nothing to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 && errno != EINVAL)
		log_fatal("sandbox: ambient capabilities: %s", strerror(errno));
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		log_fatal("sandbox: capabilities cannot be dropped");
	if (syscall(SYS_capget, &head, data) == -1)
		log_fatal("sandbox: capget: %s", strerror(errno));
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if (data[i].effective != 0 || data[i].permitted != 0 || data[i].inheritable != 0)
			log_fatal("sandbox: capabilities remain");
	}
}

/* Try to get it back, and fail. */
static void
regain(const struct sandbox *sb, const struct sandbox_run *run)
{
	/* Who keeps the uid must not have its rights: without a capability it is a name. */
	if (run->privileged && sb->keep_root) {
		if (setresuid(1, 1, 1) == 0)
			log_fatal("sandbox: root's rights remain");
	} else if (setresuid(0, 0, 0) == 0 || setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		log_fatal("sandbox: root could be regained");
	if (chroot("/") == 0)
		log_fatal("sandbox: the root directory could be changed again");
}

static void
set_flags(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		log_fatal("sandbox: no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal("sandbox: dumpable: %s", strerror(errno));
	umask(077);
}

/* Landlock holds for the calling thread and those it makes: there must be no other yet. */
static void
one_thread(void)
{
	struct stat st;

	if (SANDBOX_SANITIZER)
		return;
	/* A directory has two links and one for each thread.  Without /proc there is no telling. */
	if (stat("/proc/self/task", &st) == 0 && st.st_nlink != 3)
		log_fatal("sandbox: %u threads run already", (unsigned)st.st_nlink - 2);
}

void
sandbox_enter(const struct sandbox *sb, const struct sandbox_run *run)
{
	int ruleset, abi;

	if (sb->net_none && (sb->groups & (SB_CONNECT | SB_UDP)) != 0)
		log_fatal("sandbox: %s: no network and network calls contradict", sb->name);
#if SANDBOX_SANITIZER
	entered = 1;
#endif
	one_thread();
	limits(sb, run);
	if ((ruleset = landlock_prepare(sb, run, &abi)) == -1)
		log_info("sandbox: this kernel has no Landlock");
	if (run->privileged)
		drop_bounding();
	change_root(run);
	change_ids(sb, run);
	drop_capabilities();
	regain(sb, run);
	set_flags();
	if (ruleset != -1)
		landlock_enforce(ruleset, abi, sb);
	if (!run->privileged)
		log_info("sandbox: started as an ordinary user: root directory and ids stay as they are");
	if (SANDBOX_SANITIZER)
		log_info("sandbox: built with a sanitizer: no seccomp filter, no data limit");
	else
		seccomp_enter(sb);
}
