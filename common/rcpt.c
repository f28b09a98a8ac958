/*
 * rcpt.c -- the verdict about a recipient, and rewriting by canonical.  Core; see rcpt.h.
 *
 * RFC 5321 3.6.1, 3.6.2, 4.5.1 (postmaster).  A message is taken for: a recipient of a final domain; a recipient of
 * a relay domain; anybody at all if the client may relay.  A local part that asks for another hop (a%b@, a!b@,
 * "a@b"@) is only a name here, and is not passed on for strangers, since the next host might read more into it.
 */
#include "common/rcpt.h"

#include <string.h>

#include "common/err.h"
#include "common/rcpt_int.h"

/* Until nothing changes.  E_OK, E_LIMIT: it goes round in circles, E_CORRUPT. */
static int
rewrite(const struct conf *conf, const struct table *t, char address[ADDRESS_MAX + 1], int *changed,
    rcpt_trace *trace, void *arg)
{
	struct rcpt_name	 r;
	struct rcpt_step	 s = { .stage = STAGE_VIRTUAL };
	struct table_iter	 it;
	struct target		 target;
	char			 to[ADDRESS_MAX + 1];
	int			 err;

	for (unsigned i = 0; i <= ALIAS_DEPTH_MAX; i++) {
		if (rcpt_name_set(&r, conf, slice_str(address)) != E_OK)
			return (E_OK);
		if ((err = rcpt_table_get(conf, t, &r, &s.v, &s.matched)) != E_OK)
			return (err == E_NOTFOUND ? E_OK : err);
		table_targets(&it, &s.v);
		if (table_target_next(&it, &target) != E_OK || target.kind > TARGET_DOMAIN ||
		    rcpt_target(conf, &r, &s, &target, to) != E_OK)
			return (E_CORRUPT);
		if (rcpt_same(to, address))
			return (E_OK);
		if (trace != NULL)
			rcpt_trace_targets(trace, arg, address, t, &s.v);
		memcpy(address, to, sizeof(to));
		*changed = 1;
	}
	return (E_LIMIT);
}

/* By a table of its own and then by canonical: all of it, or nothing. */
static int
rewrite_both(const struct conf *conf, const struct table *t, char address[ADDRESS_MAX + 1], rcpt_trace *trace,
    void *arg)
{
	char	 was[ADDRESS_MAX + 1];
	int	 changed = 0;

	if (address[0] == '\0')
		return (0);
	memcpy(was, address, strlen(address) + 1);
	if (rewrite(conf, t, address, &changed, trace, arg) == E_OK &&
	    rewrite(conf, &conf->tables.canonical, address, &changed, trace, arg) == E_OK)
		return (changed);
	memcpy(address, was, strlen(was) + 1);	/* what has no end is not begun */
	return (0);
}

int
rcpt_rewrite_sender(const struct conf *conf, char address[ADDRESS_MAX + 1], rcpt_trace *trace, void *arg)
{
	return (rewrite_both(conf, &conf->tables.sender_canonical, address, trace, arg));
}

int
rcpt_rewrite_recipient(const struct conf *conf, char address[ADDRESS_MAX + 1], rcpt_trace *trace, void *arg)
{
	return (rewrite_both(conf, &conf->tables.recipient_canonical, address, trace, arg));
}

/* Mail for this host itself, where the domain is our address or missing: the host name's domain if it is final
 * here, else the postmaster setting, else the first final domain. */
static void
own_domain(const struct conf *conf, const char *local, size_t local_len, char *dst)
{
	const struct conf_domain	*d = conf_domain_find(conf, conf->hostname);
	const char			*dom = conf->hostname;
	size_t				 i, n;

	if (d == NULL || d->relay) {
		if (conf->postmaster[0] != '\0' && strlen(conf->postmaster) <= ADDRESS_MAX) {
			memcpy(dst, conf->postmaster, strlen(conf->postmaster) + 1);
			return;
		}
		for (i = 0; i < conf->ndomains; i++) {
			if (!conf->domains[i].relay) {
				dom = conf->domains[i].name;
				break;
			}
		}
	}
	n = strlen(dom) <= DOMAIN_MAX ? strlen(dom) : DOMAIN_MAX;
	memcpy(dst, local, local_len);
	dst[local_len] = '@';
	memcpy(dst + local_len + 1, dom, n);
	dst[local_len + 1 + n] = '\0';
}

int
rcpt_own_address(const struct rcpt_ask *ask, char dst[ADDRESS_MAX + 1])
{
	const struct conf_domain	*d = conf_domain_find(ask->conf, ask->conf->hostname);
	const struct addr		*a = ask->addr;

	if ((d == NULL || d->relay) && !slice_caseeq(slice_make(a->text, a->local_len), SLICE_LIT("postmaster")))
		return (E_NOTFOUND);
	own_domain(ask->conf, a->text, a->local_len, dst);
	if (ask->trace != NULL)
		ask->trace(ask->arg, "this host", dst);
	return (E_OK);
}

static int
is_routing(const struct rcpt_name *r)
{
	return (memchr(r->local, '%', r->nlocal) != NULL || memchr(r->local, '!', r->nlocal) != NULL ||
	    memchr(r->local, '@', r->nlocal) != NULL);
}

/*
 * Whether what virtual names goes on with a route that the client wrote: by @domain with the local part as it is, or with
 * the extension.  A key that is the whole local part is the operator's own word.
 */
static int
carries_route(const struct conf *conf, const struct rcpt_name *r, const struct rcpt_step *s)
{
	struct table_iter	 it;
	struct rcpt_name	 to, target;
	struct target		 t;
	char			 text[ADDRESS_MAX + 1];

	if (s->stage != STAGE_VIRTUAL || s->matched == r->nlocal || !is_routing(r))
		return (0);
	table_targets(&it, &s->v);
	for (unsigned i = 0; i < RCPT_LOOK_MAX; i++) {
		if (table_target_next(&it, &t) != E_OK)
			return (0);
		if (t.kind > TARGET_DOMAIN || rcpt_target(conf, r, s, &t, text) != E_OK ||
		    rcpt_name_set(&to, conf, slice_str(text)) != E_OK || !is_routing(&to))
			continue;
		if (t.kind == TARGET_DOMAIN || rcpt_name_set(&target, conf, t.text) != E_OK || !is_routing(&target))
			return (1);
	}
	return (1);
}

/* The first end among the aliases that takes mail. */
static int
look_behind(const struct rcpt_ask *ask, struct arena *scratch, struct rcpt_verdict *v)
{
	struct rcpt_expansion	 x = { .trace = ask->trace, .arg = ask->arg };
	const struct rcpt_end	*e;
	enum rcpt_kind		 worst = TO_LOOP;
	const char		*domain;
	int			 err;

	arena_reset(scratch);
	err = rcpt_expand_begin(&x, ask->conf, scratch, v->address, UINT32_MAX);
	for (unsigned i = 0; err == E_OK && i < RCPT_LOOK_MAX; i++) {
		/* Who listens wants to hear it all. */
		if (x.good != NULL && ask->trace == NULL)
			break;
		err = rcpt_expand_some(&x, 1);
		if (err == E_OK)
			break;
		err = err == E_AGAIN ? E_OK : err;
	}
	if (err == E_CORRUPT)
		return (err);
	if ((e = x.good) != NULL) {
		/* A list of one that is at its end, as far as a step tells. */
		if (err == E_OK && x.ends == e && x.head != NULL && rcpt_expand_some(&x, 1) == E_CORRUPT)
			return (E_CORRUPT);
		v->sole = x.head == NULL && x.ends == e && e->next == NULL && !e->owned;
		v->kind = e->kind;
		memcpy(v->end, e->address, strlen(e->address) + 1);
		domain = strrchr(e->address, '@');
		v->domain = conf_domain_find(ask->conf, domain != NULL ? domain + 1 : "");
		if (v->kind == TO_MAILBOX)
			(void)rcpt_mailbox(ask->conf, e->address, v->mailbox);
		return (E_OK);
	}
	if (x.head != NULL || err != E_OK) {	/* a long list, or no memory to see its end: queue will */
		v->kind = TO_MAILBOX;
		return (E_OK);
	}
	for (e = x.ends; e != NULL; e = e->next) {
		if (e->kind == TO_DISCARD || (e->kind == TO_UNKNOWN && worst == TO_LOOP))
			worst = e->kind;
	}
	v->kind = worst;
	return (E_OK);
}

/* v->address is rewritten: what is it?  ours: what the client named is, wherever the operator's rewriting leads. */
static int
judge(const struct rcpt_ask *ask, int ours, struct arena *scratch, struct rcpt_verdict *v)
{
	const struct conf_domain	*d;
	struct rcpt_name		 r;
	struct rcpt_step		 s;
	int				 err;

	if (rcpt_name_set(&r, ask->conf, slice_str(v->address)) != E_OK)
		return (E_CORRUPT);
	d = conf_domain_find(ask->conf, r.domain);
	if (d == NULL && !ours && !ask->may_relay) {
		v->kind = TO_DENIED;
		return (E_OK);
	}
	if ((err = rcpt_step(ask->conf, &r, STAGE_VIRTUAL, &s)) != E_OK)
		return (err);
	v->aliased = s.more;
	if (s.more && !ask->may_relay && carries_route(ask->conf, &r, &s)) {
		v->kind = TO_ROUTED;
		return (E_OK);
	}
	if (s.more)
		return (look_behind(ask, scratch, v));
	if (ask->trace != NULL)
		rcpt_trace_end(ask->trace, ask->arg, v->address, &s);
	v->kind = s.kind;
	v->domain = s.domain;
	if (s.kind == TO_MAILBOX)
		memcpy(v->mailbox, s.mailbox, strlen(s.mailbox) + 1);
	if (s.kind != TO_UNKNOWN && (d == NULL || d->relay || d->all) && !ask->may_relay && is_routing(&r))
		v->kind = TO_ROUTED;
	if (v->kind <= TO_REMOTE)
		memcpy(v->end, v->address, strlen(v->address) + 1);
	return (E_OK);
}

void
rcpt_verdict(const struct rcpt_ask *ask, struct arena *scratch, struct rcpt_verdict *v)
{
	const struct conf	*conf = ask->conf;
	const struct addr	*a = ask->addr;
	int			 err, changed = 0, ours = 1;

	v->kind = TO_BROKEN;
	v->aliased = v->sole = 0;
	v->domain = NULL;
	v->end[0] = v->mailbox[0] = '\0';
	memcpy(v->address, a->text, strlen(a->text) + 1);
	if (a->domain_off == 0 || (a->literal && ask->own)) {	/* only <postmaster> parses without a domain */
		if (a->domain_off == 0)
			own_domain(conf, a->text, a->local_len, v->address);
		else if (rcpt_own_address(ask, v->address) != E_OK) {
			v->kind = TO_UNKNOWN;
			return;
		}
	} else if (a->literal) {
		v->kind = ask->may_relay ? TO_REMOTE : TO_DENIED;
		if (ask->may_relay)
			memcpy(v->end, v->address, strlen(v->address) + 1);
		return;
	} else
		ours = conf_domain_find(conf, addr_domain(a)) != NULL;
	err = rewrite(conf, &conf->tables.recipient_canonical, v->address, &changed, ask->trace, ask->arg);
	if (err == E_OK)
		err = rewrite(conf, &conf->tables.canonical, v->address, &changed, ask->trace, ask->arg);
	if (err == E_OK)
		err = judge(ask, ours, scratch, v);
	if (err != E_OK)
		v->kind = err == E_LIMIT ? TO_LOOP : TO_BROKEN;
}
