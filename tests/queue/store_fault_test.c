/*
 * store_fault_test.c -- the store when the world fails: flushes and writes with EIO, a full disk, a clock that jumps,
 * a day that passes (F4, F5, F6, F12).
 *
 * Calls and the clock are caught by functions of the same name in this program.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "tests/queue/store_kit.h"

#define DAY	86400

/* Set between operations, read by the store thread: plain loads are ordered by the store's own lock. */
static int flush_errno, meta_errno, full_from;	/* full_from: writes of data at or past this offset have no room */
static unsigned flush_failures;			/* how many flushes fail, then they work again */
static int64_t clock_off;
static int disk_gone;				/* statvfs says: nothing free */

int	 fdatasync(int);
ssize_t	 pwrite(int, const void *, size_t, off_t);
ssize_t	 writev(int, const struct iovec *, int);
int	 clock_gettime(clockid_t, struct timespec *);
int	 fstatvfs(int, struct statvfs *);
int	 fallocate(int, int, off_t, off_t);

int
fdatasync(int fd)
{
	if (flush_errno != 0 && flush_failures > 0) {
		flush_failures--;
		errno = flush_errno;
		return (-1);
	}
	return ((int)syscall(SYS_fdatasync, fd));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (meta_errno != 0 && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
		errno = meta_errno;
		return (-1);
	}
	if (full_from != 0 && at >= full_from) {
		errno = ENOSPC;
		return (-1);
	}
	return (syscall(SYS_pwrite64, fd, p, n, at));
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	off_t at;

	at = lseek(fd, 0, SEEK_CUR);
	if (full_from != 0 && at != -1 && at + (off_t)v[0].iov_len * n > full_from) {
		errno = ENOSPC;
		return (-1);
	}
	return (syscall(SYS_writev, fd, v, n));
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r;

	r = (int)syscall(SYS_clock_gettime, id, ts);
	if (id == CLOCK_REALTIME)
		ts->tv_sec += clock_off;
	return (r);
}

int
fallocate(int fd, int mode, off_t at, off_t len)
{
	if (full_from != 0 || disk_gone) {
		errno = ENOSPC;
		return (-1);
	}
	return ((int)syscall(SYS_fallocate, fd, mode, at, len));
}

int
fstatvfs(int fd, struct statvfs *v)
{
	memset(v, 0, sizeof(*v));
	v->f_frsize = 4096;
	v->f_bavail = disk_gone ? 0 : 1 << 24;
	return (0);
}

static enum store_health health;

static void
on_health(void *arg, enum store_health h)
{
	health = h;
}

static int
setup(void **state)
{
	struct kit *k;

	flush_errno = meta_errno = full_from = disk_gone = 0;
	flush_failures = 0;
	clock_off = 0;
	if ((k = malloc(sizeof(*k))) == NULL)
		return (-1);
	kit_dir(k);
	*state = k;
	if (kit_open(k) != E_OK)
		return (-1);
	health = STORE_GOOD;
	store_on_health(k->s, on_health, NULL);
	return (0);
}

static int
teardown(void **state)
{
	kit_close(*state);
	kit_rmdir(*state);
	free(*state);
	return (0);
}

static int
outcome(struct kit *k, uint64_t id, uint64_t len, int done)
{
	struct recipient r;
	struct store_op op;
	struct message m;

	kit_message(&m, id, 1, len);
	kit_recipient(&r, id, 0);
	r.state = done ? RCPT_DELIVERED : RCPT_DEFERRED;
	m.flags = done ? MSGF_DONE : 0;
	memset(&op, 0, sizeof(op));
	op.kind = STORE_OUTCOME;
	op.msgid = id;
	op.message = &m;
	op.rcpt = &r;
	op.nrcpt = 1;
	return (kit_do(k, &op));
}

static void
flush_fails(void **state)
{
	struct kit *k = *state;
	struct store_figures f;
	struct message m;
	uint64_t a, b, c;

	a = store_new_msgid(k->s);
	b = store_new_msgid(k->s);
	c = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, a, 1, 9000), E_OK);
	flush_errno = EIO;
	flush_failures = 1;
	assert_int_equal(kit_put(k, b, 1, 9000), E_IO);
	/* Opened again: what was there is there, what failed is not, and new mail is stored. */
	assert_int_equal(kit_check_body(k->s, a, 9000), E_OK);
	assert_int_equal(store_get_message(k->s, b, &m), E_NOTFOUND);
	assert_int_equal(kit_put(k, c, 1, 9000), E_OK);
	assert_int_equal(kit_check_body(k->s, c, 9000), E_OK);
	assert_int_equal(health, STORE_GOOD);
	store_figures(k->s, &f);
	assert_int_equal(f.messages, 2);
}

static void
meta_write_fails(void **state)
{
	struct kit *k = *state;
	struct message m;
	uint64_t a, b;

	a = store_new_msgid(k->s);
	b = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, a, 1, 100), E_OK);
	meta_errno = EIO;
	assert_int_equal(kit_put(k, b, 1, 100), E_IO);
	meta_errno = 0;
	assert_int_equal(store_get_message(k->s, b, &m), E_NOTFOUND);
	assert_int_equal(kit_put(k, b, 1, 100), E_OK);
	assert_int_equal(kit_check_body(k->s, a, 100), E_OK);
}

/* Again and again: no new mail, reading goes on; and when the disk works again, the store finds out. */
static void
flush_keeps_failing(void **state)
{
	struct kit *k = *state;
	uint64_t a, b;
	int i;

	a = store_new_msgid(k->s);
	b = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, a, 1, 100), E_OK);
	flush_errno = EIO;
	flush_failures = UINT32_MAX;
	for (i = 0; i < 3; i++)
		assert_int_equal(kit_put(k, b, 1, 100), E_IO);
	assert_int_equal(health, STORE_FAILED);
	assert_int_equal(kit_check_body(k->s, a, 100), E_OK);
	assert_int_equal(kit_put(k, b, 1, 100), E_IO);
	flush_errno = 0;
	while (health == STORE_FAILED) {
		for (i = 0; i < 10; i++)
			store_check_space(k->s);
		uv_ref((uv_handle_t *)&k->hang);
		uv_run(&k->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(kit_put(k, b, 1, 100), E_OK);
}

/* The disk is full: the message is refused, the outcome in the same batch is kept, a removal too. */
static void
disk_full(void **state)
{
	struct kit *k = *state;
	struct recipient r, got;
	struct store_op op;
	struct kit_put p;
	struct message m;
	uint64_t a[3];
	int i;

	for (i = 0; i < 3; i++) {
		a[i] = store_new_msgid(k->s);
		assert_int_equal(kit_put(k, a[i], 1, 20 * BODY_CHUNK), E_OK);
	}
	/* Frees pages: what outcomes need. */
	assert_int_equal(outcome(k, a[2], 20 * BODY_CHUNK, 1), E_OK);
	assert_int_equal(outcome(k, a[1], 20 * BODY_CHUNK, 0), E_OK);
	full_from = 110 * 4096;
	kit_put_init(&p, store_new_msgid(k->s), 1, 200 * BODY_CHUNK);
	kit_submit(k, &p.op);
	kit_message(&m, a[0], 1, 20 * BODY_CHUNK);
	kit_recipient(&r, a[0], 0);
	r.state = RCPT_DEFERRED;
	r.attempts = 7;
	memset(&op, 0, sizeof(op));
	op.kind = STORE_OUTCOME;
	op.msgid = a[0];
	op.message = &m;
	op.rcpt = &r;
	op.nrcpt = 1;
	kit_submit(k, &op);
	assert_int_equal(kit_wait(k), E_FULL);
	assert_int_equal(p.op.err, E_FULL);
	assert_int_equal(op.err, E_OK);
	assert_int_equal(health, STORE_NEARLY_FULL);
	assert_int_equal(store_get_message(k->s, p.op.msgid, &m), E_NOTFOUND);
	assert_int_equal(store_get_recipient(k->s, a[0], 0, &got), E_OK);
	assert_int_equal(got.attempts, 7);
	assert_int_equal(outcome(k, a[0], 20 * BODY_CHUNK, 1), E_OK);
	full_from = 0;
	store_check_space(k->s);
	assert_int_equal(health, STORE_GOOD);
	assert_int_equal(kit_do(k, &p.op), E_OK);
	assert_int_equal(kit_check_body(k->s, p.op.msgid, 200 * BODY_CHUNK), E_OK);
	kit_put_clear(&p);
}

/* Nothing free, says the file system: new mail is refused before anything is written. */
static void
no_space_left(void **state)
{
	struct kit *k = *state;
	struct store_figures f;
	unsigned n;
	uint64_t id;
	int rc;

	id = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, id, 1, 100), E_OK);
	disk_gone = 1;
	store_check_space(k->s);
	store_figures(k->s, &f);
	assert_int_equal(f.disk_free, 0);
	/* The file was grown ahead; what is in it beyond the reserve of 1 MB is all there is. */
	for (n = 0; (rc = kit_put(k, store_new_msgid(k->s), 1, 4 * BODY_CHUNK)) == E_OK; n++)
		assert_true(n < 1024);
	assert_int_equal(rc, E_FULL);
	assert_int_equal(health, STORE_NEARLY_FULL);
	assert_int_equal(outcome(k, id, 100, 1), E_OK);
	disk_gone = 0;
	store_check_space(k->s);
	assert_int_equal(health, STORE_GOOD);
}

/* The clock goes back ten years, or far ahead and back, with and without a restart: no id comes twice. */
static void
ids_and_the_clock(void **state)
{
	static const int64_t off[] = { 0, -315360000, 0, 315360000, 0, -DAY, DAY, 0 };
	struct kit *k = *state;
	uint64_t last, id;
	size_t i;
	int j, again;

	for (last = 0, again = 0; again < 2; again++) {
		for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
			clock_off = off[i];
			if (again) {
				kit_close(k);
				assert_int_equal(kit_open(k), E_OK);
			}
			for (j = 0; j < 100; j++) {
				id = store_new_msgid(k->s);
				assert_true(id > last);
				last = id;
			}
			assert_int_equal(kit_put(k, last, 1, 1), E_OK);
		}
	}
}

/* A day after it was deleted a message is gone for good; before, it comes back. */
static void
trash_lasts_a_day(void **state)
{
	struct kit *k = *state;
	struct store_figures f;
	uint64_t a, b;

	a = store_new_msgid(k->s);
	b = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, a, 3, 9000), E_OK);
	assert_int_equal(kit_put(k, b, 3, 9000), E_OK);
	assert_int_equal(kit_simple(k, STORE_TRASH, a), E_OK);
	clock_off = DAY / 2;
	assert_int_equal(kit_simple(k, STORE_TRASH, b), E_OK);
	clock_off = DAY + 2;
	/* Nobody stores anything: the look at the space that the loop takes each second is enough. */
	do {
		store_check_space(k->s);
		uv_run(&k->loop, UV_RUN_NOWAIT);
		store_figures(k->s, &f);
	} while (f.trash == 2);
	assert_int_equal(f.trash, 1);
	assert_int_equal(kit_simple(k, STORE_UNDO, a), E_NOTFOUND);
	assert_int_equal(kit_simple(k, STORE_UNDO, b), E_OK);
	assert_int_equal(kit_check_body(k->s, b, 9000), E_OK);
	kit_close(k);
	assert_int_equal(kit_entries(k, "recipient"), 3);
	assert_int_equal(kit_entries(k, "body"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(flush_fails), T(meta_write_fails), T(flush_keeps_failing), T(disk_full), T(no_space_left),
		T(ids_and_the_clock), T(trash_lasts_a_day),
#undef T
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
