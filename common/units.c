/*
 * units.c -- numbers, sizes, durations, queue IDs and dates as text, and the two clocks.
 * Core, but for now_mono_ms() and now_wall_ms().
 */
#include "common/units.h"

#include <stdio.h>
#include <time.h>

#include "common/err.h"

#define DIGIT_BITS	5	/* of a queue ID */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The digits at the start of s, which is moved past them. */
static int
take_number(uint64_t *v, struct slice *s)
{
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s->p[i] - '0'), &n))
			return (E_RANGE);
	}
	if (i == 0)
		return (E_SYNTAX);
	s->p += i;
	s->n -= i;
	*v = n;
	return (E_OK);
}

/* A number too long for 64 bits is E_RANGE only if it is a number all through. */
static int
all_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (0);
	}
	return (s.n != 0);
}

int
number_parse(uint64_t *v, struct slice s, uint64_t max)
{
	uint64_t	 n;
	int		 err;

	if (!all_digits(s))
		return (E_SYNTAX);
	if ((err = take_number(&n, &s)) != E_OK)
		return (err);
	if (n > max)
		return (E_RANGE);
	*v = n;
	return (E_OK);
}

int
size_parse(uint64_t *octets, struct slice s)
{
	uint64_t	 n;
	unsigned	 shift = 0;
	int		 err;

	if ((err = take_number(&n, &s)) != E_OK)
		return (err);
	if (s.n == 1) {
		switch (s.p[0]) {
		case 'K': case 'k':
			shift = 10;
			break;
		case 'M': case 'm':
			shift = 20;
			break;
		case 'G': case 'g':
			shift = 30;
			break;
		case 'T': case 't':
			shift = 40;
			break;
		default:
			return (E_SYNTAX);
		}
	} else if (s.n != 0)
		return (E_SYNTAX);
	if (n > UINT64_MAX >> shift)
		return (E_RANGE);
	*octets = n << shift;
	return (E_OK);
}

static const struct {
	char		 unit;
	uint32_t	 seconds;
} durations[] = {	/* the largest first: sums are written in this order, each unit once */
	{ 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
};
#define NDURATIONS	(sizeof(durations) / sizeof(durations[0]))

int
duration_parse(uint32_t *seconds, struct slice s)
{
	uint64_t	 n, part, sum = 0;
	size_t		 unit = 0;
	int		 err;

	if (s.n == 0)
		return (E_SYNTAX);
	while (s.n != 0) {
		if ((err = take_number(&n, &s)) != E_OK)
			return (err);
		if (s.n == 0)
			return (E_SYNTAX);
		while (unit < NDURATIONS && durations[unit].unit != s.p[0])
			unit++;
		if (unit == NDURATIONS)
			return (E_SYNTAX);
		if (__builtin_mul_overflow(n, (uint64_t)durations[unit].seconds, &part) ||
		    __builtin_add_overflow(sum, part, &sum) || sum > UINT32_MAX)
			return (E_RANGE);
		unit++;
		s.p++;
		s.n--;
	}
	*seconds = (uint32_t)sum;
	return (E_OK);
}

char *
duration_str(uint64_t seconds, char dst[static 32])
{
	size_t	 i;
	int	 n;

	/* Days are the largest unit shown: "12d" says more than "1w5d". */
	for (i = 1; i < NDURATIONS - 1 && seconds < durations[i].seconds; i++)
		;
	n = snprintf(dst, 32, "%llu%c", (unsigned long long)(seconds / durations[i].seconds),
	    durations[i].unit);
	seconds %= durations[i].seconds;
	if (++i < NDURATIONS && seconds / durations[i].seconds != 0) {
		snprintf(dst + n, 32 - (size_t)n, "%llu%c",
		    (unsigned long long)(seconds / durations[i].seconds), durations[i].unit);
	}
	return (dst);
}

char *
msgid_str(uint64_t id, char dst[static MSGID_STRLEN])
{
	unsigned	 shift = 12 * DIGIT_BITS;	/* thirteen digits hold 65 bits */
	size_t		 n = 0;

	while (shift != 0 && id >> shift == 0)
		shift -= DIGIT_BITS;
	for (;; shift -= DIGIT_BITS) {
		dst[n++] = crockford[id >> shift & 31];
		if (shift == 0)
			break;
	}
	dst[n] = '\0';
	return (dst);
}

int
msgid_parse(uint64_t *id, struct slice s)
{
	const char	*d;
	uint64_t	 v = 0;
	char		 c;

	/* One text for one ID: no leading zeros, none of the digits' look-alikes. */
	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return (E_SYNTAX);
	for (size_t i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c - ('a' - 'A'));
		if (c == '\0' || (d = strchr(crockford, c)) == NULL)
			return (E_SYNTAX);
		if (v > UINT64_MAX >> DIGIT_BITS)
			return (E_RANGE);
		v = v << DIGIT_BITS | (uint64_t)(d - crockford);
	}
	*id = v;
	return (E_OK);
}

/* A time that has no calendar date here (a damaged record) is shown as the epoch. */
static struct tm
broken_down(int64_t t, struct tm *(*convert)(const time_t *, struct tm *))
{
	struct tm	 tm;
	time_t		 tt = (time_t)t;

	if (convert(&tt, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		tt = 0;
		convert(&tt, &tm);
	}
	return (tm);
}

char *
date_str(int64_t t, char dst[static DATE_STRLEN])
{
	/* Not strftime(): its names follow the locale, RFC 5322's do not. */
	static const char	*const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char	*const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm		 tm = broken_down(t, localtime_r);
	long			 off = tm.tm_gmtoff / 60;
	char			 sign = off < 0 ? '-' : '+';

	if (off < 0)
		off = -off;
	snprintf(dst, DATE_STRLEN, "%s, %d %s %04d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, sign,
	    off / 60 % 100, off % 60);
	return (dst);
}

char *
date_rfc3339(int64_t t, char dst[static DATE_STRLEN])
{
	struct tm	 tm = broken_down(t, gmtime_r);

	snprintf(dst, DATE_STRLEN, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return (dst);
}

static uint64_t
now_ms(clockid_t clock)
{
	struct timespec	 ts;

	clock_gettime(clock, &ts);	/* cannot fail with these clocks */
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

uint64_t
now_mono_ms(void)
{
	return (now_ms(CLOCK_MONOTONIC));
}

uint64_t
now_wall_ms(void)
{
	return (now_ms(CLOCK_REALTIME));
}
