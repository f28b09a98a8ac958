/*
 * outgoing.c -- see outgoing.h.  Core.
 */
#include "sendmail/outgoing.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/err.h"

#define RCPT_FIRST	16

void
outgoing_init(struct outgoing *o)
{
	memset(o, 0, sizeof(*o));
	arena_init(&o->mem, (size_t)DROP_RCPT_MAX * (ADDRESS_MAX + 64));
	buf_init(&o->header, 4 * (size_t)SENDMAIL_HEADER_MAX);
	spool_init(&o->body);
	o->mail.sender = o->mail.envid = "";
}

void
outgoing_clear(struct outgoing *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		submit_answer_clear(&o->rcpt[i].answer);
	free(o->rcpt);
	free(o->late);
	arena_clear(&o->mem);
	buf_clear(&o->header);
	spool_clear(&o->body);
}

int
outgoing_add(struct outgoing *o, const char *address, uint8_t notify)
{
	struct submit_rcpt *grown;
	const char *copy;
	size_t size;

	/* Those named twice go later: a few more than the limit may come until then. */
	if (o->n >= 2 * (size_t)DROP_RCPT_MAX)
		return (E_LIMIT);
	if (o->n == o->size) {
		size = o->size != 0 ? 2 * o->size : RCPT_FIRST;
		if ((grown = realloc(o->rcpt, size * sizeof(*grown))) == NULL)
			return (E_NOMEM);
		o->rcpt = grown;
		o->size = size;
	}
	if ((copy = arena_strdup(&o->mem, slice_str(address))) == NULL)
		return (E_NOMEM);
	o->rcpt[o->n++] = (struct submit_rcpt){ .address = copy, .notify = notify };
	return (E_OK);
}

static int
by_address(const void *a, const void *b)
{
	const struct submit_rcpt *const *x = a, *const *y = b;
	int c = strcmp((*x)->address, (*y)->address);

	return (c != 0 ? c : (*x > *y) - (*x < *y));
}

int
outgoing_unique(struct outgoing *o)
{
	struct submit_rcpt **sorted;
	size_t i, n = 0;

	if (o->n > 1) {
		if ((sorted = malloc(o->n * sizeof(struct submit_rcpt *))) == NULL)
			return (E_NOMEM);
		for (i = 0; i < o->n; i++)
			sorted[i] = &o->rcpt[i];
		qsort(sorted, o->n, sizeof(struct submit_rcpt *), by_address);
		/* Backwards, for the first of equal ones is looked at by those behind it. */
		for (i = o->n - 1; i > 0; i--) {
			if (strcmp(sorted[i]->address, sorted[i - 1]->address) == 0)
				sorted[i]->address = NULL;
		}
		free(sorted);
		for (i = 0; i < o->n; i++) {
			if (o->rcpt[i].address != NULL)
				o->rcpt[n++] = o->rcpt[i];
		}
		o->n = n;
	}
	if (o->n > DROP_RCPT_MAX)
		return (E_LIMIT);
	/* Each may have to wait: there is room for that before anything is said. */
	o->late = calloc(o->n + 1, sizeof(*o->late));
	return (o->late == NULL ? E_NOMEM : E_OK);
}

int
outgoing_status(const struct submit_answer *a)
{
	if (a->enhanced.cls == 5 && a->enhanced.subject == 7)
		return (EX_NOPERM);
	if (a->enhanced.cls == 5 && a->enhanced.subject == 1)
		return (a->enhanced.detail == 1 || a->enhanced.detail == 6 || a->enhanced.detail == 10 ?
		    EX_NOUSER : EX_DATAERR);
	if (a->enhanced.cls == 5 && a->enhanced.subject == 5 && a->enhanced.detail != 3)
		return (EX_SOFTWARE);		/* syntax or order of commands: our own fault */
	if (a->enhanced.cls == 5 && a->enhanced.subject == 6)
		return (EX_DATAERR);
	return (EX_UNAVAILABLE);
}

int
outgoing_result(struct outgoing *o, const struct submit *s, size_t count, enum verdict v, outgoing_say say)
{
	const struct submit_answer *a, *last = NULL;
	struct submit_rcpt *r, plain;
	size_t i, again = 0;
	int too_many;

	for (i = 0; i < count; i++) {
		r = &o->rcpt[i];
		plain = (struct submit_rcpt){ .address = r->address, .notify = r->notify };
		too_many = v == VERDICT_SENT && submit_too_many(&r->answer);
		switch (verdict_fate(s, r, v)) {
		case FATE_SENT:
			o->sent++;
			break;
		case FATE_FAILED:
			a = verdict_answer(s, r);
			if (o->failed == EX_OK)
				o->failed = outgoing_status(a);
			/* One word for all where all got it. */
			if (a != last && say != NULL)
				say(a == &r->answer ? r->address : NULL, a);
			last = a;
			break;
		default:
			if (!too_many)
				o->late[o->nlate++] = plain;
			break;
		}
		submit_answer_clear(&r->answer);
		if (too_many)
			o->rcpt[again++] = plain;	/* at most this place, which is free now */
	}
	memmove(o->rcpt + again, o->rcpt + count, (o->n - count) * sizeof(*o->rcpt));
	o->n = again + o->n - count;
	return (o->n != 0);
}

void
outgoing_postpone(struct outgoing *o)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		submit_answer_clear(&o->rcpt[i].answer);
		o->late[o->nlate++] = o->rcpt[i];
	}
	o->n = 0;
}
