/*
 * sendmail_header_fuzz.c -- sendmail's input, header section and address lists.
 *
 * Oracles: the same input in one piece and octet by octet gives the same message; every line of what comes out ends in
 * CRLF and no CR or LF stands alone; each recipient is safe in a command and reads back as itself; the section that was
 * mended needs no second mending, and gives nothing to drop.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/drop_file.h"
#include "common/err.h"
#include "sendmail/header.h"
#include "sendmail/message.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
body(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

static int
same_again(void *arg, const struct mailbox *m)
{
	MUST(strcmp(arg, m->text) == 0 && !m->bare);
	return (E_OK);
}

static int
on_rcpt(void *arg, const struct mailbox *m)
{
	char text[ADDRESS_MAX + 1];
	const char *why;

	++*(size_t *)arg;
	MUST(!m->bare && strlen(m->text) <= ADDRESS_MAX && drop_path_is_safe(m->text));
	(void)memcpy(text, m->text, sizeof(text));
	MUST(address_list(slice_str(text), same_again, text, &why) == E_OK);
	return (E_OK);
}

static void
must_be_lines(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		MUST(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
		MUST(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
	}
	MUST(s.n == 0 || s.p[s.n - 1] == '\n');
}

static void
read_all(struct message *m, struct buf *b, const uint8_t *data, size_t size, size_t step, int keep_dot)
{
	size_t at;

	buf_init(b, 4 << 20);
	message_init(m, keep_dot, body, b);
	for (at = 0; at < size; at += step)
		MUST(message_feed(m, slice_make(data + at, size - at < step ? size - at : step)) == E_OK);
	MUST(message_end(m) == E_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message one, two;
	struct header_facts f = { .origin = "o.example", .from = "a@o.example", .full_name = "A B", .date = "D",
	    .message_id = "<i@o.example>" };
	struct buf b1, b2, first, second;
	struct slice field;
	const char *why;
	size_t n = 0;

	if (size < 1 || size > 1 << 16)
		return (0);
	read_all(&one, &b1, data + 1, size - 1, size, data[0] & 1);
	read_all(&two, &b2, data + 1, size - 1, 1, data[0] & 1);
	MUST(slice_eq(buf_slice(&one.header), buf_slice(&two.header)) && slice_eq(buf_slice(&b1), buf_slice(&b2)));
	must_be_lines(buf_slice(&one.header));
	must_be_lines(buf_slice(&b1));
	f.extract = data[0] >> 1 & 1;
	buf_init(&first, 8 << 20);
	buf_init(&second, 8 << 20);
	if (header_fix(&first, buf_slice(&one.header), &f, on_rcpt, &n, &field, &why) == E_OK) {
		must_be_lines(buf_slice(&first));
		f.extract = 0;
		MUST(header_fix(&second, buf_slice(&first), &f, on_rcpt, &n, &field, &why) == E_OK);
		MUST(slice_eq(buf_slice(&first), buf_slice(&second)));
	} else
		MUST(why[0] != '\0' && f.extract);
	message_clear(&one);
	message_clear(&two);
	buf_clear(&b1);
	buf_clear(&b2);
	buf_clear(&first);
	buf_clear(&second);
	return (0);
}
