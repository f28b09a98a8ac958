/*
 * notice_original.c -- the third part of a notice: the original message or its header (RFC 6522 3, RFC 6533 4.2
 * and 4.3).  Core.
 *
 * Its octets are strangers'.  A whole message is returned as it is, if all of it can stand in a part: lines
 * of at most TEXT_LINE_MAX, no NUL, no lone CR or LF, and nothing that could pass for our boundary; else its header alone.
 * Of a header only printable ASCII and 8-bit octets stay, line ends become CRLF, long lines are cut by folding.
 */
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "queue/notice_int.h"

static int	write_header(struct buf *, const struct notice *);
static int	header_octet(struct buf *, unsigned char, size_t *);

size_t
notice_header_len(const struct notice *n)
{
	const char *p = n->original.p;
	size_t i, len = n->original.n;

	if (len > NOTICE_HEADER_MAX)
		len = NOTICE_HEADER_MAX;
	if (len >= 2 && p[0] == '\r' && p[1] == '\n')
		return (0);		/* a message may begin with its empty line: it has no header */
	for (i = 0; i < len; i++)
		if (p[i] == '\r' && i + 3 < len && memcmp(p + i, "\r\n\r\n", 4) == 0)
			return (i + 2);
	return (len);
}

int
notice_can_be_full(const struct notice *n, const char *boundary)
{
	const char *p = n->original.p, *end = p + n->original.n, *cr;
	size_t blen = strlen(boundary);

	while (p < end) {
		if ((cr = memchr(p, '\r', (size_t)(end - p))) == NULL)
			cr = end;	/* what came by BDAT may end within a line */
		else if (cr + 1 == end || cr[1] != '\n')
			return (0);
		if (cr - p > TEXT_LINE_MAX || memchr(p, '\n', (size_t)(cr - p)) != NULL ||
		    memchr(p, '\0', (size_t)(cr - p)) != NULL)
			return (0);
		if ((size_t)(cr - p) >= blen + 2 && p[0] == '-' && p[1] == '-' && memcmp(p + 2, boundary, blen) == 0)
			return (0);
		p = cr == end ? end : cr + 2;
	}
	return (n->original.n != 0);
}

int
notice_original(struct buf *b, const struct notice *n, const struct notice_shape *sh)
{
	const char *type, *encoding, *charset = "";
	struct buf tmp;
	int err;

	if (sh->full)
		type = sh->global && sh->header8 ? "message/global" : "message/rfc822";
	else if (sh->global && sh->header8)
		type = "message/global-headers";
	else {
		type = "text/rfc822-headers";
		charset = sh->header8 ? "; charset=utf-8" : "";
	}
	encoding = sh->base64 ? "base64" : sh->header8 || (sh->full && sh->body8) ? "8bit" : "7bit";
	buf_addf(b, "\r\n--%s\r\nContent-Description: %s\r\nContent-Type: %s%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", sh->boundary, sh->full ? "The message" : "Header of the message",
	    type, charset, encoding);
	if (!sh->base64)
		return (sh->full ? buf_add(b, n->original.p, n->original.n) : write_header(b, n));
	if (sh->full) {
		notice_base64(b, n->original);
		return (E_OK);
	}
	buf_init(&tmp, 3 * NOTICE_HEADER_MAX);
	if ((err = write_header(&tmp, n)) == E_OK)
		notice_base64(b, buf_slice(&tmp));
	buf_clear(&tmp);
	return (err);
}

static int
write_header(struct buf *b, const struct notice *n)
{
	const unsigned char *p = (const unsigned char *)n->original.p;
	size_t i, len = notice_header_len(n), col = 0;
	int err;

	for (i = 0; i < len; i++) {
		if (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n') {
			if (col != 0 && (err = buf_adds(b, "\r\n")) != E_OK)
				return (err);
			col = 0;
			i++;
			continue;
		}
		if ((err = header_octet(b, p[i], &col)) != E_OK)
			return (err);
	}
	return (col != 0 ? buf_adds(b, "\r\n") : E_OK);
}

static int
header_octet(struct buf *b, unsigned char c, size_t *col)
{
	int err;

	if ((c < ' ' && c != '\t') || c == 0x7f)
		c = '?';
	/* "--" cannot begin a field (RFC 5322 2.2 lets it, nobody does), only a boundary. */
	if (*col == 0 && c == '-') {
		if ((err = buf_adds(b, " ")) != E_OK)
			return (err);
		(*col)++;
	}
	if (*col >= TEXT_LINE_MAX) {
		if ((err = buf_adds(b, "\r\n\t")) != E_OK)
			return (err);
		*col = 1;
	}
	(*col)++;
	return (buf_add(b, &c, 1));
}
