/* failures.c -- see failures.h.  Core. */
#include <stdlib.h>
#include <string.h>

#include "auth/failures.h"
#include "common/limits.h"
#include "common/siphash.h"

#define NIL	UINT32_MAX
#define BUCKETS	65536		/* a power of two */

struct count {
	uint64_t	key;		/* SipHash: nobody outside can make two alike */
	uint64_t	since;		/* failures: when the window began; friends: the last success */
	uint32_t	n;
	uint32_t	chain;		/* the next one of the bucket */
	uint32_t	older, newer;
};

struct memory {				/* touched longest ago goes first */
	struct count	*count;
	uint32_t	*bucket;	/* BUCKETS */
	uint32_t	 max, used;
	uint32_t	 oldest, newest;
};

struct failures {
	struct memory	failed, friends;
};

/* ---- bounded memory ---- */

static int
memory_open(struct memory *m, uint32_t max)
{
	m->max = max;
	m->oldest = m->newest = NIL;
	if ((m->count = calloc(max, sizeof(m->count[0]))) == NULL ||
	    (m->bucket = malloc(BUCKETS * sizeof(m->bucket[0]))) == NULL)
		return (0);
	memset(m->bucket, 0xff, BUCKETS * sizeof(m->bucket[0]));	/* NIL */
	return (1);
}

static void
memory_free(struct memory *m)
{
	free(m->count);
	free(m->bucket);
}

static uint32_t *
bucket(struct memory *m, uint64_t key)
{
	return (&m->bucket[key & (BUCKETS - 1)]);
}

static void
row_remove(struct memory *m, uint32_t i)
{
	struct count	*c = &m->count[i];

	*(c->older == NIL ? &m->oldest : &m->count[c->older].newer) = c->newer;
	*(c->newer == NIL ? &m->newest : &m->count[c->newer].older) = c->older;
}

static void
row_append(struct memory *m, uint32_t i)
{
	struct count	*c = &m->count[i];

	c->older = m->newest;
	c->newer = NIL;
	*(m->newest == NIL ? &m->oldest : &m->count[m->newest].newer) = i;
	m->newest = i;
}

static struct count *
look(struct memory *m, uint64_t key)
{
	for (uint32_t i = *bucket(m, key); i != NIL; i = m->count[i].chain) {
		if (m->count[i].key == key)
			return (&m->count[i]);
	}
	return (NULL);
}

/* Found or new, and touched now. */
static struct count *
touch(struct memory *m, uint64_t key)
{
	struct count	*c = look(m, key);
	uint32_t	 i, *at;

	if (c != NULL) {
		row_remove(m, (uint32_t)(c - m->count));
		row_append(m, (uint32_t)(c - m->count));
		return (c);
	}
	if (m->used < m->max)
		i = m->used++;
	else {
		i = m->oldest;
		for (at = bucket(m, m->count[i].key); *at != i; at = &m->count[*at].chain)
			;
		*at = m->count[i].chain;
		row_remove(m, i);
	}
	m->count[i] = (struct count){ .key = key, .chain = *bucket(m, key) };
	*bucket(m, key) = i;
	row_append(m, i);
	return (&m->count[i]);
}

/* ---- who is counted ---- */

static int
address_counts(const struct net_addr *a)
{
	return (!net_addr_is_loopback(a) && !net_addr_is_any(a));
}

static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

static uint64_t
key_of(enum failure_kind kind, const struct net_addr *a, struct slice login)
{
	struct { struct net_addr a; uint8_t kind; char login[LOGIN_MAX]; } k;
	size_t	n = sizeof(k.a) + sizeof(k.kind);

	memset(&k, 0, sizeof(k));
	k.kind = (uint8_t)kind;
	if (kind != FAILURE_LOGIN)
		k.a = net_addr_mask(a, net_addr_is4(a) ? 128 : 64);
	if (kind != FAILURE_ADDRESS) {
		if (login.n > sizeof(k.login))
			login.n = sizeof(k.login);
		for (size_t i = 0; i < login.n; i++)
			k.login[i] = kind == FAILURE_LOGIN ? lower(login.p[i]) : login.p[i];
		n += login.n;
	}
	return (siphash(&k, n));
}

static uint32_t
count_now(struct failures *f, const struct failure_limits *lim, uint64_t key, uint64_t now)
{
	const struct count	*c = look(&f->failed, key);

	return (c == NULL || now - c->since >= lim->window_ms ? 0 : c->n);
}

static int
is_friend(struct failures *f, uint64_t pair, uint64_t now)
{
	const struct count	*c = look(&f->friends, pair);

	return (c != NULL && now - c->since < (uint64_t)AUTH_FRIEND_S * 1000);
}

struct failures *
failures_new(void)
{
	struct failures	*f = calloc(1, sizeof(*f));

	if (f != NULL && memory_open(&f->failed, AUTH_FAILURES_MAX) &&
	    memory_open(&f->friends, AUTH_FRIENDS_MAX))
		return (f);
	failures_free(f);
	return (NULL);
}

void
failures_free(struct failures *f)
{
	if (f == NULL)
		return;
	memory_free(&f->failed);
	memory_free(&f->friends);
	free(f);
}

unsigned
failures_barred(struct failures *f, const struct failure_limits *lim, const struct net_addr *a,
    struct slice login, uint64_t now)
{
	const uint64_t	pair = key_of(FAILURE_PAIR, a, login);
	unsigned	barred = 0;

	if (count_now(f, lim, pair, now) >= lim->max)
		barred |= BARRED(FAILURE_PAIR);
	if (is_friend(f, pair, now))
		return (barred);
	if (address_counts(a) && count_now(f, lim, key_of(FAILURE_ADDRESS, a, login), now) >= lim->max)
		barred |= BARRED(FAILURE_ADDRESS);
	if (count_now(f, lim, key_of(FAILURE_LOGIN, a, login), now) >= lim->max)
		barred |= BARRED(FAILURE_LOGIN);
	return (barred);
}

/* The count after this failure. */
static uint32_t
add(struct failures *f, const struct failure_limits *lim, enum failure_kind kind, uint64_t key,
    uint64_t now, unsigned *reached)
{
	struct count	*c = touch(&f->failed, key);

	if (c->n == 0 || now - c->since >= lim->window_ms) {
		c->n = 0;
		c->since = now;
	}
	if (c->n < UINT32_MAX)
		c->n++;
	if (c->n == lim->max) {		/* closed for a whole window from here on */
		c->since = now;
		*reached |= BARRED(kind);
	}
	return (c->n);
}

/* 1 s, doubled with each failure. */
static uint32_t
delay(uint32_t n)
{
	uint32_t	s = n == 0 ? 0 : n > 16 ? AUTH_DELAY_MAX_S : 1u << (n - 1);

	return ((s < AUTH_DELAY_MAX_S ? s : AUTH_DELAY_MAX_S) * 1000);
}

uint32_t
failures_add(struct failures *f, const struct failure_limits *lim, const struct net_addr *a,
    struct slice login, uint64_t now, unsigned *reached)
{
	const uint64_t	pair = key_of(FAILURE_PAIR, a, login);
	uint32_t	most, n;

	*reached = 0;
	most = add(f, lim, FAILURE_PAIR, pair, now, reached);
	if (is_friend(f, pair, now))
		return (delay(most));
	if (address_counts(a)) {
		n = add(f, lim, FAILURE_ADDRESS, key_of(FAILURE_ADDRESS, a, login), now, reached);
		if (n > most)
			most = n;
	}
	if ((n = add(f, lim, FAILURE_LOGIN, key_of(FAILURE_LOGIN, a, login), now, reached)) > most)
		most = n;
	return (delay(most));
}

static void
take_back(struct failures *f, uint64_t key, uint32_t n)
{
	struct count	*c = look(&f->failed, key);

	if (c != NULL)
		c->n -= n < c->n ? n : c->n;
}

void
failures_success(struct failures *f, const struct failure_limits *lim, const struct net_addr *a,
    struct slice login, uint64_t now)
{
	const uint64_t	pair = key_of(FAILURE_PAIR, a, login);
	const uint32_t	failed = count_now(f, lim, pair, now);

	if (!is_friend(f, pair, now)) {		/* a friend's count for the pair alone */
		take_back(f, key_of(FAILURE_ADDRESS, a, login), failed);
		take_back(f, key_of(FAILURE_LOGIN, a, login), failed);
	}
	take_back(f, pair, failed);
	touch(&f->friends, pair)->since = now;
}
