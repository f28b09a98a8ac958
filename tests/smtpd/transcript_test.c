/*
 * transcript_test.c -- runs every .smtp file beside it against the session core.
 *
 * A transcript is a list of lines, in order:
 *   conf: KEY VALUE	before the first C, T, Q, N or S, or as a reload: a setting, see conf_line()
 *   table: LINE		tables and domains in place of the usual ones: tests/common/rcpt_kit.h
 *   C: text		the client sends text and CR LF.  "C-" leaves CR LF out.  "C*9:" sends it
 * 			nine times.
 *   S: text		the next reply line is exactly text; "..." at its end leaves the rest open.
 * 			 "S*9:" as above.
 *   T: 300000		so many milliseconds go by, and the timer looks
 *   Q: word		queue: durable ID, full, busy, io, mismatch, lost, up, pressure WORD,
 * 			credit N, throttle on|off, rcpts N (octets of all recipients),
 * 			etrn started|nothing|pending|counted|unable|lost N,
 * 			verify taken|refused|unknown|lost CODE
 *   N: name		resolver's answer; empty is unknown
 *   A: text		the next call made to queue: "begin FROM TO TO...", "commit NRCPT LEN
 * 			HOPS", "abort"
 * 			"etrn NODE", "verify ADDRESS", "note WHAT RULES TEXT"; and what MAIL and RCPT asked for beside: " RET=FULL 1:NOTIFY=S"
 *   A: aborted		either nothing was begun, or what was begun is aborted: how far it came
 * 			depends on the cuts
 *   B: text		the body handed on in the last transaction, whole, is text
 *   M: text		that body holds text, and "M! text" that it does not
 *   R: 250		the next reply, of any number of lines, has this code
 *   X: reason		the session is over, for that reason, and all replies were looked at
 *   W: blocked|reading	what the session waits for
 *   P:			stop the server, softly;  "P: force" at once
 *   H: done|failed	the TLS handshake is over
 *   K: continue TEXT	auth's answer to AUTH;  "K: ok LOGIN [TEXT]", "K: failed|bad|temporary MS [LOGIN]", told after so many
 * 			milliseconds; "K: lost".  What it was asked is an "A: sasl ..."
 * Escapes in text: \r \n \t \0 \\ \xNN, and \*9{abc}: nine times abc.
 *
 * Each runs three times: octets as written, all the client's consecutive lines in one piece, and
 * one octet at a time.  The replies must be the same (RFC 2920, and session.h's promise).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "common/idn.h"
#include "common/siphash.h"
#include "smtpd/session.h"
#include "tests/common/rcpt_kit.h"
#include "tests/common/table_kit.h"

#define LINE_MAX_TEXT	(4u << 20)

enum mode { AS_WRITTEN, JOINED, OCTETS, MODES };

struct run {
	const char	*file;
	unsigned	 line;
	enum mode	 mode;
	struct conf	 conf;
	struct smtp_env	 env;
	struct smtp_session s;
	struct buf	 out;		/* the core's, drained after each call */
	struct buf	 said;		/* replies not yet looked at */
	struct buf	 calls;		/* calls to queue not yet looked at, lines */
	struct buf	 body;
	struct buf	 in;		/* what the session did not take */
	struct buf	 wait;		/* JOINED: client's octets not yet offered */
	struct buf	 tables;	/* lines of table: */
	struct rcpt_kit	 kit;
	uint64_t	 now;
	int		 opened;
	int		 fail_begin;
	int		 tls_err;	/* what STARTTLS gets of the shell */
	int		 no_auth;	/* auth is not there */
	int		 asked;		/* it has an exchange that is not over */
	int		 whole;		/* not octet by octet: what stands behind STARTTLS is seen only if it came along */
	struct conf_listener listener;
	char		*text;		/* the present line, unescaped */
	size_t		 text_len;
};

static const char *const	recipients[] = { "alice", "bob", "odd%name" };
static struct table		 recipient_table;

static void
bad(struct run *r, const char *what, struct slice want, struct slice got)
{
	static const char *const modes[MODES] = { "as written", "joined", "octets" };

	fail_msg("%s:%u (%s): %s\n  wanted \"%.*s\"\n  got    \"%.*s\"", r->file, r->line,
	    modes[r->mode],
	    what, (int)(want.n > 600 ? 600 : want.n), want.p, (int)(got.n > 600 ? 600 : got.n),
	    got.p);
}

/* ---- the shell's part ---- */

/* What MAIL and RCPT asked for beside addresses: a line of its own, if anything was. */
static void
say_with(struct run *r)
{
	const struct smtp_txn	*t = r->s.txn;
	struct slice		 all = buf_slice(&t->rcpts);
	struct txn_rcpt		 a;
	size_t			 before = r->calls.len;
	unsigned		 n = 0;

	if (t->utf8)
		buf_adds(&r->calls, " SMTPUTF8");
	if (t->hold)
		buf_adds(&r->calls, " HELD");
	if (t->body == BODY_BINARY)
		buf_adds(&r->calls, " BINARYMIME");
	if (t->ret != RET_NONE)
		buf_addf(&r->calls, " RET=%s", t->ret == RET_FULL ? "FULL" : "HDRS");
	if (t->envid[0] != '\0')
		buf_addf(&r->calls, " ENVID=%s", t->envid);
	if (t->by_mode != BY_NONE)
		buf_addf(&r->calls, " BY=%d;%s%s", t->by_s, t->by_mode == BY_NOTIFY ? "N" : "R", t->by_trace ? "T" : "");
	if (t->hold_until != 0)
		buf_addf(&r->calls, " HOLD=%lld", (long long)t->hold_until);
	if (t->prioritized)
		buf_addf(&r->calls, " PRIORITY=%d", t->priority);
	while (txn_rcpt_next(&all, &a) == E_OK) {
		n++;
		if (a.notify != 0)
			buf_addf(&r->calls, " %u:NOTIFY=%s%s%s%s", n, (a.notify & NOTIFY_NEVER) != 0 ? "N" : "",
			    (a.notify & NOTIFY_SUCCESS) != 0 ? "S" : "", (a.notify & NOTIFY_FAILURE) != 0 ? "F" : "",
			    (a.notify & NOTIFY_DELAY) != 0 ? "D" : "");
		if (a.orcpt[0] != '\0')
			buf_addf(&r->calls, " %u:ORCPT=%s", n, a.orcpt);
	}
	if (r->calls.len != before)
		buf_adds(&r->calls, "\n");
}

static int
op_begin(struct smtp_session *s)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));
	struct slice	 all = buf_slice(&s->txn->rcpts);
	struct txn_rcpt	 a;

	if (r->fail_begin)
		return (E_LIMIT);
	assert_false(s->txn->begun);
	buf_drain(&r->body, r->body.len);
	assert_int_equal(buf_addf(&r->calls, "begin <%s>", s->txn->sender), E_OK);
	while (txn_rcpt_next(&all, &a) == E_OK)
		if (s->txn->nrcpt <= 8)
			assert_int_equal(buf_addf(&r->calls, " <%s>", a.address), E_OK);
	if (s->txn->nrcpt > 8)
		assert_int_equal(buf_addf(&r->calls, " %u", s->txn->nrcpt), E_OK);
	assert_int_equal(buf_adds(&r->calls, "\n"), E_OK);
	say_with(r);
	return (E_OK);
}

static int
op_etrn(struct smtp_session *s, enum etrn_kind kind, const char *name)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	if (!r->env.queue_up)
		return (E_CLOSED);
	return (buf_addf(&r->calls, "etrn %s%s\n", kind == ETRN_TREE ? "@" : kind == ETRN_QUEUE ? "#" : "", name));
}

static int
op_body(struct smtp_session *s, struct slice run)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_true(run.n != 0 && run.n <= s->txn->window);
	return (buf_add(&r->body, run.p, run.n));
}

static int
op_commit(struct smtp_session *s)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_int_equal(r->body.len, s->txn->body_len);
	return (buf_addf(&r->calls, "commit %u %llu %u\n", s->txn->nrcpt,
	    (unsigned long long)s->txn->body_len, s->txn->header.received));
}

static void
op_abort(struct smtp_session *s)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_int_equal(buf_adds(&r->calls, "abort\n"), E_OK);
}

static void
op_reject(struct smtp_session *s, struct slice reply)
{
	assert_non_null(s->verb);
	assert_true(reply.n > 3);
}

static int
op_own(struct smtp_session *s, const struct net_addr *a)
{
	char	ip[NET_ADDR_STRLEN];

	return (strcmp(net_addr_str(a, ip), "192.0.2.1") == 0);
}

static int
op_verify(struct smtp_session *s, const char *address)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	return (r->env.queue_up ? buf_addf(&r->calls, "verify %s\n", address) : E_CLOSED);
}

static void
op_note(struct smtp_session *s, const char *what, struct slice text, const char *about)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_int_equal(buf_addf(&r->calls, "note %s %s %.*s\n", what, about, (int)text.n, text.p), E_OK);
}

static int
op_starttls(struct smtp_session *s)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	return (r->tls_err);
}

/* "sasl PLAIN first initial data", a NUL as "|"; of later steps "sasl data". */
static int
op_sasl_step(struct smtp_session *s, int first, int initial, struct slice data)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));
	size_t		 i;

	assert_true(first || !initial);
	assert_non_null(s->sasl);
	if (r->no_auth)
		return (E_CLOSED);
	assert_int_equal(buf_adds(&r->calls, "sasl"), E_OK);
	if (first)
		assert_int_equal(buf_addf(&r->calls, " %s%s", sasl_mechanism_name(s->sasl->mechanism), initial ? " initial" : ""), E_OK);
	if (data.n > 200)
		assert_int_equal(buf_addf(&r->calls, " (%zu)", data.n), E_OK);
	else if (data.n != 0)
		assert_int_equal(buf_adds(&r->calls, " "), E_OK);
	for (i = 0; i < data.n && data.n <= 200; i++)
		assert_int_equal(buf_add(&r->calls, data.p[i] == '\0' ? "|" : data.p + i, 1), E_OK);
	r->asked = 1;
	return (buf_adds(&r->calls, "\n"));
}

static void
op_sasl_end(struct smtp_session *s)
{
	struct run	*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_true(r->asked);
	r->asked = 0;
	assert_int_equal(buf_adds(&r->calls, "sasl-end\n"), E_OK);
}

static void
op_auth_event(struct smtp_session *s, enum auth_event what, const char *mechanism, struct slice login)
{
	static const char *const	 words[] = { "taken", "failed", "refused", "claimed" };
	struct run			*r = (struct run *)(void *)((char *)s - offsetof(struct run, s));

	assert_int_equal(buf_addf(&r->calls, "auth %s %s %.*s\n", words[what], mechanism != NULL ? mechanism : "-", (int)login.n,
	    login.p), E_OK);
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_body = op_body, .txn_commit = op_commit, .txn_abort = op_abort,
	.reject = op_reject, .own_address = op_own, .etrn = op_etrn,
	.verify = op_verify, .note = op_note, .starttls = op_starttls,
	.sasl_step = op_sasl_step, .sasl_end = op_sasl_end, .auth_event = op_auth_event,
};

static void
collect(struct run *r)
{
	assert_int_equal(buf_add(&r->said, buf_slice(&r->out).p, r->out.len), E_OK);
	buf_drain(&r->out, r->out.len);
}

static void
pump(struct run *r)
{
	size_t	used;

	collect(r);
	while (r->in.len != 0 && !smtp_blocked(&r->s)) {
		used = smtp_input(&r->s, buf_slice(&r->in), r->now);
		collect(r);
		if (used == 0)
			break;
		buf_drain(&r->in, used);
	}
}

static void
offer(struct run *r, struct slice in)
{
	size_t	i;

	if (r->mode != OCTETS || r->whole) {
		assert_int_equal(buf_add(&r->in, in.p, in.n), E_OK);
		pump(r);
		return;
	}
	for (i = 0; i < in.n; i++) {
		assert_int_equal(buf_add(&r->in, in.p + i, 1), E_OK);
		pump(r);
	}
}

static void
flush_wait(struct run *r)
{
	char	*copy;
	size_t	 n = r->wait.len;

	if (n == 0)
		return;
	assert_non_null(copy = malloc(n));
	memcpy(copy, buf_slice(&r->wait).p, n);
	buf_drain(&r->wait, n);
	offer(r, slice_make(copy, n));
	free(copy);
}

/* ---- lines ---- */

static unsigned
hex(char c)
{
	return ((unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10));
}

/* Unescape src into r->text. */
static void
unescape(struct run *r, const char *p)
{
	char		*o = r->text, *start;
	unsigned long	 n;
	char		*end;

	while (*p != '\0' && *p != '\n') {
		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		switch (*++p) {
		case 'r': *o++ = '\r'; p++; break;
		case 'n': *o++ = '\n'; p++; break;
		case 't': *o++ = '\t'; p++; break;
		case '0': *o++ = '\0'; p++; break;
		case '\\': *o++ = '\\'; p++; break;
		case 'x':
			*o++ = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 3;
			break;
		case '*': {
			size_t	len = 0;
			char	piece[256];

			n = strtoul(p + 1, &end, 10);
			assert_int_equal(*end, '{');
			for (p = end + 1; *p != '}' && *p != '\0'; p++) {
				if (p[0] == '\\' && (p[1] == 'r' || p[1] == 'n')) {
					piece[len++] = p[1] == 'r' ? '\r' : '\n';
					p++;
				} else
					piece[len++] = *p;
			}
			p++;
			assert_true(n * len < LINE_MAX_TEXT);
			for (start = o; n != 0; n--, o += len)
				memcpy(o, piece, len);
			(void)start;
			break;
		}
		default:
			fail_msg("%s:%u: unknown escape", r->file, r->line);
		}
	}
	r->text_len = (size_t)(o - r->text);
}

static struct net_prefix	 us_prefix, others_prefix;
static const struct conf_prefixes us = { 1, &us_prefix }, others = { 1, &others_prefix };

static struct conf_domain	 domains[] = {
	{ .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	{ .name = "branch.example", .relay = 1, .catch_all = "" },
	{ .name = "mx.example.org", .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	{ .name = "north.tree.example", .relay = 1, .catch_all = "" },
	{ .name = "tree.example", .relay = 1, .catch_all = "" },
	{ .name = "xn--mller-kva.example", .relay = 1, .catch_all = "" },
};

static void
conf_line(struct run *r, const char *p)
{
	char		key[32];
	unsigned long	v = 0;

	assert_true(sscanf(p, "%31s %lu", key, &v) >= 1);
	if (strcmp(key, "size-limit") == 0)
		r->conf.message_size_limit = v;
	else if (strcmp(key, "rcpt-max") == 0)
		r->conf.smtpd.rcpt_max = (uint32_t)v;
	else if (strcmp(key, "errors-max") == 0)
		r->conf.smtpd.errors_max = (uint32_t)v;
	else if (strcmp(key, "commands-max") == 0)
		r->conf.smtpd.commands_max = (uint32_t)v;
	else if (strcmp(key, "min-rate") == 0)
		r->conf.smtpd.min_rate = (uint32_t)v;
	else if (strcmp(key, "header-size-max") == 0)
		r->conf.smtpd.header_size_max = (uint32_t)v;
	else if (strcmp(key, "header-count-max") == 0)
		r->conf.smtpd.header_count_max = (uint32_t)v;
	else if (strcmp(key, "line-max") == 0)
		r->conf.smtpd.line_max = (uint32_t)v;
	else if (strcmp(key, "lmtp") == 0)
		r->s.lmtp = r->s.esmtp = 1;
	else if (strcmp(key, "etrn-from") == 0)
		domains[3].etrn_from = v != 0 ? us : others;
	else if (strcmp(key, "vrfy") == 0)
		r->conf.smtpd.vrfy_from = us;
	else if (strcmp(key, "expn") == 0)
		r->conf.smtpd.expn_from = us;
	else if (strcmp(key, "relay-client") == 0)
		r->s.may_relay = 1;
	else if (strcmp(key, "starttls") == 0)
		r->listener.tls = LISTEN_STARTTLS;
	else if (strcmp(key, "require") == 0)
		r->listener.tls = LISTEN_REQUIRE;
	else if (strcmp(key, "implicit") == 0) {
		r->listener.tls = LISTEN_IMPLICIT;
		r->s.tls_first = 1;
	} else if (strcmp(key, "no-key") == 0)
		r->tls_err = E_CLOSED;
	else if (strcmp(key, "handshakes") == 0)
		r->tls_err = E_LIMIT;
	else if (strcmp(key, "auth") == 0) {		/* on this host, in clear */
		r->listener.auth = 1;
		r->conf.auth.mechanisms = v != 0 ? (unsigned)v : (1u << SASL_MECHANISMS) - 1;
		assert_int_equal(net_addr_parse(&r->s.client, SLICE_LIT("127.0.0.1")), E_OK);
		r->s.peer = r->s.client;
	} else if (strcmp(key, "remote") == 0) {
		assert_int_equal(net_addr_parse(&r->s.client, SLICE_LIT("198.51.100.7")), E_OK);
		r->s.peer = r->s.client;
	} else if (strcmp(key, "any-sender") == 0)
		r->listener.any_sender = 1;
	else if (strcmp(key, "auth-off") == 0)		/* a reload in the middle */
		r->listener.auth = 0;
	else if (strcmp(key, "gone") == 0)		/* with it the listener went */
		r->s.conf_listener = NULL;
	else if (strcmp(key, "external") == 0)
		r->s.external = "alice@example.org";
	else if (strcmp(key, "bindable") == 0)
		r->s.bindable = 1;
	else if (strcmp(key, "tls") == 0)
		r->s.tls = 1;
	else if (strcmp(key, "no-auth") == 0)
		r->no_auth = 1;
	else if (strcmp(key, "whole") == 0)
		r->whole = 1;
	else if (strcmp(key, "name-pending") == 0)
		r->s.name_pending = 1;
	else if (strcmp(key, "mails") == 0)
		r->s.mails = (uint32_t)v;
	else if (strcmp(key, "uid") == 0) {		/* a local user */
		r->s.local = r->s.may_relay = 1;
		r->s.uid = (uint32_t)v;
	} else if (strcmp(key, "login") == 0)		/* by its number: "user7" */
		(void)snprintf(r->s.login, sizeof(r->s.login), "user%lu", v);
	else if (strcmp(key, "fail-begin") == 0)
		r->fail_begin = 1;
	else if (strcmp(key, "hostname-not-final") == 0)
		r->conf.hostname = "relay.example.net";
	else
		fail_msg("%s:%u: unknown setting %s", r->file, r->line, key);
}

static void
expect_line(struct run *r, struct buf *from, const char *end, const char *what)
{
	struct slice	 got = buf_slice(from);
	const char	*e = got.n != 0 ? memmem(got.p, got.n, end, strlen(end)) : NULL;
	size_t		 n = r->text_len;

	if (e == NULL)
		bad(r, what, slice_make(r->text, n), got);
	got.n = (size_t)(e - got.p);
	if (n >= 3 && memcmp(r->text + n - 3, "...", 3) == 0) {
		if (got.n < n - 3 || memcmp(got.p, r->text, n - 3) != 0)
			bad(r, what, slice_make(r->text, n), got);
	} else if (got.n != n || memcmp(got.p, r->text, n) != 0)
		bad(r, what, slice_make(r->text, n), got);
	buf_drain(from, got.n + strlen(end));
}

/* All lines of one reply. */
static void
expect_reply(struct run *r)
{
	struct slice	 got;
	const char	*lf;
	int		 more;

	do {
		got = buf_slice(&r->said);
		lf = got.n != 0 ? memchr(got.p, '\n', got.n) : NULL;
		if (lf == NULL || r->text_len != 3 || lf - got.p < 5 || memcmp(got.p, r->text, 3) != 0)
			bad(r, "reply", slice_make(r->text, r->text_len), got);
		more = got.p[3] == '-';
		buf_drain(&r->said, (size_t)(lf + 1 - got.p));
	} while (more);
}

/* "begin ..." and "abort", or neither. */
static void
expect_aborted(struct run *r)
{
	const char	*lf;

	if (r->calls.len == 0)
		return;
	lf = memchr(buf_slice(&r->calls).p, '\n', r->calls.len);
	if (lf == NULL || strncmp(buf_slice(&r->calls).p, "begin ", 6) != 0)
		bad(r, "call to queue", SLICE_LIT("begin, abort"), buf_slice(&r->calls));
	do {		/* and what came with it */
		buf_drain(&r->calls, (size_t)(lf + 1 - buf_slice(&r->calls).p));
		lf = r->calls.len != 0 ? memchr(buf_slice(&r->calls).p, '\n', r->calls.len) : NULL;
	} while (lf != NULL && *buf_slice(&r->calls).p == ' ');
	r->text_len = (size_t)snprintf(r->text, LINE_MAX_TEXT, "abort");
	expect_line(r, &r->calls, "\n", "call to queue");
}

static void
etrn_answer(struct run *r, const char *word, unsigned count)
{
	static const char *const	 words[ETRN_STATUSES] = { "started", "nothing", "pending", "counted", "unable" };
	struct ipc_etrn_result		 m = { .count = count };

	if (strcmp(word, "lost") == 0) {
		smtp_etrn_done(&r->s, NULL, r->now);
		return;
	}
	while (m.status < ETRN_STATUSES && strcmp(words[m.status], word) != 0)
		m.status++;
	assert_true(m.status < ETRN_STATUSES);
	smtp_etrn_done(&r->s, &m, r->now);
}

/* The next hop's words are made up, and hold what must be escaped. */
static void
verify_answer(struct run *r, const char *word, unsigned code)
{
	struct ipc_verify_result	 m = { .code = (uint16_t)code, .text = "so says\t\"the\" next hop" };

	if (strcmp(word, "lost") == 0) {
		smtp_verified(&r->s, NULL, r->now);
		return;
	}
	m.status = strcmp(word, "taken") == 0 ? VERIFY_TAKEN : strcmp(word, "refused") == 0 ? VERIFY_REFUSED :
	    VERIFY_UNKNOWN;
	if (code % 10 == 3)		/* one with an enhanced code */
		m.enhanced = (struct enhanced){ (uint8_t)(code / 100), 2, 9 };
	smtp_verified(&r->s, &m, r->now);
}

static void
auth_line(struct run *r)
{
	static const char *const	 words[SASL_STATUSES] = { "continue", "ok", "failed", "bad", "temporary" };
	struct ipc_sasl_answer		 m = { .id = 1 };
	char				*p = r->text, *word, *arg;

	r->text[r->text_len] = '\0';
	word = strsep(&p, " ");
	if (strcmp(word, "lost") == 0) {
		r->asked = 0;
		smtp_sasl_answer(&r->s, NULL, r->now);
		pump(r);
		return;
	}
	while (m.status < SASL_STATUSES && strcmp(words[m.status], word) != 0)
		m.status++;
	assert_true(m.status < SASL_STATUSES);
	if (m.status > SASL_OK && (arg = strsep(&p, " ")) != NULL)
		m.wait_ms = (uint32_t)strtoul(arg, NULL, 10);
	if (m.status != SASL_CONTINUE && (arg = strsep(&p, " ")) != NULL)
		(void)snprintf(m.login, sizeof(m.login), "%s", arg);
	if (p != NULL)
		m.data = slice_str(p);
	if (m.status != SASL_CONTINUE)
		r->asked = 0;
	smtp_sasl_answer(&r->s, &m, r->now);
	pump(r);
}

/* The lines are all there: their tables and domains take the place of the usual ones. */
static void
use_tables(struct run *r)
{
	if (r->tables.len == 0)
		return;
	assert_int_equal(buf_add(&r->tables, "", 1), E_OK);
	kit_open(&r->kit, buf_slice(&r->tables).p);
	r->conf.hostname = r->kit.conf.hostname;
	r->conf.recipient_delimiter = r->kit.conf.recipient_delimiter;
	r->conf.tables = r->kit.conf.tables;
	r->conf.ndomains = r->kit.conf.ndomains;
	r->conf.domains = r->kit.domains;
}

static void
queue_line(struct run *r)
{
	static const char *const	pressures[PRESSURES] = { "none", "full", "busy", "io" };
	static const struct { const char *word; enum txn_status st; } results[] = {
		{ "full", TXN_FULL }, { "busy", TXN_BUSY }, { "io", TXN_IO }, { "mismatch",
		    TXN_MISMATCH }, { "expansion", TXN_EXPANSION },
	};
	char		word[16] = "", arg[16] = "";
	unsigned	count = 0;
	size_t		i;

	r->text[r->text_len] = '\0';
	assert_true(sscanf(r->text, "%15s %15s %u", word, arg, &count) >= 1);
	if (strcmp(word, "etrn") == 0)
		etrn_answer(r, arg, count);
	else if (strcmp(word, "verify") == 0)
		verify_answer(r, arg, count);
	else if (strcmp(word, "durable") == 0)
		smtp_result(&r->s, TXN_DURABLE, strtoull(arg, NULL, 10), r->now);
	else if (strcmp(word, "credit") == 0)
		smtp_credit(&r->s, (uint32_t)strtoul(arg, NULL, 10), r->now);
	else if (strcmp(word, "lost") == 0) {
		r->env.queue_up = 0;
		smtp_queue_lost(&r->s, r->now);
	} else if (strcmp(word, "up") == 0)
		r->env.queue_up = 1;
	else if (strcmp(word, "rcpts") == 0)
		r->env.rcpts_max = (size_t)strtoul(arg, NULL, 10);
	else if (strcmp(word, "throttle") == 0) {
		r->env.throttled = strcmp(arg, "on") == 0;
		if (!r->env.throttled)
			smtp_credit(&r->s, 0, r->now);
	} else if (strcmp(word, "pressure") == 0) {
		for (i = 0; i < PRESSURES && strcmp(arg, pressures[i]) != 0; i++)
			;
		assert_true(i < PRESSURES);
		r->env.pressure = (uint8_t)i;
	} else {
		for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
			if (strcmp(word, results[i].word) == 0)
				break;
		assert_true(i < sizeof(results) / sizeof(results[0]));
		smtp_result(&r->s, results[i].st, 0, r->now);
	}
	pump(r);
}

static void
one_line(struct run *r, const char *line)
{
	unsigned long	 times = 1;
	char		*end;
	const char	*p = line + 1;
	char		 kind = line[0], sep;

	if (kind == '#' || kind == '\0')
		return;
	if (strncmp(line, "conf: ", 6) == 0) {
		if (r->opened)
			flush_wait(r);
		conf_line(r, line + 6);
		return;
	}
	if (strncmp(line, "table: ", 7) == 0) {
		assert_int_equal(buf_addf(&r->tables, "%s\n", line + 7), E_OK);
		return;
	}
	if (!r->opened) {
		r->opened = 1;
		use_tables(r);
		smtp_open(&r->s, r->now);
		collect(r);
	}
	if (*p == '*') {
		times = strtoul(p + 1, &end, 10);
		p = end;
	}
	sep = *p++;
	assert_true(sep == ':' || sep == '-');
	unescape(r, *p == ' ' ? p + 1 : p);
	if (kind != 'C')
		flush_wait(r);
	switch (kind) {
	case 'C':
		if (sep == ':') {
			r->text[r->text_len++] = '\r';
			r->text[r->text_len++] = '\n';
		}
		for (; times != 0; times--) {
			if (r->mode == JOINED)
				assert_int_equal(buf_add(&r->wait, r->text, r->text_len), E_OK);
			else
				offer(r, slice_make(r->text, r->text_len));
		}
		break;
	case 'S':
		for (; times != 0; times--)
			expect_line(r, &r->said, "\r\n", "reply");
		break;
	case 'R':
		expect_reply(r);
		break;
	case 'A':
		if (r->text_len == 7 && memcmp(r->text, "aborted", 7) == 0)
			expect_aborted(r);
		else
			expect_line(r, &r->calls, "\n", "call to queue");
		break;
	case 'B':
		if (r->body.len != r->text_len ||
		    memcmp(buf_slice(&r->body).p, r->text, r->text_len) != 0)
			bad(r, "body", slice_make(r->text, r->text_len), buf_slice(&r->body));
		break;
	case 'M':
		if ((memmem(buf_slice(&r->body).p, r->body.len, r->text, r->text_len) != NULL) == (sep == '!'))
			bad(r, sep == '!' ? "in the body" : "not in the body", slice_make(r->text, r->text_len), buf_slice(&r->body));
		break;
	case 'H':
		assert_int_equal(r->s.state, ST_TLS);
		assert_int_equal(r->in.len, 0);
		if (r->text_len == 4 && memcmp(r->text, "done", 4) == 0)
			smtp_tls_started(&r->s, r->now);
		else
			smtp_tls_failed(&r->s, "tls-handshake", r->now);
		pump(r);
		break;
	case 'T':
		r->text[r->text_len] = '\0';
		r->now += strtoul(r->text, NULL, 10);
		smtp_time(&r->s, r->now);
		pump(r);
		break;
	case 'Q':
		queue_line(r);
		break;
	case 'K':
		auth_line(r);
		break;
	case 'N':
		r->text[r->text_len] = '\0';
		smtp_name(&r->s, r->text, r->now);
		pump(r);
		break;
	case 'P':
		r->env.stopping = 1;
		smtp_stop(&r->s, r->text_len != 0, r->now);
		pump(r);
		break;
	case 'X':
		r->text[r->text_len] = '\0';
		if (!smtp_closed(&r->s) || strcmp(r->s.reason, r->text) != 0)
			bad(r, "end of the session", slice_str(r->text),
			    slice_str(smtp_closed(&r->s) ? r->s.reason : "still open"));
		break;
	case 'W':
		assert_true(r->text_len == 7);
		if (smtp_blocked(&r->s) != (memcmp(r->text, "blocked", 7) == 0))
			bad(r, "waiting", slice_make(r->text, r->text_len),
			    SLICE_LIT("the other"));
		break;
	default:
		fail_msg("%s:%u: unknown line", r->file, r->line);
	}
}

static void
setup(struct run *r)
{
	assert_int_equal(net_prefix_parse(&us_prefix, SLICE_LIT("198.51.100.0/24")), E_OK);
	assert_int_equal(net_prefix_parse(&others_prefix, SLICE_LIT("203.0.113.0/24")), E_OK);
	domains[3].etrn_from = (struct conf_prefixes){ 0, NULL };
	domains[2].recipients = recipient_table;

	r->conf.hostname = "mx.example.org";
	r->conf.postmaster = "";
	r->conf.recipient_delimiter = "";
	r->conf.message_size_limit = 1000000;
	r->conf.ndomains = sizeof(domains) / sizeof(domains[0]);
	r->conf.domains = domains;
	r->conf.smtpd.command_timeout = 300;
	r->conf.smtpd.data_timeout = 180;
	r->conf.smtpd.min_rate = 100;
	r->conf.smtpd.errors_max = SESSION_ERRORS_MAX;
	r->conf.smtpd.commands_max = SESSION_COMMANDS_MAX;
	r->conf.smtpd.rcpt_max = RCPT_MAX;
	r->conf.smtpd.header_size_max = 1u << 20;
	r->conf.smtpd.header_count_max = 2000;
	buf_init(&r->out, REPLIES_MAX);
	buf_init(&r->said, 8u << 20);
	buf_init(&r->calls, 1u << 20);
	buf_init(&r->body, 8u << 20);
	buf_init(&r->in, 8u << 20);
	buf_init(&r->wait, 8u << 20);
	buf_init(&r->tables, 1u << 20);
	r->env.conf = &r->conf;
	r->env.ops = &ops;
	r->env.out = &r->out;
	r->env.queue_up = 1;
	r->env.wall_s = 1800000000;	/* 2027-01-15T08:00:00Z */
	r->s.env = &r->env;
	r->s.listener = "mx";
	r->s.conf_listener = &r->listener;
	r->now = 1000000;
	assert_int_equal(net_addr_parse(&r->s.client, SLICE_LIT("198.51.100.7")), E_OK);
}

static void
run_file(const char *file, enum mode mode)
{
	struct run	*r;
	char		*line = NULL;
	size_t		 size = 0;
	ssize_t		 n;
	FILE		*f;

	assert_non_null(r = calloc(1, sizeof(*r)));
	assert_non_null(r->text = malloc(LINE_MAX_TEXT));
	assert_non_null(f = fopen(file, "r"));
	r->file = file;
	r->mode = mode;
	setup(r);
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		r->line++;
		one_line(r, line);
	}
	flush_wait(r);
	if (r->said.len != 0)
		bad(r, "replies that nobody asked about", SLICE_LIT(""), buf_slice(&r->said));
	if (r->calls.len != 0)
		bad(r, "calls that nobody asked about", SLICE_LIT(""), buf_slice(&r->calls));
	smtp_eof(&r->s, "eof");
	smtp_env_clear(&r->env);
	fclose(f);
	free(line);
	buf_clear(&r->out);
	buf_clear(&r->said);
	buf_clear(&r->calls);
	buf_clear(&r->body);
	buf_clear(&r->in);
	buf_clear(&r->wait);
	if (r->tables.len != 0)
		kit_close(&r->kit);
	buf_clear(&r->tables);
	free(r->text);
	free(r);
}

static void
transcript(void **state)
{
	enum mode	m;

	for (m = 0; m < MODES; m++)
		run_file(*state, m);
}

int
main(void)
{
	struct CMUnitTest	*tests;
	glob_t			 g;
	size_t			 i;
	int			 rc;

	siphash_seed();
	setenv("TZ", "UTC0", 1);
	tzset();
	idn_init();
	recipient_table = kit_present(recipients, sizeof(recipients) / sizeof(recipients[0]));
	if (glob("tests/smtpd/*.smtp", 0, NULL, &g) != 0 || g.gl_pathc == 0 ||
	    (tests = calloc(g.gl_pathc, sizeof(*tests))) == NULL) {
		fprintf(stderr, "no transcripts in tests/smtpd: run from the top folder\n");
		return (1);
	}
	for (i = 0; i < g.gl_pathc; i++) {
		tests[i].name = g.gl_pathv[i];
		tests[i].test_func = transcript;
		tests[i].initial_state = g.gl_pathv[i];
	}
	rc = _cmocka_run_group_tests("transcripts", tests, g.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&g);
	free((void *)(uintptr_t)recipient_table.image.p);
	return (rc);
}
