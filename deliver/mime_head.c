/*
 * mime_head.c -- header sections of the MIME converter; see mime.h.  Core.
 *
 * Fields go through as they come, but for Content-Transfer-Encoding, which is held until its value is
 * known, and dropped if that is "binary": its successor is written at the end of the section,
 * when the Content-Type is known too.  RFC 5322 2.2, 3.6.8; RFC 2045 4 to 6.
 */
#include <string.h>

#include "common/err.h"
#include "deliver/mime_int.h"

enum head_at { HEAD_LINE, HEAD_CR, HEAD_NAME, HEAD_LONG, HEAD_VALUE };

#define NO_FIELD	"a line in a header section that is no field"

void
mime_head_begin(struct mime *m, int is_message)
{
	m->mode = MODE_HEAD;
	m->is_message = (uint8_t)is_message;
	m->type = m->by_default;
	m->encoding = ENC_NONE;
	m->has_type = m->has_encoding = m->has_version = 0;
	m->head_at = HEAD_LINE;
	m->kind = KIND_NONE;
	m->nname = m->nfield = 0;
	memset(&m->next, 0, sizeof(m->next));
}

static int
say(struct mime *m, const char *text)
{
	return (mime_copy(m, text, strlen(text)));
}

/* ---- the end of a section ---- */

static int
head_relabel(struct mime *m, const char *to)
{
	if (m->is_signed)
		return (mime_fail(m, "a binary part within multipart/signed"));
	if (m->is_message && !m->has_version && say(m, "MIME-Version: 1.0\r\n") != E_OK)
		return (m->err);
	if (say(m, "Content-Transfer-Encoding: ") != E_OK || say(m, to) != E_OK)
		return (m->err);
	return (say(m, "\r\n"));
}

/* All fields are known: what the body is, and how it goes on. */
static int
head_end(struct mime *m)
{
	int binary = m->encoding == ENC_BINARY;

	if (binary && head_relabel(m, m->type == TYPE_LEAF ? "base64" : "8bit") != E_OK)
		return (m->err);
	m->mode = MODE_LINES;
	if (m->type == TYPE_LEAF && binary)
		m->mode = MODE_BASE64;
	return (E_OK);
}

/* Behind the empty line. */
static int
head_walk(struct mime *m)
{
	if (m->encoding == ENC_OTHER)
		return (E_OK);
	if (m->type == TYPE_MULTIPART)
		return (mime_push(m));
	if (m->type == TYPE_MESSAGE) {
		m->by_default = TYPE_LEAF;
		mime_head_begin(m, 1);
	}
	return (E_OK);
}

/* ---- fields ---- */

static int
name_is(const struct mime *m, const char *name)
{
	return (slice_caseeq(slice_make(m->name, m->nname), slice_str(name)));
}

static int
field_end(struct mime *m)
{
	struct slice value = slice_make(m->field, m->nfield);
	enum type type = TYPE_LEAF;
	size_t colon;

	switch (m->kind) {
	case KIND_TYPE:
		if (mime_type(value, &type, &m->next) != E_OK)
			return (mime_fail(m, "a multipart or message whose kind or boundary is not certain"));
		m->type = (uint8_t)type;
		break;
	case KIND_ENCODING:
		colon = m->nname + 1;
		m->encoding = (uint8_t)mime_encoding(
		    slice_make(value.p + colon, value.n - colon));
		if (m->encoding == ENC_BINARY)		/* left out, but it was lines as all the others */
			(void)mime_check(m, value.p, value.n);
		else
			(void)mime_copy(m, value.p, value.n);
		break;
	default:
		break;
	}
	m->kind = KIND_NONE;
	m->nfield = 0;
	return (m->err);
}

static int
field_keep(struct mime *m, const char *p, size_t n)
{
	if (n > sizeof(m->field) - m->nfield)
		return (mime_fail(m, "a Content field too long"));
	if (memchr(p, '\0', n) != NULL)		/* some readers would stop there */
		return (mime_fail(m, "a Content field with a NUL"));
	memcpy(m->field + m->nfield, p, n);
	m->nfield += n;
	return (E_OK);
}

/* The name and its colon were read. */
static int
field_begin(struct mime *m)
{
	m->kind = KIND_PLAIN;
	m->nfield = 0;
	if (name_is(m, "Content-Type")) {
		if (m->has_type)
			return (mime_fail(m, "two Content-Type fields in one header section"));
		m->has_type = 1;
		m->kind = KIND_TYPE;
	} else if (name_is(m, "Content-Transfer-Encoding")) {
		if (m->has_encoding)
			return (mime_fail(m, "two Content-Transfer-Encoding fields in one header section"));
		m->has_encoding = 1;
		m->kind = KIND_ENCODING;
		(void)field_keep(m, m->name, m->nname);
		return (field_keep(m, ":", 1));
	} else if (name_is(m, "MIME-Version"))
		m->has_version = 1;
	if (mime_copy(m, m->name, m->nname) != E_OK)
		return (m->err);
	return (mime_copy(m, ":", 1));
}

/* ---- octets ---- */

static int
is_name(char c)
{
	return (c > 0x20 && c < 0x7f && c != ':');	/* RFC 5322 3.6.8 */
}

static int
head_line(struct mime *m, char c)
{
	if (c == ' ' || c == '\t') {
		if (m->kind == KIND_NONE)
			return (mime_fail(m, NO_FIELD));
		m->head_at = HEAD_VALUE;
		return (E_OK);
	}
	if (field_end(m) != E_OK)
		return (m->err);
	if (c == '\r')
		m->head_at = HEAD_CR;
	else if (is_name(c)) {
		m->head_at = HEAD_NAME;
		m->nname = 0;
	} else
		return (mime_fail(m, NO_FIELD));
	return (E_OK);
}

static int
head_empty(struct mime *m)
{
	if (head_end(m) != E_OK || mime_copy(m, "\r\n", 2) != E_OK)
		return (m->err);
	return (head_walk(m));
}

/* One octet of a name. */
static int
head_name(struct mime *m, char c)
{
	if (c == ':') {
		m->head_at = HEAD_VALUE;
		if (m->nname == 0)
			return (mime_fail(m, NO_FIELD));
		return (field_begin(m));
	}
	if (!is_name(c))
		return (mime_fail(m, NO_FIELD));
	if (m->nname < sizeof(m->name)) {
		m->name[m->nname++] = c;
		return (E_OK);
	}
	m->head_at = HEAD_LONG;		/* longer than all names that matter */
	m->kind = KIND_PLAIN;
	if (mime_copy(m, m->name, m->nname) != E_OK)
		return (m->err);
	return (mime_copy(m, &c, 1));
}

static int
head_long(struct mime *m, char c)
{
	if (c == ':')
		m->head_at = HEAD_VALUE;
	else if (!is_name(c))
		return (mime_fail(m, NO_FIELD));
	return (mime_copy(m, &c, 1));
}

/* The rest of a line; n octets, with the LF if it is there. */
static int
head_value(struct mime *m, const char *p, size_t n)
{
	if (p[n - 1] == '\n')
		m->head_at = HEAD_LINE;
	if (m->kind != KIND_PLAIN && field_keep(m, p, n) != E_OK)
		return (m->err);
	return (m->kind == KIND_ENCODING ? E_OK : mime_copy(m, p, n));
}

int
mime_head(struct mime *m, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && m->err == E_OK) {
		switch (m->head_at) {
		case HEAD_LINE:
			(void)head_line(m, p[i]);
			if (m->head_at == HEAD_CR)
				i++;
			break;
		case HEAD_CR:
			if (p[i++] != '\n')
				return (mime_fail(m, "a bare carriage return in a header section"));
			return (head_empty(m));
		case HEAD_NAME:
			(void)head_name(m, p[i++]);
			break;
		case HEAD_LONG:
			(void)head_long(m, p[i++]);
			break;
		default:
			(void)head_value(m, p + i, n - i);
			i = n;
			break;
		}
	}
	return (m->err);
}

int
mime_head_break(struct mime *m)
{
	if (m->head_at == HEAD_CR)
		return (mime_fail(m, "a bare carriage return in a header section"));
	if (m->head_at == HEAD_NAME || m->head_at == HEAD_LONG)
		return (mime_fail(m, NO_FIELD));
	if (field_end(m) != E_OK)
		return (m->err);
	/* The last field without its CRLF: nothing can be put behind it. */
	if (m->head_at == HEAD_VALUE)
		return (m->encoding == ENC_BINARY ? mime_fail(m, NO_FIELD) : E_OK);
	return (head_end(m));
}
