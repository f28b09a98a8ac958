/*
 * dirs.c -- see dirs.h.  Shell.
 *
 * A directory is opened without following a link at its last name, and what the descriptor shows is
 * checked and, if it was just made, changed: never the path again.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "master/dirs.h"

#define ADMIN_GROUP	"admin"
#define DROP_GROUP	"drop"
#define PARENT_MODE	0755

static int
id_find(struct owner *o, const char *prefix, const char *name, char *err, size_t size)
{
	char user[128];
	const struct passwd *pw;

	(void)snprintf(user, sizeof(user), "%s%s", prefix, name);
	if ((pw = getpwnam(user)) == NULL || pw->pw_uid == 0) {
		(void)snprintf(err, size, "user %s %s", user,
		    pw == NULL ? "does not exist" : "has uid 0");
		return (E_NOTFOUND);
	}
	o->uid = pw->pw_uid;
	o->gid = pw->pw_gid;
	return (E_OK);
}

static int
group_find(gid_t *gid, const char *prefix, const char *name, char *err, size_t size)
{
	char group[128];
	const struct group *gr;

	(void)snprintf(group, sizeof(group), "%s%s", prefix, name);
	if ((gr = getgrnam(group)) == NULL || gr->gr_gid == 0) {
		(void)snprintf(err, size, "group %s %s", group, gr == NULL ? "does not exist" : "has gid 0");
		return (E_NOTFOUND);
	}
	*gid = gr->gr_gid;
	return (E_OK);
}

int
ids_find(struct ids *ids, const struct conf *c, char *err, size_t size)
{
	const char *p = c->user_prefix;

	memset(ids, 0, sizeof(*ids));
	ids->privileged = geteuid() == 0;
	if (!ids->privileged) {
		ids->smtpd = (struct owner){ geteuid(), getegid() };
		ids->queue = ids->resolver = ids->deliver = ids->mailbox = ids->pickup = ids->keys = ids->smtpd;
		ids->auth = ids->submission = ids->pam = ids->smtpd;
		ids->admin = getegid();
		return (E_OK);
	}
	if (id_find(&ids->smtpd, p, "smtpd", err, size) != E_OK ||
	    id_find(&ids->queue, p, "queue", err, size) != E_OK ||
	    id_find(&ids->resolver, p, "resolver", err, size) != E_OK ||
	    id_find(&ids->deliver, p, "deliver", err, size) != E_OK ||
	    id_find(&ids->mailbox, p, "mailbox", err, size) != E_OK)
		return (E_NOTFOUND);
	if (c->local_submission && (id_find(&ids->pickup, p, "pickup", err, size) != E_OK ||
	    group_find(&ids->pickup.gid, p, DROP_GROUP, err, size) != E_OK))
		return (E_NOTFOUND);
	if (c->ncerts != 0 && id_find(&ids->keys, p, "keys", err, size) != E_OK)
		return (E_NOTFOUND);
	if (c->auth.needed && (id_find(&ids->auth, p, "auth", err, size) != E_OK ||
	    id_find(&ids->submission, p, "submission", err, size) != E_OK))
		return (E_NOTFOUND);
	return (group_find(&ids->admin, p, ADMIN_GROUP, err, size));
}

const struct owner *
ids_of(const struct ids *ids, unsigned room, enum role role)
{
	switch (room) {
	case ROOM_SMTPD:
		return (role == ROLE_SUBMISSION ? &ids->submission : &ids->smtpd);
	case ROOM_QUEUE:
		return (&ids->queue);
	case ROOM_RESOLVER:
		return (&ids->resolver);
	case ROOM_PICKUP:
		return (&ids->pickup);
	case ROOM_KEYS:
		return (&ids->keys);
	case ROOM_AUTH:
		return (&ids->auth);
	case ROOM_PAM:
		return (&ids->pam);
	default:
		return (role == ROLE_MAILBOX ? &ids->mailbox : &ids->deliver);
	}
}

/* Missing parents, root's or our own. */
static int
dirs_parents(const char *path, char *err, size_t size)
{
	char part[MASTER_PATH_MAX];
	char *slash;

	if (slice_copy(slice_str(path), part, sizeof(part)) != E_OK || path[0] != '/') {
		(void)snprintf(err, size, "%.200s: not an absolute path of at most %d octets", path,
		    MASTER_PATH_MAX - 1);
		return (E_LIMIT);
	}
	for (slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, PARENT_MODE) == -1 && errno != EEXIST) {
			(void)snprintf(err, size, "%s: %s", part, strerror(errno));
			return (E_IO);
		}
		*slash = '/';
	}
	return (E_OK);
}

/* What the daemons of another user must do with it is said by w; see the table in dirs.h. */
static int
dirs_one(const struct path_want *w, int make, char *err, size_t size)
{
	struct stat st;
	int fd, made = 0, rc;

	if (make) {
		if ((rc = dirs_parents(w->path, err, size)) != E_OK)
			return (rc);
		if (mkdir(w->path, 0700) == 0)
			made = 1;
		else if (errno != EEXIST) {
			(void)snprintf(err, size, "%s: cannot be made: %s", w->path, strerror(errno));
			return (E_IO);
		}
	}
	fd = open(w->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Without the right to read it there is still the right to look at it. */
	if (fd == -1 && errno == EACCES)
		fd = open(w->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		(void)snprintf(err, size, "%s: %s", w->path, errno == ELOOP || errno == ENOTDIR ?
		    "found something else, expected a directory" : strerror(errno));
		return (errno == ENOENT ? E_NOTFOUND : E_DENIED);
	}
	if ((made && (fchown(fd, w->uid, w->gid) == -1 || fchmod(fd, w->make) == -1)) ||
	    fstat(fd, &st) == -1) {
		(void)snprintf(err, size, "%s: cannot be made with mode %04o: %s", w->path, (unsigned)w->make,
		    strerror(errno));
		rc = E_IO;
	} else
		rc = paths_check(w, st.st_uid, st.st_gid, st.st_mode, err, size);
	if (made && rc != E_OK)
		(void)rmdir(w->path);	/* half made, it would be in the way of whoever can make it */
	(void)close(fd);
	return (rc);
}

int
dirs_own(const char *path, char *err, size_t size)
{
	struct path_want w = { .path = path, .uid = geteuid(), .gid = (gid_t)-1, .make = 0755,
	    .allowed = 07755, .needed = 0700 };

	return (dirs_one(&w, 1, err, size));
}

int
dirs_base(const struct conf *c, const struct ids *ids, char *err, size_t size)
{
	int rc;

	if ((rc = dirs_own(c->directory, err, size)) != E_OK)
		return (rc);
	return (dirs_own(c->runtime, err, size));
}

int
dirs_spool(const struct conf *c, const struct ids *ids, char *err, size_t size)
{
	char path[MASTER_PATH_MAX];
	struct path_want w = { .path = path };
	int n, rc;

	n = snprintf(path, sizeof(path), "%s/store", c->directory);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		(void)snprintf(err, size, "%.200s...: directory is too long a path", c->directory);
		return (E_LIMIT);
	}
	w.uid = ids->queue.uid;
	w.gid = ids->privileged ? 0 : (gid_t)-1;
	w.make = w.allowed = w.needed = ids->privileged ? 0710 : 0700;
	if ((rc = dirs_one(&w, 1, err, size)) != E_OK)
		return (rc);
	(void)snprintf(path, sizeof(path), "%s/empty", c->directory);
	w.uid = geteuid();
	w.gid = (gid_t)-1;
	w.make = w.allowed = w.needed = 0555;
	return (dirs_one(&w, 1, err, size));
}

int
dirs_mail(const struct conf *c, const struct ids *ids, int make, char *err, size_t size)
{
	struct maildirs m;
	struct path_want w = { .uid = ids->mailbox.uid, .make = 0750, .allowed = 07755 };
	size_t i, len;
	int rc;

	if (paths_maildirs(&m, c) != E_OK) {
		(void)snprintf(err, size, "maildir: more than %d different directories before the "
		    "first %%, or one of more than %d octets", SANDBOX_DIRS_MAX, MASTER_PATH_MAX - 1);
		return (E_LIMIT);
	}
	/* Root without its override rights must get in as a member of its own group, or as anybody. */
	w.gid = ids->privileged ? 0 : (gid_t)-1;
	w.needed = ids->privileged ? 0710 : 0700;
	for (i = 0; i < m.n; i++) {
		w.path = m.dir[i];
		rc = dirs_one(&w, make, err, size);
		if (rc != E_OK) {
			len = strlen(err);
			if (!make && rc == E_NOTFOUND && len < size)
				(void)snprintf(err + len, size - len, "; make it with owner uid %u, "
				    "group 0, mode 0750, or restart posternd, which makes it",
				    (unsigned)w.uid);
			return (rc);
		}
	}
	return (E_OK);
}

/* What is to be done by hand where we cannot do it. */
static void
say_how(char *err, size_t size, const struct path_want *w)
{
	size_t len = strlen(err);

	if (len < size)
		(void)snprintf(err + len, size - len, "; make it with owner uid %u, group gid %u, mode %04o "
		    "(etc/postern.tmpfiles does)", (unsigned)w->uid, (unsigned)w->gid, (unsigned)w->make);
}

int
dirs_drop(const struct conf *c, const struct ids *ids, int make, char *err, size_t size)
{
	char path[MASTER_PATH_MAX];
	/* Its own two directories only; without the execute bit for others nobody could reach new. */
	struct path_want drop = { .path = path, .uid = geteuid(), .gid = (gid_t)-1, .make = 0711,
	    .allowed = 0755, .needed = 0711 };
	struct path_want new = { .path = path, .uid = ids->pickup.uid, .gid = ids->pickup.gid,
	    .make = ids->privileged ? 03733 : 02700 };
	struct path_want bad = { .path = path, .uid = ids->pickup.uid, .gid = ids->pickup.gid, .make = 0700,
	    .allowed = 02700, .needed = 0700 };
	const struct path_want *w;
	static const char *const names[] = { "drop", "drop/new", "drop/bad" };
	size_t i;
	int rc;

	if (!c->local_submission)
		return (E_OK);
	new.allowed = new.needed = new.make;
	for (i = 0; i < 3; i++) {
		w = i == 0 ? &drop : i == 1 ? &new : &bad;
		rc = snprintf(path, sizeof(path), "%s/%s", c->directory, names[i]);
		if (rc < 0 || (size_t)rc >= sizeof(path))
			return (E_LIMIT);	/* store's is as long, and was there before */
		if ((rc = dirs_one(w, make, err, size)) != E_OK) {
			if (rc == E_IO || rc == E_NOTFOUND)
				say_how(err, size, w);
			return (rc);
		}
	}
	return (E_OK);
}
