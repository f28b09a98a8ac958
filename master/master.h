/*
 * master.h -- the state of the supervisor, shared by its shells.
 *
 * One struct master, one struct daemon for each process of the plan.  The pure machines
 * (supervise.h, reload.h, plan.h, paths.h) decide; the functions here do.
 *
 *	daemons.c	start, watch, end
 *	channels.c	what goes down a daemon's channel at its start, and the pairs between daemons
 *	reloads.c	a new configuration, in two steps
 *	control.c	the operator's socket
 *	renewals.c	certificates, keys and passwords that were renewed
 *	tickets.c	keys of session tickets
 *	dovecot.c	streams to Dovecot's auth service, for postern-auth
 *	stops.c		the orderly end
 *	signals.c	signals and the periodic timers
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "common/conf.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "master/config.h"
#include "master/dirs.h"
#include "master/keyfiles.h"
#include "master/listen.h"
#include "master/plan.h"
#include "master/reload.h"
#include "master/renewal.h"
#include "master/supervise.h"
#include "master/ticket_ring.h"

#define DAEMONS_MAX		(PLAN_MAX + 5)	/* some of the last plan may still be leaving */
#define LOG_RETRY_MS		1000u		/* how often a lost log daemon is looked for */
#define CTL_CLIENTS_MAX		32
#define CTL_DEADLINE_MS		10000u		/* for an operator's request to come */
#define NAME_LEN		32

_Static_assert(DAEMONS_MAX <= 64, "reload.h keeps daemons in a set of 64 bits");
_Static_assert(PLAN_MAX <= PEERS_MAX, "a daemon may have all others as peers");

struct master;

struct dovecot {		/* of postern-auth: its stream to Dovecot's auth service */
	int		 wanted;
	int		 failing;	/* said so */
	uint32_t	 wait_ms;
	uint64_t	 due_ms;	/* not before */
};

struct daemon {
	struct master	*m;
	int		 used;
	int		 removed;	/* not in the plan any more: its place is free once it has gone */
	unsigned	 slot;		/* index in master.daemon */
	struct plan_item item;
	struct supervise sv;
	uv_timer_t	 timer;		/* for supervise_due() */
	pid_t		 pid;		/* 0: no process */
	struct ipc	*ch;		/* heap; NULL: none */
	uint64_t	 generation;	/* the newest snapshot it was sent */
	uint64_t	 ping_seq;
	int64_t		 since;		/* epoch seconds of its start */
	uint64_t	 log_dropped;
	uint64_t	 counter[8];
	int		 trial;		/* started to read the keys or passwords of a snapshot that is not in force yet */
	int		 again;		/* with trial: it was backing off, and goes on so if the trial fails */
	uint64_t	 rejoin;	/* slots of peers that need a new channel to it */
	int		 want_log;	/* its log socket died, or it has a stand-in */
	struct dovecot	 dovecot;
	const char	*why;		/* why master killed it; NULL: it did not */
	char		 name[NAME_LEN];	/* "deliver[1]", for our log lines */
};

struct ctl_client {
	struct master	*m;
	int		 used;
	struct ipc	 ch;
	uv_timer_t	 deadline;
	unsigned	 closing;	/* handles still to be closed */
	uint64_t	 round;		/* waits for this reload; 0: does not */
	int		 waits_stop;
	uint32_t	 uid, gid, pid;
};

struct master {
	uv_loop_t	 loop;
	uv_prepare_t	 prepare;
	uv_signal_t	 sig_hup, sig_term, sig_int, sig_chld, sig_usr1;
	uv_timer_t	 log_timer, watchdog, reload_timer;

	struct config_source source;
	int		 foreground;
	int		 embedded;	/* the built-in configuration: say how to try it */
	int		 ready_fd;	/* not in the foreground: the parent that waits; -1 */

	struct conf	*conf;		/* in force */
	int		 blob_fd;	/* the sealed memory file that it is in */
	uint64_t	 generation;
	struct ids	 ids;
	uint64_t	 boot;
	unsigned	 processors;
	int		 pid_fd, life_fd;
	int		 dropped;	/* drop_enter() was done: no directory can be given away any more */

	struct key_files keys;		/* of conf, kept open for a restarted postern-keys */
	struct secret_files secrets;	/* and for a restarted postern-auth */
	struct ticket_ring tickets[2];	/* of the usual smtpd processes, and of those of the role submission */
	uv_timer_t	 ticket_timer;
	struct renewal	 renewal;
	uv_timer_t	 renewal_timer;
	int64_t		 check_began;	/* epoch ns: when the checker that runs or ran last was started */

	struct listeners listeners;
	struct daemon	 daemon[DAEMONS_MAX];

	int		 started;	/* every daemon has been READY once */
	int		 stopping;
	unsigned	 stage;		/* of the stop; plan_stage() */
	int		 status;	/* exit status */

	struct reload	 reload;
	struct config_job job;
	int		 job_running;
	struct conf	*next_conf;	/* being passed round */
	int		 next_fd;
	struct ids	 next_ids;
	struct listeners next_listeners;
	struct key_files next_keys;
	struct secret_files next_secrets;
	uint64_t	 next_trials;	/* slots: started for next_conf */
	struct buf	 report;	/* why the reload was refused; lines */

	int		 control_fd;
	uv_poll_t	 control;
	int		 control_paused;
	struct ctl_client client[CTL_CLIENTS_MAX];
};

/* daemons.c */
void	daemons_init(struct master *);
void	daemons_start(struct master *);			/* all of the plan */
void	daemons_replan(struct master *, const struct conf *old);	/* after a reload */
int	daemons_try(struct master *, unsigned room, uint64_t *trials);	/* E_AGAIN: it is between two lives */
int	daemons_can_judge(const struct master *);	/* who reads keys and passwords is in none of these moments */
void	daemon_trial_failed(struct daemon *);
void	daemon_event(struct daemon *, enum sv_event);
void	daemon_broken(struct daemon *, const char *why);	/* kill it; it restarts */
/* A child ended. */
void	daemons_reaped(struct master *, pid_t, int status);
struct daemon *daemons_find(struct master *, unsigned room);	/* the first that can be spoken to, or NULL */
static inline int
daemon_can_hear(const struct daemon *d)
{
	return (d->used && d->ch != NULL && !d->ch->over);
}

/* channels.c */
int	channel_open(struct daemon *, int fd);		/* master's end */
void	channel_close(struct daemon *);
void	channel_greet(struct daemon *);			/* START, CONF, CONF_USE, LOG, LISTENER */
void	channel_send_keys(struct daemon *, const struct key_files *, uint64_t generation);
void	channel_send_secrets(struct daemon *, const struct secret_files *, uint64_t generation);
void	channel_send_tickets(struct daemon *, const struct ipc_ticket_keys *);
/* CHANNEL for every pair of living daemons of which at least one is in the set; then GO for the set. */
void	channels_join(struct master *, uint64_t set);
void	channels_rejoin(struct master *);		/* the periodic timer */
void	channels_follow(struct master *, const struct conf *old);	/* pairs that may talk only since this reload */
void	channel_send_conf(struct daemon *, int fd, uint64_t generation);
void	channel_send_use(struct daemon *, uint64_t generation);
void	channel_send_dovecot(struct daemon *, int fd);
void	channel_send_log(struct daemon *);
void	channel_send_listener(struct daemon *, const struct listeners *, size_t index);
void	channel_send_listener_end(struct daemon *, const struct listeners *, size_t index);

/* reloads.c */
void	reloads_request(struct master *, const char *who, uint64_t *round);
void	reloads_conf_ready(struct daemon *, const struct ipc_conf_ready *);
void	reloads_gone(struct daemon *);
void	reloads_tick(struct master *);
/* The first load: runs the loop until it is over.  Fatal on any fault. */
void	reloads_first(struct master *);
void	reloads_first_warnings(struct master *);	/* once there is a log for them */

/* tickets.c */
void	tickets_follow(struct master *);		/* certificates came or went; or a key's time is over */
void	tickets_renew(struct master *);			/* new keys now */
void	tickets_forget(struct master *);
void	tickets_send(struct daemon *);

/* dovecot.c */
void	dovecot_need(struct daemon *);
void	dovecot_try(struct daemon *);			/* the periodic timer */
void	dovecot_follow(struct master *);		/* another snapshot is in force */

/* renewals.c */
void	renewals_follow(struct master *);		/* another snapshot is in force */
int64_t	renewals_clock(void);

/* control.c */
int	control_open(struct master *, char *err, size_t size);	/* makes the socket; before drop_enter() */
void	control_start(struct master *);
void	control_reloaded(struct master *, uint64_t round, int ok, const char *text);
void	control_close(struct master *);

/* stops.c */
void	stops_begin(struct master *, const char *why);
void	stops_advance(struct master *);			/* one more has gone */

/* signals.c */
void	signals_start(struct master *);

/* ready.c */
void	ready_check(struct master *);			/* tells everybody once all daemons are READY */
void	ready_failed(struct master *);			/* the start failed */

#endif
