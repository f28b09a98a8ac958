/*
 * mime_test.c -- the MIME converter: whole messages and what becomes of them, in every cut of the input; what is
 * refused; limits at limit - 1, limit, limit + 1; and, for each, that it says the same as before (mime_ref.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "deliver/mime.h"
#include "tests/deliver/mime_ref.h"

#define CT	"Content-Type: "
#define CTE	"Content-Transfer-Encoding: "
#define V	"MIME-Version: 1.0\r\n"
#define MIXED	CT "multipart/mixed; boundary=b\r\n"

struct row {
	const char	*name, *in;
	const char	*out;		/* NULL: as it came in; with why: refused */
	const char	*why;
};

static const struct row rows[] = {
	{ "nothing", "", NULL, NULL },
	{ "no MIME", "Subject: x\r\n\r\nbody\r\n", NULL, NULL },
	{ "no body", "Subject: x\r\n", NULL, NULL },
	{ "no header", "\r\nbody", NULL, NULL },
	{ "a header cut off", "Subject: x", NULL, NULL },
	{ "leaf", V CT "image/png\r\n" CTE "binary\r\n\r\n\1\r\2\n\3", V CT "image/png\r\n" CTE "base64\r\n\r\nAQ0CCgM=\r\n", NULL },
	{ "leaf without a version", CTE "binary\r\nX: y\r\n\r\nab", "X: y\r\n" V CTE "base64\r\n\r\nYWI=\r\n", NULL },
	{ "empty leaf", V CTE "binary\r\n\r\n", V CTE "base64\r\n\r\n", NULL },
	{ "leaf, no empty line", V CTE "binary\r\n", V CTE "base64\r\n", NULL },
	{ "canonical lines stay", V CTE "binary\r\n\r\na\r\nb\r\n", V CTE "base64\r\n\r\nYQ0KYg0K\r\n", NULL },
	{ "case and comment", V "content-transfer-ENCODING: (x \\) (y))\r\n BINARY (z)\r\n\r\nab", V CTE "base64\r\n\r\nYWI=\r\n", NULL },
	{ "57 octets are a line", V CTE "binary\r\n\r\n" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    V CTE "base64\r\n\r\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n", NULL },
	{ "58 octets are two", V CTE "binary\r\n\r\n" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    V CTE "base64\r\n\r\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\nYQ==\r\n", NULL },
	{ "names around the longest that is compared", V "A234567890123456789012345678901: x\r\nA2345678901234567890123456789012: x\r\nA23456789012345678901234567890123: x\r\n"
	    CTE "binary\r\n\r\nab", V "A234567890123456789012345678901: x\r\nA2345678901234567890123456789012: x\r\nA23456789012345678901234567890123: x\r\n"
	    CTE "base64\r\n\r\nYWI=\r\n", NULL },
	{ "a long name and no field", V "A2345678901234567890123456789012 x\r\n\r\n", NULL, "a line in a header section that is no field" },
	{ "not binary", V CTE "8bit\r\n\r\n\303\244\r\n", NULL, NULL },
	{ "quoted-printable", V CTE "quoted-printable\r\n\r\n=20\r\n", NULL, NULL },
	{ "no encoding we know", V CTE "binary binary\r\n\r\nx\r\n", NULL, NULL },
	{ "parts", V MIXED CTE "binary\r\n\r\npre\r\n--b\r\n" CTE "binary\r\n\r\n\n\r\r\n--b \t\r\n" CTE "7bit\r\n\r\nx\r\n--b--\r\nepi",
	    V MIXED CTE "8bit\r\n\r\npre\r\n--b\r\n" CTE "base64\r\n\r\nCg0=\r\n--b \t\r\n" CTE "7bit\r\n\r\nx\r\n--b--\r\nepi", NULL },
	{ "boundary first", V MIXED "\r\n--b\r\n\r\nx\r\n--b--", NULL, NULL },
	{ "boundary unquoted with =", V CT "multipart/mixed; boundary=--=_x\r\n\r\n----=_x\r\n" CTE "binary\r\n\r\n\1\r\n----=_x--\r\n",
	    V CT "multipart/mixed; boundary=--=_x\r\n\r\n----=_x\r\n" CTE "base64\r\n\r\nAQ==\r\n----=_x--\r\n", NULL },
	{ "boundary quoted, folded, with comments", V CT "multipart/(a)mixed (b);\r\n charset=\"b;\\\"boundary=z\";\r\n\tBoundary (c) = \"b \\c\" ;\r\n\r\n"
	    "--b c\r\n" CTE "binary\r\n\r\n\1\r\n--b c--\r\n",
	    V CT "multipart/(a)mixed (b);\r\n charset=\"b;\\\"boundary=z\";\r\n\tBoundary (c) = \"b \\c\" ;\r\n\r\n"
	    "--b c\r\n" CTE "base64\r\n\r\nAQ==\r\n--b c--\r\n", NULL },
	{ "empty parts", V MIXED "\r\n--b\r\n" CTE "binary\r\n\r\n--b\r\n" CTE "binary\r\n--b\r\n" CTE "binary\r\n\r\n\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CTE "base64\r\n\r\n--b\r\n" CTE "base64\r\n--b\r\n" CTE "base64\r\n\r\n\r\n--b--\r\n", NULL },
	{ "nearly a boundary in a binary part", V MIXED "\r\n--b\r\n" CTE "binary\r\n\r\n\r\n-\r\n--\r\n--a\n--b\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CTE "base64\r\n\r\nDQotDQotLQ0KLS1hCi0tYg==\r\n--b--\r\n", NULL },
	{ "nested", V MIXED "\r\n--b\r\n" CT "multipart/x; boundary=c\r\n" CTE "binary\r\n\r\n--c\r\n" CTE "binary\r\n\r\n\1\r\n--c--\r\n\r\n--b\r\n\r\n2\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CT "multipart/x; boundary=c\r\n" CTE "8bit\r\n\r\n--c\r\n" CTE "base64\r\n\r\nAQ==\r\n--c--\r\n\r\n--b\r\n\r\n2\r\n--b--\r\n", NULL },
	{ "the inner one is not closed", V MIXED "\r\n--b\r\n" CT "multipart/x; boundary=bb\r\n\r\n--bb\r\n" CTE "binary\r\n\r\n\1\r\n--b\r\n" CTE "binary\r\n\r\n\2\r\n--bb\r\n--b--\r\n",
	    NULL, "a line that begins like a boundary and is none" },
	{ "one boundary begins the other", V MIXED "\r\n--b\r\n" CT "multipart/x; boundary=bb\r\n\r\n--bb\r\n" CTE "binary\r\n\r\n\1\r\n--bb--\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CT "multipart/x; boundary=bb\r\n\r\n--bb\r\n" CTE "base64\r\n\r\nAQ==\r\n--bb--\r\n--b--\r\n", NULL },
	{ "a message inside", V MIXED "\r\n--b\r\n" CT "message/rfc822\r\n" CTE "binary\r\n\r\nSubject: in\r\n" CTE "binary\r\n\r\n\1\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CT "message/rfc822\r\n" CTE "8bit\r\n\r\nSubject: in\r\n" V CTE "base64\r\n\r\nAQ==\r\n--b--\r\n", NULL },
	{ "message/global", V CT "message/global\r\n\r\n" V CTE "binary\r\n\r\n\1", V CT "message/global\r\n\r\n" V CTE "base64\r\n\r\nAQ==\r\n", NULL },
	{ "a digest", V CT "multipart/digest; boundary=b\r\n\r\n--b\r\n" CTE "binary\r\n\r\n" V CTE "binary\r\n\r\n\1\r\n--b\r\n" CT "text/plain\r\n" CTE "binary\r\n\r\n\2\r\n--b--\r\n",
	    V CT "multipart/digest; boundary=b\r\n\r\n--b\r\n" CTE "8bit\r\n\r\n" V CTE "base64\r\n\r\nAQ==\r\n--b\r\n" CT "text/plain\r\n" CTE "base64\r\n\r\nAg==\r\n--b--\r\n", NULL },
	{ "other messages are not encoded", V CT "message/delivery-status\r\n" CTE "binary\r\n\r\nA: b\r\n", V CT "message/delivery-status\r\n" CTE "8bit\r\n\r\nA: b\r\n", NULL },
	{ "an encoded multipart is not walked", V MIXED CTE "base64\r\n\r\n--b\r\n" CTE "binary\r\n\r\nx\r\n--b--\r\n", NULL, NULL },
	{ "no type that can be read is a leaf", V CT "?\r\n" CTE "binary\r\n\r\n\1", V CT "?\r\n" CTE "base64\r\n\r\nAQ==\r\n", NULL },
	{ "signed, nothing to alter", V CT "multipart/signed; boundary=b\r\n" CTE "binary\r\n\r\n--b\r\n" CTE "8bit\r\n\r\nx\r\n--b--\r\n",
	    V CT "multipart/signed; boundary=b\r\n" CTE "8bit\r\n\r\n--b\r\n" CTE "8bit\r\n\r\nx\r\n--b--\r\n", NULL },
	{ "signed", V CT "multipart/signed; boundary=b\r\n\r\n--b\r\n" CTE "binary\r\n\r\nx\r\n--b--\r\n", NULL, "a binary part within multipart/signed" },
	{ "within signed", V CT "multipart/signed; boundary=b\r\n\r\n--b\r\n" CT "multipart/mixed; boundary=c\r\n\r\n--c\r\n" CT "message/rfc822\r\n\r\n"
	    CTE "binary\r\n\r\nx\r\n--c--\r\n--b--\r\n", NULL, "a binary part within multipart/signed" },
	{ "beside signed", V MIXED "\r\n--b\r\n" CT "multipart/signed; boundary=c\r\n\r\n--c--\r\n\r\n--b\r\n" CTE "binary\r\n\r\n\1\r\n--b--\r\n",
	    V MIXED "\r\n--b\r\n" CT "multipart/signed; boundary=c\r\n\r\n--c--\r\n\r\n--b\r\n" CTE "base64\r\n\r\nAQ==\r\n--b--\r\n", NULL },

	{ "bare CR in the header", "A: b\rc\r\n\r\n", NULL, "a bare carriage return in a part that is not binary" },
	{ "bare LF in the header", "A: b\nc: d\r\n\r\n", NULL, "a bare line feed in a part that is not binary" },
	{ "bare LF behind a label", V CTE "binary\n\r\n\r\nx", NULL, "a bare line feed in a part that is not binary" },
	{ "bare CR before the body", "A: b\r\n\rx", NULL, "a bare carriage return in a header section" },
	{ "bare CR", V CTE "8bit\r\n\r\na\rb\r\n", NULL, "a bare carriage return in a part that is not binary" },
	{ "bare CR at the end", V CTE "8bit\r\n\r\na\r", NULL, "a bare carriage return in a part that is not binary" },
	{ "bare LF", V CTE "8bit\r\n\r\na\nb\r\n", NULL, "a bare line feed in a part that is not binary" },
	{ "bare LF in a preamble", V MIXED "\r\na\n\r\n--b--\r\n", NULL, "a bare line feed in a part that is not binary" },
	{ "no field", "A: b\r\nnonsense\r\n\r\n", NULL, "a line in a header section that is no field" },
	{ "a blank before the colon", "A : b\r\n\r\n", NULL, "a line in a header section that is no field" },
	{ "a fold of nothing", " A: b\r\n\r\n", NULL, "a line in a header section that is no field" },
	{ "a colon alone", ": b\r\n\r\n", NULL, "a line in a header section that is no field" },
	{ "two types", V MIXED "A: b\r\n" CT "text/plain\r\n\r\nx", NULL, "two Content-Type fields in one header section" },
	{ "two encodings", V CTE "7bit\r\n" CTE "binary\r\n\r\nx", NULL, "two Content-Transfer-Encoding fields in one header section" },
	{ "a message of no kind", V CT "message\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "a message of an unclear kind", V CT "message/rfc822 x\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "no boundary", V CT "multipart/mixed\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "an empty boundary", V CT "multipart/mixed; boundary=\"\"\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "two boundaries", V CT "multipart/mixed; boundary=a; boundary=b\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "a boundary in pieces", V CT "multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "a boundary that ends in a blank", V CT "multipart/mixed; boundary=\"a \"\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "a quote without end", V CT "multipart/mixed; boundary=\"a\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "a comment without end", V CT "multipart/mixed; boundary=a (\r\n\r\nx", NULL, "a multipart or message whose kind or boundary is not certain" },
	{ "the same boundary twice", V MIXED "\r\n--b\r\n" MIXED "\r\n--b\r\n\r\nx\r\n--b--\r\n", NULL, "two open multiparts with the same boundary" },
	{ "a boundary of two", V CT "multipart/mixed; boundary=b--\r\n\r\n--b--\r\n" MIXED "\r\n--b--\r\n", NULL,
	    "a line that is the boundary of two multiparts" },
	{ "a boundary and more", V MIXED "\r\n--bx\r\n", NULL, "a line that begins like a boundary and is none" },
	{ "a boundary and LF", V MIXED "\r\n--b\nx\r\n", NULL, "a line that begins like a boundary and is none" },
	{ "a boundary and one dash", V MIXED "\r\n--b-\r\n", NULL, "a line that begins like a boundary and is none" },
	{ "a boundary and text behind its end", V MIXED "\r\n--b-- x\r\n", NULL, "a line that begins like a boundary and is none" },
	{ "a boundary and CR at the end", V MIXED "\r\n--b--\r", NULL, "a line that begins like a boundary and is none" },
};

static int
add(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

/* In pieces of cut octets, or, with second, cut once there. */
static const char *
convert(struct buf *out, const char *in, size_t n, size_t cut, int once)
{
	static struct mime m;
	size_t k;

	buf_init(out, 64u << 20);
	mime_init(&m, TEXT_LINE_MAX, add, out);
	for (size_t at = 0; at < n; at += k) {
		k = n - at < cut || (once && at != 0) ? n - at : cut;
		if (mime_feed(&m, slice_make(in + at, k)) != E_OK)
			break;
	}
	if (mime_end(&m) == E_OK)
		return (NULL);
	assert_int_equal(m.err, E_SYNTAX);
	return (m.why);
}

static void
check_says_the_same(const char *in, size_t n, struct slice out)
{
	struct ref a, b;
	struct buf again;

	ref_read(&a, in, n);
	ref_read(&b, out.p, out.n);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
	assert_int_equal(b.binary, 0);
	assert_null(convert(&again, out.p, out.n, SIZE_MAX, 0));
	assert_true(slice_eq(buf_slice(&again), out));
	buf_clear(&again);
	ref_free(&a);
	ref_free(&b);
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		size_t n = strlen(r->in);
		const char *want = r->out != NULL ? r->out : r->in, *why;
		struct buf out;

		for (size_t cut = 1; cut <= n + 1; cut++) {
			for (int once = 0; once <= 1; once++) {
				why = convert(&out, r->in, n, cut, once);
				if (r->why == NULL && (why != NULL || out.len != strlen(want) ||
					(out.len != 0 && memcmp(buf_slice(&out).p, want, out.len) != 0)))
					fail_msg("%s, cut %zu: %s\n%.*s", r->name, cut, why != NULL ? why : "other octets",
					    (int)out.len, out.len != 0 ? buf_slice(&out).p : "");
				if (r->why != NULL && (why == NULL || strcmp(why, r->why) != 0))
					fail_msg("%s, cut %zu: %s", r->name, cut, why != NULL ? why : "taken");
				if (why == NULL)
					check_says_the_same(r->in, n, buf_slice(&out));
				buf_clear(&out);
			}
		}
	}
}

static void
fill(struct buf *b, const char *s, size_t n)
{
	while (n-- > 0)
		assert_int_equal(buf_adds(b, s), E_OK);
}

static const char *
why_of(const struct buf *in)
{
	struct slice s = buf_slice(in);
	struct buf out;
	const char *why = convert(&out, s.p, s.n, 4096, 0);

	if (why == NULL)
		check_says_the_same(s.p, s.n, buf_slice(&out));
	buf_clear(&out);
	return (why);
}

static void
test_line_limit(void **state)
{
	struct buf in;

	for (size_t n = TEXT_LINE_MAX - 1; n <= TEXT_LINE_MAX + 1; n++) {
		for (int in_body = 0; in_body <= 1; in_body++) {
			buf_init(&in, 1 << 20);
			assert_int_equal(buf_adds(&in, in_body ? "A: b\r\n\r\n" : "A:"), E_OK);
			fill(&in, "x", in_body ? n : n - 2);
			assert_int_equal(buf_adds(&in, "\r\n\r\n"), E_OK);
			assert_int_equal(why_of(&in) == NULL, n <= TEXT_LINE_MAX);
			buf_clear(&in);
		}
	}
}

/* Mailboxes take lines of any length. */
static void
test_any_line(void **state)
{
	struct mime m;
	struct buf out;
	char x[TEXT_LINE_MAX + 1];

	memset(x, 'x', sizeof(x));
	buf_init(&out, 1 << 20);
	mime_init(&m, 0, add, &out);
	assert_int_equal(mime_feed(&m, SLICE_LIT("\r\n")), E_OK);
	assert_int_equal(mime_feed(&m, slice_make(x, sizeof(x))), E_OK);
	assert_int_equal(mime_end(&m), E_OK);
	assert_int_equal(out.len, sizeof(x) + 2);
	buf_clear(&out);
}

static void
test_depth_limit(void **state)
{
	struct buf in;

	for (unsigned depth = MIME_DEPTH_MAX - 1; depth <= MIME_DEPTH_MAX + 1; depth++) {
		buf_init(&in, 1 << 20);
		assert_int_equal(buf_adds(&in, V), E_OK);
		for (unsigned i = 0; i < depth; i++)
			assert_int_equal(buf_addf(&in, "%sContent-Type: multipart/mixed; boundary=x%03u\r\n\r\n--x%03u\r\n",
			    i == 0 ? "" : CTE "binary\r\n", i, i), E_OK);
		assert_int_equal(buf_adds(&in, CTE "binary\r\n\r\n\n\r"), E_OK);
		for (unsigned i = depth; i-- > 0;)
			assert_int_equal(buf_addf(&in, "\r\n--x%03u--", i), E_OK);
		assert_int_equal(why_of(&in) == NULL, depth <= MIME_DEPTH_MAX);
		buf_clear(&in);
	}
}

static void
test_boundary_limit(void **state)
{
	struct buf in;

	for (size_t n = MIME_BOUNDARY_MAX - 1; n <= MIME_BOUNDARY_MAX + 1; n++) {
		buf_init(&in, 1 << 20);
		assert_int_equal(buf_adds(&in, V CT "multipart/mixed; boundary="), E_OK);
		fill(&in, "x", n);
		assert_int_equal(buf_adds(&in, "\r\n\r\n--"), E_OK);
		fill(&in, "x", n);
		assert_int_equal(buf_adds(&in, "\r\n" CTE "binary\r\n\r\n\n"), E_OK);
		assert_int_equal(why_of(&in) == NULL, n <= MIME_BOUNDARY_MAX);
		buf_clear(&in);
	}
}

static void
test_padding_limit(void **state)
{
	const size_t most = MIME_BOUNDARY_MAX + MIME_PADDING_MAX - 3;	/* beside "b" and CRLF */
	struct buf in;

	for (size_t n = most - 1; n <= most + 1; n++) {
		buf_init(&in, 1 << 20);
		assert_int_equal(buf_adds(&in, V MIXED "\r\n--b"), E_OK);
		fill(&in, " ", n);
		assert_int_equal(buf_adds(&in, "\r\n\r\nx"), E_OK);
		assert_int_equal(why_of(&in) == NULL, n <= most);
		buf_clear(&in);
	}
}

static void
test_field_limit(void **state)
{
	static const char *const begin[] = { CT, CTE };
	struct buf in;
	size_t most;

	for (int i = 0; i <= 1; i++) {
		/* Of a type the value is kept, of an encoding the name too. */
		most = MIME_FIELD_MAX - (i == 0 ? 1 : strlen(CTE));
		for (size_t n = most - 1; n <= most + 1; n++) {
			buf_init(&in, 1 << 20);
			assert_int_equal(buf_addf(&in, "%s%s", begin[i], i == 0 ? "text/plain" : "binary"), E_OK);
			for (size_t left = n - (i == 0 ? 10 : 6); left > 0;) {
				size_t k = left > 900 ? 900 : left < 3 ? 3 : left;

				if (left - k < 3 && left != k)
					k -= 3;
				assert_int_equal(buf_adds(&in, "\r\n"), E_OK);
				fill(&in, " ", k - 2);
				left -= k;
			}
			assert_int_equal(buf_adds(&in, "\r\n\r\nx"), E_OK);
			/* The field's own CRLF counts. */
			assert_int_equal(why_of(&in) == NULL, n + 2 <= most);
			buf_clear(&in);
		}
	}
}

static int
refuse(void *arg, struct slice s)
{
	return (E_NOMEM);
}

static void
test_no_memory(void **state)
{
	struct mime m;

	mime_init(&m, 0, refuse, NULL);
	assert_int_equal(mime_feed(&m, SLICE_LIT("A: b\r\n\r\n")), E_NOMEM);
	assert_int_equal(mime_feed(&m, SLICE_LIT("x")), E_NOMEM);
	assert_int_equal(mime_end(&m), E_NOMEM);
}

/* A long binary part in odd pieces: nothing is kept, and every octet comes back. */
static void
test_long(void **state)
{
	struct buf in, out;
	struct slice s;

	buf_init(&in, 8 << 20);
	assert_int_equal(buf_adds(&in, V MIXED CTE "binary\r\n\r\n--b\r\n" CTE "binary\r\n\r\n"), E_OK);
	for (unsigned i = 0, x = 1; i < 300000; i++) {
		x = x * 1103515245 + 12345;
		assert_int_equal(buf_add(&in, &"\r\n-c\0x\377="[x >> 16 & 7], 1), E_OK);
	}
	assert_int_equal(buf_adds(&in, "\r\n--b--\r\n"), E_OK);
	s = buf_slice(&in);
	for (size_t cut = 997; cut < 100000; cut *= 7) {
		assert_null(convert(&out, s.p, s.n, cut, 0));
		check_says_the_same(s.p, s.n, buf_slice(&out));
		buf_clear(&out);
	}
	buf_clear(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_any_line),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_boundary_limit),
		cmocka_unit_test(test_padding_limit),
		cmocka_unit_test(test_field_limit),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_long),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
