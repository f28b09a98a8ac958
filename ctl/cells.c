/*
 * cells.c -- see cells.h.  Core.
 */
#include "ctl/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/ipc_msg.h"
#include "common/units.h"

static char *
word(char dst[static CELL_LEN], const char *s)
{
	(void)snprintf(dst, CELL_LEN, "%s", s);
	return (dst);
}

char *
cell_size(uint64_t n, char dst[static CELL_LEN])
{
	static const char	unit[] = "\0KMGTPE";
	size_t			u = 0;
	uint64_t		rest = 0;

	while (n >= 1024) {
		rest = n % 1024;
		n /= 1024;
		u++;
	}
	if (u == 0)
		(void)snprintf(dst, CELL_LEN, "%" PRIu64, n);
	else if (n < 10)
		(void)snprintf(dst, CELL_LEN, "%" PRIu64 ".%" PRIu64 "%c", n, rest * 10 / 1024, unit[u]);
	else
		(void)snprintf(dst, CELL_LEN, "%" PRIu64 "%c", n, unit[u]);
	return (dst);
}

char *
cell_age(int64_t then, int64_t now, char dst[static CELL_LEN])
{
	if (then == 0)
		return (word(dst, "-"));
	return (duration_str(then < now ? (uint64_t)(now - then) : 0, dst));
}

char *
cell_until(int64_t then, int64_t now, char dst[static CELL_LEN])
{
	if (then == 0)
		return (word(dst, "-"));
	if (then <= now)
		return (word(dst, "now"));
	return (duration_str((uint64_t)(then - now), dst));
}

char *
cell_time(int64_t t, char dst[static CELL_LEN])
{
	return (t == 0 ? word(dst, "-") : date_rfc3339(t, dst));
}

char *
cell_path(const char *address, char *dst, size_t size)
{
	size_t	n;

	if (size < 3)
		return (dst);
	dst[0] = '<';
	(void)cell_plain(dst + 1, size - 2, address, strlen(address));
	n = strlen(dst);
	dst[n] = '>';
	dst[n + 1] = '\0';
	return (dst);
}

char *
cell_plain(char *dst, size_t size, const char *p, size_t n)
{
	static const char	hex[] = "0123456789abcdef";
	size_t			i, len = 0;
	unsigned char		c;

	for (i = 0; i < n && size - len > 4; i++) {
		c = (unsigned char)p[i];
		if (c >= 0x20 && c <= 0x7e) {
			dst[len++] = (char)c;
			continue;
		}
		dst[len++] = '\\';
		dst[len++] = 'x';
		dst[len++] = hex[c >> 4];
		dst[len++] = hex[c & 15];
	}
	dst[len] = '\0';
	return (dst);
}

char *
cell_notify(unsigned notify, char dst[static CELL_NOTIFY_LEN])
{
	static const struct { unsigned bit; const char *name; } names[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	size_t	i, len = 0;

	(void)snprintf(dst, CELL_NOTIFY_LEN, "-");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (notify & names[i].bit)
			len += (size_t)snprintf(dst + len, CELL_NOTIFY_LEN - len, "%s%s", len != 0 ? "," : "",
			    names[i].name);
	return (dst);
}

const char *
held_by_name(unsigned by)
{
	static const char *const names[HELD_KINDS] = { "nobody", "the operator", "an access rule",
	    "postern: its body is damaged" };

	return (by < HELD_KINDS ? names[by] : "?");
}
