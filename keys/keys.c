/*
 * keys.c -- see keys.h.  Shell.
 */
#include "keys/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "keys/key.h"

#define SETS		2		/* the snapshot in use, and the one before: handshakes under way still name it */
#define RATE_WINDOW_MS	1000

struct request {
	uint32_t	id;
	uint64_t	generation;
	uint16_t	key, scheme;
	uint16_t	len;
	uint8_t		tbs[TBS_MAX];
};

struct peer {
	struct peer	*next;
	struct ipc	 ipc;
	struct request	*ring;		/* SIGN_WAITING_MAX of them */
	uint32_t	 first, n;
	uint64_t	 window_ms;	/* when the present second began */
	uint32_t	 signed_now;	/* in it */
	uint8_t		 told;		/* in it, what is wrong: one line is enough (G6) */
};

struct set {				/* the keys of one snapshot */
	uint64_t	 generation;
	size_t		 n;
	struct key	*key[CERTS_MAX];
};

static struct {
	struct room	*room;
	struct peer	*peers, *turn;	/* turn: whose signature is next */
	struct set	 sets[SETS];	/* [0] is in use */
	struct set	 coming;	/* read, of a snapshot that is checked but not used yet */
	int		 files[CERTS_MAX];	/* key files of the snapshot that comes next; 0 none: descriptors 0 to 3 are taken */
	uv_idle_t	 work;
	uv_timer_t	 wait;		/* all who wait are past their rate */
	uint64_t	 counter[COUNTS];
	int		 open;		/* OpenSSL's memory */
} keys;

/* ---- keys ---- */

static void
set_clear(struct set *s)
{
	size_t	i;

	for (i = 0; i < CERTS_MAX; i++)
		key_free(s->key[i]);
	memset(s, 0, sizeof(*s));
}

static const struct key *
find_key(uint64_t generation, uint16_t index)
{
	size_t	i;

	for (i = 0; i < SETS; i++) {
		if (keys.sets[i].generation == generation && index < keys.sets[i].n)
			return (keys.sets[i].key[index]);
	}
	/* smtpd may hear CONF_USE a moment before us. */
	if (keys.coming.generation == generation && index < keys.coming.n)
		return (keys.coming.key[index]);
	return (NULL);
}

/*
 * The key files come before the snapshot that they belong to, so that one answer (CONF_READY)
 * covers both.
 */
static void
on_key(struct room *room, const struct ipc_key *m, int fd)
{
	if (keys.files[m->index] != 0)
		close(keys.files[m->index]);
	keys.files[m->index] = fd;
}

static void
close_files(void)
{
	size_t	i;

	for (i = 0; i < CERTS_MAX; i++) {
		if (keys.files[i] != 0)
			close(keys.files[i]);
		keys.files[i] = 0;
	}
}

static void
refuse(struct room *room, const struct conf_cert *cert, const char *why)
{
	(void)snprintf(room->refusal, sizeof(room->refusal), "key %s of tls \"%s\" (certificate %.200s): %s", cert->key_path,
	    cert->name, cert->certificate_path, why);
	log_warn("%s", room->refusal);
}

/*
 * Before the first keys are read, which is before keys_open(): they come with the first snapshot.
 */
static int
memory_open(void)
{
	int	err;

	if (keys.open)
		return (E_OK);
	if ((err = key_memory_open()) == E_LIMIT)
		log_warn("the memory of the keys cannot be locked: RLIMIT_MEMLOCK is too small (LimitMEMLOCK=16M in the unit)");
	else if (err != E_OK)
		return (err);
	keys.open = 1;
	return (E_OK);
}

/* All keys of a snapshot, or none: a certificate without its key is no configuration. */
static int
on_check(struct room *room, const struct conf *next, uint64_t generation)
{
	const char	*why;
	size_t		 i;
	int		 err = E_OK;

	if ((err = memory_open()) != E_OK)
		return (err);
	set_clear(&keys.coming);
	keys.coming.generation = generation;
	for (i = 0; i < next->ncerts && err == E_OK; i++) {
		why = "was not handed over";
		err = keys.files[i] == 0 ? E_NOTFOUND :
		    key_read(&keys.coming.key[i], keys.files[i], next->certs[i].spki, &why);
		if (err != E_OK)
			refuse(room, &next->certs[i], why);
	}
	close_files();
	keys.coming.n = next->ncerts;
	if (err != E_OK)
		set_clear(&keys.coming);
	return (err);
}

static void
use_coming(void)
{
	size_t	i;

	set_clear(&keys.sets[SETS - 1]);
	memmove(&keys.sets[1], &keys.sets[0], (SETS - 1) * sizeof(keys.sets[0]));
	keys.sets[0] = keys.coming;
	memset(&keys.coming, 0, sizeof(keys.coming));
	keys.counter[COUNT_KEYS] = keys.sets[0].n;
	for (i = 0; i < keys.sets[0].n; i++)
		log_info("key=%s type=\"%s\" certificate=%s", keys.room->conf->certs[i].key_path,
		    key_type(keys.sets[0].key[i]), keys.room->conf->certs[i].name);
}

static void
on_conf(struct room *room, const struct conf *old)
{
	use_coming();
}

static void
on_go(struct room *room)
{
	use_coming();
	log_info("ready: keys=%zu", keys.sets[0].n);
}

/* ---- requests ---- */

static void
answer(struct peer *p, uint32_t id, enum sign_status status, const uint8_t *sig, size_t len)
{
	static const unsigned	counts[SIGN_STATUSES] = { COUNT_SIGNED, COUNT_REFUSED, COUNT_BUSY, COUNT_FAILED };
	struct ipc_signed	m = { .id = id, .status = (uint8_t)status, .signature = slice_make(sig, len) };
	int			err = ipc_send(&p->ipc, SIGNED, signed, &m);

	keys.counter[counts[status]]++;
	/* A peer that does not read has its own deadline; an answer more will not help it. */
	if (err != E_OK && err != E_CLOSED && !p->told) {
		p->told = 1;
		log_warn("answer to smtpd[%u] dropped: %s", p->ipc.instance, err_name(err));
	}
}

static void
sign_one(struct peer *p)
{
	struct request	*q = &p->ring[p->first];
	const struct key *k = find_key(q->generation, q->key);
	uint8_t		 sig[SIGNATURE_MAX];
	size_t		 len = 0;
	int		 err;

	p->first = (p->first + 1) % SIGN_WAITING_MAX;
	p->n--;
	p->signed_now++;
	err = k == NULL ? E_SYNTAX : key_sign(k, q->scheme, slice_make(q->tbs, q->len), sig, &len);
	if (err == E_SYNTAX && !p->told) {	/* an honest smtpd asks for nothing else */
		p->told = 1;
		log_warn("smtpd[%u]: refused to sign: key=%u scheme=%04x octets=%u", p->ipc.instance, q->key, q->scheme,
		    q->len);
	}
	answer(p, q->id, err == E_OK ? SIGN_DONE : err == E_SYNTAX ? SIGN_REFUSED : SIGN_FAILED, sig,
	    err == E_OK ? len : 0);
}

/* Whether p may have another signature in this second; *next is when, if not. */
static int
within_rate(struct peer *p, uint64_t now, uint64_t *next)
{
	if (now - p->window_ms >= RATE_WINDOW_MS) {
		p->window_ms = now;
		p->signed_now = 0;
		p->told = 0;
	}
	if (p->signed_now < SIGN_RATE_MAX)
		return (1);
	if (p->window_ms + RATE_WINDOW_MS < *next)
		*next = p->window_ms + RATE_WINDOW_MS;
	return (0);
}

static void	on_work(uv_idle_t *);

static void
on_wait(uv_timer_t *t)
{
	uv_idle_start(&keys.work, on_work);
}

/* One signature a turn: between two the loop reads what others ask. */
static void
on_work(uv_idle_t *idle)
{
	uint64_t	 now = uv_now(&keys.room->loop), next = UINT64_MAX;
	struct peer	*p = keys.turn != NULL ? keys.turn : keys.peers, *start = p;

	if (p != NULL) {
		do {
			keys.turn = p->next;
			if (p->n != 0 && within_rate(p, now, &next)) {
				sign_one(p);
				return;
			}
			p = p->next != NULL ? p->next : keys.peers;
		} while (p != start);
	}
	uv_idle_stop(idle);
	if (next != UINT64_MAX)
		uv_timer_start(&keys.wait, on_wait, next - now, 0);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct peer	*p = ch->arg;
	struct ipc_sign	 m;
	struct request	*q;

	if (type != IPC_SIGN || ipc_unpack_sign(r, &m) != E_OK)
		return (E_PROTO);
	if (p->n == SIGN_WAITING_MAX) {
		answer(p, m.id, SIGN_BUSY, NULL, 0);
		return (E_OK);
	}
	q = &p->ring[(p->first + p->n++) % SIGN_WAITING_MAX];
	q->id = m.id;
	q->generation = m.generation;
	q->key = m.key;
	q->scheme = m.scheme;
	q->len = (uint16_t)m.tbs.n;	/* at most TBS_MAX: unpacked so */
	memcpy(q->tbs, m.tbs.p, m.tbs.n);
	uv_idle_start(&keys.work, on_work);
	return (E_OK);
}

static void
free_peer(struct ipc *ch)
{
	struct peer	*p = ch->arg;

	free(p->ring);
	free(p);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct peer	*p = ch->arg, **at;

	for (at = &keys.peers; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	if (keys.turn == p)
		keys.turn = p->next;
	ipc_close(ch, free_peer);
}

static const struct ipc_ops peer_ops = { .message = on_message, .closed = on_closed };

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct peer	*p, *next;

	/* One process has one channel: with a new one the old one is over. */
	for (p = keys.peers; p != NULL; p = next) {
		next = p->next;
		if (p->ipc.peer == m->room && p->ipc.instance == m->instance && p->ipc.role == m->role)
			on_closed(&p->ipc, E_CLOSED);
	}
	if ((p = calloc(1, sizeof(*p))) == NULL || (p->ring = calloc(SIGN_WAITING_MAX, sizeof(*p->ring))) == NULL)
		log_fatal("no memory for a channel");
	if (ipc_open(&p->ipc, &room->loop, fd, room->self, m->room, &peer_ops, p) != E_OK)
		log_fatal("cannot open the channel to %s[%u]", room_name(m->room), m->instance);
	p->ipc.instance = m->instance;
	p->ipc.role = m->role;
	p->next = keys.peers;
	keys.peers = p;
}

static void
on_stop(struct room *room, uint32_t within_ms)
{
	size_t	i;

	for (i = 0; i < SETS; i++)
		set_clear(&keys.sets[i]);
	set_clear(&keys.coming);
	room_leave(room);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	memcpy(counter, keys.counter, sizeof(keys.counter));
}

void
keys_open(struct room *room)
{
	keys.room = room;
	if (uv_idle_init(&room->loop, &keys.work) != 0 ||
	    uv_timer_init(&room->loop, &keys.wait) != 0)
		log_fatal("no memory for handles");
}

const struct room_ops keys_room_ops = {
	.peer = on_peer,
	.key = on_key,
	.check = on_check,
	.conf = on_conf,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};
