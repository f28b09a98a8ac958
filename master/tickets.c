/*
 * tickets.c -- the keys of session tickets: drawn here, the same for all smtpd processes, a new one every TICKET_ROTATE_MS.  Shell.
 *
 * A ticket opens a session for as long as its key is kept: TICKET_KEYS_MAX times TICKET_ROTATE_MS.  After that nothing of a recorded
 * TLS 1.2 session can be had from any process (RFC 5077 5.5, RFC 8446 C.4 and 2.2).  They are written nowhere.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "master/master.h"

#define TICKET_ROTATE_MS	(12u * 3600u * 1000u)

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

void
tickets_send(struct daemon *d)
{
	if (d->item.room == ROOM_SMTPD && d->m->tickets.n != 0)
		channel_send_tickets(d, &d->m->tickets);
}

void
tickets_rotate(struct master *m)
{
	struct ipc_ticket_keys *t = &m->tickets;
	unsigned i;

	if (t->n < TICKET_KEYS_MAX)
		t->n++;
	memmove(&t->key[1], &t->key[0], (t->n - 1u) * sizeof(t->key[0]));
	draw(&t->key[0]);
	log_info("session tickets have a new key kept=%u", (unsigned)t->n);
	for (i = 0; i < DAEMONS_MAX; i++)
		tickets_send(&m->daemon[i]);
}

static void
on_timer(uv_timer_t *timer)
{
	tickets_rotate(timer->data);
}

void
tickets_follow(struct master *m)
{
	if (m->conf->ncerts == 0) {
		(void)uv_timer_stop(&m->ticket_timer);
		explicit_bzero(&m->tickets, sizeof(m->tickets));
	} else if (m->tickets.n == 0) {
		(void)uv_timer_start(&m->ticket_timer, on_timer, TICKET_ROTATE_MS, TICKET_ROTATE_MS);
		tickets_rotate(m);
	}
}
