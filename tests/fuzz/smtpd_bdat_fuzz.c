/*
 * smtpd_bdat_fuzz.c -- a session of chunks against a slow model of the stream.
 *
 * The first four octets choose the set-up; of the rest, octets from 0x80 on stand for words (a
 * verb, a number, a line end), all others for themselves.  The model has the whole stream before
 * it, knows few commands, and reads a message anew from its first octet after every chunk.  The
 * stream is cut where a command comes that it does not know.  Session and model must agree, whole,
 * cut and octet by octet, on the code of each reply, in order, on each message that was committed,
 * to the octet, and on whether and why the session ended.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "tests/fuzz/smtpd_fake.h"

#define STREAM_MAX	65536
#define MAIL_LEN	28	/* of words[0], without CR LF */
#define BODY_PARAM	" BODY=BINARYMIME"

static const char *const words[] = {
	"MAIL FROM:<s@client.example>\r\n", "RCPT TO:<a@all.example>\r\n", "DATA\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n",
	"BDAT ", " LAST\r\n", "\r\n", ".\r\n", "\r\n.\r\n", "BDAT 0 LAST\r\n", "BDAT 0\r\n", "BDAT 1\r\n", "BDAT 2\r\n",
	"BDAT 6 LAST\r\n", "A: b\r\n", "From: x\r\n", "Received", ": x\r\n", "\r\n\r\n", "BDAT 100\r\n", "BDAT 30 LAST\r\n",
	"body\r\n", "18446744073709551615", "18446744073709551616", "1048",
	("MAIL FROM:<s@client.example>\r\nRCPT TO:<a@all.example>\r\nBDAT "), "0", "1", "2", "3",
};

struct run {
	struct fake	 f;
	struct buf	 body;
	unsigned	 flags;
	uint32_t	 window;
};

/* ---- the session ---- */

static void
collect(struct run *r)
{
	struct slice	 o = buf_slice(&r->f.out);
	const char	*lf;

	for (; o.n != 0; o = slice_make(lf + 1, o.n - (size_t)(lf + 1 - o.p))) {
		must((lf = memchr(o.p, '\n', o.n)) != NULL && lf - o.p >= 5);
		if (o.p[3] == ' ')
			buf_addf(&r->f.record, "%.3s\n", o.p);
	}
	buf_drain(&r->f.out, r->f.out.len);
}

static int
op_begin(struct smtp_session *s)
{
	must(!s->txn->begun);
	buf_drain(&RUN_OF(s)->body, RUN_OF(s)->body.len);
	return (E_OK);
}

static int
op_body(struct smtp_session *s, struct slice run)
{
	must(s->txn->begun && run.n != 0 && run.n <= s->txn->window);
	return (buf_add(&RUN_OF(s)->body, run.p, run.n));
}

static int
op_commit(struct smtp_session *s)
{
	struct run	*r = RUN_OF(s);

	must(s->txn->begun && r->body.len == s->txn->body_len);
	collect(r);
	buf_addf(&r->f.record, "commit %zu\n", r->body.len);
	buf_add(&r->f.record, buf_slice(&r->body).p, r->body.len);
	buf_drain(&r->body, r->body.len);
	return (E_OK);
}

static void
op_abort(struct smtp_session *s)
{
	must(s->txn->begun);
	buf_drain(&RUN_OF(s)->body, RUN_OF(s)->body.len);
}

static void
op_reject(struct smtp_session *s, struct slice reply)
{
	must(reply.n >= 4 && s->verb != NULL);
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_body = op_body, .txn_commit = op_commit, .txn_abort = op_abort,
	.reject = op_reject,
};

/* What the shell and the daemons do between two inputs. */
static void
others(struct run *r)
{
	struct smtp_txn	*t = r->f.s.txn;

	collect(r);
	if (r->f.s.state == ST_COMMIT)
		smtp_result(&r->f.s, TXN_DURABLE, 7, r->f.now);
	else if (r->f.s.state == ST_NAME)
		smtp_name(&r->f.s, "client.example", r->f.now);
	else if (t != NULL && t->blocked_ms != 0)
		smtp_credit(&r->f.s, 1 + r->flags % 200, r->f.now);
	else if (t != NULL && (r->flags & 2) != 0 && (r->f.s.state & (ST_BDAT | ST_CHUNKS)) != 0 &&
	    t->window == TXN_WINDOW)
		t->window = r->window;
	collect(r);
}

static void
play(struct run *r, const struct conf *conf, const uint8_t *data, struct slice in, unsigned cut)
{
	size_t	off = 0, have = 0, used;

	memset(r, 0, sizeof(*r));
	fake_init(&r->f, conf, &ops, "mx");
	buf_init(&r->body, RECORD_MAX);
	r->f.s.name_pending = data[0] >> 2 & 1;
	r->flags = data[0];
	r->window = HEADER_HELD_MAX + data[1];	/* what is held counts on that much */
	smtp_open(&r->f.s, r->f.now);
	must(smtp_input(&r->f.s, SLICE_LIT("EHLO client.example\r\n"), r->f.now) == 21);
	collect(r);
	while (have < in.n && !smtp_closed(&r->f.s)) {
		have = fake_more(have, in.n, cut);
		do {
			used = smtp_input(&r->f.s, slice_make(in.p + off, have - off), r->f.now);
			must(used <= have - off);
			off += used;
			do {
				if (smtp_blocked(&r->f.s))
					used = 1;	/* it may go on now */
				others(r);
			} while (smtp_blocked(&r->f.s) && !smtp_closed(&r->f.s));
		} while (used != 0 && off < have && !smtp_closed(&r->f.s));
	}
	must(smtp_closed(&r->f.s) || off == in.n);
	if (smtp_closed(&r->f.s))
		buf_addf(&r->f.record, "closed: %s\n", r->f.s.reason);
	fake_end(&r->f);
	buf_clear(&r->body);
}

/* ---- the model ---- */

struct model {
	struct buf	 record;
	const struct conf *conf;
	int		 binary;
	enum { M_HELO, M_MAIL, M_RCPT, M_CHUNKS } st;
	int		 failed;
	char		 msg[STREAM_MAX];
	size_t		 n;
};

static int
to_record(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

static int
to_nobody(void *arg, struct slice s)
{
	return (E_OK);
}

/* The code that the message so far earns, 0 none; whole: there is no more. */
static unsigned
verdict(const struct model *m, size_t n, int whole)
{
	static const unsigned	codes[HEADER_EVENTS] = {
		[HEADER_HOPS] = 554, [HEADER_SIZE] = 552, [HEADER_COUNT] = 552, [HEADER_NUL] = 550,
		[HEADER_FROM] = 554,
	};
	struct header_limits	lim = { m->conf->smtpd.header_size_max, m->conf->smtpd.header_count_max };
	struct header		h;
	enum header_event	ev;
	size_t			bare;

	for (bare = 0; bare < n; bare++) {
		if (m->msg[bare] == '\n' && (bare == 0 || m->msg[bare - 1] != '\r'))
			break;
		if (bare != 0 && m->msg[bare - 1] == '\r' && m->msg[bare] != '\n')
			break;
	}
	header_init(&h);
	if ((ev = header_feed(&h, &lim, slice_make(m->msg, bare), to_nobody, NULL)) != HEADER_OK)
		return (codes[ev]);
	if (m->binary && header_done(&h))
		return (0);
	if (bare < n || (whole && n != 0 && m->msg[n - 1] == '\r'))
		return (554);
	return (0);
}

static void
commit(struct model *m)
{
	struct header_limits	none = { 0, 0 };
	struct header		h;
	struct buf		out;

	buf_init(&out, RECORD_MAX);
	header_init(&h);
	must(header_feed(&h, &none, slice_make(m->msg, m->n), to_record, &out) == HEADER_OK);
	must(header_end(&h, to_record, &out) == HEADER_OK);
	buf_addf(&m->record, "commit %zu\n", out.len);
	buf_add(&m->record, buf_slice(&out).p, out.len);
	buf_addf(&m->record, "250\n");
	buf_clear(&out);
	m->st = M_HELO;
}

/* A BDAT line without its CR LF; where the stream goes on, NULL: the session is over.  *more:
 * its chunk is not whole. */
static const char *
bdat(struct model *m, const char *arg, const char *next, const char *end, int *more)
{
	uint64_t	limit = m->conf->message_size_limit, size = 0, gone = 0;
	unsigned	code;
	int		last, digits, over = 0;

	for (digits = 0; arg[digits] >= '0' && arg[digits] <= '9'; digits++) {
		if (size > (UINT64_MAX - (uint64_t)(arg[digits] - '0')) / 10)
			over = 1;
		size = size * 10 + (uint64_t)(arg[digits] - '0');
	}
	last = strcmp(arg + digits, " LAST") == 0;
	if (digits == 0 || (arg[digits] != '\0' && !last)) {
		buf_addf(&m->record, "501\nclosed: bdat-syntax\n");
		return (NULL);
	}
	if (over || size > limit + DISCARD_MIN - gone) {
		buf_addf(&m->record, "552\nclosed: discard\n");
		return (NULL);
	}
	if (size > (uint64_t)(end - next)) {
		*more = 1;
		return (NULL);
	}
	if (m->st == M_HELO || m->st == M_MAIL)
		buf_addf(&m->record, "503\n");
	else if (m->st == M_CHUNKS && m->failed) {
		buf_addf(&m->record, "503\n");
		m->st = last ? M_HELO : M_CHUNKS;
	} else {
		if (m->st == M_RCPT)
			m->n = 0;
		m->st = M_CHUNKS;
		m->failed = 0;
		if (size > limit - m->n)
			code = 552;
		else {
			memcpy(m->msg + m->n, next, size);
			m->n += size;
			code = verdict(m, m->n, last);
		}
		if (code != 0) {
			m->failed = 1;
			buf_addf(&m->record, "%u\n", code);
			if (last)
				m->st = M_HELO;
		} else if (last)
			commit(m);
		else
			buf_addf(&m->record, "250\n");
	}
	return (next + size);
}

/* What follows DATA, if it is whole and its lines are; else NULL. */
static const char *
data_body(struct model *m, const char *p, const char *end)
{
	uint64_t	 limit = m->conf->message_size_limit;
	const char	*lf;
	unsigned	 code;
	size_t		 n, total = 0;

	m->n = 0;
	for (;; p = lf + 1) {
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL || lf == p || lf[-1] != '\r' ||
		    memchr(p, '\r', (size_t)(lf - 1 - p)) != NULL)
			return (NULL);
		if (lf == p + 2 && *p == '.')
			break;
		p += *p == '.';
		n = (size_t)(lf + 1 - p);
		memcpy(m->msg + total, p, n);
		total += n;
	}
	m->n = total < limit ? total : (size_t)limit;
	buf_addf(&m->record, "354\n");
	code = verdict(m, m->n, 0);
	if (code == 0 && total > limit)
		code = 552;
	if (code != 0)
		buf_addf(&m->record, "%u\n", code);
	else
		commit(m);
	m->st = M_HELO;
	return (lf + 1);
}

/* How much of the stream the model understands. */
static size_t
model(struct model *m, const char *p, size_t n)
{
	const char	*start = p, *end = p + n, *lf, *next;
	char		 line[128];
	int		 more;

	buf_addf(&m->record, "220\n250\n");
	while (p < end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf == p || lf[-1] != '\r' || (size_t)(lf - p) >= sizeof(line) ||
		    memchr(p, '\r', (size_t)(lf - 1 - p)) != NULL || memchr(p, '\0', (size_t)(lf - p)) != NULL)
			break;
		memcpy(line, p, (size_t)(lf - 1 - p));
		line[lf - 1 - p] = '\0';
		next = lf + 1;
		if (strcmp(line, "NOOP") == 0)
			buf_addf(&m->record, "250\n");
		else if (strcmp(line, "RSET") == 0) {
			buf_addf(&m->record, "250\n");
			m->st = M_HELO;
		} else if (strcmp(line, "QUIT") == 0) {
			buf_addf(&m->record, "221\nclosed: quit\n");
			return ((size_t)(end - start));
		} else if (strncmp(line, words[0], MAIL_LEN) == 0 &&
		    strcmp(line + MAIL_LEN, m->binary ? BODY_PARAM : "") == 0) {
			buf_addf(&m->record, m->st == M_HELO ? "250\n" : "503\n");
			m->st = m->st == M_HELO ? M_MAIL : m->st;
		} else if (strcmp(line, "RCPT TO:<a@all.example>") == 0) {
			if (m->st == M_MAIL || m->st == M_RCPT) {
				buf_addf(&m->record, "250\n");
				m->st = M_RCPT;
			} else
				buf_addf(&m->record, "503\n");
		} else if (strcmp(line, "DATA") == 0) {
			if (m->st != M_RCPT || m->binary)
				buf_addf(&m->record, "503\n");
			else if ((next = data_body(m, next, end)) == NULL)
				break;
		} else if (strncmp(line, "BDAT ", 5) == 0 && line[5] != ' ' && line[5] != '\t' &&
		    strpbrk(line + 5, " \t") == strchr(line + 5, ' ') && line[lf - 2 - p] != ' ' &&
		    line[lf - 2 - p] != '\t' && strstr(line, "  ") == NULL && strcasestr(line, "last") == strstr(line, "LAST")) {
			more = 0;
			if ((next = bdat(m, line + 5, next, end, &more)) == NULL) {
				if (more)
					break;
				return ((size_t)(end - start));
			}
		} else
			break;
		p = next;
	}
	return ((size_t)(p - start));
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_domain	 domains[] = {
		{ .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	};
	static struct run		 r;
	static struct model		 m;
	static char			 stream[STREAM_MAX + 128];
	static int			 seeded;
	struct conf			 conf = { .hostname = "mx.example.org", .postmaster = "",
					     .recipient_delimiter = "", .ndomains = 1, .domains = domains };
	const unsigned			 cuts[] = { 0, 1, 0 };
	const char			*word;
	size_t				 i, n = 0, k;

	if (size < 4)
		return (0);
	if (!seeded) {
		siphash_seed();
		seeded = 1;
	}
	for (i = 4; i < size && n < STREAM_MAX - 128; i++) {
		if (data[i] < 0x80)
			stream[n++] = (char)data[i];
		else {
			word = words[data[i] % (sizeof(words) / sizeof(words[0]))];
			/* MAIL of a binary message. */
			if ((data[0] & 1) != 0 && strncmp(word, words[0], MAIL_LEN) == 0) {
				memcpy(stream + n, words[0], MAIL_LEN);
				memcpy(stream + n + MAIL_LEN, BODY_PARAM, sizeof(BODY_PARAM) - 1);
				n += MAIL_LEN + sizeof(BODY_PARAM) - 1;
				word += MAIL_LEN;
			}
			k = strlen(word);
			memcpy(stream + n, word, k);
			n += k;
		}
	}
	conf.message_size_limit = 10 + data[2];
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = conf.smtpd.commands_max = UINT32_MAX;
	conf.smtpd.rcpt_max = RCPT_MAX;
	conf.smtpd.header_size_max = data[3] < 128 ? 0 : (data[3] & 15) * 4u;
	conf.smtpd.header_count_max = data[3] < 128 ? 0 : data[3] >> 4 & 7;
	m.conf = &conf;
	m.binary = data[0] & 1;
	m.st = M_HELO;
	buf_init(&m.record, RECORD_MAX);
	n = model(&m, stream, n);
	for (i = 0; i < 3; i++) {
		play(&r, &conf, data, slice_make(stream, n), i == 2 ? 2 + data[1] % 50u : cuts[i]);
		if (!slice_eq(buf_slice(&r.f.record), buf_slice(&m.record))) {
			fprintf(stderr, "way %zu: session:\n%.*smodel:\n%.*s", i, (int)r.f.record.len,
			    buf_slice(&r.f.record).p, (int)m.record.len, buf_slice(&m.record).p);
			abort();
		}
		buf_clear(&r.f.record);
	}
	buf_clear(&m.record);
	return (0);
}
