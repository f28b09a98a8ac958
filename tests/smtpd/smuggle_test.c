/*
 * smuggle_test.c -- all there is of CR, LF, dot and letter around the end of a message.
 *
 * Each sequence of up to SEQUENCE_MAX of these octets, behind the beginning of a line and in its
 * midst, is sent by DATA, and by BDAT with its count; a second message is hidden behind it.  What
 * the RFC says about the octets is looked for in the plainest way: the first CR LF . CR LF (RFC
 * 5321 4.1.1.4), and whether a bare CR or LF stands before it. Then: one message arrives, with
 * exactly the octets before it; or none at all, and the session is over (DATA) or still in step
 * (BDAT).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "smtpd/session.h"

#define SEQUENCE_MAX	7

static const char alphabet[] = { '\r', '\n', '.', 'a' };
static const char hidden[] = "MAIL FROM:<smuggled@client.example>\r\nRCPT TO:<a@all.example>\r\n"
    "DATA\r\nhidden: yes\r\n.\r\nQUIT\r\n";

struct run {
	struct smtp_session s;
	struct smtp_env	 env;
	struct buf	 out, body;
	char		 message[2][512];
	size_t		 len[2];
	unsigned	 commits, aborts;
	char		 sender[2][ADDRESS_MAX + 1];
};

static struct run *
run_of(struct smtp_session *s)
{
	return ((struct run *)(void *)s);
}

static int
op_begin(struct smtp_session *s)
{
	buf_drain(&run_of(s)->body, run_of(s)->body.len);
	return (E_OK);
}

static int
op_body(struct smtp_session *s, struct slice run)
{
	return (buf_add(&run_of(s)->body, run.p, run.n));
}

static int
op_commit(struct smtp_session *s)
{
	struct run	*r = run_of(s);

	assert_true(r->commits < 2 && r->body.len < sizeof(r->message[0]));
	r->len[r->commits] = r->body.len;
	if (r->body.len != 0)
		memcpy(r->message[r->commits], buf_slice(&r->body).p, r->body.len);
	snprintf(r->sender[r->commits], sizeof(r->sender[0]), "%s", s->txn->sender);
	r->commits++;
	return (E_OK);
}

static void
op_abort(struct smtp_session *s)
{
	run_of(s)->aborts++;
}

static void
op_reject(struct smtp_session *s, struct slice reply)
{
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_body = op_body, .txn_commit = op_commit, .txn_abort = op_abort,
	.reject = op_reject,
};

static struct conf	conf;

static void
start(struct run *r)
{
	memset(r, 0, offsetof(struct run, out));
	r->commits = r->aborts = 0;
	buf_drain(&r->body, r->body.len);
	buf_drain(&r->out, r->out.len);
	r->env.conf = &conf;
	r->env.ops = &ops;
	r->env.out = &r->out;
	r->env.queue_up = 1;
	r->s.env = &r->env;
	r->s.listener = "mx";
	smtp_open(&r->s, 1000);
}

/* In steps of so many octets. */
static void
say(struct run *r, const char *p, size_t n, size_t step)
{
	size_t	off = 0, have = 0, used;

	while (have < n && !smtp_closed(&r->s)) {
		have = n - have < step ? n : have + step;
		do {
			used = smtp_input(&r->s, slice_make(p + off, have - off), 1000);
			off += used;
			if (r->s.state == ST_COMMIT) {
				smtp_result(&r->s, TXN_DURABLE, 7, 1000);
				used = 1;
			}
		} while (used != 0 && off < have && !smtp_closed(&r->s));
	}
}

static void
finish(struct run *r)
{
	smtp_eof(&r->s, "eof");
	smtp_env_clear(&r->env);
}

/* What stands in p before the final dot, unstuffed; the octets that belong to the message with its end, 0 if a bare
 * CR or LF comes first, or if there is no end. */
static size_t
plainly(const char *p, size_t n, char *out, size_t *outn)
{
	size_t	i, o = 0;

	for (i = 0; i < n; i++) {
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			return (0);
		if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
			return (0);
		if (p[i] == '.' && (i == 0 || p[i - 1] == '\n')) {
			if (i + 2 < n && p[i + 1] == '\r' && p[i + 2] == '\n') {
				*outn = o;
				return (i + 3);
			}
			continue;
		}
		out[o++] = p[i];
	}
	return (0);
}

static int
whole_lines(const char *p, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if ((p[i] == '\n') != (i > 0 && p[i - 1] == '\r'))
			return (0);
	return (n == 0 || p[n - 1] == '\n');
}

static const char envelope[] = "EHLO client.example\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<a@all.example>\r\n";

static void
by_data(struct run *r, const char *head, const char *seq, size_t n, size_t step)
{
	char	text[256], want[256];
	size_t	len = strlen(head), outn = 0, end;

	memcpy(text, head, len);
	memcpy(text + len, seq, n);
	memcpy(text + len + n, hidden, sizeof(hidden) - 1);
	len += n + sizeof(hidden) - 1;
	end = plainly(text, len, want, &outn);
	start(r);
	say(r, envelope, sizeof(envelope) - 1, step);
	say(r, "DATA\r\n", 6, step);
	say(r, text, len, step);
	if (end == 0) {
		assert_int_equal(r->commits, 0);
		assert_true(smtp_closed(&r->s));
		assert_true(strncmp(r->s.reason, "bare-", 5) == 0);
	} else {
		/* What is behind the end are commands; the hidden ones are if they begin a line. */
		assert_true(r->commits >= 1);
		assert_int_equal(r->len[0], outn);
		assert_memory_equal(r->message[0], want, outn);
		assert_string_equal(r->sender[0], "s@client.example");
		assert_int_equal(r->commits == 2, end <= len - (sizeof(hidden) - 1) &&
		    whole_lines(text + end, len - (sizeof(hidden) - 1) - end));
	}
	finish(r);
}

static void
by_bdat(struct run *r, const char *head, const char *seq, size_t n, size_t step, size_t split)
{
	char	text[256], command[64];
	size_t	len = strlen(head), i;
	int	bare = 0;

	memcpy(text, head, len);
	memcpy(text + len, seq, n);
	len += n;
	for (i = 0; i < len; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			bare = 1;
		if (text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n'))
			bare = 1;
	}
	start(r);
	say(r, envelope, sizeof(envelope) - 1, step);
	if (split != 0) {
		snprintf(command, sizeof(command), "BDAT %zu\r\n", split);
		say(r, command, strlen(command), step);
		say(r, text, split, step);
	}
	snprintf(command, sizeof(command), "BDAT %zu LAST\r\n", len - split);
	say(r, command, strlen(command), step);
	say(r, text + split, len - split, step);
	assert_int_equal(r->commits, !bare);
	if (!bare) {
		assert_int_equal(r->len[0], len);
		assert_memory_equal(r->message[0], text, len);
	}
	assert_int_equal(r->s.state, ST_HELO);
	say(r, "QUIT\r\n", 6, step);
	assert_true(smtp_closed(&r->s));
	assert_string_equal(r->s.reason, "quit");
	finish(r);
}

static void
each(int bdat)
{
	static const char *const heads[] = { "A: b\r\n\r\n", "A: b\r\n\r\nx", "A: b\r\n\r\nx\r\n.", "A: b\r\n\r\nx\r" };
	static struct run	 r;
	char			 seq[SEQUENCE_MAX];
	size_t			 n, k, h;
	unsigned long		 v, x;

	memset(&r, 0, sizeof(r));
	buf_init(&r.out, REPLIES_MAX);
	buf_init(&r.body, 65536);
	for (n = 0; n <= SEQUENCE_MAX; n++) {
		for (v = 0; v < 1ul << 2 * n; v++) {
			for (x = v, k = 0; k < n; k++, x /= 4)
				seq[k] = alphabet[x % 4];
			for (h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
				if (bdat) {
					by_bdat(&r, heads[h], seq, n, 512, 0);
					by_bdat(&r, heads[h], seq, n, 1, strlen(heads[h]) + n / 2);
				} else {
					by_data(&r, heads[h], seq, n, 512);
					by_data(&r, heads[h], seq, n, 1);
				}
			}
		}
	}
	buf_clear(&r.out);
	buf_clear(&r.body);
}

static void
data(void **state)
{
	each(0);
}

static void
chunks(void **state)
{
	each(1);
}

int
main(void)
{
	static struct conf_domain	domains[] = {
		{ .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	};
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(data),
		cmocka_unit_test(chunks),
	};

	siphash_seed();
	conf.hostname = "mx.example.org";
	conf.postmaster = "";
	conf.recipient_delimiter = "";
	conf.message_size_limit = 100000;
	conf.ndomains = 1;
	conf.domains = domains;
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = 20;
	conf.smtpd.commands_max = 1000;
	conf.smtpd.rcpt_max = 10;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
