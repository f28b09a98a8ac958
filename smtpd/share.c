/*
 * share.c -- a client's share of the connections: by address and network, or by user.  Shell.
 *
 * Clients in relay-from have no share.  On a Unix socket every user has one of the same size, root and the daemons' users
 * too, since a program that goes wrong may run as any of them.
 */
#include <string.h>

#include "common/err.h"
#include "smtpd/smtpd.h"

static uint8_t
prefix_len(const struct net_addr *a)
{
	return (net_addr_is4(a) ? PREFIX4 : PREFIX6);
}

static struct net_addr
user_key(uint32_t uid)
{
	struct net_addr	a = { { 0 } };

	memcpy(a.a, &uid, sizeof(uid));
	return (a);
}

int
share_take(struct listener *l, const struct client *who, const char **why)
{
	struct counts	*cs = &l->d->counts;
	struct net_addr	 user = user_key(who->uid);
	int		 err;

	if (who->local) {
		*why = "too many connections of yours";
		return (counts_add(cs, &user, COUNTS_USER, l->per_address));
	}
	*why = "too many connections from your address";
	if ((err = counts_add(cs, &who->addr, 128, l->per_address)) != E_OK)
		return (err);
	*why = "too many connections from your network";
	if ((err = counts_add(cs, &who->addr, prefix_len(&who->addr), l->per_prefix)) != E_OK)
		counts_sub(cs, &who->addr, 128);
	return (err);
}

void
share_give(struct smtpd *d, const struct client *who)
{
	struct net_addr	user = user_key(who->uid);

	if (who->local)
		counts_sub(&d->counts, &user, COUNTS_USER);
	else {
		counts_sub(&d->counts, &who->addr, 128);
		counts_sub(&d->counts, &who->addr, prefix_len(&who->addr));
	}
}

void
share_drop(struct conn *c)
{
	struct client	who = { .addr = c->s.client, .local = c->s.local, .uid = c->s.uid };

	if (c->counted)
		share_give(c->d, &who);
	c->counted = 0;
}

/* XCLIENT, which no local client may say. */
int
share_move(struct smtp_session *s, const struct net_addr *addr, int named, const char **why)
{
	struct conn	*c = (struct conn *)(void *)s;	/* its first member */
	struct client	 who = { .addr = *addr };
	int		 counted = !conf_may_relay(s->env->conf, addr), err;

	if (net_addr_cmp(addr, &s->client) != 0) {
		if (counted && (err = share_take(c->l, &who, why)) != E_OK)
			return (err);
		share_drop(c);
		c->counted = (uint8_t)counted;
		s->client = *addr;
	}
	s->may_relay = !counted;
	s->name_pending = 0;
	if (named)
		name_forget(c);
	else
		s->name_pending = (uint8_t)name_ask(c);
	return (E_OK);
}
