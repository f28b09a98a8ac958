/*
 * landlock.c -- Landlock by its three system calls: files, TCP ports, signals (threat-model.md 4).
 *
 * Shell.  On top of seccomp and the root directory, never instead of them.  Constants are our own,
 * since Debian 12's headers end before the network rights; the kernel's ABI number says which
 * it knows, and only those are asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

#define LL_CREATE_VERSION	(1u << 0)
#define LL_RULE_PATH		1
#define LL_RULE_PORT		2

#define LL_FS_EXECUTE		(1ull << 0)
#define LL_FS_WRITE_FILE	(1ull << 1)
#define LL_FS_READ_FILE		(1ull << 2)
#define LL_FS_READ_DIR		(1ull << 3)
#define LL_FS_REMOVE_FILE	(1ull << 5)
#define LL_FS_MAKE_DIR		(1ull << 7)
#define LL_FS_MAKE_REG		(1ull << 8)
#define LL_FS_ABI1		((1ull << 13) - 1)	/* execute .. make_sym */
#define LL_FS_REFER		(1ull << 13)		/* ABI 2: link and rename between directories */
#define LL_FS_TRUNCATE		(1ull << 14)		/* ABI 3 */
#define LL_FS_IOCTL_DEV		(1ull << 15)		/* ABI 5 */
#define LL_NET_BIND_TCP		(1ull << 0)		/* ABI 4 */
#define LL_NET_CONNECT_TCP	(1ull << 1)
#define LL_SCOPE_ABSTRACT	(1ull << 0)		/* ABI 6: abstract Unix sockets of others */
#define LL_SCOPE_SIGNAL		(1ull << 1)

#define PROBE_PORT		65535	/* one that needs no privilege otherwise */

#define ABI_REFER	2
#define ABI_TRUNCATE	3
#define ABI_NET		4
#define ABI_IOCTL	5
#define ABI_SCOPE	6

#ifndef SYS_landlock_create_ruleset	/* the same on all architectures */
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_add_rule		445
#define SYS_landlock_restrict_self	446
#endif

struct ll_ruleset {
	uint64_t	fs;
	uint64_t	net;
	uint64_t	scoped;
};

struct ll_path {
	uint64_t	access;
	int32_t		fd;
} __attribute__((packed));

struct ll_port {
	uint64_t	access;
	uint64_t	port;
};

static uint64_t
fs_known(int abi)
{
	uint64_t fs = LL_FS_ABI1;

	if (abi >= ABI_REFER)
		fs |= LL_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		fs |= LL_FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		fs |= LL_FS_IOCTL_DEV;
	return (fs);
}

static void
allow_dir(int ruleset, const char *dir, uint64_t access)
{
	struct ll_path rule = { .access = access };

	if ((rule.fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		log_fatal("sandbox: %s: %s", dir, strerror(errno));
	if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH, &rule, 0) == -1)
		log_fatal("sandbox: landlock rule for %s: %s", dir, strerror(errno));
	close(rule.fd);
}

/* What reads and writes nothing: programs want it for their standard input and output. */
static void
allow_null(int ruleset)
{
	struct ll_path rule = { .access = LL_FS_READ_FILE | LL_FS_WRITE_FILE };

	if ((rule.fd = open("/dev/null", O_PATH | O_CLOEXEC)) == -1)
		log_fatal("sandbox: /dev/null: %s", strerror(errno));
	if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH, &rule, 0) == -1)
		log_fatal("sandbox: landlock rule for /dev/null: %s", strerror(errno));
	close(rule.fd);
}

static void
allow_port(int ruleset, uint16_t port, uint64_t access)
{
	struct ll_port rule = { .access = access, .port = port };

	if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PORT, &rule, 0) == -1)
		log_fatal("sandbox: landlock rule for port %u: %s", port, strerror(errno));
}

int
landlock_prepare(const struct sandbox *sb, const struct sandbox_run *run, int *abi)
{
	struct ll_ruleset	set;
	uint64_t		access;
	size_t			i, size = sizeof(set.fs);
	int			ruleset;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	if (*abi <= 0) {
		*abi = 0;
		return (-1);
	}
	memset(&set, 0, sizeof(set));
	set.fs = fs_known(*abi);
	if (*abi >= ABI_NET) {
		set.net = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP;
		if ((sb->groups & SB_CONNECT) != 0 && run->nports == 0)
			set.net &= ~LL_NET_CONNECT_TCP;
		size = offsetof(struct ll_ruleset, scoped);
	}
	if (*abi >= ABI_SCOPE) {
		set.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
		size = sizeof(set);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (ruleset == -1)
		log_fatal("sandbox: landlock ruleset: %s", strerror(errno));

	access = LL_FS_READ_FILE | LL_FS_WRITE_FILE | LL_FS_READ_DIR | LL_FS_MAKE_REG | LL_FS_REMOVE_FILE |
	    LL_FS_TRUNCATE;
	if ((sb->groups & SB_MAILDIR) != 0)
		access |= LL_FS_MAKE_DIR | LL_FS_REFER;
	if (sb->files_read)
		access = LL_FS_EXECUTE | LL_FS_READ_FILE | LL_FS_READ_DIR;
	for (i = 0; i < run->ndirs; i++)
		allow_dir(ruleset, run->dirs[i], access & set.fs);
	if (sb->files_read)
		allow_null(ruleset);

	if ((sb->groups & SB_CONNECT) != 0 && (set.net & LL_NET_BIND_TCP) != 0)
		allow_port(ruleset, 0, LL_NET_BIND_TCP);	/* a source address, the kernel's port */
	if ((set.net & LL_NET_CONNECT_TCP) != 0) {
		for (i = 0; i < run->nports; i++)
			allow_port(ruleset, run->ports[i], LL_NET_CONNECT_TCP);
	}
	return (ruleset);
}

/* What was forbidden must really fail: a file that is there, and a TCP port for ourselves. */
static void
verify(int abi, const struct sandbox *sb)
{
	const char		*file = sb->files_read ? "/dev/zero" : "/dev/null";	/* anybody may otherwise write there */
	struct sockaddr_in	sin;
	int			fd;

	if (open(file, (sb->files_read ? O_WRONLY : O_RDONLY) | O_CLOEXEC) != -1 || (errno != EACCES && errno != ENOENT))
		log_fatal("sandbox: landlock is not in force for files");
	if (abi < ABI_NET || (fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return;		/* without IPv4 there is nothing to ask */
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(PROBE_PORT);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 || errno != EACCES)
		log_fatal("sandbox: landlock is not in force for ports");
	close(fd);
}

void
landlock_enforce(int ruleset, int abi, const struct sandbox *sb)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		log_fatal("sandbox: landlock_restrict_self: %s", strerror(errno));
	close(ruleset);
	verify(abi, sb);
}
