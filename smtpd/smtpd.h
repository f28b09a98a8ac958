/*
 * smtpd.h -- the shell of smtpd: one process's listeners, connections and channels.
 *
 * Shell (libuv).  The core is session.h.  One struct smtpd per process; a listener lives until its
 * last connection has gone; a connection owns its socket, what it holds back and
 * what its client has not taken yet, and is freed in the last close callback.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include <stdint.h>
#include <uv.h>

#include "common/ipc.h"
#include "common/room.h"
#include "smtpd/counts.h"
#include "smtpd/session.h"
#include "smtpd/slots.h"
#include "smtpd/wheel.h"

#define READ_MAX		32768	/* octets of one read */
#define TLS_READ_MAX		16384	/* the same of records: with what OpenSSL keeps of one, never more than READ_MAX of plain text */
#define TLS_OUT_MAX		(2 * REPLIES_MAX)	/* records of one turn */
#define SIGN_WAIT_MS		15000	/* for a signature of keys */
#define READS_PER_TURN		4	/* of one connection, so that the others get their turn */
#define ACCEPTS_PER_TURN	64	/* of one listener */
#define HELD_TOTAL_MAX		(64u << 20)	/* octets of all clients that wait for their session; past it 421 */
#define LINGER_MS		3000	/* after our last reply: time for the client to read it */
#define LINGER_OCTETS		(256u << 10)	/* and what it may still send meanwhile (R4) */
#define STOP_MARGIN_MS		500	/* before the stop is due: the rest is cut off */
#define THROTTLE_HIGH		(IPC_QUEUE_MAX / 2)	/* octets waiting for queue before clients have to wait */
#define PREFIX4			(96 + 24)	/* per-prefix limits: an IPv4 /24, an IPv6 /56 */
#define PREFIX6			56
#define PROXY_WAIT_MS		5000	/* for a PROXY header, from the connection on */
#define SUBMITS_MAX		(4 * PICKUP_SESSIONS_MAX)	/* connections of pickup's at once: it has fewer, but may be ahead of us */
#define DESCRIPTORS_EXTRA	64	/* beside the connections' */

enum {				/* counters of PONG; see postern-smtpd(8) */
	COUNT_OPEN,		/* connections now */
	COUNT_CONNECTIONS,	/* accepted since start */
	COUNT_REFUSED,		/* refused at a limit */
	COUNT_MESSAGES,		/* accepted */
	COUNT_REJECTS,		/* commands and messages refused */
	COUNT_OCTETS,		/* read from clients */
	COUNT_LATE,		/* answers that nobody waited for any more */
	COUNT_TLS,		/* handshakes that succeeded */
	COUNTERS = 8
};

struct smtpd;

struct client {			/* who connects */
	struct net_addr	 addr;		/* :: if local */
	uint16_t	 port;
	uint8_t		 local;		/* a process of this host: uid, by the kernel's word or pickup's */
	uint8_t		 submitted;	/* by pickup's */
	uint32_t	 uid;
};

struct listener {
	uv_poll_t	 poll;
	struct smtpd	*d;
	struct listener	*next;
	const struct conf_listener *conf;	/* of the snapshot in use; NULL: not in it */
	int		 fd;
	uint32_t	 nconn;
	uint32_t	 max, per_address, per_prefix;	/* 0: not in the snapshot in use */
	uint8_t		 local;		/* a Unix socket; all smtpds share it */
	uint8_t		 closing;	/* no more accepts; freed with its last connection */
	uint8_t		 closed;	/* its handle too */
	uint8_t		 paused;	/* no descriptors: accepts later */
	char		 name[64];
};

struct peer_kind {			/* a daemon on the other end of a channel */
	uint32_t	 room;
	size_t		 channel;	/* where struct smtpd has it */
	struct ipc_ops	 ops;		/* closed is peer_closed */
	void		(*lost)(struct smtpd *);	/* it has gone, and its channel is NULL; NULL: nobody waits for its answers */
};

struct tls_conn;

struct conn {
	struct smtp_session s;		/* first: the core's pointer is ours */
	uv_poll_t	 poll;
	struct wheel_node timer;
	struct smtpd	*d;
	struct listener	*l;
	struct conn	*prev, *next;
	char		*held;		/* octets read but not taken: a part of a line, or a blocked session's */
	char		*pend;		/* octets the client has not taken yet, as they go over the wire */
	struct tls_conn	*tls;		/* from the beginning of a handshake on; NULL: in clear */
	uint64_t	 linger_until;	/* not 0: over, waiting for the client to leave */
	uint32_t	 held_len;
	uint32_t	 pend_len, pend_off;
	uint32_t	 lingered;	/* octets thrown away meanwhile */
	uint32_t	 txn_id;	/* on queue's channel, 0 none */
	uint32_t	 name_id;	/* on resolver's channel, 0 none */
	uint32_t	 ask_id;	/* a call-ahead or ETRN on queue's channel, 0 none */
	uint32_t	 sasl_id;	/* on auth's channel, 0 none */
	int		 fd;
	uint8_t		 events;	/* UV_* that are polled for */
	uint8_t		 counted;	/* in d->counts */
	uint8_t		 proxied;	/* its PROXY header is awaited: the session has not begun */
	uint8_t		 submitted;	/* pickup's */
	uint8_t		 broken;	/* the socket failed: nothing more can be said */
	uint8_t		 ended;		/* its disconnect line is written */
	uint8_t		 closing;	/* uv_close() was called */
};

struct smtpd {
	struct room	*room;
	struct smtp_env	 env;
	struct buf	 out;
	struct ipc	*queue, *resolver, *pickup, *keys, *auth;
	struct slots	 txns;		/* struct conn * */
	struct slots	 names;		/* struct name_query * */
	struct slots	 asks;		/* struct conn * */
	struct slots	 signs;		/* struct conn *: signatures on the channel to keys */
	struct slots	 sasls;		/* struct conn *: AUTH on the channel to auth */
	struct buf	 tls_out;	/* records of the present call */
	uint32_t	 nhandshakes;	/* under way */
	struct counts	 counts;
	struct wheel	 wheel;
	uv_timer_t	 tick;
	uv_timer_t	 stop_timer;
	struct listener	*listeners;
	struct conn	*conns;
	uint32_t	*aborts;	/* transactions to be aborted once the channel takes it */
	uint32_t	 naborts, aborts_size;
	struct wr	*chunk;		/* the TXN_CHUNK being filled; NULL between calls of the core */
	size_t		 chunk_start;	/* of its octets within */
	int		 chunk_err;	/* of the last one */
	uint64_t	 next_session;
	uint64_t	 counter[COUNTERS];
	size_t		 held_total;
	uint32_t	 nsubmitted;	/* pickup's connections */
	int		 reserve_fd;	/* given up to refuse a client when there are none left (F8) */
	uint8_t		 stopping;
	uint8_t		 left;
	char		 tls_in[TLS_READ_MAX];	/* records as they came */
	char		 rbuf[2 * READ_MAX + AUTH_COMMAND_MAX];	/* every read of every connection */
};

static inline uint64_t
smtpd_now(const struct smtpd *d)
{
	return (uv_now(&d->room->loop));
}

/* main.c and room.c */
extern const struct sandbox	smtpd_sandbox;
extern const struct room_ops	smtpd_room_ops;
void	smtpd_init(struct smtpd *, struct room *);	/* before the sandbox */
uint64_t smtpd_descriptors(const struct room *);	/* how many it needs */
void	smtpd_leave_if_idle(struct smtpd *);		/* stopping, and nobody is left */

/* listener.c */
void	listener_open(struct smtpd *, const char *name, int fd);	/* takes fd */
void	listener_end(struct smtpd *, const char *name);
void	listener_end_all(struct smtpd *);
void	listener_conf(struct smtpd *);		/* limits from the snapshot now in use */
void	listener_resume(struct smtpd *);	/* a descriptor is free again */
void	listener_unref(struct listener *);	/* a connection of it has gone */
struct listener *listener_find(struct smtpd *, const char *name);	/* one that accepts; NULL */
void	listener_admit(struct listener *, int fd, const struct client *);	/* takes fd */

/* peer.c: a new channel, the end of one */
void	peer_open(struct smtpd *, const struct ipc_channel *, int fd);
void	peer_closed(struct ipc *, int err);

/* submit.c */
extern const struct peer_kind pickup_peer;

/* share.c: a client's share of the connections, by address and prefix, or by user.  E_OK, or why is set. */
int	share_take(struct listener *, const struct client *, const char **why);
void	share_give(struct smtpd *, const struct client *);
int	share_move(struct smtp_session *, const struct net_addr *, int named, const char **why);	/* XCLIENT */
void	share_drop(struct conn *);

/* conn.c */
void	conn_open(struct listener *, int fd, const struct client *);	/* takes fd */
void	conn_begin(struct conn *, const struct net_addr *proxy);	/* the client is known: greets; NULL: no proxy */
void	conn_refuse(struct conn *, const char *why);	/* 421, before it has begun */
void	conn_conf(struct smtpd *);		/* another snapshot is in use */
void	conn_advance(struct conn *);		/* after the core was told something: send, go on, end */
void	conn_close(struct conn *);
void	conn_timer_start(struct smtpd *);
void	conn_on_poll(uv_poll_t *, int status, int events);

/* conn_proxy.c */
void	conn_proxy_read(struct conn *);
void	conn_proxy_fail(struct conn *, const char *why);	/* closes */

/* conn_io.c */
void	conn_read(struct conn *);
ssize_t	conn_recv(struct conn *, size_t *held);	/* into d->rbuf, behind what was held */
void	conn_feed(struct conn *, char *, size_t);	/* to the core; what it leaves is held */
int	conn_hold(struct conn *, const char *, size_t);	/* E_NOMEM: memory, or HELD_TOTAL_MAX */
void	conn_send(struct conn *);		/* what is in env.out */
void	conn_push(struct conn *, struct buf *);	/* octets for the wire, and empties it */
void	conn_lost(struct conn *, const char *reason);	/* nothing more can be said */
void	conn_write_rest(struct conn *);
void	conn_poll(struct conn *, int events);
void	conn_drop_held(struct conn *);
void	conn_feed_held(struct conn *);

/* conn_tls.c */
int	conn_tls_ready(struct smtp_session *);	/* smtp_ops.starttls */
void	conn_tls_begin(struct conn *);		/* the client's handshake is awaited from now on */
void	conn_tls_read(struct conn *);		/* in the handshake */
void	conn_tls_step(struct conn *);		/* a signature is there, or will not come */
int	conn_tls_waits(const struct conn *);	/* for a signature: nothing is read */
uint64_t conn_tls_deadline(const struct conn *);	/* of that, or UINT64_MAX */
ssize_t	conn_tls_recv(struct conn *, char *, size_t);	/* as recv(2); E_PROTO of TLS is EPROTO */
int	conn_tls_encrypt(struct conn *, struct slice);	/* into d->tls_out; E_IO */
void	conn_tls_bye(struct conn *);		/* close_notify into d->tls_out */
void	conn_tls_free(struct conn *);

/* tls_ask.c */
extern const struct peer_kind keys_peer;
void	ask_key_forget(struct conn *, const char *why);	/* an answer will not be waited for */

/* txn.c */
extern const struct smtp_ops	txn_smtp_ops;
void	txn_chunk_end(struct smtpd *);
void	txn_throttle(struct smtpd *);		/* after each read of a client */
void	txn_forget(struct conn *);		/* the connection goes */
extern const struct peer_kind queue_peer;

/* auth_ask.c: smtp_ops.sasl_step, .sasl_end */
extern const struct peer_kind auth_peer;
int	ask_sasl(struct smtp_session *, int first, int initial, struct slice data);
void	ask_sasl_end(struct smtp_session *);

/* ask.c */
int	ask_verify(struct smtp_session *, const char *address);
int	ask_etrn(struct smtp_session *, enum etrn_kind, const char *name);
int	ask_message(struct smtpd *, enum ipc_type, struct rd *);	/* an answer; E_PROTO if it is none */
void	ask_lost(struct smtpd *);		/* queue has gone */
void	ask_forget(struct conn *);		/* the connection goes */

/* names.c */
extern const struct peer_kind resolver_peer;
int	name_ask(struct conn *);		/* 1 if an answer will come */
void	name_forget(struct conn *);

/* conn_log.c */
#define WHO_LEN	(NET_ADDR_STRLEN + 16)
void	conn_log_open(const struct conn *, const struct net_addr *proxy);
void	conn_log_introduced(const struct conn *);
void	conn_log_proxy(const struct conn *, const char *why);
void	conn_log_end(const struct conn *);
void	conn_log_tls(const struct conn *, const char *name, int resumed);
void	conn_log_certificate(const struct conn *, const char *name, const char *why);
void	conn_log_tls_failed(const struct conn *, const char *why);
void	conn_log_reject(const struct conn *, struct slice reply);
void	conn_log_auth(const struct conn *, enum auth_event, const char *mechanism, struct slice login);
void	conn_log_note(const struct conn *, const char *what, struct slice text, const char *about);
void	conn_log_refused(const struct listener *, const struct client *, const char *why);

#endif
