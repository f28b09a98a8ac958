/*
 * smtpd_session_fuzz.c -- the server's session core: any octets, in any cuts.
 *
 * The first two octets choose the set-up and the cuts, the rest is what the client
 * sends.  It is run in one piece, cut, and octet by octet.  Oracles: the same replies,
 * calls to queue and bodies each time; one reply per command, chunk and message; a
 * commit names what was handed over; no body of lines holds a bare CR or LF; no recipient that
 * strangers may not write to; replies are whole lines of at most 512 octets.  Queue
 * answers at once, in turn durable and otherwise.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/idn.h"
#include "common/siphash.h"
#include "common/utf8.h"
#include "tests/common/rcpt_kit.h"
#include "tests/common/table_kit.h"
#include "tests/fuzz/smtpd_fake.h"

struct run {
	struct fake	 f;
	struct buf	 body;
	struct buf	 begin;		/* for the record at COMMIT: before, cuts decide */
	unsigned	 commits;
	int		 begun;
	int		 narrow;	/* the window of a section that is rewritten */
};

static void
look(const struct fake *f, struct slice line)
{
	must(memchr(line.p, '\r', line.n - 2) == NULL && (line.p[3] == ' ' || line.p[3] == '-'));
	must(!utf8_has_8bit(line) || (f->env.conf->smtpd.vrfy_from.n != 0 && utf8_is_text(slice_make(line.p, line.n - 2))));
}

static int
op_begin(struct smtp_session *s)
{
	struct run	*r = RUN_OF(s);
	struct slice	 all = buf_slice(&s->txn->rcpts);
	struct txn_rcpt	 a;
	unsigned	 n = 0;
	const char	*at;

	must(!r->begun && r->body.len == 0);
	r->begun = 1;
	buf_drain(&r->begin, r->begin.len);
	buf_addf(&r->begin, "begin <%s>", s->txn->sender);
	while (txn_rcpt_next(&all, &a) == E_OK) {
		must((at = strrchr(a.address, '@')) != NULL && strlen(a.address) <= ADDRESS_MAX);
		must(s->may_relay || strcmp(at, "@all.example") == 0 ||
		    strcmp(at, "@branch.example") == 0 || strcasecmp(a.address,
		    "alice@mx.example.org") == 0 ||
		    strcasecmp(a.address, "postmaster@mx.example.org") == 0 ||
		    strncasecmp(a.address, "\"alice\"@", 8) == 0 || strncasecmp(a.address, "\"postmaster\"@",
		    13) == 0);
		must(utf8_is_text(slice_str(a.address)) && (s->txn->utf8 || !utf8_has_8bit(slice_str(a.address))));
		must(!utf8_has_8bit(slice_str(at)));
		must(strlen(a.orcpt) <= ORCPT_MAX && (s->esmtp || (a.notify == 0 && a.orcpt[0] == '\0')));
		buf_addf(&r->begin, " <%s> %u %s", a.address, a.notify, a.orcpt);
		n++;
	}
	must(utf8_is_text(slice_str(s->txn->sender)) && (s->txn->utf8 || !utf8_has_8bit(slice_str(s->txn->sender))));
	must(s->may_relay || (s->txn->by_mode == BY_NONE && s->txn->hold_until == 0 && !s->txn->prioritized));
	buf_addf(&r->begin, " %u %u %s %d %d %lld %d", s->txn->utf8, s->txn->ret, s->txn->envid, s->txn->by_mode, s->txn->by_s,
	    (long long)s->txn->hold_until, s->txn->priority);
	must(n == s->txn->nrcpt && n > 0);
	buf_adds(&r->begin, "\n");
	return (E_OK);
}

static int
op_body(struct smtp_session *s, struct slice run)
{
	struct run	*r = RUN_OF(s);

	must(r->begun && run.n != 0 && run.n <= s->txn->window);
	return (buf_add(&r->body, run.p, run.n));
}

static int
op_commit(struct smtp_session *s)
{
	struct run	*r = RUN_OF(s);
	const char	*b = buf_slice(&r->body).p;
	size_t		 i, n = r->body.len;

	must(r->begun && n == s->txn->body_len);
	fake_collect(&r->f);		/* replies to chunks came before */
	must(s->txn->header.received <= HOPS_MAX);
	if (!smtp_rewrite_wanted(s))
		must(n <= s->env->conf->message_size_limit + HEADER_ADDED_MAX);
	for (i = 0; i < n && s->txn->body != BODY_BINARY; i++) {
		if (b[i] == '\r')
			must(i + 1 < n && b[i + 1] == '\n');
		if (b[i] == '\n')
			must(i > 0 && b[i - 1] == '\r');
	}
	must(n == 0 || b[n - 1] == '\n' || s->state == ST_BDAT);
	buf_add(&r->f.record, buf_slice(&r->begin).p, r->begin.len);
	buf_addf(&r->f.record, "commit %u %zu\n", s->txn->nrcpt, n);
	if (n != 0)
		buf_add(&r->f.record, b, n);
	buf_drain(&r->body, n);
	r->begun = 0;
	r->commits++;
	return (E_OK);
}

static void
op_abort(struct smtp_session *s)
{
	struct run	*r = RUN_OF(s);

	must(r->begun);
	r->begun = 0;
	buf_drain(&r->body, r->body.len);
}

static void
op_reject(struct smtp_session *s, struct slice reply)
{
	must(reply.n >= 4 && s->verb != NULL);
}

static int
op_own(struct smtp_session *s, const struct net_addr *a)
{
	return (net_addr_is_loopback(a));
}

/* Strangers start nothing but what waits for a relay domain. */
static int
op_etrn(struct smtp_session *s, enum etrn_kind kind, const char *name)
{
	struct run	*r = RUN_OF(s);

	must(strcmp(name, "branch.example") == 0 && s->txn == NULL && kind < ETRN_KINDS);
	fake_collect(&r->f);		/* replies to commands came before */
	buf_addf(&r->f.record, "etrn %u\n", kind);
	return (r->commits % 2 == 0 ? E_OK : E_CLOSED);
}

static int
op_verify(struct smtp_session *s, const char *address)
{
	struct run	*r = RUN_OF(s);
	const char	*at = strrchr(address, '@');

	must(at != NULL && strcmp(at, "@branch.example") == 0);
	return (r->commits % 5 == 4 ? E_CLOSED : E_OK);
}

static const struct smtp_ops ops = {
	.txn_begin = op_begin, .txn_body = op_body, .txn_commit = op_commit, .txn_abort = op_abort,
	.reject = op_reject, .own_address = op_own, .etrn = op_etrn, .verify = op_verify,
};

static void
answer(struct run *r)
{
	static const struct ipc_etrn_result	counted = { .status = ETRN_COUNTED, .count = 3 };
	struct ipc_verify_result		verified = { .status = VERIFY_TAKEN };

	if (r->f.s.state == ST_COMMIT)
		smtp_result(&r->f.s, r->commits % 3 == 2 ? TXN_FULL : TXN_DURABLE, r->commits,
		    r->f.now);
	else if ((r->f.s.state & (ST_DATA | ST_BDAT)) != 0 && r->f.s.txn->blocked_ms != 0)
		smtp_credit(&r->f.s, r->narrow ? 50 : TXN_WINDOW, r->f.now);
	else if (r->f.s.state == ST_ASK && strcmp(r->f.s.verb, "ETRN") == 0)
		smtp_etrn_done(&r->f.s, r->f.s.messages % 2 == 0 ? &counted : NULL, r->f.now);
	else if (r->f.s.state == ST_ASK) {
		if (r->f.s.txn->nrcpt % 3 == 1)
			verified.status = VERIFY_REFUSED;
		smtp_verified(&r->f.s, r->f.s.txn->nrcpt % 3 == 2 ? NULL : &verified, r->f.now);
	} else if (r->f.s.state == ST_NAME)
		smtp_name(&r->f.s, "client.example", r->f.now);
	fake_collect(&r->f);
}

static void
play(struct run *r, const struct conf *conf, unsigned flags, struct slice in, unsigned cut)
{
	size_t		off = 0, have = 0, used;
	uint32_t	before;

	memset(r, 0, sizeof(*r));
	fake_init(&r->f, conf, &ops, "mx");
	r->f.line = look;
	buf_init(&r->body, RECORD_MAX);
	buf_init(&r->begin, RECORD_MAX);
	r->f.s.may_relay = flags & 1;
	r->f.s.name_pending = flags >> 1 & 1;
	r->f.s.lmtp = flags >> 7 & 1;
	r->narrow = (flags & 128) != 0;
	smtp_open(&r->f.s, r->f.now);
	fake_collect(&r->f);
	must(r->f.replies == 1);
	while (have < in.n && !smtp_closed(&r->f.s)) {
		have = fake_more(have, in.n, cut);
		do {
			before = r->f.s.state;
			r->f.replies = 0;
			used = smtp_input(&r->f.s, slice_make(in.p + off, have - off), r->f.now);
			must(used <= have - off);
			off += used;
			fake_collect(&r->f);
			if (r->narrow && r->f.s.txn != NULL && r->f.s.txn->rewriting)
				r->f.s.txn->window = 60;
			if (smtp_blocked(&r->f.s) && !smtp_closed(&r->f.s)) {
				answer(r);
				/* A rewritten header section may need more than one window. */
				while ((r->f.s.state & (ST_DATA | ST_BDAT)) != 0 && smtp_blocked(&r->f.s))
					answer(r);
				if (r->f.s.state == ST_COMMIT)
					answer(r);	/* it had waited for the name or for credit */
				must(!smtp_blocked(&r->f.s) || smtp_closed(&r->f.s));
				used = 1;
			}
			/* One octet at a time each call is one command, or some octets of a message. */
			if (cut == 1 && !r->f.s.quiet && !r->f.s.lmtp) {
				if ((before & ST_ANY) != 0)
					must(r->f.replies == (used != 0 && r->f.s.state != ST_BDAT));
				else if (before == ST_DATA)
					must(r->f.replies == (r->f.s.state != ST_DATA));
				else if (before == ST_BDAT)
					must(r->f.replies == (r->f.s.state != ST_BDAT));
			}
		} while (used != 0 && off <= have && off < in.n && !smtp_closed(&r->f.s) &&
		    (off < have || r->f.s.state != before));
	}
	if (smtp_closed(&r->f.s))
		buf_addf(&r->f.record, "closed: %s\n", r->f.s.reason);
	else
		buf_addf(&r->f.record, "open: %u\n", r->f.s.state);
	fake_end(&r->f);
	must(!r->begun);
	buf_clear(&r->body);
	buf_clear(&r->begin);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const	 rcpts[] = { "alice" };
	static struct conf_domain	 domains[] = {
		{ .name = "all.example", .all = 1, .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
		{ .name = "branch.example", .relay = 1, .catch_all = "" },
		{ .name = "mx.example.org", .catch_all = "", .deliver = { .kind = HOP_MAILDIR } },
	};
	static struct net_prefix	 everybody;
	static struct run		 whole, cut, octets;
	static int			 seeded;
	struct conf			 conf = { .hostname = "mx.example.org", .postmaster = "", .recipient_delimiter = "",
					     .ndomains = 3, .domains = domains };
	static struct rcpt_kit		 kit;
	struct slice			 in;

	if (size < 2 || size > 200000)
		return (0);
	if (!seeded) {
		siphash_seed();
		idn_init();
		(void)net_prefix_parse(&everybody, SLICE_LIT("::/0"));
		domains[2].recipients = kit_present(rcpts, 1);
		kit_open(&kit, "canonical @client.example @a-longer-name.example\n"
		    "recipient-canonical bob@mx.example.org alice@mx.example.org\n");
		seeded = 1;
	}
	conf.message_size_limit = (data[0] & 4) != 0 ? 100 : 1000000;
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = (data[0] & 8) != 0 ? 2 : 1000;
	conf.smtpd.commands_max = (data[0] & 16) != 0 ? 5 : 100000;
	conf.smtpd.rcpt_max = (data[0] & 32) != 0 ? 2 : RCPT_MAX;
	domains[1].verify = (data[0] & 64) != 0;
	if (domains[1].verify)
		conf.smtpd.vrfy_from = conf.smtpd.expn_from = (struct conf_prefixes){ 1, &everybody };
	if ((data[0] & 128) != 0) {
		conf.tables = kit.conf.tables;
		conf.smtpd.header_size_max = 200;
		conf.smtpd.header_count_max = 5;
		conf.smtpd.line_max = 80;
	}
	in = slice_make(data + 2, size - 2);
	play(&whole, &conf, data[0], in, 0);
	play(&cut, &conf, data[0], in, 2 + data[1]);
	play(&octets, &conf, data[0], in, 1);
	fake_compare(&whole.f, &cut.f, &octets.f);
	return (0);
}
