/* base64_test.c -- RFC 4648's vectors, every form that is refused, and every length at its limit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/base64.h"
#include "common/err.h"

static void
vectors(void **state)
{
	static const struct { const char *plain, *text; } v[] = {	/* RFC 4648 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};
	char	 text[16], plain[16];
	size_t	 n;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(base64_encode(text, slice_str(v[i].plain)), strlen(v[i].text));
		assert_string_equal(text, v[i].text);
		assert_int_equal(base64_decode(plain, strlen(v[i].plain), &n, slice_str(v[i].text)), E_OK);
		assert_int_equal(n, strlen(v[i].plain));
		assert_memory_equal(plain, v[i].plain, n);
	}
}

static void
refused(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "=", "====", "Z===", "Zg==Zg==", "Zg=a", "Z g=", "Zg==\r\n", " Zg=", "Zm9-", "Zm9_",
		"Zm9v=", "Zh==", "Zm9=", "Zg\x80=", "=Zg=", "Zm9v====", "*", "Zm\tv",
	};
	char	 dst[16];
	size_t	 n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (base64_decode(dst, sizeof(dst), &n, slice_str(bad[i])) != E_SYNTAX)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_int_equal(base64_decode(dst, sizeof(dst), &n, slice_make("Zm\0v", 4)), E_SYNTAX);
}

/* All lengths, and the room for one octet less; in place. */
static void
lengths(void **state)
{
	unsigned char	 octets[300], back[300];
	char		 text[BASE64_LEN(300) + 1];
	size_t		 n, len;

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)(i * 151 + 7);
	for (n = 0; n <= sizeof(octets); n++) {
		len = base64_encode(text, slice_make((char *)octets, n));
		assert_int_equal(len, BASE64_LEN(n));
		assert_int_equal(base64_decode(back, n, &len, slice_make(text, BASE64_LEN(n))), E_OK);
		assert_int_equal(len, n);
		assert_memory_equal(back, octets, n);
		if (n != 0)
			assert_int_equal(base64_decode(back, n - 1, &len, slice_make(text, BASE64_LEN(n))), E_LIMIT);
		assert_int_equal(base64_decode(text, sizeof(text), &len, slice_make(text, BASE64_LEN(n))), E_OK);
		assert_memory_equal(text, octets, n);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(vectors), cmocka_unit_test(refused), cmocka_unit_test(lengths),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
