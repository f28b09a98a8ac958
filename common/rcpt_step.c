/*
 * rcpt_step.c -- what the tables say of one address: one stage of the resolver behind the other.  Core; see rcpt.h.
 *
 * Keys are asked for in the order of Postfix's virtual(5), canonical(5) and aliases(5).  Nothing is allocated here.
 */
#include <string.h>

#include "common/err.h"
#include "common/rcpt_int.h"

static int
get_address(const struct table *t, const char *local, size_t n, const char *domain, struct table_value *v)
{
	char	 key[ADDRESS_MAX + 1];

	if (rcpt_join(key, local, n, domain) != E_OK)
		return (E_NOTFOUND);
	return (table_get(t, slice_str(key), v));
}

/* The local part, then without its extension. */
static int
get_local(const struct table *t, const struct rcpt_name *r, struct table_value *v, size_t *matched)
{
	int	 err;

	*matched = r->nlocal;
	if ((err = table_get_local(t, slice_make(r->local, r->nlocal), v)) != E_NOTFOUND || r->nbase == r->nlocal)
		return (err);
	*matched = r->nbase;
	return (table_get_local(t, slice_make(r->local, r->nbase), v));
}

int
rcpt_table_get(const struct conf *conf, const struct table *t, const struct rcpt_name *r, struct table_value *v,
    size_t *matched)
{
	const struct conf_domain	*d;
	const char			*at = r->domain[0] != '\0' ? r->domain - 1 : NULL;
	int				 err;

	if (table_is_empty(t))
		return (E_NOTFOUND);
	*matched = r->nlocal;
	if ((err = table_get(t, slice_str(r->text), v)) != E_NOTFOUND)
		return (err);
	if (r->nbase != r->nlocal) {
		*matched = r->nbase;
		if ((err = get_address(t, r->local, r->nbase, r->domain, v)) != E_NOTFOUND)
			return (err);
	}
	d = conf_domain_find(conf, r->domain);
	if (d != NULL && !d->relay && (err = get_local(t, r, v, matched)) != E_NOTFOUND)
		return (err);
	*matched = 0;
	return (at != NULL ? table_get(t, slice_str(at), v) : E_NOTFOUND);
}

int
rcpt_find(const struct conf *conf, const struct table *t, const char *address, struct table_value *v)
{
	struct rcpt_name	 r;
	size_t			 matched;

	if (rcpt_name_set(&r, conf, slice_str(address)) != E_OK)
		return (E_NOTFOUND);
	return (rcpt_table_get(conf, t, &r, v, &matched));
}

int
rcpt_listed(const struct conf_domain *d, const struct rcpt_name *r, struct table_value *v, size_t *matched)
{
	return (get_local(&d->recipients, r, v, matched));
}

/* The mailbox's own name: its first n octets. */
static void
set_mailbox(struct rcpt_step *s, const struct rcpt_name *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->mailbox[i] = (char)(r->local[i] >= 'A' && r->local[i] <= 'Z' ? r->local[i] + ('a' - 'A') : r->local[i]);
	s->mailbox[n] = '\0';
}

static int
is_postmaster(const struct rcpt_name *r)
{
	return (slice_caseeq(slice_make(r->local, r->nbase), SLICE_LIT("postmaster")));
}

static int
step_mailbox(const struct rcpt_name *r, enum rcpt_stage from, struct rcpt_step *s)
{
	const struct conf_domain	*d = s->domain;
	size_t				 n;
	int				 err;

	s->stage = STAGE_MAILBOX;
	s->kind = TO_MAILBOX;
	if ((err = rcpt_listed(d, r, &s->v, &n)) == E_CORRUPT)
		return (err);
	set_mailbox(s, r, err == E_OK ? n : r->nbase);
	/* An alias that names itself says that there is a mailbox of that name. */
	if (err == E_OK || from == STAGE_MAILBOX || d->all)
		return (E_OK);
	if (d->catch_all[0] != '\0') {
		s->more = !rcpt_same(d->catch_all, r->text);
		s->table = NULL;
		return (E_OK);
	}
	if (!is_postmaster(r))		/* RFC 5321 4.5.1 */
		s->kind = TO_UNKNOWN;
	return (E_OK);
}

static int
step_relay(const struct rcpt_name *r, struct rcpt_step *s)
{
	struct table_value	 v;
	size_t			 n;
	int			 err;

	s->stage = STAGE_MAILBOX;
	s->kind = TO_RELAY;
	/* A relay domain that lists nobody takes everybody. */
	if (table_is_empty(&s->domain->recipients) || s->domain->all || is_postmaster(r))
		return (E_OK);
	if ((err = rcpt_listed(s->domain, r, &v, &n)) == E_CORRUPT)
		return (err);
	if (err == E_NOTFOUND)
		s->kind = TO_UNKNOWN;
	return (E_OK);
}

int
rcpt_step(const struct conf *conf, const struct rcpt_name *r, enum rcpt_stage from, struct rcpt_step *s)
{
	int	 err;

	s->more = 0;
	s->mailbox[0] = '\0';
	s->stage = STAGE_VIRTUAL;
	s->domain = conf_domain_find(conf, r->domain);
	if (from == STAGE_VIRTUAL) {
		s->table = &conf->tables.virtual;
		err = rcpt_table_get(conf, s->table, r, &s->v, &s->matched);
		if (err != E_NOTFOUND) {
			s->more = err == E_OK;
			return (err);
		}
	}
	s->kind = TO_REMOTE;
	if (s->domain == NULL)
		return (E_OK);
	if (s->domain->relay)
		return (step_relay(r, s));
	if (from <= STAGE_ALIAS) {
		s->stage = STAGE_ALIAS;
		s->table = &s->domain->aliases;
		if ((err = get_local(s->table, r, &s->v, &s->matched)) != E_NOTFOUND) {
			s->more = err == E_OK;
			return (err);
		}
	}
	return (step_mailbox(r, from, s));
}

int
rcpt_target(const struct conf *conf, const struct rcpt_name *r, const struct rcpt_step *s, const struct target *t,
    char dst[ADDRESS_MAX + 1])
{
	struct rcpt_name	 to;
	char			 local[2 * LOCAL_PART_MAX];
	size_t			 next = r->nlocal - r->nbase;

	if (t->kind == TARGET_DOMAIN) {
		/* The local part as it is, quotes and extension too. */
		next = r->domain[0] != '\0' ? (size_t)(r->domain - r->text) : 0;
		if (next == 0 || t->text.n > DOMAIN_MAX || memchr(t->text.p, '\0', t->text.n) != NULL)
			return (E_SYNTAX);
		memcpy(dst, r->text, next);
		memcpy(dst + next, t->text.p, t->text.n);
		dst[next + t->text.n] = '\0';
		return (E_OK);
	}
	if (rcpt_name_set(&to, conf, t->text) != E_OK)
		return (E_SYNTAX);
	memcpy(dst, to.text, t->text.n + 1);
	/* aliases(5) carry none; neither do @domain nor a bare delimiter. */
	if (s->stage != STAGE_VIRTUAL || s->matched == 0 || s->matched == r->nlocal || next < 2 ||
	    to.nbase != to.nlocal)
		return (E_OK);
	memcpy(local, to.local, to.nlocal);
	memcpy(local + to.nlocal, r->local + r->nbase, next);
	/* One that grows too long goes without. */
	if (rcpt_join(dst, local, to.nlocal + next, to.domain) != E_OK)
		memcpy(dst, to.text, t->text.n + 1);
	return (E_OK);
}

int
rcpt_mailbox(const struct conf *conf, const char *address, char dst[LOCAL_PART_MAX + 1])
{
	const struct conf_domain	*d;
	struct rcpt_name		 r;
	struct rcpt_step		 s;
	size_t				 n;

	if (rcpt_name_set(&r, conf, slice_str(address)) != E_OK)
		return (E_SYNTAX);
	n = r.nbase;
	d = conf_domain_find(conf, r.domain[0] != '\0' ? r.domain : conf->hostname);
	if (d != NULL && rcpt_listed(d, &r, &s.v, &n) != E_OK)
		n = r.nbase;
	set_mailbox(&s, &r, n);
	memcpy(dst, s.mailbox, n + 1);
	return (E_OK);
}
