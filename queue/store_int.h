/*
 * store_int.h -- what the store's own files share; nobody else includes it.
 *
 * Who may touch what, once the store thread runs:
 *	loop thread	rtxn and the fields marked [loop]
 *	store thread	the write transaction and the fields marked [thread]
 *	both		under lock: the fields marked [lock]
 * env_lock keeps the environment from being closed and re-opened (E_IO) while the loop thread reads.
 */
#ifndef QUEUE_STORE_INT_H
#define QUEUE_STORE_INT_H

#include <lmdb.h>
#include <pthread.h>
#include <stdint.h>

#include "queue/store.h"

#define SCHEMA_VERSION		1
#define STORE_DIR_MAX		1024
#define STORE_FILE		"data.mdb"
#define STORE_OWNER		"owner"		/* locked while the store is open; says whether it was made */
#define OCTETS_DEFAULT		(64ull << 30)	/* the quota where none is given */
#define OCTETS_MIN		(1ull << 20)
#define MAP_SLACK		(64ull << 20)	/* map beyond the quota, for pages that a commit frees and cannot use yet */
#define GROW_STEP		(64ull << 20)	/* the file grows by this much, ahead of need */
#define GROW_STEP_MIN		(1ull << 20)
#define LOOK_STEP		(1u << 20)	/* octets between two looks at the disk by the thread */
#define FULL_MARGIN_MAX		(16ull << 20)	/* "nearly full" begins this far before the limit */
#define BATCH_OPS		1024		/* of one transaction */
#define BATCH_OCTETS		(8u << 20)
#define BATCH_BACKGROUND	64		/* of them in the background: a few milliseconds */
#define RECORD_GUESS		512		/* octets of a small record with its index entries, for sums */
#define RERUNS_MAX		8		/* of one batch, before all of it fails */
#define REMOVE_AT_ONCE		128		/* records removed within an operation; more go by slices */
#define REMOVE_SLICE		1024		/* records removed per transaction in the background */
#define TRASH_SLICE		16		/* messages that leave the trash per transaction */
#define TRASH_KEPT		86400		/* seconds */
#define MSGID_SHIFT		12		/* a millisecond holds 4096 ids before they run ahead of the clock */
#define MSGID_STEP		((uint64_t)60000 << MSGID_SHIFT)	/* the high-water mark is raised by a minute */
#define FAILURES_MAX		3		/* failed flushes in a row, then STORE_FAILED */
#define PROBE_EVERY		10		/* store_check_space() calls between tries of a failed store */
#define REPORTED_MAX		64		/* damaged records remembered, so that each is reported once */
#define KEY_MAX			(DOMAIN_MAX + 1 + 12)

enum store_table {
	T_MESSAGE,		/* msgid: message record */
	T_BODY,			/* msgid, chunk u32: checksum, data */
	T_RECIPIENT,		/* msgid, index u32: recipient record */
	T_DUE,			/* time u64, msgid, index: nothing */
	T_DOMAIN,		/* domain, NUL, msgid, index: nothing */
	T_TRASH,		/* msgid: time of deletion u64 (big-endian), message record */
	T_DIALOGUE,		/* msgid: XXH3, text */
	T_META,			/* name: number u64, XXH3 (store_value) */
	T_MARK,			/* one of MARK_*, then: nothing */
	TABLES
};

#define MARK_INCOMING	'i'	/* msgid: S1, chunks of a message that is streaming in */
#define MARK_REMOVE	'r'	/* msgid: S3, what is left of it is removed in slices */
#define MARK_TRASH	't'	/* time u64, msgid: when the trash lets it go */

/* Names in T_META that are ours. */
#define META_SCHEMA	"schema"
#define META_BOOT	"boot"
#define META_MSGID	"msgid"		/* no id at or above it was ever given out */
#define META_HELD	"held"
#define META_PROBE	"probe"

struct key {
	size_t	n;
	uint8_t	p[KEY_MAX];
};

/* One write transaction.  [thread] */
struct wtxn {
	MDB_txn		*txn;
	MDB_cursor	*cur[TABLES];
	int		 touched;	/* the operation at hand has changed something */
	int		 hurt;		/* the transaction can only be aborted */
	int		 removals;	/* marks of MARK_REMOVE were added */
	int64_t		 held;		/* change of the number of held messages */
	uint64_t	 freed;		/* records removed */
	int64_t		 now;		/* epoch seconds */
	uint64_t	 hwm;		/* the new high-water mark, 0 if it stays */
	struct message	 msg;		/* scratch */
	struct recipient rcpt;
	uint8_t		 rec[RECORD_MAX + 8];
};

struct op_list {
	struct store_op	*head, **tail;
};

struct store {
	/* Constant after store_open(). */
	char		 dir[STORE_DIR_MAX];
	uint64_t	 max_octets, reserve, map_octets, grow_step;
	uint32_t	 boot;
	int		 lock_fd;
	size_t		 page;		/* octets of an LMDB page */

	pthread_rwlock_t env_lock;
	MDB_env		*env;		/* NULL when it could not be re-opened */
	MDB_dbi		 dbi[TABLES];
	MDB_txn		*rtxn;		/* [loop] reset between calls */

	/* [loop] */
	uv_loop_t	*loop;
	uv_async_t	 async;
	uv_prepare_t	 prepare;
	int		 handles;	/* open libuv handles */
	struct op_list	 in[2];		/* submitted in this turn; [1] in the background */
	uint64_t	 msgid_last;
	enum store_health health;
	void		(*on_health)(void *, enum store_health);
	void		*on_health_arg;
	unsigned	 probe_wait;
	uint64_t	 reported[REPORTED_MAX];
	unsigned	 nreported;

	/* [thread] */
	struct wtxn	 w;
	uint64_t	 hwm_kept;	/* the mark that is in the store */
	uint64_t	 grown;		/* the file's size, as far as we made it */
	int		 sparse;	/* ... but not all of it is blocks of the disk */
	uint64_t	 looked;	/* octets in use when the disk was last asked */
	int		 more_removal;	/* there may be marks of MARK_REMOVE */

	pthread_t	 thread;
	int		 running;	/* [loop] */
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	struct op_list	 todo[2];	/* [lock] for the thread; [1] in the background */
	struct store_op	*done_head, **done_tail;	/* [lock] for the loop */
	int		 waiting;	/* [lock] the thread waits for work */
	int		 stop;		/* [lock] */
	int		 kick;		/* [lock] run maintenance even without operations */
	uint64_t	 msgid_seen;	/* [lock] the newest id given out */
	uint64_t	 hwm;		/* [lock] durable: ids below it may be given out */
	struct store_figures fig;	/* [lock] */
	uint64_t	 usable;	/* [lock] octets that the quota and the disk allow */
	unsigned	 failures;	/* [lock] failed flushes in a row */
	int		 broken;	/* [lock] STORE_FAILED */
	int		 full;		/* [lock] the last batch met E_FULL */
	int64_t		 next_trash;	/* [lock] when the oldest of the trash goes; 0: it is empty */
};

/* ---- keys (store_key.c) ---- */
void	 key_msgid(struct key *, uint64_t msgid);
void	 key_part(struct key *, uint64_t msgid, uint32_t index);
void	 key_due(struct key *, int64_t when, uint64_t msgid, uint32_t index);
void	 key_domain(struct key *, const char *domain, uint64_t msgid, uint32_t index);
void	 key_mark(struct key *, uint8_t kind, uint64_t msgid);
void	 key_mark_trash(struct key *, int64_t when, uint64_t msgid);
uint64_t be64(const void *);
uint32_t be32(const void *);
void	 put_be64(uint8_t *, uint64_t);
size_t	 meta_value_pack(uint8_t *, uint64_t);		/* at most 16 octets */
int	 meta_value_unpack(const MDB_val *, uint64_t *);
int	 store_err_mdb(int rc);		/* the one translator of LMDB's codes */
int	 is_indexed(const struct message *, const struct recipient *);

/* ---- a write transaction (store_wtxn.c); errors are E_*, and an LMDB failure sets w->hurt ---- */
int	 wt_begin(struct store *);
void	 wt_abort(struct store *);
int	 wt_commit(struct store *);	/* the transaction is over whatever it returns */
int	 wt_get(struct store *, enum store_table, const struct key *, MDB_val *);
int	 wt_first(struct store *, enum store_table, const struct key *from, MDB_val *k, MDB_val *v);
int	 wt_put(struct store *, enum store_table, const struct key *, const void *, size_t);
int	 wt_append(struct store *, enum store_table, const struct key *, const void *, size_t);	/* likely the last key */
int	 wt_next(struct store *, enum store_table, MDB_val *k, MDB_val *v);
int	 wt_del_here(struct store *, enum store_table);
int	 wt_del(struct store *, enum store_table, const struct key *);	/* E_OK too where there is none */
int	 wt_meta_get(struct store *, const char *name, uint64_t *);
int	 wt_meta_put(struct store *, const char *name, uint64_t);
int	 wt_index_add(struct store *, const struct message *, const struct recipient *, uint64_t msgid);
int	 wt_index_del(struct store *, const struct message *, const struct recipient *, uint64_t msgid);

/* ---- operations (store_txn.c) ---- */
int	 txn_apply(struct store *, struct store_op *);	/* and its `also' */

/* ---- removal (store_remove.c) ---- */
int	 remove_some(struct store *, uint64_t msgid, unsigned *budget, int *finished);
int	 remove_damaged(struct store *, uint64_t msgid);	/* a message whose record cannot be read, for good */
int	 remove_mark(struct store *, uint64_t msgid);
int	 remove_slice(struct store *, unsigned budget);
int	 remove_trash(struct store *);
int	 remove_incoming(struct store *);	/* at open: S1 becomes a removal */
int64_t	 trash_oldest(struct store *);		/* 0: none */

/* ---- the thread (store_thread.c) ---- */
void	*store_thread(void *);

/* ---- opening (store_open.c) ---- */
int	 env_open(struct store *);
void	 env_close(struct store *);
int	 env_reopen(struct store *);
void	 store_release(struct store *);	/* all but the libuv handles */

/* ---- room (store_space.c) ---- */
uint64_t space_used(struct store *);		/* octets in use, within a write transaction */
void	 space_look(struct store *, uint64_t used);	/* takes lock: disk, quota */
void	 space_grow(struct store *);
int	 space_fits(struct store *, uint64_t need);	/* for a new message */
int	 space_disk_full(struct store *);	/* an I/O error that is no more than a full disk */

#endif
