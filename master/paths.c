/*
 * paths.c -- see paths.h.  Core: pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "master/paths.h"

static int
maildirs_add(struct maildirs *m, const struct hop *h)
{
	char dir[MASTER_PATH_MAX];
	size_t i;
	int c = 1, err;

	if (h->kind != HOP_MAILDIR)
		return (E_OK);
	if ((err = conf_maildir_base(dir, sizeof(dir), h->path)) != E_OK)
		return (err);
	for (i = 0; i < m->n && (c = strcmp(m->dir[i], dir)) < 0; i++)
		;
	if (i < m->n && c == 0)
		return (E_OK);
	if (m->n == SANDBOX_DIRS_MAX)
		return (E_LIMIT);
	memmove(m->dir[i + 1], m->dir[i], (m->n - i) * sizeof(m->dir[0]));
	memcpy(m->dir[i], dir, sizeof(dir));
	m->n++;
	return (E_OK);
}

int
paths_maildirs(struct maildirs *m, const struct conf *c)
{
	size_t i;
	int err;

	m->n = 0;
	for (i = 0; i < c->ndomains; i++) {
		if (!c->domains[i].relay && (err = maildirs_add(m, &c->domains[i].deliver)) != E_OK)
			return (err);
	}
	for (i = 0; i < c->nroutes; i++) {
		if ((err = maildirs_add(m, &c->routes[i].via)) != E_OK)
			return (err);
	}
	return (E_OK);
}

int
paths_common(char *dst, size_t size, const struct maildirs *m)
{
	size_t i, n, k, cut;

	if (m->n == 0)
		return (slice_copy(slice_str(""), dst, size));
	n = strlen(m->dir[0]);
	for (i = 1; i < m->n; i++) {
		const char *a = m->dir[0], *b = m->dir[i];

		for (k = 0, cut = 0; k < n && a[k] == b[k]; k++) {
			if (a[k] == '/')
				cut = k;
		}
		/* One is the other's parent, or the same: all of it counts. */
		if (k == n && (b[k] == '/' || b[k] == '\0'))
			cut = n;
		else if (b[k] == '\0' && a[k] == '/')
			cut = k;
		n = cut;
	}
	return (slice_copy(n == 0 ? SLICE_LIT("/") : slice_make(m->dir[0], n), dst, size));
}

int
paths_maildir_of(char *dst, size_t size, const char *path, const char *domain, const char *user)
{
	size_t used = 0, n;
	const char *p, *s;

	for (p = path; *p != '\0'; p++) {
		if (p[0] == '%' && (p[1] == 'd' || p[1] == 'u')) {
			s = p[1] == 'd' ? domain : user;
			n = strlen(s);
			p++;
		} else {
			s = p;
			n = 1;
		}
		if (n >= size - used)
			return (E_LIMIT);
		memcpy(dst + used, s, n);
		used += n;
	}
	dst[used] = '\0';
	return (E_OK);
}

int
paths_check(const struct path_want *w, uid_t uid, gid_t gid, mode_t mode, char *err, size_t size)
{
	mode &= 07777;
	if (uid != w->uid) {
		(void)snprintf(err, size, "%s: owner is uid %u, expected %u", w->path,
		    (unsigned)uid, (unsigned)w->uid);
		return (E_DENIED);
	}
	if (w->gid != (gid_t)-1 && gid != w->gid) {
		(void)snprintf(err, size, "%s: group is gid %u, expected %u", w->path,
		    (unsigned)gid, (unsigned)w->gid);
		return (E_DENIED);
	}
	if ((mode & ~w->allowed) != 0 || (mode & w->needed) != w->needed) {
		(void)snprintf(err, size, "%s: mode is %04o, expected %04o", w->path,
		    (unsigned)mode, (unsigned)w->make);
		return (E_DENIED);
	}
	return (E_OK);
}
