/*
 * smtp_reply.c -- replies, and refusals with their count and log line.  Core; see session.h.
 *
 * RFC 5321 4.2, 4.5.3.1.5 (512 octets a line), RFC 2034 3 (no enhanced code on 220,
 * EHLO, HELO, 3yz).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "smtpd/session.h"

#define LINE_MAX_OCTETS	512	/* of a reply of ours, with CRLF: 4.5.3.1.5 */

static size_t	vline(char *, unsigned, const char *, const char *, va_list)
		    __attribute__((format(printf, 4, 0)));
static size_t	line(char *, unsigned, const char *, const char *, ...)
		    __attribute__((format(printf, 4, 5)));

/* One line into dst[LINE_MAX_OCTETS], without CRLF; its length. */
static size_t
vline(char *dst, unsigned code, const char *enhanced, const char *fmt, va_list ap)
{
	size_t	len;
	int	n;

	n = snprintf(dst, LINE_MAX_OCTETS - 2, "%03u %s%s", code, enhanced != NULL ? enhanced : "",
	    enhanced != NULL ? " " : "");
	len = n > 0 ? (size_t)n : 0;
	n = vsnprintf(dst + len, LINE_MAX_OCTETS - 2 - len, fmt, ap);
	if (n > 0)
		len += (size_t)n < LINE_MAX_OCTETS - 2 - len ? (size_t)n
		    : LINE_MAX_OCTETS - 3 - len;
	return (len);
}

static size_t
line(char *dst, unsigned code, const char *enhanced, const char *fmt, ...)
{
	va_list	ap;
	size_t	n;

	va_start(ap, fmt);
	n = vline(dst, code, enhanced, fmt, ap);
	va_end(ap);
	return (n);
}

static void
put(struct smtp_session *s, char *text, size_t n)
{
	text[n++] = '\r';
	text[n++] = '\n';
	if (buf_add(s->env->out, text, n) != 0)
		smtp_close(s, "no-memory");
}

void
smtp_reply(struct smtp_session *s, unsigned code, const char *enhanced, const char *text)
{
	char	 dst[LINE_MAX_OCTETS], *p = dst;
	size_t	 n = strlen(text), e = enhanced != NULL ? strlen(enhanced) : 0;

	*p++ = (char)('0' + code / 100 % 10);
	*p++ = (char)('0' + code / 10 % 10);
	*p++ = (char)('0' + code % 10);
	*p++ = ' ';
	if (e != 0) {
		memcpy(p, enhanced, e);
		p += e;
		*p++ = ' ';
	}
	if (n > LINE_MAX_OCTETS - 2 - (size_t)(p - dst))
		n = LINE_MAX_OCTETS - 2 - (size_t)(p - dst);
	memcpy(p, text, n);
	put(s, dst, (size_t)(p - dst) + n);
}

void
smtp_replyf(struct smtp_session *s, unsigned code, const char *enhanced, const char *fmt, ...)
{
	char	dst[LINE_MAX_OCTETS];
	va_list	ap;
	size_t	n;

	va_start(ap, fmt);
	n = vline(dst, code, enhanced, fmt, ap);
	va_end(ap);
	put(s, dst, n);
}

int
smtp_refuse(struct smtp_session *s, unsigned code, const char *enhanced, const char *fmt, ...)
{
	const struct conf	*conf = s->env->conf;
	char			 dst[LINE_MAX_OCTETS];
	va_list			 ap;
	size_t			 n;
	int			 over = 0;

	if (code >= 500 && s->errors++ >= conf->smtpd.errors_max) {
		n = line(dst, 421, "4.7.0", "%s too many errors", conf->hostname);
		over = 1;
	} else {
		va_start(ap, fmt);
		n = vline(dst, code, enhanced, fmt, ap);
		va_end(ap);
	}
	s->env->ops->reject(s, slice_make(dst, n));
	put(s, dst, n);
	if (over)
		smtp_close(s, "errors");
	return (s->state != ST_CLOSED);
}

void
smtp_refuse_close(struct smtp_session *s, const char *reason, unsigned code, const char *enhanced,
    const char *fmt, ...)
{
	char	dst[LINE_MAX_OCTETS];
	va_list	ap;
	size_t	n;

	va_start(ap, fmt);
	n = vline(dst, code, enhanced, fmt, ap);
	va_end(ap);
	s->env->ops->reject(s, slice_make(dst, n));
	put(s, dst, n);
	smtp_close(s, reason);
}
