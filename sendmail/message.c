/*
 * message.c -- see message.h.  Core.
 */
#include "sendmail/message.h"

#include <string.h>

#include "common/err.h"
#include "sendmail/header.h"

#define FIELD_NAME_LIKELY	1000	/* a line so long without a colon is of no header section */

void
message_init(struct message *m, int keep_dot, int (*body)(void *, struct slice), void *arg)
{
	memset(m, 0, sizeof(*m));
	m->keep_dot = keep_dot;
	m->body = body;
	m->arg = arg;
	m->first = m->at_start = 1;
	buf_init(&m->header, SENDMAIL_HEADER_MAX);
	buf_init(&m->line, SENDMAIL_HEADER_MAX);
}

void
message_clear(struct message *m)
{
	buf_clear(&m->header);
	buf_clear(&m->line);
}

static void
fail(struct message *m, int err)
{
	if (m->err == E_OK)
		m->err = err;
}

static void
flush(struct message *m)
{
	if (m->n != 0 && m->err == E_OK)
		fail(m, m->body(m->arg, slice_make(m->chunk, m->n)));
	m->n = 0;
}

static void
put_body(struct message *m, char c)
{
	m->body8 |= (unsigned char)c >= 0x80;
	m->chunk[m->n++] = c;
	if (m->n == sizeof(m->chunk))
		flush(m);
}

/* The line in hand is the body's first. */
static void
begin_body(struct message *m)
{
	struct slice s = buf_slice(&m->line);
	size_t i;

	m->in_body = 1;
	for (i = 0; i < s.n; i++)
		put_body(m, s.p[i]);
	buf_clear(&m->line);
}

static int
is_mbox_line(struct slice s)
{
	while (s.n != 0 && s.p[0] == '>')
		s = slice_make(s.p + 1, s.n - 1);
	return (s.n >= 5 && memcmp(s.p, "From ", 5) == 0);
}

/* A whole line of the header section, with its CRLF. */
static void
take_line(struct message *m)
{
	struct slice s = buf_slice(&m->line);
	size_t i;

	if (m->first && is_mbox_line(s)) {
		buf_drain(&m->line, s.n);
		return;
	}
	m->first = 0;
	if (s.n == 2) {
		buf_clear(&m->line);
		m->in_body = 1;
		return;
	}
	if (!((s.p[0] == ' ' || s.p[0] == '\t') && m->header.len != 0) && !header_is_field(s)) {
		begin_body(m);
		return;
	}
	for (i = 0; i < s.n; i++)
		m->header8 |= (unsigned char)s.p[i] >= 0x80;
	fail(m, buf_add(&m->header, s.p, s.n));
	buf_drain(&m->line, s.n);
}

static void
put(struct message *m, char c)
{
	struct slice s;

	if (m->in_body) {
		put_body(m, c);
		return;
	}
	fail(m, buf_add(&m->line, &c, 1));
	if (c == '\n') {
		take_line(m);
		return;
	}
	/* Binary or endless text must not be kept as if it were a field. */
	s = buf_slice(&m->line);
	if (s.n == FIELD_NAME_LIKELY && s.p[0] != ' ' && s.p[0] != '\t' && !header_is_field(s))
		begin_body(m);
}

static void
put_line_end(struct message *m)
{
	put(m, '\r');
	put(m, '\n');
	m->at_start = 1;
}

static void
take(struct message *m, char c)
{
	if (m->cr) {
		m->cr = 0;
		if (c != '\n') {
			if (m->dot)
				put(m, '.');
			m->dot = 0;
			m->at_start = 0;
			put(m, ' ');
		}
	}
	if (c == '\r') {
		m->cr = 1;
		return;
	}
	if (c == '\n') {
		if (m->dot)
			m->ended = 1;
		else
			put_line_end(m);
		m->dot = 0;
		return;
	}
	if (m->dot)
		put(m, '.');
	m->dot = c == '.' && m->at_start && !m->keep_dot;
	m->at_start = 0;
	if (!m->dot)
		put(m, c);
}

int
message_feed(struct message *m, struct slice in)
{
	size_t i;

	for (i = 0; i < in.n && !m->ended && m->err == E_OK; i++)
		take(m, in.p[i]);
	return (m->err);
}

int
message_end(struct message *m)
{
	/* A dot that nothing follows is a whole line, too: the end. */
	if (!m->ended && !m->dot && (!m->at_start || m->cr))
		put_line_end(m);
	m->cr = m->dot = 0;
	if (!m->in_body && m->line.len != 0)
		take_line(m);
	flush(m);
	return (m->err);
}
