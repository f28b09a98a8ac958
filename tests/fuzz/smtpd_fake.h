/*
 * smtpd_fake.h -- a session core in the hands of a fuzz target: its environment, and the record of all that it did.
 *
 * A target's struct run begins with a struct fake, which begins with the session: its ops find the run by it.
 */
#ifndef TESTS_FUZZ_SMTPD_FAKE_H
#define TESTS_FUZZ_SMTPD_FAKE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "smtpd/session.h"

#define RECORD_MAX	(4u << 20)

struct fake {
	struct smtp_session s;
	struct smtp_env	 env;
	struct buf	 out, record;
	unsigned	 replies;	/* since the target set it to 0 */
	uint64_t	 now;
	void		(*line)(const struct fake *, struct slice);	/* a line of a reply, to be looked at; or NULL */
};

#define RUN_OF(session)	((struct run *)(void *)(session))

static void
must(int ok)
{
	if (!ok)
		abort();
}

/* f is all zero, but for what of the session the target has set. */
static void
fake_init(struct fake *f, const struct conf *conf, const struct smtp_ops *ops, const char *listener)
{
	buf_init(&f->out, REPLIES_MAX);
	buf_init(&f->record, RECORD_MAX);
	f->env.conf = conf;
	f->env.ops = ops;
	f->env.out = &f->out;
	f->env.queue_up = 1;
	f->env.wall_s = 1800000000;
	f->s.env = &f->env;
	f->s.listener = listener;
	f->now = 5000;
}

/* The replies so far go into the record: whole lines of at most 512 octets. */
static void __attribute__((unused))
fake_collect(struct fake *f)
{
	struct slice	 o = buf_slice(&f->out);
	const char	*lf;
	size_t		 n;

	while (o.n != 0) {
		must((lf = memchr(o.p, '\n', o.n)) != NULL);
		n = (size_t)(lf + 1 - o.p);
		must(n >= 6 && n <= 512 && lf[-1] == '\r' && o.p[0] >= '2' && o.p[0] <= '5');
		if (f->line != NULL)
			f->line(f, slice_make(o.p, n));
		f->replies += o.p[3] == ' ';
		buf_add(&f->record, o.p, n);
		o = slice_make(o.p + n, o.n - n);
	}
	buf_drain(&f->out, f->out.len);
}

/* How much of n octets is there after the next piece has come: all at once (cut 0), octet by octet (1), or in uneven pieces. */
static size_t
fake_more(size_t have, size_t n, unsigned cut)
{
	size_t	step = cut == 0 ? n : cut == 1 ? 1 : 1 + (have * 13 + cut) % cut;

	return (n - have < step ? n : have + step);
}

/* The client goes; the record stays. */
static void
fake_end(struct fake *f)
{
	smtp_eof(&f->s, "eof");
	must(f->s.txn == NULL);
	smtp_env_clear(&f->env);
	buf_clear(&f->out);
}

/* The same octets in one piece, cut, and octet by octet must have led to the same; the records go. */
static void __attribute__((unused))
fake_compare(struct fake *whole, struct fake *cut, struct fake *octets)
{
	must(slice_eq(buf_slice(&whole->record), buf_slice(&cut->record)));
	must(slice_eq(buf_slice(&whole->record), buf_slice(&octets->record)));
	buf_clear(&whole->record);
	buf_clear(&cut->record);
	buf_clear(&octets->record);
}

#endif
