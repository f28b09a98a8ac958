/*
 * dovecot.c -- what Dovecot's auth server says (see dovecot.h).  Core.
 */
#include "auth/dovecot.h"

#include <string.h>

#include "common/base64.h"
#include "common/err.h"

#define FIELDS_MAX	64	/* of a line that are looked at; the rest is some other parameter */
#define MAJOR		1	/* of the protocol */

struct field {
	struct slice	 name;		/* the whole field where it has no "=" */
	struct slice	 value;
	int		 valued;
};

void
dovecot_init(struct dovecot *d, const struct dovecot_ops *ops, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->ops = ops;
	d->arg = arg;
}

static int
failed(struct dovecot *d, int err, const char *why)
{
	d->over = 1;
	d->why = why;
	return (err);
}

/* ---- pieces of a line ---- */

static struct slice
next_field(struct slice *line)
{
	const char	*tab = line->n != 0 ? memchr(line->p, '\t', line->n) : NULL;
	struct slice	 f = slice_make(line->p, tab != NULL ? (size_t)(tab - line->p) : line->n);

	line->p += f.n + (tab != NULL);
	line->n -= f.n + (tab != NULL);
	return (f);
}

static struct field
split(struct slice f)
{
	const char	*eq = f.n != 0 ? memchr(f.p, '=', f.n) : NULL;

	if (eq == NULL)
		return ((struct field){ .name = f });
	return ((struct field){ .name = slice_make(f.p, (size_t)(eq - f.p)),
	    .value = slice_make(eq + 1, f.n - (size_t)(eq - f.p) - 1), .valued = 1 });
}

/* A decimal number of 32 bits, without a sign. */
static int
number(struct slice s, uint32_t *v)
{
	uint32_t	n = 0;

	if (s.n == 0)
		return (E_SYNTAX);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint32_t)(s.p[i] - '0'), &n))
			return (E_SYNTAX);
	}
	*v = n;
	return (E_OK);
}

/* The text of a field; E_SYNTAX where it holds what no login may. */
static int
unescape(struct slice s, char *dst, size_t size)
{
	size_t	n = 0;
	char	c;

	for (size_t i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '\001') {
			if (++i == s.n)
				return (E_SYNTAX);
			c = s.p[i];
			c = c == '0' ? '\0' : c == '1' ? '\001' : c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return (E_SYNTAX);
		if (n == size - 1)
			return (E_LIMIT);
		dst[n++] = c;
	}
	dst[n] = '\0';
	return (E_OK);
}

/* ---- the handshake ---- */

static void
take_mech(struct dovecot *d, struct slice name)
{
	for (unsigned m = 0; m < SASL_MECHANISMS; m++) {
		if (slice_caseeq(name, slice_str(sasl_mechanism_name(m))))
			d->mechanisms |= 1u << m;
	}
}

static int
take_hello(struct dovecot *d, struct slice command, struct slice rest)
{
	uint32_t	major;

	if (++d->hello_lines > DOVECOT_HELLO_MAX)
		return (failed(d, E_LIMIT, "its handshake has no end"));
	if (slice_eq(command, SLICE_LIT("VERSION"))) {
		if (number(next_field(&rest), &major) != E_OK || major != MAJOR)
			return (failed(d, E_PROTO, "it speaks another version of the protocol"));
		d->versioned = 1;
		return (E_OK);
	}
	if (!d->versioned)
		return (failed(d, E_PROTO, "it does not begin with VERSION: it may not be a socket for clients of auth"));
	if (slice_eq(command, SLICE_LIT("MECH")))
		take_mech(d, next_field(&rest));
	else if (slice_eq(command, SLICE_LIT("DONE"))) {
		d->ready = 1;
		d->ops->ready(d, d->mechanisms);
	}
	return (E_OK);
}

/* ---- answers ---- */

/* "CONT id base64" */
static int
take_cont(struct dovecot *d, uint32_t id, struct slice rest)
{
	struct slice	text = next_field(&rest);
	size_t		n;

	/* Where the text stands: the line is wiped afterwards. */
	if (base64_decode(d->line, SASL_DATA_MAX, &n, text) != E_OK)
		return (failed(d, E_PROTO, "a challenge is no base64, or too long"));
	d->ops->answer(d, id, DOVECOT_CONT, "", slice_make(d->line, n));
	return (E_OK);
}

/* "OK id user=... ..." and "FAIL id user=... temp code=... ..." */
static int
take_end(struct dovecot *d, uint32_t id, int ok, struct slice rest)
{
	char		login[LOGIN_MAX + 1] = "";
	int		temp = 0, bad = 0;
	struct field	f;

	for (int i = 0; i < FIELDS_MAX && rest.n != 0; i++) {
		f = split(next_field(&rest));
		if (slice_eq(f.name, SLICE_LIT("user")) && f.valued) {
			if (unescape(f.value, login, sizeof(login)) != E_OK) {
				login[0] = '\0';
				bad = 1;
			}
		} else if ((slice_eq(f.name, SLICE_LIT("temp")) && !f.valued) ||
		    (slice_eq(f.name, SLICE_LIT("code")) && slice_eq(f.value, SLICE_LIT("temp_fail"))))
			temp = 1;
	}
	/* Somebody whose name we cannot tell is nobody. */
	if (ok && (bad || login[0] == '\0'))
		d->ops->answer(d, id, DOVECOT_TEMP, "", slice_make(NULL, 0));
	else
		d->ops->answer(d, id, ok ? DOVECOT_OK : temp ? DOVECOT_TEMP : DOVECOT_FAIL, login, slice_make(NULL, 0));
	return (E_OK);
}

static int
take_line(struct dovecot *d, struct slice line)
{
	struct slice	rest = line, command = next_field(&rest);
	int		ok = slice_eq(command, SLICE_LIT("OK"));
	uint32_t	id;

	if (!d->ready)
		return (take_hello(d, command, rest));
	if (!ok && !slice_eq(command, SLICE_LIT("FAIL")) && !slice_eq(command, SLICE_LIT("CONT")))
		return (E_OK);
	if (number(next_field(&rest), &id) != E_OK)
		return (failed(d, E_PROTO, "an answer without a number"));
	return (command.p[0] == 'C' ? take_cont(d, id, rest) : take_end(d, id, ok, rest));
}

int
dovecot_feed(struct dovecot *d, const char *p, size_t n)
{
	const char	*end;
	size_t		 take;
	int		 err = E_OK;

	while (n != 0 && err == E_OK) {
		if (d->over)
			return (E_PROTO);
		end = memchr(p, '\n', n);
		take = end != NULL ? (size_t)(end - p) : n;
		if (take > sizeof(d->line) - d->len)
			return (failed(d, E_LIMIT, "a line without end"));
		memcpy(d->line + d->len, p, take);
		d->len += take;
		p += take;
		n -= take;
		if (end == NULL)
			break;
		p++;
		n--;
		err = take_line(d, slice_make(d->line, d->len));
		explicit_bzero(d->line, d->len);
		d->len = 0;
	}
	return (err);
}
