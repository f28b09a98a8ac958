/*
 * pickup_drop_fuzz.c -- files of the drop directory, and the notice that is written about one.
 *
 * Oracles: a head that is taken is safe in SMTP commands, and written again reads as the same; it takes the octets that it
 * says; a prefix of it is never taken as whole.  The notice keeps its lines and its boundary whatever the header holds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/drop_file.h"
#include "common/err.h"
#include "pickup/notice.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define ID	"0123456789abcdef0123456789abcdef"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must_be_same(const struct drop_head *a, const struct drop_head *b)
{
	size_t i;

	MUST(a->has_uid == b->has_uid && a->uid == b->uid && strcmp(a->mail.sender, b->mail.sender) == 0);
	MUST(a->mail.ret == b->mail.ret && a->mail.body8 == b->mail.body8 && a->mail.utf8 == b->mail.utf8);
	MUST(strcmp(a->mail.envid, b->mail.envid) == 0 && a->mail.nrcpt == b->mail.nrcpt);
	for (i = 0; i < a->mail.nrcpt; i++)
		MUST(strcmp(a->mail.rcpt[i].address, b->mail.rcpt[i].address) == 0 &&
		    a->mail.rcpt[i].notify == b->mail.rcpt[i].notify && drop_path_is_safe(a->mail.rcpt[i].address));
}

static void
try_notice(struct drop_head *h, struct slice header)
{
	struct submit talk = { .mail = { .code = 550, .enhanced = { 5, 1, 1 } } };
	struct notice n = { .hostname = "h.example", .id = ID, .talk = &talk, .mail = &h->mail,
	    .verdict = VERDICT_FAILED, .header = header };
	struct buf b;
	const char *p, *end;
	int utf8, marks = 0;

	if (notice_count(&n) == 0)
		return;
	buf_init(&b, NOTICE_MAX);
	MUST(notice_write(&b, &n, &utf8) == E_OK);
	p = buf_slice(&b).p;
	end = p + b.len;
	/* Three parts and the end, unless the header itself knows the number that was drawn. */
	for (; (p = memmem(p, (size_t)(end - p), "\r\n--=_" ID, 5 + sizeof(ID))) != NULL; p++)
		marks++;
	MUST(marks >= 4 || memmem(header.p, header.n, ID, sizeof(ID) - 1) != NULL);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct drop_head h, again;
	struct arena mem;
	struct buf b;
	const char *why;
	uint64_t len, sum;
	char trailer[DROP_TRAILER_LEN + 1];
	int err;

	arena_init(&mem, 64 << 20);
	if (size >= DROP_TRAILER_LEN &&
	    drop_trailer_read(slice_make(data + size - DROP_TRAILER_LEN, DROP_TRAILER_LEN), &len, &sum) == E_OK) {
		drop_trailer_write(trailer, len, sum);
		MUST(memcmp(trailer, data + size - DROP_TRAILER_LEN, DROP_TRAILER_LEN) == 0);
	}
	if ((err = drop_head_read(&h, &mem, in, &why)) == E_OK) {
		MUST(h.len <= size && h.mail.nrcpt >= 1 && h.mail.nrcpt <= DROP_RCPT_MAX);
		buf_init(&b, DROP_HEAD_MAX);
		MUST(drop_head_write(&b, &h) == E_OK);
		MUST(drop_head_read(&again, &mem, buf_slice(&b), &why) == E_OK && again.len == b.len);
		must_be_same(&h, &again);
		buf_clear(&b);
		MUST(drop_head_read(&again, &mem, slice_make(data, h.len - 1), &why) == E_AGAIN);
		try_notice(&h, slice_make(data + h.len, size - h.len));
	} else
		MUST(err != E_SYNTAX || why[0] != '\0');
	arena_clear(&mem);
	return (0);
}
