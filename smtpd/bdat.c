/*
 * bdat.c -- BDAT: a chunk of a message, announced with its length.  Core.
 *
 * RFC 3030 2.  The octets behind a BDAT are never read as commands: a chunk that belongs to no
 * message, or to one that has failed, is read and thrown away to its last octet, and refused then.
 * So the place in the stream is only lost where nobody can know it, a BDAT whose length cannot be
 * read: that ends the session, since what follows may be a chunk made to look like commands.
 *
 * A message fails as a whole: the chunk that did it gets the reason, those behind it 503 until
 * LAST, RSET or EHLO. What is thrown away is bounded as for DATA (R4): a length past that bound
 * ends the session at once.
 */
#include "common/err.h"
#include "common/units.h"
#include "smtpd/session.h"

/* "SIZE" or "SIZE LAST".  E_OK, E_SYNTAX, E_RANGE. */
static int
arguments(struct slice a, uint64_t *size, int *last)
{
	struct slice	number;
	size_t		n = 0;

	while (n < a.n && a.p[n] != ' ' && a.p[n] != '\t')
		n++;
	number = slice_make(a.p, n);
	while (n < a.n && (a.p[n] == ' ' || a.p[n] == '\t'))
		n++;
	*last = n < a.n;	/* the gate has cut blanks off the end */
	if (*last && !slice_caseeq(slice_make(a.p + n, a.n - n), SLICE_LIT("LAST")))
		return (E_SYNTAX);
	return (number_parse(size, number, UINT64_MAX));
}

/* Why a chunk belongs to no message; NULL: it does. */
static const char *
stray(const struct smtp_session *s)
{
	switch (s->state) {
	case ST_CONNECT:
		return ("EHLO first");
	case ST_HELO:
		return ("MAIL first");
	case ST_MAIL:
		return ("a recipient that is accepted first");
	default:
		return (s->esmtp ? NULL : "BDAT needs EHLO");
	}
}

void
cmd_bdat(struct smtp_session *s)
{
	struct smtp_chunk	*c = &s->chunk;
	uint64_t		 size, patience = smtp_body_patience(s), gone;
	int			 err, last;

	if ((err = arguments(s->args, &size, &last)) == E_SYNTAX) {
		smtp_refuse_close(s, "bdat-syntax", 501, "5.5.4",
		    "BDAT length [LAST]: where the chunk ends cannot be known");
		return;
	}
	c->skip = stray(s);
	gone = c->skip != NULL ? c->skipped : s->txn->octets_in;
	if (err != E_OK || gone > patience || size > patience - gone) {
		smtp_refuse_close(s, "discard", 552, "5.3.4",
		    "message size exceeds the limit of %llu octets",
		    (unsigned long long)smtp_body_limit(s));
		return;
	}
	c->size = c->left = size;
	c->last = (uint8_t)last;
	c->from = s->state;
	if (c->skip == NULL && s->state == ST_RCPT && s->name_pending &&
	    s->now_ms < s->opened_ms + NAME_WAIT_MS) {
		c->waits = 1;
		smtp_set_state(s, ST_NAME);
		return;
	}
	smtp_chunk_start(s);
}

/* The client's words get their answer.  1 if the session goes on. */
static int
refuse(struct smtp_session *s, const char *why)
{
	struct smtp_chunk	*c = &s->chunk;

	/* Only the first counts as an error: the others may have been on their way (RFC 3030 2). */
	if (!c->told)
		smtp_refuse(s, 503, "5.5.1", "%s", why);
	else
		smtp_reply(s, 503, "5.5.1", why);
	c->told = 1;
	return (s->state != ST_CLOSED);
}

static void
skipped(struct smtp_session *s)
{
	struct smtp_chunk	*c = &s->chunk;

	smtp_set_state(s, c->from);
	/* RFC 2033 4.3: a reply for each recipient, of which there are none. */
	if (!(s->lmtp && c->last && c->from == ST_MAIL) && !refuse(s, c->skip))
		return;
	if (c->last)
		c->told = 0;
	if (s->env->stopping)
		smtp_stop(s, 0, s->now_ms);
}

static void
failed(struct smtp_session *s)
{
	struct smtp_chunk	*c = &s->chunk;
	uint32_t		 n;

	if (!c->told && c->last)
		smtp_body_reply(s, s->txn->fate);
	else if (!c->told) {
		c->told = 1;
		smtp_set_state(s, ST_CHUNKS);
		smtp_body_refuse(s, s->txn->fate);
	} else {
		smtp_set_state(s, ST_CHUNKS);
		for (n = s->lmtp && c->last ? s->txn->nrcpt : 1; n != 0; n--)
			if (!refuse(s, "this message has failed already"))
				return;
		if (c->last)
			smtp_reset(s);
	}
}

static void
chunk_end(struct smtp_session *s)
{
	struct smtp_chunk	*c = &s->chunk;
	struct smtp_txn		*t = s->txn;

	s->command_ms = s->now_ms;
	if (c->skip != NULL)
		skipped(s);
	else if (t->fate != FATE_OK)
		failed(s);
	else if (c->last)
		smtp_body_end(s);
	else {
		if (c->size != 0)
			s->commands--;		/* a large message is no idle chatter */
		smtp_set_state(s, ST_CHUNKS);
		smtp_replyf(s, 250, "2.0.0", "%llu octets received", (unsigned long long)c->size);
	}
}

void
smtp_chunk_start(struct smtp_session *s)
{
	struct smtp_chunk	*c = &s->chunk;
	struct smtp_txn		*t = s->txn;
	enum smtp_fate		 fate;

	s->verb = "BDAT";
	c->waits = 0;
	smtp_set_state(s, ST_BDAT);
	if (c->skip != NULL)
		c->since_ms = c->last_ms = s->now_ms;
	else {
		if (c->from == ST_RCPT)
			smtp_body_begin(s, 1);
		t->last_ms = s->now_ms;
		if (c->from == ST_RCPT && (fate = smtp_queue_fate(s)) != FATE_OK)
			smtp_body_fail(s, fate);
		else if (t->fate == FATE_OK && c->size > t->size_max - t->taken)
			smtp_body_fail(s, FATE_SIZE);
	}
	if (c->left == 0)
		chunk_end(s);
}

size_t
smtp_chunk_input(struct smtp_session *s, struct slice in)
{
	struct smtp_chunk	*c = &s->chunk;
	struct smtp_txn		*t = s->txn;
	size_t			 room;

	s->verb = "BDAT";
	s->args = slice_make(NULL, 0);
	if (in.n > c->left)
		in.n = (size_t)c->left;
	if (c->skip != NULL) {
		c->last_ms = s->now_ms;
		c->skipped += in.n;
	} else {
		t->last_ms = s->now_ms;
		if (t->fate == FATE_OK && in.n > (room = smtp_body_room(s)))
			in.n = room;
		if (in.n == 0) {
			t->blocked_ms = s->now_ms != 0 ? s->now_ms : 1;
			return (0);
		}
		t->octets_in += in.n;
		if (t->fate == FATE_OK)
			smtp_body_take(s, in);
	}
	if ((c->left -= in.n) == 0)
		chunk_end(s);
	return (in.n);
}
