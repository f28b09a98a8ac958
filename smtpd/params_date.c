/*
 * params_date.c -- dates of RFC 3339; see params.h.  Core.
 */
#include "smtpd/params.h"

#include "common/err.h"

#define DAY_S		86400
#define DATE_LEN	19	/* "2026-11-22T03:20:51" */

/* The number that n digits write; -1 if they are none. */
static int
digits(const char *p, size_t n)
{
	int	v = 0;

	for (; n != 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return (-1);
		v = v * 10 + (*p - '0');
	}
	return (v);
}

static int
month_days(int year, int month)
{
	static const uint8_t	 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return (29);
	return (days[month - 1]);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March, so that the leap day is the last. */
static int64_t
day_number(int year, int month, int mday)
{
	int64_t	y = month > 2 ? year : year - 1;
	int64_t	m = month > 2 ? month - 3 : month + 9;

	/* 719468: days from 0000-03-01 to 1970-01-01.  The year 0 in January begins a year before. */
	return (y * 365 + (y >= 0 ? y / 4 - y / 100 + y / 400 : -1) + (153 * m + 2) / 5 + mday - 1 - 719468);
}

/* time-secfrac and time-offset.  The offset in seconds. */
static int
take_offset(struct slice s, int *offset)
{
	size_t	n = 0;
	int	h, m;

	if (s.n != 0 && s.p[0] == '.') {
		for (n = 1; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++)
			;
		if (n == 1)
			return (E_SYNTAX);
	}
	s = slice_make(s.p + n, s.n - n);
	*offset = 0;
	if (s.n == 1 && (s.p[0] == 'Z' || s.p[0] == 'z'))
		return (E_OK);
	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
		return (E_SYNTAX);
	h = digits(s.p + 1, 2);
	m = digits(s.p + 4, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return (E_SYNTAX);
	*offset = (s.p[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
	return (E_OK);
}

/* A leap second ends a month in UTC (5.7: June and December so far), whatever the offset it is written in. */
static int
may_leap(int64_t t)
{
	int64_t	day = t / DAY_S;
	int	year, month;

	if (t % DAY_S != 0)
		return (0);
	for (year = 1970; day >= 365 + (month_days(year, 2) == 29); year++)
		day -= 365 + (month_days(year, 2) == 29);
	for (month = 1; day >= month_days(year, month); month++)
		day -= month_days(year, month);
	return (day == 0);
}

int
date_time_parse(int64_t *t, struct slice s)
{
	const char	*p = s.p;
	int		 year, month, mday, hour, minute, second, offset;

	if (s.n < DATE_LEN + 1 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't') ||
	    p[13] != ':' || p[16] != ':')
		return (E_SYNTAX);
	year = digits(p, 4);
	month = digits(p + 5, 2);
	mday = digits(p + 8, 2);
	hour = digits(p + 11, 2);
	minute = digits(p + 14, 2);
	second = digits(p + 17, 2);
	if (year < 0 || month < 1 || month > 12 || mday < 1 || mday > month_days(year, month) ||
	    hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
	    take_offset(slice_make(p + DATE_LEN, s.n - DATE_LEN), &offset) != E_OK)
		return (E_SYNTAX);
	*t = day_number(year, month, mday) * DAY_S + hour * 3600 + minute * 60 + second - offset;
	if (second == 60 && (*t < 0 || !may_leap(*t)))
		return (E_SYNTAX);
	return (E_OK);
}
