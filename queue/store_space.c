/*
 * store_space.c -- how much room there is: quota, map, disk; and the file grown ahead of need.
 *
 * Octets in use are the pages of all tables, which LMDB knows without a walk.  New mail is refused
 * while it would touch the reserve, so that outcomes, notices and deletions always find room (F4, F6).
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/err.h"
#include "queue/store_int.h"

#define META_PAGES	2
#define CORE_DBS	2	/* handles 0 and 1 of LMDB: the free list and the table of tables */
#define DISK_FULL_BELOW	(1u << 20)	/* an I/O error with less free is a full disk */

uint64_t
space_used(struct store *s)
{
	uint64_t pages;
	MDB_stat st;
	int i;

	pages = META_PAGES;
	for (i = 0; i < CORE_DBS + TABLES; i++) {
		if (mdb_stat(s->w.txn, i < CORE_DBS ? (MDB_dbi)i : s->dbi[i - CORE_DBS], &st) == 0)
			pages += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
	}
	return (pages * s->page);
}

static int
env_fd(struct store *s)
{
	mdb_filehandle_t fd;

	return (s->env != NULL && mdb_env_get_fd(s->env, &fd) == 0 ? fd : -1);
}

static uint64_t
disk_free(int fd)
{
	struct statvfs vfs;

	if (fd == -1 || fstatvfs(fd, &vfs) == -1)
		return (0);
	return ((uint64_t)vfs.f_bavail * vfs.f_frsize);
}

void
space_look(struct store *s, uint64_t used)
{
	uint64_t avail, file;
	struct stat st;
	int fd;

	fd = env_fd(s);
	avail = disk_free(fd);
	file = fd != -1 && fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
	pthread_mutex_lock(&s->lock);
	s->fig.octets = used;
	s->fig.limit = s->max_octets;
	s->fig.disk_free = avail;
	/* What the file holds already and what the disk could still give. */
	s->usable = file > UINT64_MAX - avail || file + avail > s->max_octets ? s->max_octets : file + avail;
	pthread_mutex_unlock(&s->lock);
}

int
space_fits(struct store *s, uint64_t need)
{
	int fits;

	pthread_mutex_lock(&s->lock);
	fits = s->usable > s->reserve && need <= s->usable - s->reserve &&
	    s->fig.octets <= s->usable - s->reserve - need;
	pthread_mutex_unlock(&s->lock);
	return (fits);
}

/* Up to where the file has to reach: behind the last page for the next commits, and over the reserve. */
static uint64_t
wanted_size(struct store *s)
{
	MDB_envinfo info;
	uint64_t tail, room;

	if (mdb_env_info(s->env, &info) != 0)
		return (0);
	tail = ((uint64_t)info.me_last_pgno + 1) * s->page;
	pthread_mutex_lock(&s->lock);
	room = s->fig.octets + s->reserve;
	pthread_mutex_unlock(&s->lock);
	if (room > tail)
		tail = room;
	tail += s->grow_step / 2;
	return (tail < s->map_octets ? tail : s->map_octets);
}

/*
 * Allocate ahead.  The reserve is blocks of the disk that are ours already, so that outcomes and deletions go
 * through when another program has taken the rest (F4); and few commits change the size of the file
 * or take blocks: a flush that need not commit file-system metadata is about a fifth quicker.
 *
 * Where blocks are scarce or the file system cannot, the size alone is raised, which costs nothing and keeps the
 * file longer than what its meta pages claim, also when the last page of a transaction was never
 * written because the same transaction freed it (see check_size()); the blocks are asked for again later.
 * A failure is no error: LMDB then grows the file itself.
 */
void
space_grow(struct store *s)
{
	struct stat st;
	uint64_t need, have, size;
	int fd;

	if ((fd = env_fd(s)) == -1 || (need = wanted_size(s)) == 0 || (need <= s->grown && !s->sparse) ||
	    fstat(fd, &st) == -1)
		return;
	size = (uint64_t)st.st_size;
	have = (uint64_t)st.st_blocks * 512;
	if (need > size)
		size = need + s->grow_step / 2 < s->map_octets ? need + s->grow_step / 2 : s->map_octets;
	if (size <= have || (disk_free(fd) >= size - have && fallocate(fd, 0, 0, (off_t)size) == 0))
		s->sparse = 0;
	else if (size > (uint64_t)st.st_size && ftruncate(fd, (off_t)size) == 0)
		s->sparse = 1;
	else
		return;
	s->grown = size;
	(void)fsync(fd);	/* the new size; what matters is flushed again by the commit that needs it */
}

int
space_disk_full(struct store *s)
{
	return (s->env != NULL && disk_free(env_fd(s)) < DISK_FULL_BELOW);
}
