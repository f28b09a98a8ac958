/*
 * command.c -- a command line, the table of verbs, and the gate before the handlers.  Core.
 *
 * The gate does line ends (RFC 5321 2.3.8), length (4.5.3.1.4), octets, unknown verbs (500), wrong
 * state (503), arguments where there are none (501), and the count of commands.  Handlers then
 * hold only their own grammar.  The table is the only dispatch.
 */
#include <string.h>

#include "common/slice.h"
#include "smtpd/session.h"

enum {
	LAST = 1,		/* ends a pipelined group: reply at once, RFC 2920 3.2 (5) */
	NOARG = 2,		/* 501 if arguments follow, RFC 5321 4.3.2 */
	EIGHT = 4,		/* looks at 8-bit arguments itself */
	OCTETS = 8,		/* octets follow: the handler looks at all of its arguments itself */
	CLEAR = 16,		/* may be said where TLS is required and has not begun, RFC 3207 4 */
	KNOWN = 32,		/* only by whom we know, where AUTH is asked for: RFC 4954 6, 530 */
	SECRET = 64,		/* what stands behind its first argument is for the handler alone, in s->response */
};

static const struct smtp_verb {
	const char	*verb;
	void		(*handler)(struct smtp_session *);
	uint32_t	 states;
	unsigned	 flags;
} verbs[] = {
	/* verb		handler		states			flags */
	{ "MAIL",	cmd_mail,	ST_HELO,		EIGHT | KNOWN },	/* 4.1.1.2 */
	{ "RCPT",	cmd_rcpt,	ST_MAIL | ST_RCPT,	EIGHT },	/* 4.1.1.3 */
	{ "DATA",	cmd_data,	ST_RCPT,		NOARG | LAST },	/* 4.1.1.4 */
	{ "BDAT",	cmd_bdat,	ST_ANY,			OCTETS },	/* RFC 3030 2 */
	{ "EHLO",	cmd_ehlo,	ST_ANY,			LAST | CLEAR },		/* 4.1.1.1 */
	{ "QUIT",	cmd_quit,	ST_ANY,			NOARG | LAST | CLEAR },	/* 4.1.1.10 */
	{ "RSET",	cmd_rset,	ST_ANY,			NOARG },	/* 4.1.1.5 */
	{ "HELO",	cmd_helo,	ST_ANY,			LAST },		/* 4.1.1.1 */
	{ "LHLO",	cmd_lhlo,	ST_ANY,			LAST | CLEAR },		/* RFC 2033 4.1 */
	{ "NOOP",	cmd_noop,	ST_ANY,			LAST | CLEAR },		/* 4.1.1.9 */
	{ "VRFY",	cmd_vrfy,	ST_ANY,			LAST | EIGHT | KNOWN },	/* 4.1.1.6 */
	{ "EXPN",	cmd_expn,	ST_ANY,			LAST | EIGHT | KNOWN },	/* 4.1.1.7 */
	{ "ETRN",	cmd_etrn,	ST_HELO,		LAST | EIGHT | KNOWN },	/* RFC 1985 5 */
	{ "HELP",	cmd_help,	ST_ANY,			LAST },		/* 4.1.1.8 */
	{ "STARTTLS",	cmd_starttls,	ST_HELO | ST_MAIL | ST_RCPT, NOARG | LAST | CLEAR },	/* RFC 3207 4 */
	{ "AUTH",	cmd_auth,	ST_HELO,		LAST | SECRET },	/* RFC 4954 4 */
	{ "XCLIENT",	cmd_xclient,	ST_CONNECT | ST_HELO,	LAST },		/* Postfix */
	{ "XFORWARD",	cmd_xforward,	ST_CONNECT | ST_HELO,	0 },		/* Postfix */
	/* A browser made to speak to us must not get far: the session ends at its first word. */
	{ "GET",	cmd_http,	ST_ANY,			LAST },
	{ "POST",	cmd_http,	ST_ANY,			LAST },
	{ "HEAD",	cmd_http,	ST_ANY,			LAST },
	{ "PUT",	cmd_http,	ST_ANY,			LAST },
	{ "DELETE",	cmd_http,	ST_ANY,			LAST },
	{ "OPTIONS",	cmd_http,	ST_ANY,			LAST },
	{ "CONNECT",	cmd_http,	ST_ANY,			LAST },
	{ "TRACE",	cmd_http,	ST_ANY,			LAST },
	{ "PATCH",	cmd_http,	ST_ANY,			LAST },
	{ "PRI",	cmd_http,	ST_ANY,			LAST },		/* RFC 9113 3.4 */
};

static const char *
wrong_state(const struct smtp_session *s)
{
	switch (s->state) {
	case ST_CONNECT:
		return (s->lmtp ? "LHLO first" : "EHLO or HELO first");
	case ST_HELO:
		return ("MAIL first");
	case ST_MAIL:
		return (strcmp(s->verb, "DATA") == 0 ? "a recipient that is accepted first" :
		    "a transaction is open already");
	case ST_CHUNKS:
		return ("BDAT was said: go on with BDAT, or RSET");	/* RFC 3030 2 */
	default:
		return ("a transaction is open already");
	}
}

/* Octets that no command has.  1 if the line may go on. */
static int
octets_ok(struct smtp_session *s, unsigned flags)
{
	size_t		i;
	unsigned char	c;

	for (i = 0; i < s->args.n; i++) {
		c = (unsigned char)s->args.p[i];
		if ((c < ' ' && c != '\t') || c == 127) {
			smtp_refuse(s, 501, "5.5.2", "a command with a control octet (%02x)", c);
			return (0);
		}
		if (c > 127 && (flags & EIGHT) == 0) {
			smtp_refuse(s, 501, "5.5.2",
			    "a command with an octet that is not ASCII (%02x)", c);
			return (0);
		}
	}
	return (1);
}

#define AUTH_WORD	4

/* Whether a line begins as AUTH does: with its response it may be longer than others. */
static int
is_auth(struct slice in)
{
	return (in.n > AUTH_WORD && slice_caseeq(slice_make(in.p, AUTH_WORD), SLICE_LIT("AUTH")) &&
	    (in.p[AUTH_WORD] == ' ' || in.p[AUTH_WORD] == '\t'));
}

/* The first word stays in s->args. */
static void
hide(struct smtp_session *s)
{
	size_t	n = 0;

	while (n < s->args.n && s->args.p[n] != ' ' && s->args.p[n] != '\t')
		n++;
	s->response = slice_make(s->args.p + n, s->args.n - n);
	s->args.n = n;
	s->discreet = 1;
}

static void
dispatch(struct smtp_session *s, struct slice line, int *last)
{
	const struct conf	*conf = s->env->conf;
	const struct smtp_verb	*v = NULL;
	const char		*p = line.p, *end = line.p + line.n;
	struct slice		 word;
	size_t			 i;

	while (p < end && *p != ' ' && *p != '\t')
		p++;
	word = slice_make(line.p, (size_t)(p - line.p));
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;			/* 4.1.1: tolerate trailing blanks */
	s->args = slice_make(p, (size_t)(end - p));

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (slice_caseeq(word, slice_str(verbs[i].verb))) {
			v = &verbs[i];
			break;
		}
	}
	s->verb = v != NULL ? v->verb : "?";
	if (v == NULL)
		s->args = smtp_auth_discreet(s) ? slice_make(NULL, 0) : line;
	else if ((v->flags & SECRET) != 0)
		hide(s);
	*last = v == NULL || (v->flags & LAST) != 0;	/* RFC 2920 3.2 (6) for the unknown */

	s->commands_all++;
	if (s->commands++ >= conf->smtpd.commands_max) {
		smtp_refuse_close(s, "commands", 421, "4.7.0",
		    "%s too many commands without a message",
		    conf->hostname);
		return;
	}
	if (v == NULL)
		smtp_refuse(s, 500, "5.5.2", "command not recognized");
	else if ((v->flags & CLEAR) == 0 && v->handler != cmd_http && smtp_tls_missing(s))
		smtp_refuse(s, 530, "5.7.0", "must issue a STARTTLS command first");
	else if ((s->state & v->states) == 0)
		smtp_refuse(s, 503, "5.5.1", "%s", wrong_state(s));
	else if ((v->flags & KNOWN) != 0 && smtp_auth_missing(s))
		smtp_refuse(s, 530, "5.7.0", "authentication required");
	else if ((v->flags & NOARG) != 0 && s->args.n != 0)
		smtp_refuse(s, 501, "5.5.4", "%s takes no argument", v->verb);
	else if ((v->flags & OCTETS) != 0 || octets_ok(s, v->flags))
		v->handler(s);
}

/* Where a line may be a password gone astray, the log gets its first word at most. */
static struct slice
shown(const struct smtp_session *s, struct slice in)
{
	if (s->state == ST_AUTH || smtp_auth_discreet(s))
		return (slice_make(NULL, 0));
	return (is_auth(in) ? slice_make(in.p, AUTH_WORD) : in);
}

size_t
smtp_line_input(struct smtp_session *s, struct slice in, size_t max, struct slice *line, size_t *used)
{
	size_t		 n = in.n < max ? in.n : max;
	/* A reload may have taken AUTH away, and its longer lines, in the middle of one. */
	const char	*p = in.p + (s->scanned < n ? s->scanned : n), *lf, *cr;
	int		 sasl = s->state == ST_AUTH || max > COMMAND_LINE_MAX;

	*used = in.n;
	lf = memchr(p, '\n', (size_t)(in.p + n - p));
	cr = memchr(p, '\r', (size_t)((lf != NULL ? lf : in.p + n) - p));
	s->args = shown(s, slice_make(in.p, n));
	if (lf != NULL && cr == NULL) {
		smtp_refuse_close(s, "bare-lf", 500, "5.5.2",
		    "bare LF in a command: lines end with CR LF");
		return (0);
	}
	if (cr != NULL && cr + 1 != lf && cr + 1 < in.p + n) {
		smtp_refuse_close(s, "bare-cr", 500, "5.5.2",
		    "bare CR in a command: lines end with CR LF");
		return (0);
	}
	if (lf == NULL && n == max) {
		/* RFC 4954 4: 500, 5.5.6. */
		smtp_refuse_close(s, "long-line", 500, sasl ? "5.5.6" : "5.5.2", sasl ? "a response longer than %d octets" :
		    "a command longer than %d octets", sasl ? SASL_LINE_MAX : COMMAND_LINE_MAX);
		return (0);
	}
	*used = 0;
	if (lf == NULL) {
		s->scanned = (uint16_t)((cr != NULL ? cr : in.p + n) - in.p);
		return (0);
	}
	s->scanned = 0;
	s->command_ms = s->now_ms;
	s->behind = (uint32_t)(in.n - (size_t)(lf + 1 - in.p));
	*line = slice_make(in.p, (size_t)(cr - in.p));
	return ((size_t)(lf + 1 - in.p));
}

size_t
smtp_command_input(struct smtp_session *s, struct slice in, int *last)
{
	struct slice	line;
	size_t		n, used;

	/* A TLS record where a command should be: its first two octets are 16 03. */
	if (in.p[0] == 0x16) {
		if (in.n == 1)
			return (0);
		if (in.p[1] == 0x03) {
			s->verb = "TLS";
			s->args = slice_make(NULL, 0);
			s->env->ops->reject(s, SLICE_LIT("a TLS handshake where SMTP is spoken"));
			s->quiet = 1;
			smtp_close(s, "tls-handshake");
			return (in.n);
		}
	}
	s->verb = "?";
	n = smtp_line_input(s, in, smtp_auth_listener(s) && is_auth(in) ? AUTH_COMMAND_MAX : COMMAND_LINE_MAX, &line, &used);
	if (n == 0)
		return (used);
	dispatch(s, line, last);
	return (n);
}
