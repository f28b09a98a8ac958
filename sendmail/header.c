/*
 * header.c -- see header.h.  Core.
 */
#include "sendmail/header.h"

#include <string.h>

#include "common/err.h"

#define WORD_OCTETS	45	/* of a name in one encoded word: 75 characters at most, RFC 2047 2 */

enum field {			/* bits, so that what was seen is a set */
	F_OTHER = 0, F_FROM = 1, F_DATE = 2, F_MESSAGE_ID = 4, F_TO = 8, F_CC = 16, F_BCC = 32, F_SENDER = 64,
	F_REPLY_TO = 128, F_DROPPED = 256,
	F_RESENT = 1 << 16,	/* beside one of the others */
};

#define F_RECIPIENTS	(F_TO | F_CC | F_BCC)
#define F_ADDRESSES	(F_FROM | F_SENDER | F_REPLY_TO | F_TO | F_CC)

static const struct { const char *name; unsigned field; } fields[] = {
	{ "From", F_FROM }, { "Date", F_DATE }, { "Message-ID", F_MESSAGE_ID }, { "To", F_TO }, { "Cc", F_CC },
	{ "Bcc", F_BCC }, { "Sender", F_SENDER }, { "Reply-To", F_REPLY_TO },
	{ "Return-Path", F_DROPPED }, { "Content-Length", F_DROPPED },
};

struct state {
	struct buf	*out;
	const struct header_facts *facts;
	int		(*rcpt)(void *, const struct mailbox *);
	void		*arg;
	unsigned	 seen;		/* of the message's own */
	unsigned	 resent;	/* of the topmost block of Resent- fields */
	int		 resent_over;	/* that block has ended */
	struct slice	 body;		/* of the present field */
	size_t		 done;		/* octets of it that were copied */
};

int
header_is_field(struct slice line)
{
	size_t i, n;

	for (n = 0; n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f && line.p[n] != ':'; n++)
		;
	for (i = n; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++)
		;
	return (n != 0 && i < line.n && line.p[i] == ':');
}

/* One field with all its lines; in is what is left. */
static struct slice
take_field(struct slice *in)
{
	const char *p = in->p, *end = in->p + in->n, *lf;
	struct slice f;

	do {
		lf = memchr(p, '\n', (size_t)(end - p));
		p = lf != NULL ? lf + 1 : end;
	} while (p < end && (*p == ' ' || *p == '\t'));
	f = slice_make(in->p, (size_t)(p - in->p));
	*in = slice_make(p, (size_t)(end - p));
	return (f);
}

static struct slice
field_name(struct slice f)
{
	const char *colon = memchr(f.p, ':', f.n);
	size_t n = colon != NULL ? (size_t)(colon - f.p) : 0;

	while (n > 0 && (f.p[n - 1] == ' ' || f.p[n - 1] == '\t'))
		n--;
	return (slice_make(f.p, n));
}

static struct slice
field_body(struct slice f)
{
	const char *colon = memchr(f.p, ':', f.n);

	return (colon == NULL ? slice_make(f.p, 0) : slice_make(colon + 1, f.n - (size_t)(colon + 1 - f.p)));
}

static unsigned
field_kind(struct slice name)
{
	unsigned resent = 0;
	size_t i;

	if (name.n > 7 && slice_caseeq(slice_make(name.p, 7), SLICE_LIT("Resent-"))) {
		resent = F_RESENT;
		name = slice_make(name.p + 7, name.n - 7);
	}
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (slice_caseeq(name, slice_str(fields[i].name)))
			return (resent != 0 && fields[i].field == F_DROPPED ? F_RESENT : fields[i].field | resent);
	}
	return (resent);
}

/*
 * RFC 5322 3.6.6: each sending-on puts its block in front, so the topmost is this one's.  It ends with the first field
 * that is none of Resent-, or one that it has already.
 */
static int
in_block(struct state *s, unsigned kind)
{
	unsigned field = kind & ~(unsigned)F_RESENT;

	if ((kind & F_RESENT) == 0) {
		s->resent_over |= s->resent != 0;
		return (0);
	}
	if (s->resent_over || (s->resent & field) != 0) {
		s->resent_over = 1;
		return (0);
	}
	s->resent |= kind;
	return (1);
}

/* ---- recipients ---- */

static int
on_recipient(void *arg, const struct mailbox *m)
{
	struct state *s = arg;
	struct mailbox q = *m;

	if (address_qualify(&q, s->facts->origin) != E_OK)
		return (E_LIMIT);
	return (s->rcpt(s->arg, &q));
}

/* First all of the section: whether it is sent on decides which fields name recipients. */
static int
collect(struct state *s, struct slice in, struct slice *at, const char **why)
{
	struct slice rest = in, f;
	unsigned kind, resent = 0, want;
	int mine, err;

	while (rest.n != 0)
		resent |= field_kind(field_name(take_field(&rest))) & F_RESENT;
	for (rest = in; rest.n != 0;) {
		f = take_field(&rest);
		*at = field_name(f);
		kind = field_kind(*at);
		mine = in_block(s, kind);
		if ((kind & F_RESENT) == 0)
			s->seen |= kind;
		want = resent != 0 ? mine && (kind & F_RECIPIENTS) != 0 : (kind & F_RECIPIENTS) != 0;
		if (!s->facts->extract || !want)
			continue;
		if ((err = address_list(field_body(f), on_recipient, s, why)) != E_OK)
			return (err);
	}
	return (E_OK);
}

/* ---- the section anew ---- */

static int
is_atom_text(const char *p)
{
	for (; *p != '\0'; p++) {
		if (*p != ' ' && ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("()<>[]:;@\\,.\"", *p) != NULL))
			return (0);
	}
	return (1);
}

static int
add_encoded(struct buf *out, const char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char word[4 * (WORD_OCTETS / 3 + 1)];
	const unsigned char *u = (const void *)p;
	unsigned long v;
	size_t i, len = 0;

	for (i = 0; i < n; i += 3) {
		v = (unsigned long)u[i] << 16 | (i + 1 < n ? (unsigned long)u[i + 1] << 8 : 0) |
		    (i + 2 < n ? u[i + 2] : 0);
		word[len++] = digits[v >> 18 & 63];
		word[len++] = digits[v >> 12 & 63];
		word[len++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		word[len++] = i + 2 < n ? digits[v & 63] : '=';
	}
	return (buf_addf(out, "=?utf-8?B?%.*s?=", (int)len, word));
}

int
header_add_phrase(struct buf *out, const char *name)
{
	size_t left = strlen(name), n;
	int err = E_OK, first = 1;

	if (is_atom_text(name))
		return (buf_adds(out, name));
	if (address_is_ascii(slice_str(name))) {
		err = buf_adds(out, "\"");
		for (; *name != '\0' && err == E_OK; name++) {
			if (*name == '"' || *name == '\\')
				err = buf_adds(out, "\\");
			if (err == E_OK)
				err = buf_add(out, name, 1);
		}
		return (err == E_OK ? buf_adds(out, "\"") : err);
	}
	/* Never within a character (RFC 2047 5). */
	for (; left != 0 && err == E_OK; left -= n, name += n, first = 0) {
		for (n = left < WORD_OCTETS ? left : WORD_OCTETS; n < left && n > 1 &&
		    ((unsigned char)name[n] & 0xc0) == 0x80; n--)
			;
		if (!first)
			err = buf_adds(out, "\r\n ");
		if (err == E_OK)
			err = add_encoded(out, name, n);
	}
	return (err);
}

static int
add_from(struct state *s, const char *prefix)
{
	const struct header_facts *f = s->facts;
	int err = buf_addf(s->out, "%sFrom: ", prefix);

	if (f->full_name[0] == '\0')
		return (err == E_OK ? buf_addf(s->out, "%s\r\n", f->from) : err);
	if (err == E_OK)
		err = header_add_phrase(s->out, f->full_name);
	return (err == E_OK ? buf_addf(s->out, " <%s>\r\n", f->from) : err);
}

static int
add_missing(struct state *s, const char *prefix, unsigned seen)
{
	int err = E_OK;

	if ((seen & F_FROM) == 0)
		err = add_from(s, prefix);
	if (err == E_OK && (seen & F_DATE) == 0)
		err = buf_addf(s->out, "%sDate: %s\r\n", prefix, s->facts->date);
	if (err == E_OK && (seen & F_MESSAGE_ID) == 0)
		err = buf_addf(s->out, "%sMessage-ID: %s\r\n", prefix, s->facts->message_id);
	return (err);
}

/* Copies up to where the domain of a bare address belongs, and puts it there. */
static int
on_bare(void *arg, const struct mailbox *m)
{
	struct state *s = arg;
	int err;

	if (!m->bare)
		return (E_OK);
	err = buf_add(s->out, s->body.p + s->done, m->end - s->done);
	s->done = m->end;
	return (err == E_OK ? buf_addf(s->out, "@%s", s->facts->origin) : err);
}

static int
nothing(void *arg, const struct mailbox *m)
{
	(void)arg;
	(void)m;
	return (E_OK);
}

static int
copy_field(struct state *s, struct slice f, unsigned kind)
{
	const char *why;
	int err;

	s->body = field_body(f);
	s->done = 0;
	/* A list that cannot be read is not ours to mend. */
	if ((kind & F_ADDRESSES) == 0 || address_list(s->body, nothing, NULL, &why) != E_OK)
		return (buf_add(s->out, f.p, f.n));
	if ((err = buf_add(s->out, f.p, f.n - s->body.n)) != E_OK ||
	    (err = address_list(s->body, on_bare, s, &why)) != E_OK)
		return (err);
	return (buf_add(s->out, s->body.p + s->done, s->body.n - s->done));
}

int
header_fix(struct buf *out, struct slice in, const struct header_facts *facts,
    int (*rcpt)(void *, const struct mailbox *), void *arg, struct slice *field, const char **why)
{
	struct state s = { .out = out, .facts = facts, .rcpt = rcpt, .arg = arg };
	struct slice f;
	unsigned kind;
	int err, begun = 0;

	*why = "";
	*field = slice_make("", 0);
	if ((err = collect(&s, in, field, why)) != E_OK)
		return (err);
	*field = slice_make("", 0);
	while (in.n != 0) {
		f = take_field(&in);
		kind = field_kind(field_name(f));
		/* What this sending-on lacks stands in front of its block, and so is of it. */
		if ((kind & F_RESENT) != 0 && !begun) {
			begun = 1;
			if ((err = add_missing(&s, "Resent-", s.resent)) != E_OK)
				return (err);
		}
		if ((kind & (F_BCC | F_DROPPED)) == 0 && (err = copy_field(&s, f, kind)) != E_OK)
			return (err);
	}
	if ((err = add_missing(&s, "", s.seen)) == E_OK && (s.seen & (F_TO | F_CC)) == 0 && s.resent == 0)
		err = buf_adds(out, "To: undisclosed-recipients:;\r\n");
	return (err);
}
