/*
 * common_xtext_fuzz.c -- xtext and original recipients.  Oracle: what was decoded, encoded again in each form,
 * decodes to the same; what is encoded for seven bits is ASCII; any octets survive xtext.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/utf8.h"
#include "common/xtext.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define OCTETS_MAX 4096

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
orcpt(struct slice in)
{
	char	 text[ORCPT_MAX + 1], form[XTEXT_ORCPT_MAX + 1], again[ORCPT_MAX + 1];
	size_t	 i;

	if (orcpt_decode(in, text, sizeof(text)) != E_OK)
		return;
	MUST(strlen(text) <= ORCPT_MAX && strchr(text, ';') != NULL && utf8_is_text(slice_str(text)) | (strchr(text, '\t') != NULL));
	for (int eight = 0; eight < 2; eight++) {
		MUST(orcpt_encode(text, eight, form, sizeof(form)) == E_OK);
		for (i = 0; form[i] != '\0'; i++)
			MUST((unsigned char)form[i] > 0x20 && form[i] != '=' && form[i] != 0x7f && (eight || form[i] > 0));
		MUST(orcpt_decode(slice_str(form), again, sizeof(again)) == E_OK && strcmp(text, again) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char	 text[OCTETS_MAX + 1], form[3 * OCTETS_MAX + 1], again[OCTETS_MAX + 1];
	struct slice	 in = slice_make(data, size);

	if (size > OCTETS_MAX)
		return (0);
	orcpt(in);
	if (xtext_decode(in, text, sizeof(text)) == E_OK) {
		MUST(strlen(text) <= size);
		MUST(xtext_encode(slice_str(text), form, sizeof(form)) == E_OK);
		MUST(xtext_decode(slice_str(form), again, sizeof(again)) == E_OK && strcmp(text, again) == 0);
	}
	if (xtext_encode(in, form, sizeof(form)) == E_OK)
		MUST(xtext_decode(slice_str(form), again, sizeof(again)) == E_OK && slice_eq(slice_str(again), in));
	else
		MUST(memchr(data, 0, size) != NULL);
	return (0);
}
