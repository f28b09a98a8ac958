/*
 * deliver_mime_fuzz.c -- any octets as a message to convert, in any cut.
 *
 * The first octet chooses the cut.  Oracles: every cut gives the same, or is refused as well; what was taken is lines of
 * at most 998 octets; it says what the input said, by a second and slow reading of both (tests/deliver/mime_ref.h);
 * no label "binary" is left; converted again it stays as it is.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "deliver/mime.h"
#include "tests/deliver/mime_ref.h"

static int
add(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

static const char *
convert(struct buf *out, struct slice in, size_t cut)
{
	static struct mime m;
	size_t k;

	buf_init(out, 64u << 20);
	mime_init(&m, TEXT_LINE_MAX, add, out);
	for (size_t at = 0; at < in.n; at += k) {
		k = in.n - at < cut ? in.n - at : cut;
		if (mime_feed(&m, slice_make(in.p + at, k)) != E_OK)
			break;
	}
	if (mime_end(&m) == E_OK)
		return (NULL);
	assert(m.err == E_SYNTAX && m.why[0] != '\0');
	return (m.why);
}

static void
check_lines(struct slice s)
{
	size_t col = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r') {
			assert(i + 1 < s.n && s.p[i + 1] == '\n');
			i++;
			col = 0;
			continue;
		}
		assert(s.p[i] != '\n');
		assert(++col <= TEXT_LINE_MAX);
	}
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in;
	struct buf out, cut, again;
	const char *why, *why_cut;
	struct ref a, b;

	if (size == 0)
		return (0);
	in = slice_make(data + 1, size - 1);
	why = convert(&out, in, SIZE_MAX);
	why_cut = convert(&cut, in, data[0] % 32 + 1u);
	assert((why == NULL) == (why_cut == NULL));
	if (why == NULL) {
		assert(slice_eq(buf_slice(&out), buf_slice(&cut)));
		check_lines(buf_slice(&out));
		ref_read(&a, in.p, in.n);
		ref_read(&b, buf_slice(&out).p, out.len);
		assert(a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
		assert(!b.binary);
		assert(convert(&again, buf_slice(&out), SIZE_MAX) == NULL);
		assert(slice_eq(buf_slice(&out), buf_slice(&again)));
		buf_clear(&again);
		ref_free(&a);
		ref_free(&b);
	}
	buf_clear(&cut);
	buf_clear(&out);
	return (0);
}
