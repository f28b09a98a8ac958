/*
 * sched_dest.h -- the insides of the scheduler, shared by sched.c and sched_dest.c alone.
 */
#ifndef QUEUE_SCHED_DEST_H
#define QUEUE_SCHED_DEST_H

#include "queue/sched.h"
#include "queue/table.h"

struct sched_item {
	struct { uint64_t msgid; uint64_t index; } key;
	uint8_t			 state;		/* enum sched_state */
	struct sched_flow	*flow;		/* READY */
	struct sched_item	*prev, *next;	/* in its flow */
	UT_hash_handle		 hh;
};

struct sched_flow {				/* one sender's items at one destination */
	uint64_t		 hash;
	struct sched_dest	*dest;
	struct sched_level	*level;
	struct sched_item	*items;
	struct sched_flow	*prev, *next;	/* the level's turn */
	UT_hash_handle		 hh;
};

struct sched_level {				/* flows of one priority at one destination */
	int			 priority;
	struct sched_flow	*flows;		/* in turn */
	struct sched_level	*prev, *next;	/* the highest first; once made they stay */
};

struct sched_provider {
	uint64_t		 id;		/* 0: of one destination, not known yet */
	uint32_t		 active;	/* jobs */
	uint32_t		 window;	/* connections allowed, in 1/SCHED_UNIT */
	uint8_t			 slow_start;	/* nothing failed yet: grow by one a success */
	uint32_t		 round;		/* jobs that began before the last cut: they say nothing new */
	uint32_t		 refs;		/* destinations */
	struct sched_dest	*waiting;	/* they want a slot */
	UT_hash_handle		 hh;
};

enum sched_place { PLACE_NONE, PLACE_RING, PLACE_WAITING, PLACE_PARKED, PLACE_CROWD };

struct sched_dest {
	struct sched_provider	*prov;
	uint8_t			 local;
	uint8_t			 place;		/* enum sched_place: which list prev and next are of */
	uint8_t			 on_marked;
	uint32_t		 ready, urgent, active;	/* items, those of them of a priority above 0; jobs */
	uint32_t		 failures;	/* towards SCHED_DEAD_AFTER */
	uint32_t		 in_a_row;
	uint32_t		 backoff_s;	/* the last one's length */
	uint64_t		 backoff_until;	/* ms; 0: none */
	uint64_t		 used;		/* ms: when last asked for */
	struct sched_mark	 mark;
	struct sched_level	*levels;
	uint32_t		 turn;		/* jobs given out */
	int			 lower;		/* the priority that had the lower ones' turn last */
	struct sched_flow	*by_hash;
	struct sched_dest	*prev, *next;
	struct sched_dest	*marked_prev, *marked_next;
	char			*why;		/* last failure, or NULL */
	UT_hash_handle		 hh;
	char			 name[];
};

struct sched {
	struct sched_conf	 conf;
	struct sched_item	*items;
	struct sched_dest	*dests;
	struct sched_provider	*providers;
	struct sched_dest	*ring;		/* may have something to do */
	struct sched_dest	*parked;	/* their kind of delivery is missing */
	struct sched_dest	*crowd;		/* all connections are in use */
	struct sched_dest	*marked;
	size_t			 nitem;
	uint32_t		 active;	/* remote jobs */
	uint32_t		 active_local;
};

void	sched_place(struct sched *, struct sched_dest *, enum sched_place);
int	sched_has_slot(const struct sched *, const struct sched_dest *);
void	sched_provider_unref(struct sched *, struct sched_provider *);
void	sched_dest_free(struct sched *, struct sched_dest *);

#endif
