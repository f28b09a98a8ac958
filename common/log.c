/*
 * log.c -- log lines that never block a loop (see log.h).
 *
 * Shell.  Lines stand one after the other in one static buffer, as they will be sent; log_flush()
 * gives them to the kernel, many per call.  What the socket does not take now waits there for the
 * next turn; what finds no room is dropped and counted, and the count is told when the way is free.
 * So a restart of the log daemon loses nothing that fits the buffer.
 *
 * The mutex is for a store thread that has something to say; it is never held across a wait.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/units.h"

#define LINE_MAX_OCTETS	4096		/* a longer line is cut, with a mark */
#define BUFFER_OCTETS	(256u << 10)
#define LINES		2048
#define BATCH		64		/* lines in one system call */
#define ASK_AGAIN_MS	1000		/* between two requests for a new socket */
#define MAIL_FACILITY	(2 << 3)	/* RFC 3164 4.1.1 */
#define STAMP_SIZE	64

enum mode { EARLY, SYSLOG, STREAM, DEAD };

struct line {
	uint32_t	off, len;
};

static pthread_mutex_t	 lock = PTHREAD_MUTEX_INITIALIZER;
static const char	*program = "postern";
static enum mode	 mode = EARLY;
static enum log_kind	 kind = LOG_TO_STDERR;
static int		 sink = STDERR_FILENO;
static int		 debug;
static uint64_t		 asked_ms;	/* when log_need_fd() last said yes; 0 never */
static uint64_t		 dropped;	/* since start */
static uint64_t		 told;		/* of those, how many were reported */

static char		 buffer[BUFFER_OCTETS];
static size_t		 used;
static struct line	 lines[LINES];
static size_t		 first, nlines;	/* lines[first .. nlines) wait */
static size_t		 sent_part;	/* octets of lines[first] a stream took already */

/* The part of the time stamp that changes once a second. */
static time_t		 stamp_time = -1;
static enum mode	 stamp_mode;
static char		 stamp[STAMP_SIZE];
static int		 stamp_len;
static char		 ident[STAMP_SIZE];	/* "postern-smtpd[812]: " */
static int		 ident_len;

static size_t	format_line(char *, size_t, enum log_level, const char *, va_list) __attribute__((format(printf, 4, 0)));
static void	put_line(enum log_level, const char *, va_list) __attribute__((format(printf, 2, 0)));
static void	put_linef(enum log_level, const char *, ...) __attribute__((format(printf, 2, 3)));
static void	log_va(enum log_level, const char *, va_list) __attribute__((format(printf, 2, 0)));

static const int severity[] = {		/* RFC 3164 4.1.1 */
	[LV_DEBUG] = 7, [LV_INFO] = 6, [LV_WARN] = 4, [LV_FATAL] = 2,
};

static void
make_ident(void)
{
	ident_len = snprintf(ident, sizeof(ident), "%s%s[%ld]: ",
	    strncmp(program, "postern", strlen("postern")) == 0 ? "" : "postern-", program, (long)getpid());
	if (ident_len >= (int)sizeof(ident))
		ident_len = (int)sizeof(ident) - 1;
}

void
log_open(const char *name)
{
	program = name;
	make_ident();
}

void
log_set_debug(int on)
{
	debug = on;
}

/* A second's stamp: "Nov  2 03:04:05 " for the log daemon, RFC 3339 for a stream. */
static void
make_stamp(void)
{
	struct timespec	ts;
	struct tm	tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	if (ts.tv_sec == stamp_time && mode == stamp_mode)
		return;
	stamp_time = ts.tv_sec;
	stamp_mode = mode;
	if (kind == LOG_TO_SYSLOG) {
		/* localtime_r reads no file once tzset() was called. */
		if (localtime_r(&ts.tv_sec, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		stamp_len = (int)strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S ", &tm);
	} else {
		if (gmtime_r(&ts.tv_sec, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		stamp_len = (int)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	}
}

/* One whole line at p, at most size octets, control characters made harmless.  Its length. */
static size_t
format_line(char *p, size_t size, enum log_level level, const char *fmt, va_list ap)
{
	size_t	len = 0, start, i;
	int	n;

	make_stamp();
	if (kind == LOG_TO_SYSLOG)
		len = (size_t)snprintf(p, size, "<%d>", MAIL_FACILITY | severity[level]);
	memcpy(p + len, stamp, (size_t)stamp_len);
	len += (size_t)stamp_len;
	memcpy(p + len, ident, (size_t)ident_len);
	len += (size_t)ident_len;
	start = len;
	n = vsnprintf(p + len, size - len - 1, fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= size - len - 1) {
		len = size - 2;
		memcpy(p + len - 3, "...", 3);
	} else
		len += (size_t)n;
	/* Strangers' text was escaped by the caller; this is the last door. */
	for (i = start; i < len; i++) {
		if ((unsigned char)p[i] < ' ' || (unsigned char)p[i] == 0x7f)
			p[i] = '?';
	}
	if (kind != LOG_TO_SYSLOG)
		p[len++] = '\n';
	return (len);
}

/* Close up what was sent, so that the rest of the buffer is free. */
static void
compact(void)
{
	size_t i, off;

	if (first == 0)
		return;
	if (first == nlines) {
		first = nlines = used = 0;
		return;
	}
	off = lines[first].off;
	memmove(buffer, buffer + off, used - off);
	used -= off;
	for (i = first; i < nlines; i++) {
		lines[i - first].off = lines[i].off - (uint32_t)off;
		lines[i - first].len = lines[i].len;
	}
	nlines -= first;
	first = 0;
}

static void
put_line(enum log_level level, const char *fmt, va_list ap)
{
	struct line *l;

	if (nlines == LINES || sizeof(buffer) - used < LINE_MAX_OCTETS) {
		compact();
		if (nlines == LINES || sizeof(buffer) - used < LINE_MAX_OCTETS) {
			dropped++;
			return;
		}
	}
	l = &lines[nlines++];
	l->off = (uint32_t)used;
	l->len = (uint32_t)format_line(buffer + used, LINE_MAX_OCTETS, level, fmt, ap);
	used += l->len;
}

static void
put_linef(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(level, fmt, ap);
	va_end(ap);
}

/* What the kernel said: 1 go on, 0 not now, -1 the way is dead. */
static int
verdict(int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return (0);
	case EMSGSIZE:		/* this line never fits */
		return (1);
	}
	return (-1);
}

static int
send_syslog(void)
{
	static struct mmsghdr	msgs[BATCH];
	static struct iovec	iov[BATCH];
	size_t			i, n = nlines - first;
	int			sent, v;

	if (n > BATCH)
		n = BATCH;
	for (i = 0; i < n; i++) {
		iov[i].iov_base = buffer + lines[first + i].off;
		iov[i].iov_len = lines[first + i].len;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(sink, msgs, (unsigned)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0) {
		first += (size_t)sent;
		return (1);
	}
	if ((v = verdict(errno)) == 1) {
		first++;
		dropped++;
	}
	return (v);
}

static int
send_stream(void)
{
	ssize_t	n;
	size_t	left;
	int	v;

	/* The lines stand one after the other. */
	n = write(sink, buffer + lines[first].off + sent_part, used - lines[first].off - sent_part);
	if (n < 0) {
		if ((v = verdict(errno)) == 1)
			v = -1;
		return (v);
	}
	left = (size_t)n + sent_part;
	while (first < nlines && left >= lines[first].len)
		left -= lines[first++].len;
	sent_part = left;
	return (1);
}

static int
send_waiting(void)
{
	int v = 1;

	while (v == 1 && first < nlines)
		v = mode == SYSLOG ? send_syslog() : send_stream();
	return (v);
}

static void
flush_locked(void)
{
	uint64_t	n;
	int		v;

	if (mode == EARLY || mode == DEAD)
		return;
	v = send_waiting();
	if (v == 1 && dropped != told) {
		/* The way is free again. */
		n = dropped - told;
		compact();
		put_linef(LV_WARN, "%" PRIu64 " log lines lost", n);
		told += n;
		v = send_waiting();
	}
	compact();
	if (v == -1)
		mode = DEAD;
}

void
log_flush(void)
{
	pthread_mutex_lock(&lock);
	flush_locked();
	pthread_mutex_unlock(&lock);
}

void
log_use(enum log_kind to, int fd)
{
	pthread_mutex_lock(&lock);
	if (to != kind && first < nlines) {
		/* Lines are kept in the form of where they were to go; that has changed. */
		dropped += nlines - first;
		first = nlines;
		compact();
	}
	if (mode != EARLY && sink != -1)
		close(sink);
	if (sent_part != 0) {		/* half a line went to the old stream */
		first++;
		sent_part = 0;
		dropped++;
		compact();
	}
	sink = fd;
	kind = to;
	mode = to == LOG_TO_SYSLOG ? SYSLOG : STREAM;
	stamp_time = -1;
	make_ident();
	flush_locked();
	pthread_mutex_unlock(&lock);
}

int
log_need_fd(void)
{
	uint64_t	now;
	int		need = 0;

	pthread_mutex_lock(&lock);
	if (mode == DEAD) {
		now = now_mono_ms();
		if (asked_ms == 0 || now - asked_ms >= ASK_AGAIN_MS) {
			asked_ms = now != 0 ? now : 1;
			need = 1;
		}
	}
	pthread_mutex_unlock(&lock);
	return (need);
}

uint64_t
log_dropped(void)
{
	uint64_t n;

	pthread_mutex_lock(&lock);
	n = dropped;
	pthread_mutex_unlock(&lock);
	return (n);
}

static void
log_va(enum log_level level, const char *fmt, va_list ap)
{
	char	line[LINE_MAX_OCTETS];
	size_t	len, off;
	ssize_t	n;

	pthread_mutex_lock(&lock);
	if (mode == EARLY) {
		len = format_line(line, sizeof(line), level, fmt, ap);
		for (off = 0; off < len; off += (size_t)n) {
			if ((n = write(STDERR_FILENO, line + off, len - off)) <= 0)
				break;
		}
	} else
		put_line(level, fmt, ap);
	pthread_mutex_unlock(&lock);
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list	ap;
	int	err = errno;

	if (level == LV_DEBUG && !debug)
		return;
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
	errno = err;
}

void
log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LV_FATAL, fmt, ap);
	va_end(ap);
	log_flush();
	exit(1);
}
