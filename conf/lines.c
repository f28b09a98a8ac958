/* lines.c -- logical lines out of a file that may be very large.  Shell: it reads. */
#include "conf/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/limits.h"
#include "conf/mem.h"

#define READ_STEP	(256u << 10)	/* octets */

void
lines_open_fd(struct lines *l, int fd, int flat, struct errors *errors)
{
	*l = (struct lines){ .fd = fd, .flat = flat, .errors = errors, .next = 1 };
}

void
lines_close(struct lines *l)
{
	free(l->p);
	free(l->logical);
	if (l->fd != -1)
		close(l->fd);	/* it was only read */
	*l = (struct lines){ .fd = -1 };
}

/* More octets behind those that wait; 0, or -1 after an error. */
static int
fill(struct lines *l)
{
	ssize_t	 n;

	if (l->off != 0) {
		memmove(l->p, l->p + l->off, l->len);
		l->off = 0;
	}
	if (l->size - l->len < READ_STEP) {
		l->size = l->size == 0 ? 2 * READ_STEP : l->size * 2;
		l->p = mem_array(l->p, l->size, 1);
	}
	do {
		n = read(l->fd, l->p + l->len, l->size - l->len);
	} while (n == -1 && errno == EINTR);
	if (n == -1) {
		errors_add(l->errors, 0, "the file cannot be read: %s", strerror(errno));
		return (-1);
	}
	l->eof = n == 0;
	l->len += (size_t)n;
	return (0);
}

/* The next physical line, without its end: 1, 0, -1.  It stays in the buffer until fill(). */
static int
physical(struct lines *l, struct slice *s)
{
	const char	*end = NULL;
	size_t		 seen = 0;

	while ((end = seen < l->len ? memchr(l->p + l->off + seen, '\n', l->len - seen) : NULL) == NULL && !l->eof) {
		seen = l->len;
		if (seen > TABLE_LINE_MAX) {
			errors_add(l->errors, l->next, "the line is longer than %u octets", TABLE_LINE_MAX);
			return (-1);
		}
		if (fill(l) == -1)
			return (-1);
	}
	if (end == NULL && l->len == 0)
		return (0);
	*s = slice_make(l->p + l->off, end != NULL ? (size_t)(end - l->p) - l->off : l->len);
	if (s->n != 0 && memchr(s->p, '\0', s->n) != NULL) {
		errors_add(l->errors, l->next, "the line holds a NUL octet: the file is not text");
		return (-1);
	}
	return (1);
}

static void
consume(struct lines *l, struct slice s)
{
	size_t	 n = s.n + (s.n < l->len);	/* and its LF */

	l->off += n;
	l->len -= n;
	l->next++;
}

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v');
}

static struct slice
trim(struct slice s)
{
	while (s.n != 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n != 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	return (s);
}

static int
append(struct lines *l, struct slice s)
{
	if (l->n + s.n + 1 > TABLE_LINE_MAX) {
		errors_add(l->errors, l->line, "the line, with those that continue it, is longer than %u octets",
		    TABLE_LINE_MAX);
		return (-1);
	}
	if (l->n + s.n + 1 > l->room) {
		l->room = 2 * (l->n + s.n + 1);
		l->logical = mem_array(l->logical, l->room, 1);
	}
	if (l->n != 0)
		l->logical[l->n++] = ' ';
	memcpy(l->logical + l->n, s.p, s.n);
	l->n += s.n;
	return (0);
}

int
lines_next(struct lines *l, struct slice *out)
{
	struct slice	 s, text;
	int		 got, more;

	l->n = 0;
	while ((got = physical(l, &s)) == 1) {
		text = trim(s);
		more = !l->flat && s.n != 0 && is_blank(s.p[0]);
		if (text.n == 0 || text.p[0] == '#') {
			consume(l, s);
			continue;
		}
		if (l->n != 0 && !more)
			break;		/* the next logical line */
		if (l->n == 0)
			l->line = l->next;
		if (l->n == 0 && more) {
			errors_add(l->errors, l->line, "the line starts with a blank, but there is no line before "
			    "that it could continue");
			return (-1);
		}
		if (append(l, text) == -1)
			return (-1);
		consume(l, s);
		if (l->flat)
			break;
	}
	*out = slice_make(l->logical, l->n);
	return (got == -1 ? -1 : l->n != 0);
}
