/*
 * tickets.c -- the keys of session tickets: drawn here, the same for all smtpd processes of a role, written nowhere.  Shell.
 *
 * A set for each role: who takes over an smtpd on port 25 reads nothing of what clients with passwords said.
 * ticket_ring.c says when; SIGUSR1 brings a new key at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"
#include "master/master.h"

#define TICKET_LOOK_MS	60000u	/* libuv's clock stops while the machine sleeps, the keys' does not */

static void
draw(struct ticket_key *k)
{
	uint8_t octets[sizeof(k->name) + sizeof(k->aes) + sizeof(k->hmac)];

	if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets))
		log_fatal("getrandom: %s", strerror(errno));
	memcpy(k->name, octets, sizeof(k->name));
	memcpy(k->aes, octets + sizeof(k->name), sizeof(k->aes));
	memcpy(k->hmac, octets + sizeof(k->name) + sizeof(k->aes), sizeof(k->hmac));
	explicit_bzero(octets, sizeof(octets));
}

static uint64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

void
tickets_send(struct daemon *d)
{
	const struct ticket_ring *r = &d->m->tickets[d->item.role == ROLE_SUBMISSION];

	if (d->item.room == ROOM_SMTPD && r->keys.n != 0)
		channel_send_tickets(d, &r->keys);
}

static void
send_all(struct master *m, enum role role)
{
	unsigned i;

	log_info("session tickets%s have a new key kept=%u", role_suffix(role),
	    (unsigned)m->tickets[role == ROLE_SUBMISSION].keys.n);
	for (i = 0; i < DAEMONS_MAX; i++) {
		if (m->daemon[i].item.role == role)
			tickets_send(&m->daemon[i]);
	}
}

/* Which sets there are: none without certificates. */
static int
wanted(const struct conf *c, enum role role)
{
	size_t i;

	for (i = 0; i < c->nlisteners && c->ncerts != 0; i++) {
		if (role == ROLE_NONE || plan_listener_role(&c->listeners[i]) == role)
			return (1);
	}
	return (0);
}

static void
on_timer(uv_timer_t *timer)
{
	tickets_follow(timer->data);
}

void
tickets_follow(struct master *m)
{
	static const enum role roles[] = { ROLE_NONE, ROLE_SUBMISSION };
	uint64_t now = clock_ms(), wait = TICKET_LOOK_MS;
	struct ticket_ring *r;
	unsigned i;
	int any = 0;

	for (i = 0; i < 2; i++) {
		r = &m->tickets[i];
		if (!wanted(m->conf, roles[i])) {
			ticket_ring_clear(r);
			continue;
		}
		if (ticket_ring_turn(r, now, draw))
			send_all(m, roles[i]);
		if (ticket_ring_due(r) - now < wait)
			wait = ticket_ring_due(r) - now;
		any = 1;
	}
	if (any)
		(void)uv_timer_start(&m->ticket_timer, on_timer, wait, 0);
	else
		(void)uv_timer_stop(&m->ticket_timer);
}

void
tickets_renew(struct master *m)
{
	static const enum role roles[] = { ROLE_NONE, ROLE_SUBMISSION };
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (m->tickets[i].keys.n == 0)
			continue;
		ticket_ring_renew(&m->tickets[i], clock_ms(), draw);
		send_all(m, roles[i]);
	}
}

void
tickets_forget(struct master *m)
{
	ticket_ring_clear(&m->tickets[0]);
	ticket_ring_clear(&m->tickets[1]);
}
