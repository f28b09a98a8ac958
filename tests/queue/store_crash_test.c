/*
 * store_crash_test.c -- the crash table of store.h, row by row: a child does random operations and is killed, by
 * SIGKILL from outside at a random count of answers, or by itself at a chosen call (a write, a flush, a commit:
 * before and after); then the store is opened and compared with what the child was told.
 *
 * And power loss: all writes of the store's file are recorded; at any moment the disk may hold what was flushed
 * and any subset of the rest.  Each such image must open and hold all that was acknowledged (F3).
 *
 * The calls are caught by functions of the same name in this program, which liblmdb.so finds first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/queue/store_kit.h"

/* ---- a small generator, so that a failure can be run again ---- */
static uint64_t seed;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return ((uint32_t)(seed >> 33) % n);
}

/* ---- the calls ---- */
enum point { P_NONE, P_WRITE, P_FLUSH, P_COMMIT, P_COMMITTED, POINTS };

static enum point kill_at;
static unsigned kill_after;		/* so many of them first */

struct hole {				/* a write that no flush has covered */
	off_t	 at;
	size_t	 len;
	uint8_t	*data;
};

static int recording;			/* power loss: keep the disk's image */
static int no_flush;			/* the disk lies from now on: for the test of the test */
static uint8_t *disk;			/* what a flush has covered */
static size_t disk_len;
static struct hole hole[4096];
static unsigned nhole;
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
#define DISK_MAX	(16u << 20)

static void	maybe_snapshot(void);

static void	note_hit(void);

static void
reached(enum point p)
{
	if (kill_at == p && kill_after-- == 0) {
		note_hit();
		raise(SIGKILL);
	}
}

static int
is_dsync(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return (fl != -1 && (fl & O_DSYNC) != 0);
}

static void
apply(off_t at, const void *p, size_t n)
{
	if ((size_t)at + n > DISK_MAX)
		abort();
	memcpy(disk + at, p, n);
	if ((size_t)at + n > disk_len)
		disk_len = (size_t)at + n;
}

static void
note_write(int fd, off_t at, const struct iovec *v, int n)
{
	int i;

	if (!recording)
		return;
	pthread_mutex_lock(&disk_lock);
	for (i = 0; i < n; at += (off_t)v[i].iov_len, i++) {
		if (is_dsync(fd) && !no_flush) {
			apply(at, v[i].iov_base, v[i].iov_len);
			continue;
		}
		if (nhole == sizeof(hole) / sizeof(hole[0]))
			abort();
		hole[nhole].at = at;
		hole[nhole].len = v[i].iov_len;
		if ((hole[nhole].data = malloc(v[i].iov_len)) == NULL)
			abort();
		memcpy(hole[nhole++].data, v[i].iov_base, v[i].iov_len);
	}
	maybe_snapshot();
	pthread_mutex_unlock(&disk_lock);
}

static void
note_flush(void)
{
	unsigned i;

	if (!recording)
		return;
	pthread_mutex_lock(&disk_lock);
	maybe_snapshot();
	for (i = 0; i < nhole && !no_flush; i++) {
		apply(hole[i].at, hole[i].data, hole[i].len);
		free(hole[i].data);
	}
	if (!no_flush)
		nhole = 0;
	maybe_snapshot();
	pthread_mutex_unlock(&disk_lock);
}

ssize_t	 pwrite(int, const void *, size_t, off_t);
ssize_t	 writev(int, const struct iovec *, int);
int	 fdatasync(int);
int	 mdb_txn_commit(MDB_txn *);

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	ssize_t r;

	reached(P_WRITE);
	r = syscall(SYS_pwrite64, fd, p, n, at);
	note_write(fd, at, &v, 1);
	return (r);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	off_t at;
	ssize_t r;

	reached(P_WRITE);
	at = lseek(fd, 0, SEEK_CUR);
	r = syscall(SYS_writev, fd, v, n);
	if (at != -1)
		note_write(fd, at, v, n);
	return (r);
}

int
fdatasync(int fd)
{
	int r;

	reached(P_FLUSH);
	r = (int)syscall(SYS_fdatasync, fd);
	note_flush();
	return (r);
}

int
mdb_txn_commit(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);
	int r;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_commit");
	reached(P_COMMIT);
	r = real(txn);
	reached(P_COMMITTED);
	return (r);
}

/* ---- what the child does, and what it was told; in memory shared with the parent ---- */
enum where { W_NONE, W_QUEUE, W_TRASH, W_GONE };
struct mstate {
	uint8_t		where, held;
	uint32_t	over;		/* bit set of recipients */
};
struct mail {
	uint64_t	id, len;
	uint32_t	nrcpt;
	uint32_t	ahead;		/* chunk operations acknowledged */
	struct mstate	acked, sent;	/* sent differs while an operation is under way */
	int		busy;
};

#define MAILS		4096
#define SLOTS		24
struct shared {
	uint32_t	nmail;
	uint32_t	answers;
	uint32_t	hit;		/* the chosen call was reached */
	struct mail	mail[MAILS];
};
static struct shared *sh;

struct slot {				/* the child's: one message under way */
	struct store_op	 op, also;
	struct kit_put	 put, notice;
	struct message	 m;
	struct recipient r[8];
	struct body_block *taken;
	struct body	*body;
	struct mail	*mail, *nmail;
	struct mstate	 after;
	uint32_t	 chunks;
};

static struct kit kit;
static struct slot slot[SLOTS];
static int quitting;

static void	next_step(struct slot *);

static void
note_hit(void)
{
	sh->hit = 1;
}

static struct mail *
new_mail(uint32_t nrcpt, uint64_t len)
{
	struct mail *m;

	if (sh->nmail == MAILS)
		return (NULL);
	m = &sh->mail[sh->nmail];
	memset(m, 0, sizeof(*m));
	m->id = store_new_msgid(kit.s);
	m->nrcpt = nrcpt;
	m->len = len;
	__atomic_store_n(&sh->nmail, sh->nmail + 1, __ATOMIC_RELEASE);
	return (m);
}

static void
step_done(struct store_op *op, int err)
{
	struct slot *t = op->arg;

	if (err != E_OK)
		abort();
	t->mail->acked = t->after;
	if (op->kind == STORE_CHUNKS)
		t->mail->ahead++;
	t->mail->busy = 0;
	if (t->nmail != NULL) {
		t->nmail->acked.where = W_QUEUE;
		t->nmail->busy = 0;
		kit_put_clear(&t->notice);
		t->nmail = NULL;
	}
	if (t->taken != NULL)
		body_free_blocks(t->taken);
	t->taken = NULL;
	if (op->kind == STORE_PUT)
		kit_put_clear(&t->put);
	if (op->kind == STORE_PUT || op->kind == STORE_DROP) {
		body_unref(t->body);
		t->body = NULL;
	}
	__atomic_add_fetch(&sh->answers, 1, __ATOMIC_RELEASE);
	if (!quitting)
		next_step(t);
}

static void
send_op(struct slot *t, enum store_op_kind kind)
{
	t->op.kind = kind;
	t->op.msgid = t->mail->id;
	t->op.arg = t;
	t->op.done = step_done;
	t->mail->sent = t->after;
	t->mail->busy = 1;
	store_submit(kit.s, &t->op);
}

static void
send_put(struct slot *t)
{
	kit_put_init(&t->put, t->mail->id, t->mail->nrcpt, 0);
	kit_message(&t->put.m, t->mail->id, t->mail->nrcpt, t->mail->len);
	body_seal(t->body);
	t->op = t->put.op;
	t->op.blocks = t->body->first;
	t->op.message = &t->put.m;
	t->after.where = W_QUEUE;
	send_op(t, STORE_PUT);
}

static void
grow_body(struct slot *t, uint64_t upto)
{
	uint8_t piece[4096];
	size_t n;

	if (upto > t->mail->len)
		upto = t->mail->len;
	while (t->body->len < upto) {
		for (n = 0; n < sizeof(piece) && t->body->len + n < upto; n++)
			piece[n] = kit_octet(t->mail->id, t->body->len + n);
		if (body_add(t->body, slice_make(piece, n)) != E_OK)
			abort();
	}
}

static void
send_outcome(struct slot *t)
{
	struct mail *m = t->mail;
	uint32_t i, n, all;

	all = (1u << m->nrcpt) - 1;
	kit_message(&t->m, m->id, m->nrcpt, m->len);
	for (n = 0, i = 0; i < m->nrcpt; i++) {
		if ((m->acked.over & (1u << i)) != 0 || rnd(2) == 0)
			continue;
		kit_recipient(&t->r[n], m->id, i);
		t->r[n].state = rnd(4) == 0 ? RCPT_DEFERRED : RCPT_DELIVERED;
		t->r[n].next = t->r[n].state == RCPT_DEFERRED ? 1795000000 + 60 : 0;
		if (t->r[n].state == RCPT_DELIVERED)
			t->after.over |= 1u << i;
		n++;
	}
	for (i = 0; i < m->nrcpt; i++)
		t->m.ndone += (t->after.over >> i) & 1;
	if (m->acked.held)
		t->m.flags |= MSGF_HELD;
	if (t->after.over == all) {
		t->m.flags |= MSGF_DONE;
		t->after = (struct mstate){ .where = W_GONE };
	}
	memset(&t->op, 0, sizeof(t->op));
	t->op.message = &t->m;
	t->op.rcpt = t->r;
	t->op.nrcpt = n;
	t->op.dialogue = slice_str("250 fine\n");
	if (rnd(4) == 0 && (t->nmail = new_mail(1, 700)) != NULL) {
		kit_put_init(&t->notice, t->nmail->id, 1, 700);
		t->nmail->sent.where = W_QUEUE;
		t->nmail->busy = 1;
		t->op.also = &t->notice.op;
	}
	send_op(t, STORE_OUTCOME);
}

static void
next_step(struct slot *t)
{
	struct mail *m = t->mail;
	uint32_t n;

	if (m == NULL || m->acked.where == W_GONE) {
		static const uint64_t lens[] = { 10, 4000, 5000, 20000 };

		t->chunks = rnd(4) == 0 ? 1 + rnd(4) : 0;
		n = 1 + rnd(6);
		t->mail = m = new_mail(n, t->chunks != 0 ? (uint64_t)rnd(160) * BODY_CHUNK + 9 : lens[rnd(4)]);
		if (m == NULL)
			return;
		t->after = m->acked;
		if ((t->body = body_new()) == NULL)
			abort();
	}
	t->after = m->acked;
	if (m->acked.where == W_NONE) {
		if (t->chunks > m->ahead) {
			grow_body(t, m->len / t->chunks * (m->ahead + 1));
			body_seal(t->body);
			if ((t->taken = body_take_blocks(t->body, 0)) != NULL) {
				memset(&t->op, 0, sizeof(t->op));
				t->op.blocks = t->taken;
				send_op(t, STORE_CHUNKS);
				return;
			}
		}
		if (m->ahead != 0 && rnd(3) == 0) {
			memset(&t->op, 0, sizeof(t->op));
			t->after.where = W_GONE;
			send_op(t, STORE_DROP);
			return;
		}
		grow_body(t, m->len);
		send_put(t);
		return;
	}
	memset(&t->op, 0, sizeof(t->op));
	if (m->acked.where == W_TRASH) {
		t->after.where = W_QUEUE;
		send_op(t, STORE_UNDO);
		return;
	}
	switch (rnd(6)) {
	case 0:
		t->after.where = W_TRASH;
		send_op(t, STORE_TRASH);
		return;
	case 1:
		kit_message(&t->m, m->id, m->nrcpt, m->len);
		for (n = 0; n < m->nrcpt; n++)
			t->m.ndone += (m->acked.over >> n) & 1;
		t->after.held = !m->acked.held;
		t->m.flags = t->after.held ? MSGF_HELD : 0;
		t->op.message = &t->m;
		send_op(t, STORE_MESSAGE);
		return;
	default:
		send_outcome(t);
	}
}

static void
child(uint32_t answers)
{
	unsigned i;

	if (kit_open(&kit) != E_OK)
		abort();
	memset(slot, 0, sizeof(slot));
	for (i = 0; i < SLOTS; i++)
		next_step(&slot[i]);
	while (__atomic_load_n(&sh->answers, __ATOMIC_RELAXED) < answers)
		uv_run(&kit.loop, UV_RUN_ONCE);
}

/* ---- the comparison ---- */
struct seen {
	struct mstate	 st;
	unsigned	 nrcpt, due, domain;
};

static int
seen_fn(void *arg, const struct recipient *r)
{
	struct seen *s = arg;

	s->nrcpt++;
	if (rcpt_is_over(r))
		s->st.over |= 1u << r->index;
	return (0);
}

static int
same(const struct mstate *a, const struct mstate *b)
{
	return (a->where == b->where && (a->where != W_QUEUE || a->held == b->held) &&
	    ((a->where != W_QUEUE && a->where != W_TRASH) || a->over == b->over));
}

static struct mstate
norm(struct mstate m)
{
	if (m.where == W_GONE || m.where == W_NONE)
		m = (struct mstate){ .where = W_NONE };
	return (m);
}

struct sums { size_t message, recipient, body, due, domain, trash; };

/* What is in the store about m; fails if something is half there. */
static const char *
check_mail(struct store *s, const struct mail *m, struct sums *sum)
{
	struct mstate acked, sent;
	struct message msg, list[1];
	struct seen e;
	size_t n;
	uint32_t i;

	memset(&e, 0, sizeof(e));
	if (store_get_message(s, m->id, &msg) == E_OK) {
		e.st.where = W_QUEUE;
		e.st.held = (msg.flags & MSGF_HELD) != 0;
	} else if (store_list(s, m->id - 1, 1, list, 1, &n) == E_OK && n == 1 && list[0].msgid == m->id) {
		e.st.where = W_TRASH;
		msg = list[0];
	}
	acked = norm(m->acked);
	sent = norm(m->sent);
	if (e.st.where != W_NONE) {
		if (store_each_recipient(s, m->id, seen_fn, &e) != E_OK || e.nrcpt != m->nrcpt)
			return ("recipients missing");
		if (msg.nrcpt != m->nrcpt || msg.body_len != m->len || kit_check_body(s, m->id, m->len) != E_OK)
			return ("body missing or altered");
		sum->recipient += e.nrcpt;
		sum->body += msg.nchunk;
		sum->message += e.st.where == W_QUEUE;
		sum->trash += e.st.where == W_TRASH;
		for (i = 0; i < m->nrcpt && e.st.where == W_QUEUE; i++) {
			if ((e.st.over & (1u << i)) == 0) {
				sum->domain++;
				sum->due += !e.st.held;
			}
		}
	}
	if (!same(&e.st, &acked) && !(m->busy && same(&e.st, &sent)))
		return ("state is neither the acknowledged one nor the next");
	return (NULL);
}

/* Open the store in k->dir, compare it with all mails up to n; NULL, or what is wrong. */
static const char *
check_store(struct kit *k, const struct mail *mail, uint32_t n)
{
	struct sums sum;
	const char *why;
	uint32_t i;
	int turn;

	memset(&sum, 0, sizeof(sum));
	if (kit_open(k) != E_OK)
		return ("does not open");
	for (i = 0, why = NULL; i < n && why == NULL; i++)
		why = check_mail(k->s, &mail[i], &sum);
	kit_close(k);
	/* S1 and S3 go in slices, some with each start. */
	for (turn = 0; turn < 20 && why == NULL && kit_entries(k, "mark") != sum.trash; turn++) {
		if (kit_open(k) != E_OK)
			return ("does not open again");
		kit_close(k);
	}
	if (why != NULL)
		return (why);
	if (kit_entries(k, "message") != sum.message || kit_entries(k, "trash") != sum.trash)
		return ("a message too many");
	if (kit_entries(k, "body") != sum.body || kit_entries(k, "recipient") != sum.recipient)
		return ("chunks or recipients of nobody");
	if (kit_entries(k, "due") != sum.due || kit_entries(k, "domain") != sum.domain)
		return ("index entries too many or too few");
	if (kit_entries(k, "mark") != sum.trash)
		return ("S1 or S3 not removed");
	return (NULL);
}

static void
run_killed(enum point p, unsigned after, uint32_t answers, uint64_t s)
{
	const char *why;
	struct kit k;
	int status;
	pid_t pid;

	memset(sh, 0, sizeof(*sh));
	kit_dir(&k);
	if ((pid = fork()) == 0) {
		kill_at = p;
		kill_after = after;
		seed = s;
		memcpy(kit.dir, k.dir, sizeof(kit.dir));
		child(p == P_NONE ? UINT32_MAX : answers);
		raise(SIGKILL);
	}
	if (p == P_NONE) {
		while (__atomic_load_n(&sh->answers, __ATOMIC_ACQUIRE) < answers &&
		    waitpid(pid, &status, WNOHANG) == 0)
			sched_yield();
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(p == P_NONE || sh->hit);
	why = check_store(&k, sh->mail, sh->nmail);
	if (why != NULL)
		fail_msg("point %d after %u, answers %u of %u, seed %llu: %s (%s)", (int)p, after, sh->answers, answers,
		    (unsigned long long)s, why, k.dir);
	kit_rmdir(&k);
}

static void
killed_from_outside(void **state)
{
	unsigned i;

	for (i = 0; i < 12; i++)
		run_killed(P_NONE, 0, 1 + i * 151, 1000 + i);
}

static void
killed_at_a_call(void **state)
{
	static const unsigned after[] = { 0, 1, 2, 3, 5, 8, 13, 40, 101 };
	unsigned i;
	int p;

	for (p = P_WRITE; p < POINTS; p++)
		for (i = 0; i < sizeof(after) / sizeof(after[0]); i++)
			run_killed((enum point)p, after[i], 6000, 77 * (unsigned)p + i);
}

/* ---- power loss ---- */
#define SNAPS	24
struct snap {
	uint8_t		*image;
	size_t		 len;
	uint32_t	 nmail;
	struct mail	*mail;
};
static struct snap snap[SNAPS];
static unsigned nsnap;
static unsigned snap_odds;
static uint64_t snap_seed;
static struct mail told[MAILS];		/* what the loop thread has been told; under disk_lock */
static uint32_t ntold;

static uint32_t
snap_rnd(uint32_t n)
{
	snap_seed = snap_seed * 6364136223846793005ull + 1442695040888963407ull;
	return ((uint32_t)(snap_seed >> 33) % n);
}

/* Under disk_lock: now the power fails; of the writes not flushed any subset has reached the disk. */
static void
maybe_snapshot(void)
{
	struct snap *p;
	unsigned i;

	if (nsnap == SNAPS || ntold == 0 || snap_rnd(snap_odds) != 0)
		return;
	p = &snap[nsnap++];
	p->len = disk_len;
	for (i = 0; i < nhole; i++)
		if ((size_t)hole[i].at + hole[i].len > p->len)
			p->len = (size_t)hole[i].at + hole[i].len;
	p->image = calloc(1, p->len);
	p->mail = malloc(sizeof(told));
	if (p->image == NULL || p->mail == NULL)
		abort();
	memcpy(p->image, disk, disk_len);
	for (i = 0; i < nhole; i++)
		if (snap_rnd(2) == 0)
			memcpy(p->image + hole[i].at, hole[i].data, hole[i].len);
	memcpy(p->mail, told, sizeof(told));
	p->nmail = ntold;
}

static unsigned
power_loss(uint64_t s, unsigned odds, int lies)
{
	const char *why;
	unsigned i, bad;
	char path[128];
	struct kit k;
	int fd;

	memset(sh, 0, sizeof(*sh));
	memset(slot, 0, sizeof(slot));
	seed = s;
	snap_seed = s + 1;
	snap_odds = odds;
	nsnap = nhole = 0;
	ntold = 0;
	disk_len = 0;
	kit_dir(&kit);
	quitting = 0;
	recording = 1;
	if ((disk = calloc(1, DISK_MAX)) == NULL || kit_open(&kit) != E_OK)
		abort();
	no_flush = lies;
	for (i = 0; i < SLOTS; i++)
		next_step(&slot[i]);
	while (sh->answers < 1500 && nsnap < SNAPS && nhole < sizeof(hole) / sizeof(hole[0]) / 2) {
		uv_run(&kit.loop, UV_RUN_ONCE);
		/* What was submitted but has no answer may or may not be there: busy says so. */
		pthread_mutex_lock(&disk_lock);
		memcpy(told, sh->mail, sizeof(told));
		ntold = sh->nmail;
		pthread_mutex_unlock(&disk_lock);
	}
	quitting = 1;
	kit_close(&kit);
	for (i = 0; i < SLOTS; i++)
		body_unref(slot[i].body);
	recording = no_flush = 0;
	for (i = 0; i < nhole; i++)
		free(hole[i].data);
	kit_rmdir(&kit);
	for (bad = 0, i = 0; i < nsnap; i++) {
		kit_dir(&k);
		snprintf(path, sizeof(path), "%s/data.mdb", k.dir);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd == -1 || write(fd, snap[i].image, snap[i].len) != (ssize_t)snap[i].len)
			abort();
		close(fd);
		if ((why = check_store(&k, snap[i].mail, snap[i].nmail)) != NULL) {
			bad++;
			if (!lies)
				print_error("image %u, seed %llu: %s\n", i, (unsigned long long)s, why);
		}
		kit_rmdir(&k);
		free(snap[i].image);
		free(snap[i].mail);
	}
	free(disk);
	assert_true(nsnap > 0);
	return (bad);
}

static void
power_fails(void **state)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(power_loss(500 + i, 20 + 10 * i, 0), 0);
}

/* The test of the test: where flushes do nothing, mail is lost, and it is seen. */
static void
flushes_that_lie(void **state)
{
	assert_true(power_loss(900, 5, 1) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_from_outside), cmocka_unit_test(killed_at_a_call),
		cmocka_unit_test(power_fails), cmocka_unit_test(flushes_that_lie),
	};

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return (1);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
