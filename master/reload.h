/*
 * reload.h -- the two steps of a reload as a pure state machine (G8: all or nothing).
 *
 * check the text, bind what is new -> CONF to every daemon -> all said CONF_READY -> CONF_USE.
 * Any failure before the last step leaves the old snapshot in force everywhere.  Requests that come while a
 * reload runs are answered by one further reload (F19: a storm of SIGHUP costs two).
 *
 * Core: no clock, no channel.  Daemons are bits of a set (their place in master's table).
 * Times are milliseconds of one monotonic clock.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <stdint.h>

#define RELOAD_READY_MS	30000u		/* all daemons must have the snapshot by then */

enum reload_state { RELOAD_IDLE, RELOAD_CHECKING, RELOAD_READYING };

enum reload_action {
	RELOAD_NOTHING,
	RELOAD_CHECK,		/* run the checker; then reload_checked() */
	RELOAD_SEND,		/* send CONF to all in waiting; then reload_ready() for each */
	RELOAD_COMMIT,		/* CONF_USE to all, swap; then reload_over() */
	RELOAD_ABORT,		/* drop the new snapshot; then reload_over() */
};

struct reload {
	enum reload_state state;
	int		again;		/* asked for while one was running */
	uint64_t	round;		/* number of the check that runs or ran last */
	uint64_t	generation;	/* of the snapshot that is being passed round */
	uint64_t	waiting;	/* daemons that have not said CONF_READY */
	uint64_t	due_ms;		/* RELOAD_READYING: the end of patience */
};

/* Someone wants a reload.  *round is the number of the check that will answer. */
enum reload_action reload_request(struct reload *, uint64_t *round);
enum reload_action reload_checked(struct reload *, int ok, uint64_t generation, uint64_t daemons, uint64_t now_ms);
enum reload_action reload_ready(struct reload *, unsigned daemon, uint64_t generation, int ok);
enum reload_action reload_gone(struct reload *, unsigned daemon);	/* its successor gets what is in force then */
enum reload_action reload_tick(struct reload *, uint64_t now_ms);
enum reload_action reload_over(struct reload *);			/* RELOAD_CHECK if one more was asked for */

#endif
