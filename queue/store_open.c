/*
 * store_open.c -- opening: the lock, the file's checks, the schema, the clean-up of S1 and S3; and opening again
 * after a failed flush.
 *
 * The size of the file is compared with what its meta pages claim before any other page is touched:
 * reading past the end of a mapped file is SIGBUS, not an error (F7).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "queue/store_int.h"

#define TABLES_MAX	16
#define READERS_MAX	8
#define FILE_MODE	0600
#define SMALLEST_FILE	(2 * 4096)	/* two meta pages */
#define MADE		"postern store\n"

static const char *const table_names[TABLES] = {
	[T_MESSAGE] = "message", [T_BODY] = "body", [T_RECIPIENT] = "recipient", [T_DUE] = "due",
	[T_DOMAIN] = "domain", [T_TRASH] = "trash", [T_DIALOGUE] = "dialogue", [T_META] = "meta", [T_MARK] = "mark",
};

static int
err_errno(int e)
{
	switch (e) {
	case EWOULDBLOCK:
		return (E_BUSY);
	case ENOENT:
	case ENOTDIR:
		return (E_NOTFOUND);
	default:
		return (store_err_mdb(e));
	}
}

static int
path(const struct store *s, const char *name, char *dst, size_t size)
{
	size_t n, m;

	n = strlen(s->dir);
	m = strlen(name);
	if (n + 1 + m + 1 > size)
		return (E_LIMIT);
	memcpy(dst, s->dir, n);
	dst[n] = '/';
	memcpy(dst + n + 1, name, m + 1);
	return (E_OK);
}

static int
open_file(const struct store *s, const char *name, int flags, int *fd)
{
	char p[STORE_DIR_MAX + 16];
	int rc;

	if ((rc = path(s, name, p, sizeof(p))) != E_OK)
		return (rc);
	*fd = open(p, flags | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	return (*fd == -1 ? err_errno(errno) : E_OK);
}

/* Held for the process's life, so that a second one gets E_BUSY.  *made: the store was made before. */
static int
take_lock(struct store *s, int *made)
{
	char text[sizeof(MADE)];
	ssize_t n;
	int rc;

	if ((rc = open_file(s, STORE_OWNER, O_RDWR | O_CREAT, &s->lock_fd)) != E_OK) {
		log_warn("store: cannot open %s/%s: %s", s->dir, STORE_OWNER, err_name(rc));
		return (rc);
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == -1)
		return (err_errno(errno));
	n = pread(s->lock_fd, text, sizeof(text), 0);
	if (n == -1)
		return (err_errno(errno));
	*made = n == (ssize_t)strlen(MADE) && memcmp(text, MADE, (size_t)n) == 0;
	return (E_OK);
}

/* The store is whole for the first time: from now on its absence is a loss, not a beginning. */
static int
note_made(struct store *s)
{
	int fd, rc;

	if (pwrite(s->lock_fd, MADE, strlen(MADE), 0) != (ssize_t)strlen(MADE) || fsync(s->lock_fd) == -1)
		return (E_IO);
	if ((fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return (err_errno(errno));
	rc = fsync(fd) == -1 ? E_IO : E_OK;
	if (close(fd) == -1)
		rc = E_IO;
	return (rc);
}

static int
check_present(struct store *s, int made)
{
	struct stat st;
	int fd, rc;

	rc = open_file(s, STORE_FILE, O_RDONLY, &fd);
	if (rc == E_NOTFOUND && !made)
		return (E_OK);
	if (rc == E_NOTFOUND) {
		log_warn("store: %s/%s is gone, but %s says it was there; remove %s to begin an empty store",
		    s->dir, STORE_FILE, STORE_OWNER, STORE_OWNER);
		return (E_CORRUPT);
	}
	if (rc != E_OK)
		return (rc);
	rc = fstat(fd, &st) == -1 ? E_IO : E_OK;
	if (close(fd) == -1)
		rc = E_IO;
	if (rc == E_OK && st.st_size < SMALLEST_FILE && (made || st.st_size != 0)) {
		log_warn("store: %s/%s has %lld octets only: it was cut", s->dir, STORE_FILE, (long long)st.st_size);
		return (E_CORRUPT);
	}
	return (rc);
}

/* After mdb_env_open(), which touches no page but the meta pages. */
static int
check_size(struct store *s)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	MDB_stat st;
	struct stat sb;
	uint64_t need;
	int rc;

	if ((rc = mdb_env_info(s->env, &info)) != 0 || (rc = mdb_env_stat(s->env, &st)) != 0 ||
	    (rc = mdb_env_get_fd(s->env, &fd)) != 0)
		return (store_err_mdb(rc));
	if (fstat(fd, &sb) == -1)
		return (E_IO);
	s->page = st.ms_psize;
	if (__builtin_mul_overflow((uint64_t)info.me_last_pgno + 1, (uint64_t)s->page, &need) ||
	    need > (uint64_t)sb.st_size) {
		log_warn("store: %s/%s has %lld octets, %llu are in use: it was cut", s->dir, STORE_FILE,
		    (long long)sb.st_size, (unsigned long long)need);
		return (E_CORRUPT);
	}
	s->grown = (uint64_t)sb.st_size;
	s->sparse = (uint64_t)sb.st_blocks * 512 < s->grown;
	return (E_OK);
}

static int
open_tables(struct store *s)
{
	MDB_txn *txn;
	int i, rc;

	if ((rc = mdb_txn_begin(s->env, NULL, 0, &txn)) != 0)
		return (store_err_mdb(rc));
	for (i = 0; i < TABLES; i++) {
		if ((rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &s->dbi[i])) != 0) {
			mdb_txn_abort(txn);
			return (store_err_mdb(rc));
		}
	}
	return (store_err_mdb(mdb_txn_commit(txn)));
}

int
env_open(struct store *s)
{
	int rc;

	if ((rc = mdb_env_create(&s->env)) != 0) {
		s->env = NULL;
		return (store_err_mdb(rc));
	}
	if ((rc = mdb_env_set_maxdbs(s->env, TABLES_MAX)) != 0 ||
	    (rc = mdb_env_set_maxreaders(s->env, READERS_MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(s->env, s->map_octets)) != 0 ||
	    (rc = mdb_env_open(s->env, s->dir, MDB_NOTLS, FILE_MODE)) != 0) {
		log_warn("store: cannot open %s: %s", s->dir, mdb_strerror(rc));
		rc = store_err_mdb(rc);
	} else if ((rc = check_size(s)) == E_OK && (rc = open_tables(s)) == E_OK) {
		if ((rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->rtxn)) == 0)
			mdb_txn_reset(s->rtxn);
		else
			s->rtxn = NULL;
		rc = store_err_mdb(rc);
	}
	if (rc != E_OK)
		env_close(s);
	return (rc);
}

void
env_close(struct store *s)
{
	if (s->rtxn != NULL)
		mdb_txn_abort(s->rtxn);
	s->rtxn = NULL;
	if (s->env != NULL)
		mdb_env_close(s->env);
	s->env = NULL;
}

/* Store thread, no transaction open; the loop thread's reads wait. */
int
env_reopen(struct store *s)
{
	int fd, rc;

	pthread_rwlock_wrlock(&s->env_lock);
	env_close(s);
	/* Whatever the kernel kept of pages that it could not write is to be read from the disk again. */
	if (open_file(s, STORE_FILE, O_RDONLY, &fd) == E_OK) {
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		(void)close(fd);
	}
	rc = env_open(s);
	pthread_rwlock_unlock(&s->env_lock);
	return (rc);
}

/* One number of the meta table, 0 if it is not there. */
static int
meta_or_zero(struct store *s, const char *name, uint64_t *value)
{
	int rc;

	rc = wt_meta_get(s, name, value);
	if (rc == E_NOTFOUND) {
		*value = 0;
		rc = E_OK;
	}
	return (rc);
}

static uint64_t
newest_key(struct store *s, enum store_table t)
{
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t id;

	id = 0;
	if (mdb_cursor_open(s->w.txn, s->dbi[t], &c) != 0)
		return (0);
	if (mdb_cursor_get(c, &k, &v, MDB_LAST) == 0 && k.mv_size >= 8)
		id = be64(k.mv_data);
	mdb_cursor_close(c);
	return (id);
}

/* Schema, start counter, high-water mark of ids, S1 turned into removals: one transaction. */
static int
begin_life(struct store *s)
{
	struct store_figures *f;
	uint64_t schema, boot, mark, newest, now;
	MDB_stat st;
	int rc;

	if ((rc = wt_begin(s)) != E_OK)
		return (rc);
	f = &s->fig;
	rc = meta_or_zero(s, META_SCHEMA, &schema);
	if (rc == E_OK && schema != 0 && schema != SCHEMA_VERSION) {
		log_warn("store: %s has version %llu, this program knows version %d", s->dir,
		    (unsigned long long)schema, SCHEMA_VERSION);
		rc = E_CORRUPT;
	}
	if (rc != E_OK || (rc = meta_or_zero(s, META_BOOT, &boot)) != E_OK ||
	    (rc = meta_or_zero(s, META_MSGID, &mark)) != E_OK ||
	    (rc = meta_or_zero(s, META_HELD, &f->held)) != E_OK)
		goto out;
	/* Ids start where the last life's may have ended, or at the present, whichever is later. */
	newest = newest_key(s, T_MESSAGE);
	if (newest_key(s, T_BODY) > newest)
		newest = newest_key(s, T_BODY);
	if (newest_key(s, T_TRASH) > newest)
		newest = newest_key(s, T_TRASH);
	now = now_wall_ms() << MSGID_SHIFT;
	if (mark <= newest)
		mark = newest + 1;
	if (mark < now)
		mark = now;
	s->msgid_last = s->msgid_seen = mark - 1;
	s->hwm = s->hwm_kept = mark + MSGID_STEP;
	s->boot = (uint32_t)(boot + 1);
	if ((rc = wt_meta_put(s, META_SCHEMA, SCHEMA_VERSION)) != E_OK ||
	    (rc = wt_meta_put(s, META_BOOT, boot + 1)) != E_OK ||
	    (rc = wt_meta_put(s, META_MSGID, s->hwm)) != E_OK || (rc = remove_incoming(s)) != E_OK ||
	    (rc = remove_slice(s, REMOVE_SLICE)) != E_OK)
		goto out;
	s->more_removal = s->w.removals;
	if ((rc = store_err_mdb(mdb_stat(s->w.txn, s->dbi[T_MESSAGE], &st))) != E_OK)
		goto out;
	f->messages = st.ms_entries;
	if ((rc = store_err_mdb(mdb_stat(s->w.txn, s->dbi[T_TRASH], &st))) != E_OK)
		goto out;
	f->trash = st.ms_entries;
	s->next_trash = trash_oldest(s);
	f->octets = space_used(s);
	rc = wt_commit(s);
out:
	wt_abort(s);
	return (rc);
}

static void
set_limits(struct store *s, const struct store_options *o)
{
	s->max_octets = o->max_octets != 0 ? o->max_octets : OCTETS_DEFAULT;
	if (s->max_octets < OCTETS_MIN)
		s->max_octets = OCTETS_MIN;
	s->reserve = o->reserve < s->max_octets / 2 ? o->reserve : s->max_octets / 2;
	/* Pages that a commit frees serve again two commits later: the map is larger than the quota. */
	s->map_octets = s->max_octets + s->max_octets / 4 + MAP_SLACK;
	s->grow_step = s->max_octets / 64 / GROW_STEP_MIN * GROW_STEP_MIN;
	if (s->grow_step > GROW_STEP)
		s->grow_step = GROW_STEP;
	if (s->grow_step < GROW_STEP_MIN)
		s->grow_step = GROW_STEP_MIN;
}

static int
init_locks(struct store *s)
{
	if (pthread_rwlock_init(&s->env_lock, NULL) != 0)
		return (E_NOMEM);
	if (pthread_mutex_init(&s->lock, NULL) != 0)
		goto rwlock;
	if (pthread_cond_init(&s->wake, NULL) == 0)
		return (E_OK);
	pthread_mutex_destroy(&s->lock);
rwlock:
	pthread_rwlock_destroy(&s->env_lock);
	return (E_NOMEM);
}

int
store_open(struct store **out, const struct store_options *o)
{
	struct store *s;
	int i, made, rc;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (E_NOMEM);
	s->lock_fd = -1;
	for (i = 0; i < 2; i++) {
		s->in[i].tail = &s->in[i].head;
		s->todo[i].tail = &s->todo[i].head;
	}
	s->done_tail = &s->done_head;
	made = 0;
	set_limits(s, o);
	if (strlen(o->dir) >= sizeof(s->dir)) {
		free(s);
		return (E_LIMIT);
	}
	memcpy(s->dir, o->dir, strlen(o->dir) + 1);
	if ((rc = init_locks(s)) != E_OK) {
		free(s);
		return (rc);
	}
	if ((rc = take_lock(s, &made)) != E_OK || (rc = check_present(s, made)) != E_OK ||
	    (rc = env_open(s)) != E_OK || (rc = begin_life(s)) != E_OK || (!made && (rc = note_made(s)) != E_OK)) {
		store_release(s);
		return (rc);
	}
	space_grow(s);
	space_look(s, s->fig.octets);
	*out = s;
	return (E_OK);
}

void
store_release(struct store *s)
{
	env_close(s);
	if (s->lock_fd != -1)
		(void)close(s->lock_fd);	/* and with it the lock */
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	pthread_rwlock_destroy(&s->env_lock);
	free(s);
}
