/*
 * plan.h -- which daemons a snapshot asks for, who talks to whom, and what a reload changes.
 *
 * Core: pure, from snapshots to lists.
 */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ipc_msg.h"

#define SMTPD_MAX		16	/* processes of each role; conf.h's ranges */
#define DELIVER_MAX		17	/* 16 remote ones and one for mailboxes */
#define SMTPD_AUTO_MAX		4	/* processes = 0: one per processor, but at most so many */
#define PLAN_MAX		(2 * SMTPD_MAX + DELIVER_MAX + 6)

struct plan_item {
	unsigned	room;		/* ROOM_* */
	uint32_t	instance;
	enum role	role;
};

struct plan {
	size_t		 n;
	struct plan_item item[PLAN_MAX];	/* in the order of start */
};

void	plan_make(struct plan *, const struct conf *, unsigned processors);
/* Whether two daemons have a channel under this snapshot (NULL: under any); the direction does not matter. */
int	plan_talk(const struct plan_item *, const struct plan_item *, const struct conf *);
/* Which smtpd processes serve a listener: those that hear passwords serve nothing else. */
enum role plan_listener_role(const struct conf_listener *);
unsigned plan_count(const struct plan *, unsigned room, enum role);
/* Whether a running daemon's sandbox or libraries hold what changed, so that it must be replaced. */
int	plan_must_restart(const struct plan_item *, const struct conf *old, const struct conf *new);
/* Settings that cannot change under a running master; a constant text naming the first, or NULL. */
const char *plan_fixed(const struct conf *old, const struct conf *new);
/* The order of a stop: all of stage 0 leave before stage 1 is asked to. */
#define PLAN_STAGES	5
unsigned plan_stage(unsigned room);
uint32_t plan_stop_ms(unsigned room);	/* how long a daemon is given to finish */

#endif
