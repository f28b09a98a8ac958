/*
 * pam.h -- postern-pam: asks PAM whether a password is right, for auth (shell).
 *
 * PAM is code of others: its modules block, leak, change signal handlers, start programs, and may crash.  So it never runs in
 * this process, nor in a thread of it:
 *
 *	pam	the loop: takes questions from auth, gives each to a free slot, passes the answer on
 *	slots	PAM_SLOTS processes, made by fork() before the first question is read; one question at a time
 *	asker	a process for one question, made by fork() of the slot: it alone calls PAM, and ends with it
 *
 * A thread that hangs in a module could not be stopped, and one that crashes takes the passwords of all others along; a process is
 * killed after PAM_TIME_S, and what a module has left in memory, descriptors and children goes with it.  R10 says that who holds a
 * secret does not fork: pam does not, and a slot holds the one secret that its asker is for.
 */
#ifndef PAM_PAM_H
#define PAM_PAM_H

#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/net.h"
#include "common/room.h"
#include "common/sandbox.h"

#define PAM_NOFILE	(PAM_SLOTS + PEERS_MAX + 64)

enum {				/* counters of PONG; see postern-pam(8) */
	COUNT_OK,
	COUNT_FAILED,
	COUNT_TEMPORARY,
	COUNT_KILLED,		/* of them: took longer than PAM_TIME_S, or crashed */
	COUNT_BUSY,		/* slots, now */
	COUNTS = 8
};

struct slot_ask {		/* pam to slot: one datagram */
	char	service[PAM_SERVICE_MAX + 1];
	char	login[LOGIN_MAX + 1];
	char	password[PASSWORD_MAX + 1];
	char	client[NET_ADDR_STRLEN];	/* "" unknown */
};
enum slot_end { SLOT_ANSWERED, SLOT_TIMED_OUT, SLOT_CRASHED };
struct slot_answer {		/* and back */
	uint8_t	end;		/* enum slot_end */
	uint8_t	code;		/* PAM's, where it answered */
};

/* ask.c: in the asker; PAM's code. */
int	pam_ask(const struct slot_ask *);
/* ask.c: what PAM's code means for a login: SASL_OK, SASL_FAILED, SASL_TEMPORARY. */
enum sasl_status pam_meaning(int code);
const char *pam_words(int code);
extern const char *pam_confdir;	/* NULL: the system's, as always but in tests */

/* slot.c: the life of a slot; fd is its end of the pair.  Returns when the other end is closed. */
void	slot_serve(int fd, unsigned seconds);
/*
 * slot.c: forks one, and returns our end, non-blocking; -1.  before the loop has anything to say.
 */
int	slot_start(void);

/* confine.c: what an asker may not do, beyond what the sandbox forbids all of them. */
int	asker_confine(void);

void	pam_open(struct room *);	/* in the sandbox, before room_run(): makes the slots */
extern const struct sandbox pam_sandbox;
extern const struct room_ops pam_room_ops;

#endif
