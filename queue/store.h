/*
 * store.h -- every accepted message, durably.  The only door: it speaks of messages,
 * outcomes and batches, never of LMDB (design.md 4).
 *
 * The crash table is the design:
 *
 *	state  body chunks  message record  recipients   meaning                     after a crash
 *	S0     -            -               -            no such message             nothing
 *	S1     some         incoming mark   -            large one being received    removed
 *	S2     all          present         some to do   ours; 250 sent or due       scheduled
 *	S3     all          present         all done     every outcome is recorded   removed
 *	S4     -            -               -            over                        nothing
 *
 * A small message goes from S0 to S2 in one transaction, and from S2 to S4 in one.
 *
 * Threads: all functions here are called by the loop thread.  Changes are operations that
 * collect while the store thread flushes the batch before; each operation's done() is called
 * on the loop thread after the flush that made it durable, or after its failure.  Operations of one
 * batch take effect in the order in which they were submitted, those in the background last.  Reads run on the loop thread in
 * short read transactions and see what was last committed.
 *
 * Errors: E_FULL (disk, quota, map; deletions and outcomes still go through, from the
 * reserve), E_IO (the flush failed: nothing of the batch is durable; the store re-opens itself and reads again),
 * E_CORRUPT (a record fails its checksum: set aside and reported, the rest goes on), E_NOTFOUND.
 *
 * RFC 5321 4.2.5, 6.1: after 250 the message is ours.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "queue/body.h"
#include "queue/record.h"

struct store;

enum store_op_kind {
	STORE_PUT,		/* a whole message: record, recipients, the blocks of body (those not streamed ahead); ends an incoming mark */
	STORE_CHUNKS,		/* blocks of a large message ahead of its PUT, under an incoming mark */
	STORE_DROP,		/* forget a message that was streaming in: mark and chunks */
	STORE_OUTCOME,		/* new values of some recipients, and of the message record (flags, ndone); when the record says MSGF_DONE, removal of all of it */
	STORE_MESSAGE,		/* new value of the message record alone (hold, release, delay notice) */
	STORE_TRASH,		/* the operator deletes: out of the indexes, kept for undo for a day; if damaged, for good */
	STORE_UNDO,		/* back from the trash; its recipients are due now */
	STORE_META,		/* a named number (paused, ...) */
};

struct store_op {
	enum store_op_kind kind;
	/* Called on the loop thread; the op and what it points to are the caller's again. */
	void		(*done)(struct store_op *, int err);
	void		*arg;

	/* May wait behind what is submitted later: a long row of these delays nobody's 250.  Not before an
	 * earlier operation of the same message is done. */
	int		 background;

	uint64_t	 msgid;
	struct message	*message;	/* PUT, OUTCOME, MESSAGE */
	struct recipient *rcpt;		/* PUT: all; OUTCOME: those that change */
	/* PUT: gives recipient i in place of rcpt, where there are very many.  Called by the store thread. */
	void		(*rcpt_at)(const struct store_op *, uint32_t i, struct recipient *);
	uint32_t	 nrcpt;
	struct body_block *blocks;	/* PUT, CHUNKS: sealed */
	struct slice	 dialogue;	/* OUTCOME: replaces the kept one if not empty */
	const char	*name;		/* META */
	uint64_t	 value;

	/* A notice goes with the outcome that causes it, in one transaction: the PUT op to run right after this
	 * one, or neither.  Its own done() is called as well. */
	struct store_op	*also;

	struct store_op	*next;		/* the store's own */
	int		 err;
	int		 skip;		/* left out of this batch's transaction; err says why */
};

/*
 * Opens the store in the current directory's "store" (made by master, ours alone), makes what is missing, removes S1 and S3, checks
 * file size and schema version.  E_BUSY if another process has it, E_CORRUPT, E_IO.
 * store_start() starts the store thread: after the sandbox allows it, before the first submit.
 */
struct store_options {
	const char	*dir;
	uint64_t	 max_octets;	/* the store's own quota */
	uint64_t	 reserve;	/* octets kept for deliveries and deletions */
};
int	store_open(struct store **, const struct store_options *);
int	store_start(struct store *, uv_loop_t *);
void	store_close(struct store *);		/* waits for what was submitted; then done() of all was called */

void	store_submit(struct store *, struct store_op *);
/* Never returns the same id twice, not even after a crash; ascends with time. */
uint64_t store_new_msgid(struct store *);
/* Counts store starts; the high half of job ids. */
uint32_t store_boot(const struct store *);

enum store_health { STORE_GOOD, STORE_NEARLY_FULL, STORE_FAILED };
/* Called on the loop thread when it changes. */
void	store_on_health(struct store *, void (*)(void *, enum store_health), void *);
/* Looks at free disk and map space now; the loop calls it each second and after E_FULL. */
void	store_check_space(struct store *);

struct store_figures {
	uint64_t	messages, held, trash;	/* kept up by the commits, exact */
	uint64_t	octets;			/* in use within the file */
	uint64_t	limit, disk_free;
	uint64_t	commits, operations;	/* since store_open() */
};
void	store_figures(struct store *, struct store_figures *);

/* ---- reads; results are copies unless said otherwise ---- */
int	store_get_message(struct store *, uint64_t msgid, struct message *);
int	store_get_recipient(struct store *, uint64_t msgid, uint32_t index, struct recipient *);
/* fn returns non-zero to stop. */
int	store_each_recipient(struct store *, uint64_t msgid,
	    int (*fn)(void *, const struct recipient *), void *arg);
/* Chunk number index of a body into dst[BODY_CHUNK], checked; *len its octets. */
int	store_read_chunk(struct store *, uint64_t msgid, uint32_t index, uint8_t *dst, uint32_t *len);
int	store_get_meta(struct store *, const char *name, uint64_t *value);

/* Recipients in the order in which they are due, after the given position; at most max of them. */
struct store_due {
	int64_t		when;
	uint64_t	msgid;
	uint32_t	index;
};
int	store_due(struct store *, const struct store_due *after, struct store_due *out, size_t max, size_t *n);
/* Recipients of one domain, after (msgid, index); at most max. */
int	store_domain(struct store *, const char *domain, const struct store_due *after,
	    struct store_due *out, size_t max, size_t *n);
/* The domain behind this one ("" for the first) of which recipients are indexed, into dst[DOMAIN_MAX + 1]: E_NOTFOUND
 * behind the last. */
int	store_next_domain(struct store *, const char *after, char *dst);
/* Messages after msgid in ascending order; in the trash if trash; at most max.  A damaged record is one
 * with MSGF_DAMAGED and nothing but its msgid. */
int	store_list(struct store *, uint64_t after, int trash, struct message *out, size_t max, size_t *n);
/* The last SMTP dialogue of a message, printable text, at most DIALOGUE_MAX. */
int	store_get_dialogue(struct store *, uint64_t msgid, char *dst, size_t size, size_t *len);

#endif
