/*
 * reply.c -- a remote server's replies, fed in any pieces.  Core.
 * RFC 5321 4.2, 4.2.1; RFC 3463 2 and RFC 2034 4 (enhanced codes).
 *
 * An enhanced code counts only if its class is the reply code's (RFC 2034 4: it must be); it
 * is then taken out of the text.  Any other stays in the text as the words of the server.
 */
#include "common/reply.h"

#include <stdio.h>

#include "common/err.h"

#define DAY_SECONDS	86400

static int
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

/* One to three digits without a leading zero; the octets taken, 0 if none. */
static size_t
take_number(uint16_t *v, struct slice in)
{
	size_t	 i;

	*v = 0;
	for (i = 0; i < in.n && i < 3 && is_digit(in.p[i]); i++)
		*v = (uint16_t)(*v * 10 + (in.p[i] - '0'));
	return (i > 1 && in.p[0] == '0' ? 0 : i);
}

size_t
enhanced_parse(struct enhanced *e, struct slice in)
{
	struct enhanced	 out;
	size_t		 n, at = 2;

	*e = (struct enhanced){ 0 };
	if (in.n < 5 || (in.p[0] != '2' && in.p[0] != '4' && in.p[0] != '5') || in.p[1] != '.')
		return (0);
	out.cls = (uint8_t)(in.p[0] - '0');
	n = take_number(&out.subject, slice_make(in.p + at, in.n - at));
	if (n == 0 || at + n >= in.n || in.p[at + n] != '.')
		return (0);
	at += n + 1;
	n = take_number(&out.detail, slice_make(in.p + at, in.n - at));
	at += n;
	if (n == 0 || (at < in.n && in.p[at] != ' ' && in.p[at] != '\t'))
		return (0);
	*e = out;
	return (at);
}

char *
enhanced_str(const struct enhanced *e, char dst[static ENHANCED_STRLEN])
{
	snprintf(dst, ENHANCED_STRLEN, "%u.%u.%u", e->cls % 10u, e->subject % 1000u, e->detail % 1000u);
	return (dst);
}

void
reply_parser_init(struct reply_parser *p)
{
	p->r.code = 0;
	p->r.enhanced = (struct enhanced){ 0 };
	p->r.text_len = 0;
	p->r.text[0] = '\0';
	p->r.lines = 0;
	p->line_len = 0;
	p->err = E_OK;
	p->done = 0;
}

static void
add_text(struct reply *r, struct slice s)
{
	unsigned char	 c;

	if (s.n != 0 && r->text_len != 0 && r->text_len < REPLY_TEXT_MAX)
		r->text[r->text_len++] = ' ';
	for (size_t i = 0; i < s.n && r->text_len < REPLY_TEXT_MAX; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\t')
			c = ' ';
		r->text[r->text_len++] = (char)(c < 0x20 || c > 0x7e ? '?' : c);
	}
	r->text[r->text_len] = '\0';
}

/* A whole line without its end: E_OK for the last of the reply, E_AGAIN for another, or an error. */
static int
take_line(struct reply *r, struct slice line)
{
	struct enhanced	 e;
	uint16_t	 code;
	size_t		 n;
	int		 more;

	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) ||
	    !is_digit(line.p[2]))
		return (E_PROTO);
	code = (uint16_t)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return (E_PROTO);
	if (r->lines != 0 && code != r->code)
		return (E_PROTO);
	if (r->lines == REPLY_LINES_MAX)
		return (E_LIMIT);
	r->lines++;
	r->code = code;
	more = line.n > 3 && line.p[3] == '-';
	n = line.n > 3 ? 4 : 3;
	line = slice_make(line.p + n, line.n - n);
	/* The text keeps the code once: it is the host's own word.  Where each line repeats it, once is enough. */
	if ((n = enhanced_parse(&e, line)) != 0 && e.cls == code / 100 && r->enhanced.cls == 0)
		r->enhanced = e;
	else if (n != 0 && e.cls == r->enhanced.cls && e.subject == r->enhanced.subject &&
	    e.detail == r->enhanced.detail) {
		while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
			n++;
		line = slice_make(line.p + n, line.n - n);
	}
	add_text(r, line);
	return (more ? E_AGAIN : E_OK);
}

int
reply_feed(struct reply_parser *p, struct slice in, size_t *used,
    void (*line_fn)(void *, struct slice), void *arg)
{
	struct slice	 line;
	size_t		 i;
	char		 c;

	*used = 0;
	if (p->err != E_OK)
		return (p->err);
	if (in.n != 0 && p->done)
		reply_parser_init(p);
	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (c == '\0') {
			p->err = E_PROTO;
			break;
		}
		if (c != '\n') {
			if (p->line_len == REPLY_LINE_MAX - 1) {
				p->err = E_LIMIT;
				break;
			}
			p->line[p->line_len++] = c;
			continue;
		}
		line = slice_make(p->line, p->line_len);
		if (line.n != 0 && line.p[line.n - 1] == '\r')
			line.n--;
		p->line_len = 0;
		switch (p->err = take_line(&p->r, line)) {
		case E_OK:
			p->done = 1;
			/* FALLTHROUGH */
		case E_AGAIN:
			p->err = E_OK;
			if (line_fn != NULL)
				line_fn(arg, line);
			break;
		default:
			break;
		}
		if (p->done || p->err != E_OK) {
			i++;
			break;
		}
	}
	*used = i;
	if (p->err != E_OK)
		return (p->err);
	return (in.n != 0 && p->done ? E_OK : E_AGAIN);
}

/* The word at s.p[*at], lower case, into word; moves *at past it and what parts it from the next. */
static size_t
next_word(struct slice s, size_t *at, char word[static 16])
{
	size_t	 n = 0;
	int	 digits;
	char	 c;

	while (*at < s.n && !is_digit(s.p[*at]) &&
	    !((s.p[*at] | 0x20) >= 'a' && (s.p[*at] | 0x20) <= 'z'))
		(*at)++;
	digits = *at < s.n && is_digit(s.p[*at]);
	for (; *at < s.n; (*at)++) {
		c = s.p[*at];
		if (digits ? !is_digit(c) : !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			break;
		if (n < 15)
			word[n++] = digits ? c : (char)(c | 0x20);
	}
	word[n] = '\0';
	return (n);
}

static int
one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++) {
		if (strcmp(word, *list) == 0)
			return (1);
	}
	return (0);
}

/*
 * "[try|retry|wait|again|later] ... [in|after|for|wait] NUMBER UNIT": greylisting and rate limits
 * are put in such words.  A number without the first word is something else ("30 in 60 seconds").
 */
uint32_t
reply_retry_hint(struct slice text)
{
	static const char *const asks[] = { "try", "retry", "wait", "again", "later", NULL };
	static const char *const before[] = { "in", "after", "for", "wait", "another", NULL };
	static const struct {
		uint32_t	 seconds;
		const char	*names[7];
	} units[] = {
		{ 1, { "s", "sec", "secs", "second", "seconds", NULL } },
		{ 60, { "m", "min", "mins", "minute", "minutes", NULL } },
		{ 3600, { "h", "hr", "hrs", "hour", "hours", NULL } },
	};
	char		 word[16];
	uint64_t	 number = 0;
	size_t		 at = 0;
	int		 asked = 0, near = 0, have = 0;

	while (next_word(text, &at, word) != 0) {
		if (is_digit(word[0])) {
			have = asked && near;
			number = 0;
			for (const char *p = word; *p != '\0' && number < DAY_SECONDS; p++)
				number = number * 10 + (uint64_t)(*p - '0');
			continue;
		}
		for (size_t i = 0; have && i < sizeof(units) / sizeof(units[0]); i++) {
			if (!one_of(word, units[i].names))
				continue;
			number *= units[i].seconds;
			if (number == 0)
				return (0);
			if (number < RETRY_HINT_MIN)
				return (RETRY_HINT_MIN);
			return (number > DAY_SECONDS ? DAY_SECONDS : (uint32_t)number);
		}
		have = 0;
		asked |= one_of(word, asks);
		near = one_of(word, before);
	}
	return (0);
}
