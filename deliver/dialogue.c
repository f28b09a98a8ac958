/*
 * dialogue.c -- see dialogue.h.  Core.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/reply.h"
#include "deliver/dialogue.h"

#define DIALOGUE_HEAD	1024		/* this much of the beginning stays */
#define DIALOGUE_LINE	700		/* longest line: a whole reply text and its frame */
#define DIALOGUE_GAP	48		/* room for the line that says what was left out */

void
dialogue_init(struct dialogue *d, uint64_t now_ms)
{
	d->start_ms = now_ms;
	d->len = 0;
	d->head = 0;
	d->left_out = 0;
}

/* Drop the oldest lines behind the head until n octets fit. */
static void
dialogue_room(struct dialogue *d, size_t n)
{
	char *nl;
	size_t cut;

	while (d->len + n + DIALOGUE_GAP > sizeof(d->text) && d->len > d->head) {
		nl = memchr(d->text + d->head, '\n', d->len - d->head);
		cut = nl == NULL ? d->len - d->head : (size_t)(nl - (d->text + d->head)) + 1;
		memmove(d->text + d->head, d->text + d->head + cut, d->len - d->head - cut);
		d->len -= cut;
		d->left_out++;
	}
}

void
dialogue_add(struct dialogue *d, uint64_t now_ms, char how, unsigned code, struct slice text)
{
	char line[DIALOGUE_LINE], esc[DIALOGUE_LINE - 64];
	uint64_t t;
	int n;

	t = now_ms > d->start_ms ? now_ms - d->start_ms : 0;
	text_escape(esc, sizeof(esc), text);
	if (code != 0)
		n = snprintf(line, sizeof(line), "+%" PRIu64 ".%03u %c %03u %s\n", t / 1000,
		    (unsigned)(t % 1000), how, code, esc);
	else
		n = snprintf(line, sizeof(line), "+%" PRIu64 ".%03u %c %s\n", t / 1000,
		    (unsigned)(t % 1000), how, esc);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	dialogue_room(d, (size_t)n);
	memcpy(d->text + d->len, line, (size_t)n);
	d->len += (size_t)n;
	if (d->left_out == 0 && d->len <= DIALOGUE_HEAD)
		d->head = d->len;
}

size_t
dialogue_text(const struct dialogue *d, char *dst)
{
	size_t n;
	int gap;

	n = d->head;
	memcpy(dst, d->text, n);
	if (d->left_out != 0) {
		gap = snprintf(
		    dst + n, DIALOGUE_GAP, "... %" PRIu32 " lines left out ...\n", d->left_out);
		n += (size_t)gap;
	}
	memcpy(dst + n, d->text + d->head, d->len - d->head);
	return (n + d->len - d->head);
}
