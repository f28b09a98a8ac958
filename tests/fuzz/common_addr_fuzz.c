/*
 * common_addr_fuzz.c -- paths.  Oracle: the canonical text, in brackets, parses to the same address;
 * so does the plain form; lengths and offsets hold; domains are ASCII, local parts text.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/idn.h"
#include "common/utf8.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned	 all = ADDR_NULL_OK | ADDR_POSTMASTER_OK | ADDR_UTF8;
	struct addr		 a, b;
	char			 text[ADDRESS_MAX + 3], local[LOCAL_PART_MAX + 1], d[DOMAIN_MAX + 1];
	const char		*why = NULL;
	size_t			 used = 0;

	idn_init();
	if (addr_parse_path(&a, slice_make(data, size), &used, all, &why) != E_OK) {
		MUST(why != NULL && why[0] != '\0');
		if (addr_parse(&a, slice_make(data, size), &why) != E_OK)
			return (0);
		used = size;
	}
	MUST(used <= size && strlen(a.text) <= ADDRESS_MAX && a.local_len <= LOCAL_PART_MAX);
	MUST(utf8_is_text(slice_str(a.text)) && !utf8_has_8bit(slice_str(addr_domain(&a))));
	MUST(a.utf8 || !utf8_has_8bit(slice_str(a.text)));
	MUST(a.domain_off == 0 || a.domain_off == a.local_len + 1);
	MUST(addr_local_unquoted(&a, local) <= LOCAL_PART_MAX);
	snprintf(text, sizeof(text), "<%s>", a.text);
	MUST(addr_parse_path(&b, slice_str(text), &used, all, &why) == E_OK);
	MUST(used == strlen(text) && strcmp(a.text, b.text) == 0 && a.local_len == b.local_len);
	MUST(a.domain_off == b.domain_off && a.literal == b.literal && net_addr_cmp(&a.ip, &b.ip) == 0);
	if (a.domain_off != 0)
		MUST(addr_parse(&b, slice_str(a.text), &why) == E_OK && strcmp(a.text, b.text) == 0);
	if (a.domain_off != 0 && !a.literal)
		MUST(domain_parse(d, slice_str(addr_domain(&a)), NULL) == E_OK && strcmp(d, addr_domain(&a)) == 0);
	return (0);
}
