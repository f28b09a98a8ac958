/*
 * common_reply_fuzz.c -- remote replies.  Oracle: fed whole, in two parts at every cut, and octet by octet,
 * the same replies come out and the same error ends them.  Also escapes and hints of the text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/reply.h"
#include "common/siphash.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define CUTS_MAX	256	/* of a long input, only the first so many cuts */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct seen {
	uint64_t	 sum;
	unsigned	 lines, replies;
	int		 err;
};

static void
mix(struct seen *s, const void *p, size_t n)
{
	s->sum = s->sum * 31 + siphash_keyed(1, 2, p, n);
}

static void
see_line(void *arg, struct slice line)
{
	struct seen	*s = arg;

	s->lines++;
	mix(s, line.p, line.n);
}

static void
feed(struct reply_parser *p, struct seen *s, struct slice in)
{
	size_t	 used;
	int	 err;

	while (in.n != 0 && s->err == E_OK) {
		err = reply_feed(p, in, &used, see_line, s);
		MUST(used <= in.n);
		in = slice_make(in.p + used, in.n - used);
		if (err == E_OK) {
			s->replies++;
			MUST(p->r.text_len == strlen(p->r.text) && p->r.text_len <= REPLY_TEXT_MAX);
			MUST(p->r.code >= 200 && p->r.code <= 599 && p->r.lines <= REPLY_LINES_MAX);
			mix(s, p->r.text, p->r.text_len);
			mix(s, &p->r.code, sizeof(p->r.code));
		} else if (err == E_AGAIN)
			MUST(in.n == 0);
		else
			s->err = err;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice		 in = slice_make(data, size);
	struct reply_parser	 p;
	struct seen		 whole = { 0 }, parts;
	char			 text[64];

	reply_parser_init(&p);
	feed(&p, &whole, in);
	for (size_t cut = 1; cut < size && cut < CUTS_MAX; cut++) {
		parts = (struct seen){ 0 };
		reply_parser_init(&p);
		feed(&p, &parts, slice_make(in.p, cut));
		feed(&p, &parts, slice_make(in.p + cut, size - cut));
		MUST(parts.sum == whole.sum && parts.lines == whole.lines);
		MUST(parts.replies == whole.replies && parts.err == whole.err);
	}
	parts = (struct seen){ 0 };
	reply_parser_init(&p);
	for (size_t i = 0; i < size; i++)
		feed(&p, &parts, slice_make(in.p + i, 1));
	MUST(parts.sum == whole.sum && parts.err == whole.err);
	MUST(reply_retry_hint(in) <= 86400);
	text_escape(text, sizeof(text), in);
	for (const char *c = text; *c != '\0'; c++)
		MUST(*c >= 0x20 && *c <= 0x7e);
	MUST(strlen(text) < sizeof(text));
	return (0);
}
