/*
 * mime.c -- lines, boundaries and base64 of the MIME converter; see mime.h.  Core.
 *
 * A line that may be a boundary is held back from its CRLF on until it is certain, at most
 * MIME_BOUNDARY_MAX + MIME_PADDING_MAX octets; all else goes through in runs.  RFC 2046 5.1.1.
 */
#include <string.h>

#include "common/err.h"
#include "deliver/mime_int.h"

#define BASE64_LINE	76	/* RFC 2045 6.8 */
#define BASE64_RUN	4096	/* octets given out at once, about */

enum at { AT_START, AT_DASH, AT_CAND, AT_TEXT, AT_CR };

void
mime_init(struct mime *m, size_t line_max, mime_out out, void *arg)
{
	memset(m, 0, sizeof(*m));
	m->out = out;
	m->arg = arg;
	m->line_max = line_max;
	m->why = "";
	m->at = AT_START;
	mime_head_begin(m, 1);
}

int
mime_fail(struct mime *m, const char *why)
{
	if (m->err == E_OK) {
		m->err = E_SYNTAX;
		m->why = why;
	}
	return (m->err);
}

int
mime_push(struct mime *m)
{
	if (m->depth == MIME_DEPTH_MAX)
		return (mime_fail(m, "multiparts nested too deeply"));
	for (size_t i = 0; i < m->depth; i++) {
		if (m->level[i].len == m->next.len &&
		    memcmp(m->level[i].boundary, m->next.boundary, m->next.len) == 0)
			return (mime_fail(m, "two open multiparts with the same boundary"));
	}
	m->next.is_signed |= m->is_signed;
	m->level[m->depth++] = m->next;
	return (E_OK);
}

/* ---- what goes out ---- */

static int
mime_emit(struct mime *m, const char *p, size_t n)
{
	if (m->err == E_OK && n != 0)
		m->err = m->out(m->arg, slice_make(p, n));
	return (m->err);
}

/* m->col and m->cr go along. */
int
mime_check(struct mime *m, const char *p, size_t n)
{
	const char *end = p + n, *lf, *cr;

	while (p < end) {
		if (m->cr) {
			if (*p != '\n')
				return (mime_fail(m, "a bare carriage return in a part that is not binary"));
			m->cr = 0;
			m->col = 0;
			p++;
			continue;
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		lf = memchr(p, '\n', (size_t)((cr != NULL ? cr : end) - p));
		if (lf != NULL)
			return (mime_fail(m, "a bare line feed in a part that is not binary"));
		m->col += (size_t)((cr != NULL ? cr : end) - p);
		if (m->line_max != 0 && m->col > m->line_max)
			return (mime_fail(m, "a line too long in a part that is not binary"));
		if (cr == NULL)
			break;
		m->cr = 1;
		p = cr + 1;
	}
	return (m->err);
}

int
mime_copy(struct mime *m, const char *p, size_t n)
{
	if (mime_check(m, p, n) != E_OK)
		return (m->err);
	return (mime_emit(m, p, n));
}

static size_t
base64_group(char *dst, const uint8_t *s, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = (uint32_t)s[0] << 16 | (n > 1 ? (uint32_t)s[1] << 8 : 0) | (n > 2 ? s[2] : 0);

	dst[0] = digits[v >> 18];
	dst[1] = digits[v >> 12 & 63];
	dst[2] = n > 1 ? digits[v >> 6 & 63] : '=';
	dst[3] = n > 2 ? digits[v & 63] : '=';
	return (4);
}

/* A line's end is written when more comes: the last one is the boundary's own. */
static int
base64(struct mime *m, const char *p, size_t n)
{
	char text[BASE64_RUN];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		m->tri[m->ntri++] = (uint8_t)p[i];
		if (m->ntri < 3)
			continue;
		if (len + 6 > sizeof(text)) {
			if (mime_emit(m, text, len) != E_OK)
				return (m->err);
			len = 0;
		}
		if (m->col == BASE64_LINE) {
			text[len++] = '\r';
			text[len++] = '\n';
			m->col = 0;
		}
		len += base64_group(text + len, m->tri, 3);
		m->col += 4;
		m->ntri = 0;
	}
	return (mime_emit(m, text, len));
}

static int
base64_end(struct mime *m)
{
	char text[6];
	size_t len = 0;

	if (m->ntri == 0)
		return (m->err);
	if (m->col == BASE64_LINE) {
		text[len++] = '\r';
		text[len++] = '\n';
		m->col = 0;
	}
	len += base64_group(text + len, m->tri, m->ntri);
	m->col += 4;
	m->ntri = 0;
	return (mime_emit(m, text, len));
}

static int
mime_content(struct mime *m, const char *p, size_t n)
{
	if (n == 0 || m->err != E_OK)
		return (m->err);
	switch (m->mode) {
	case MODE_HEAD:
		return (mime_head(m, p, n));
	case MODE_BASE64:
		return (base64(m, p, n));
	default:
		return (mime_copy(m, p, n));
	}
}

/* ---- boundaries ---- */

/* What was held back is content after all. */
static int
mime_unhold(struct mime *m)
{
	if (m->held_crlf) {
		m->held_crlf = 0;
		if (mime_content(m, "\r\n", 2) != E_OK)
			return (m->err);
	}
	if (m->at == AT_DASH || m->at == AT_CAND) {
		if (mime_content(m, "--", m->at == AT_DASH ? 1 : 2) != E_OK)
			return (m->err);
	}
	if (m->at == AT_CAND && mime_content(m, m->cand, m->ncand) != E_OK)
		return (m->err);
	m->at = AT_TEXT;
	return (E_OK);
}

enum tail { TAIL_WRONG, TAIL_OPEN, TAIL_WHOLE };

/* What follows a boundary on its line: "--" if it is the last one, blanks, CRLF. */
static enum tail
mime_tail(const char *p, size_t n, int at_end, int *closes)
{
	size_t i = 0;

	*closes = 0;
	if (i < n && p[i] == '-') {
		if (n < 2)
			return (at_end ? TAIL_WRONG : TAIL_OPEN);
		if (p[1] != '-')
			return (TAIL_WRONG);
		*closes = 1;
		i = 2;
	}
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (i == n)
		return (at_end ? TAIL_WHOLE : TAIL_OPEN);
	if (p[i++] != '\r')
		return (TAIL_WRONG);
	if (i == n)
		return (at_end ? TAIL_WRONG : TAIL_OPEN);
	return (p[i] == '\n' && i + 1 == n ? TAIL_WHOLE : TAIL_WRONG);
}

/* The line is the boundary of level k. */
static int
mime_boundary(struct mime *m, size_t k, int closes)
{
	const struct mime_level *l = &m->level[k];

	if (m->mode == MODE_HEAD && mime_head_break(m) != E_OK)
		return (m->err);
	if (m->mode == MODE_BASE64 && base64_end(m) != E_OK)
		return (m->err);
	if (m->held_crlf && mime_copy(m, "\r\n", 2) != E_OK)
		return (m->err);
	m->held_crlf = 0;
	if (mime_copy(m, "--", 2) != E_OK || mime_copy(m, m->cand, m->ncand) != E_OK)
		return (m->err);
	m->at = AT_START;
	if (closes) {
		m->depth = k;
		m->mode = MODE_LINES;	/* an epilogue */
		return (E_OK);
	}
	m->depth = k + 1;
	m->is_signed = l->is_signed;
	m->by_default = l->is_digest ? TYPE_MESSAGE : TYPE_LEAF;	/* RFC 2046 5.1.5 */
	mime_head_begin(m, 0);
	return (E_OK);
}

/* Compare the candidate with each level that it fitted so far. */
static int
mime_decide(struct mime *m, int at_end)
{
	uint32_t fits = 0;
	size_t whole = 0, k = 0;
	int closes = 0, c, prefix = 0;

	for (size_t i = 0; i < m->depth; i++) {
		const struct mime_level *l = &m->level[i];
		size_t n = m->ncand < l->len ? m->ncand : l->len;

		if ((m->fits & 1u << i) == 0 || memcmp(m->cand, l->boundary, n) != 0)
			continue;
		if (m->ncand < l->len) {
			if (!at_end)
				fits |= 1u << i;
			continue;
		}
		switch (mime_tail(m->cand + l->len, m->ncand - l->len, at_end, &c)) {
		case TAIL_WHOLE:
			whole++;
			k = i;
			closes = c;
			break;
		case TAIL_OPEN:
			fits |= 1u << i;
			break;
		case TAIL_WRONG:
			prefix = 1;
			/* Another level's longer boundary may still be the one. */
			break;
		}
	}
	if (whole == 1)
		return (mime_boundary(m, k, closes));
	if (whole > 1)
		return (mime_fail(m, "a line that is the boundary of two multiparts"));
	if (fits == 0 && prefix)
		return (mime_fail(m, "a line that begins like a boundary and is none"));
	m->fits = fits;
	return (E_OK);
}

/* One octet of a line that may be a boundary; 0: it is none, and the octet is still to be read. */
static int
mime_cand(struct mime *m, char c)
{
	if (m->ncand == sizeof(m->cand)) {
		(void)mime_fail(m, "a boundary line too long");
		return (1);
	}
	m->cand[m->ncand++] = c;
	if (mime_decide(m, 0) != E_OK || m->at == AT_START || m->fits != 0)
		return (1);
	m->ncand--;
	(void)mime_unhold(m);
	return (0);
}

/* ---- what comes in ---- */

/* A run in the middle of a line, or of a body without boundaries; how much of it was taken. */
static size_t
mime_text(struct mime *m, const char *p, size_t n)
{
	const char *q;
	size_t k = n;

	if (m->mode == MODE_HEAD) {
		if ((q = memchr(p, '\n', n)) != NULL) {
			k = (size_t)(q - p) + 1;
			m->at = AT_START;
		}
	} else if (m->depth != 0 && (q = memchr(p, '\r', n)) != NULL) {
		k = (size_t)(q - p);
		(void)mime_content(m, p, k);
		m->at = AT_CR;
		return (k + 1);
	}
	(void)mime_content(m, p, k);
	return (k);
}

int
mime_feed(struct mime *m, struct slice in)
{
	const char *p = in.p, *end;

	if (in.n == 0)
		return (m->err);
	end = p + in.n;
	while (p < end && m->err == E_OK) {
		switch (m->at) {
		case AT_START:
			if (m->depth != 0 && *p == '-') {
				m->at = AT_DASH;
				p++;
			} else
				(void)mime_unhold(m);
			break;
		case AT_DASH:
			if (*p == '-') {
				m->at = AT_CAND;
				m->ncand = 0;
				m->fits = UINT32_MAX;
				p++;
			} else
				(void)mime_unhold(m);
			break;
		case AT_CAND:
			if (mime_cand(m, *p))
				p++;
			break;
		case AT_CR:
			if (*p == '\n') {
				m->held_crlf = 1;
				m->at = AT_START;
				p++;
			} else if (mime_content(m, "\r", 1) == E_OK)
				m->at = AT_TEXT;
			break;
		default:
			p += mime_text(m, p, (size_t)(end - p));
			break;
		}
	}
	return (m->err);
}

int
mime_end(struct mime *m)
{
	if (m->err == E_OK && m->at == AT_CAND)
		(void)mime_decide(m, 1);
	if (m->err == E_OK && m->at == AT_CR) {
		(void)mime_content(m, "\r", 1);
		m->at = AT_TEXT;
	}
	if (m->err == E_OK)
		(void)mime_unhold(m);
	if (m->err == E_OK && m->mode == MODE_HEAD)
		(void)mime_head_break(m);
	if (m->err == E_OK && m->mode == MODE_BASE64 && base64_end(m) == E_OK && m->col != 0) {
		m->col = 0;
		(void)mime_emit(m, "\r\n", 2);
	}
	if (m->err == E_OK && m->cr)
		return (mime_fail(m, "a bare carriage return in a part that is not binary"));
	return (m->err);
}
