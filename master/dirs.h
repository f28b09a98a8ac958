/*
 * dirs.h -- the daemons' users, and the directories that must exist with the right owner and mode (F20).
 *
 *	path                 owner            mode  what
 *	<directory>          root             0755  the spool
 *	<directory>/store    postern-queue    0710  group root: the queue changes its root to it
 *	<directory>/empty    root             0555  root directory of the daemons without files
 *	<directory>/lock     root             0600  held by master and all its daemons, shared
 *	<directory>/drop     root             0711  root directory of pickup
 *	<directory>/drop/new postern-pickup   3733  group postern-drop: everybody may put a message there, nobody may look
 *	<directory>/drop/bad postern-pickup   0700  group postern-drop: what could not be made out
 *	<runtime>            root             0755  control socket and pid file
 *	maildir prefixes     postern-mailbox  0750  group root, for the same reason as store
 *
 * As an ordinary user all belong to that user; store has mode 0700, and new 2700.  Files in new get its
 * group by the set-group-ID bit of the directory, and so pickup may read them (mode 0640).
 */
#ifndef MASTER_DIRS_H
#define MASTER_DIRS_H

#include <stddef.h>
#include <sys/types.h>

#include "common/conf.h"
#include "common/ipc_msg.h"
#include "master/paths.h"

struct owner { uid_t uid; gid_t gid; };

struct ids {
	int		privileged;	/* we run as root: daemons get ids of their own */
	struct owner	smtpd, queue, resolver, deliver, mailbox;
	struct owner	pickup;		/* its group is postern-drop */
	struct owner	keys;		/* with certificates */
	struct owner	auth;		/* with AUTH or logins */
	struct owner	submission;	/* smtpd of listeners with AUTH */
	struct owner	pam;		/* root, as what it asks wants to be asked by root */
	gid_t		admin;		/* of the control socket */
};

/* E_NOTFOUND: "user postern-queue does not exist" in err. */
int	ids_find(struct ids *, const struct conf *, char *err, size_t size);
const struct owner *ids_of(const struct ids *, unsigned room, enum role);

/* Make what is missing (unless make is 0: then that is E_NOTFOUND) and check all. */
int	dirs_base(const struct conf *, const struct ids *, char *err, size_t size);	/* directory, runtime */
int	dirs_spool(const struct conf *, const struct ids *, char *err, size_t size);	/* store, empty */
int	dirs_mail(const struct conf *, const struct ids *, int make, char *err, size_t size);
/* For local submission; nothing without it. */
int	dirs_drop(const struct conf *, const struct ids *, int make, char *err, size_t size);
/* A directory of our own and its missing parents: the state directory of the embedded defaults. */
int	dirs_own(const char *path, char *err, size_t size);

#endif
