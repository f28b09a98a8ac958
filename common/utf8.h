/*
 * utf8.h -- UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing past U+10FFFF.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define UTF8_LEN_MAX	4	/* octets of one character */

/* The character at the start of in; the octets it takes, 0 if in is empty or not UTF-8 there. */
size_t	utf8_next(struct slice in, uint32_t *ch);
/* Its octets into dst; how many, 0 if there is no such character. */
size_t	utf8_put(char dst[static UTF8_LEN_MAX], uint32_t ch);

/* Whether all of it is UTF-8 ... */
int	utf8_is_valid(struct slice);
/* ... without control characters, C0 or C1 (RFC 6532 3.1, RFC 5198 2). */
int	utf8_is_text(struct slice);
/* Whether it holds octets that are not ASCII. */
int	utf8_has_8bit(struct slice);

#endif
