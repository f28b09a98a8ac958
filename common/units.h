/*
 * units.h -- sizes, durations, queue IDs and dates as text.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* "4096", "50M", "2G", "10K" (powers of 1024).  E_SYNTAX, E_RANGE. */
int	size_parse(uint64_t *octets, struct slice);
/* "90s", "5m", "1h", "5d", "1w", and sums such as "1h30m".  A bare number is E_SYNTAX. */
int	duration_parse(uint32_t *seconds, struct slice);
char	*duration_str(uint64_t seconds, char dst[static 32]);	/* "1h30m", "0s"; at most two units */

/* A decimal number without sign, blank or leading "+"; at most max. */
int	number_parse(uint64_t *, struct slice, uint64_t max);

/*
 * Queue IDs: the message id as base 32 (Crockford's digits 0-9 A-Z without I, L, O, U),
 * without leading zeros.  Parsing ignores case.
 */
#define MSGID_STRLEN	14
char	*msgid_str(uint64_t, char dst[static MSGID_STRLEN]);
int	msgid_parse(uint64_t *, struct slice);

/* RFC 5322 3.3, local time with zone: "Sat, 21 Nov 2026 23:45:25 +0000". */
#define DATE_STRLEN	40
char	*date_str(int64_t t, char dst[static DATE_STRLEN]);
/* RFC 3339, for logs and lists: "2026-11-21T23:45:25Z". */
char	*date_rfc3339(int64_t t, char dst[static DATE_STRLEN]);

/* Monotonic and wall clock in milliseconds. */
uint64_t now_mono_ms(void);
uint64_t now_wall_ms(void);

#endif
