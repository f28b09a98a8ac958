/*
 * owners.c -- see owners.h.  Core.
 */
#include "pickup/owners.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define FILES_FIRST	8

void
owners_init(struct owners *os, uint64_t seed)
{
	memset(os, 0, sizeof(*os));
	os->random = seed | 1;		/* xorshift stays at 0 */
}

static void
owner_drop(struct owners *os, size_t i)
{
	free(os->o[i].file);
	os->o[i] = os->o[--os->n];
}

void
owners_clear(struct owners *os)
{
	while (os->n > 0)
		owner_drop(os, os->n - 1);
	free(os->o);
	memset(os, 0, sizeof(*os));
}

/* Which name goes is no secret; that each has its chance is enough.  Marsaglia's xorshift64. */
static uint64_t
random_next(struct owners *os)
{
	os->random ^= os->random << 13;
	os->random ^= os->random >> 7;
	os->random ^= os->random << 17;
	return (os->random);
}

static struct owner *
owner_find(struct owners *os, uint32_t uid)
{
	size_t i;

	for (i = 0; i < os->n; i++) {
		if (os->o[i].uid == uid)
			return (&os->o[i]);
	}
	return (NULL);
}

static struct owner_file *
file_find(struct owner *o, const char *name)
{
	uint32_t i;

	for (i = 0; i < o->n; i++) {
		if (strcmp(o->file[i].name, name) == 0)
			return (&o->file[i]);
	}
	return (NULL);
}

void
owners_pass(struct owners *os)
{
	struct owner *o;
	size_t i;
	uint32_t k, n;

	for (i = os->n; i-- > 0;) {
		o = &os->o[i];
		for (k = 0, n = 0; k < o->n; k++) {
			if (o->file[k].active)
				o->file[n++] = o->file[k];
		}
		o->n = o->seen = n;
		if (n == 0)
			owner_drop(os, i);
	}
	os->more = 0;
}

static struct owner *
owner_make(struct owners *os, uint32_t uid)
{
	struct owner *grown;
	size_t size;

	if (os->n == PICKUP_OWNERS_MAX)
		return (NULL);
	if (os->n == os->size) {
		size = os->size != 0 ? 2 * os->size : FILES_FIRST;
		if ((grown = realloc(os->o, size * sizeof(*grown))) == NULL)
			return (NULL);
		os->o = grown;
		os->size = size;
	}
	os->o[os->n] = (struct owner){ .uid = uid };
	return (&os->o[os->n++]);
}

static int
file_grow(struct owner *o)
{
	struct owner_file *grown;
	uint32_t size;

	if (o->n < o->size)
		return (E_OK);
	size = o->size != 0 ? 2 * o->size : FILES_FIRST;
	if (size > PICKUP_OWNER_FILES)
		size = PICKUP_OWNER_FILES;
	if ((grown = realloc(o->file, size * sizeof(*grown))) == NULL)
		return (E_NOMEM);
	o->file = grown;
	o->size = size;
	return (E_OK);
}

/* Reservoir sampling: the n-th name replaces one of those kept with the chance kept / n. */
static int
sample(struct owners *os, struct owner *o, const char *name)
{
	uint64_t at = random_next(os) % o->seen;

	os->more = 1;
	if (at < o->n && !o->file[at].active)
		memcpy(o->file[at].name, name, sizeof(o->file[at].name));
	return (E_LIMIT);
}

int
owners_add(struct owners *os, uint32_t uid, const char *name)
{
	struct owner *o = owner_find(os, uid);

	if (strlen(name) != DROP_NAME_LEN)
		return (E_LIMIT);
	if (o == NULL && (o = owner_make(os, uid)) == NULL) {
		os->more = 1;
		return (E_LIMIT);
	}
	if (file_find(o, name) != NULL)
		return (E_EXISTS);
	o->seen++;
	if (o->n == PICKUP_OWNER_FILES)
		return (sample(os, o, name));
	if (file_grow(o) != E_OK) {
		os->more = 1;
		return (E_NOMEM);
	}
	o->file[o->n].active = 0;
	memcpy(o->file[o->n].name, name, sizeof(o->file[o->n].name));
	o->n++;
	return (E_OK);
}

int
owners_next(struct owners *os, uint32_t *uid, char name[static DROP_NAME_LEN + 1])
{
	struct owner *o;
	size_t i;
	uint32_t k;

	if (os->active == PICKUP_SESSIONS_MAX)
		return (E_NOTFOUND);
	for (i = 0; i < os->n; i++) {
		o = &os->o[(os->turn + i) % os->n];
		if (o->active == PICKUP_OWNER_SESSIONS || o->active == o->n)
			continue;
		for (k = 0; o->file[k].active; k++)
			;
		o->file[k].active = 1;
		o->active++;
		os->active++;
		os->turn = (os->turn + i + 1) % os->n;
		*uid = o->uid;
		memcpy(name, o->file[k].name, sizeof(o->file[k].name));
		return (E_OK);
	}
	return (E_NOTFOUND);
}

static struct owner_file *
end_active(struct owners *os, uint32_t uid, const char *name, struct owner **op)
{
	struct owner *o = owner_find(os, uid);
	struct owner_file *f = o != NULL ? file_find(o, name) : NULL;

	if (f == NULL || !f->active)
		return (NULL);
	f->active = 0;
	o->active--;
	os->active--;
	*op = o;
	return (f);
}

void
owners_done(struct owners *os, uint32_t uid, const char *name)
{
	struct owner *o;
	struct owner_file *f = end_active(os, uid, name, &o);

	if (f == NULL)
		return;
	/* The order is kept: oldest noted first. */
	memmove(f, f + 1, (size_t)(o->file + o->n - (f + 1)) * sizeof(*f));
	if (--o->n == 0)
		owner_drop(os, (size_t)(o - os->o));
}

void
owners_again(struct owners *os, uint32_t uid, const char *name)
{
	struct owner *o;

	(void)end_active(os, uid, name, &o);
}

int
owners_idle(const struct owners *os)
{
	size_t i;

	for (i = 0; i < os->n; i++) {
		if (os->o[i].n != os->o[i].active)
			return (0);
	}
	return (1);
}
