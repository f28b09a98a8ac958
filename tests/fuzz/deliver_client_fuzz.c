/*
 * deliver_client_fuzz.c -- a hostile server's octets, in any cut, with drops and time-outs, over several messages.
 *
 * The first octet chooses how the rest is cut, when the connection ends, and whether the messages ask for all that
 * extensions give, with a binary body of three chunks and a probe in the middle.  The second chooses what TLS and login are
 * asked for, and how handshakes and auth's steps end.  Oracles: where TLS is required no MAIL goes without it, where a login
 * is, none before it; nothing is said in a handshake, and nothing that was heard before it counts; a password is in the
 * commands alone, never in the record; each recipient gets at most
 * one outcome, and exactly one once the transaction is done; "delivered" only after the final dot or the last chunk had
 * gone, and only from a 2yz that came after it; what was sent as data un-stuffs to the body, what was sent as chunks is
 * the body; nothing is sent after QUIT or the end, and no 8-bit command to who does not offer SMTPUTF8.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deliver/client.h"
#include "deliver/dot.h"

#define NRCPT		5
#define MESSAGES	3
#define SENT_MAX	4096

static const char body[] = ".\r\n..a\r\n\r\nb\0c\xff\r\n.";	/* ends without CRLF */
static struct conf_timeouts timeouts = { 30, 300, 300, 300, 300, 120, 180, 600, 10, 7200 };

struct fuzz {
	struct client	 c;
	struct client_rcpt rcpt[NRCPT];
	struct client_mail m;
	struct dialogue	 dialogue;
	int		 outcomes[NRCPT];
	uint64_t	 now;
	int		 busy, ready, body, over, dot_sent, quit, messages;
	char		 data[SENT_MAX];
	size_t		 ndata;
	int		 extended;
	size_t		 chunk_left, chunk_at;	/* of what was sent in chunks */
	int		 last;
	struct tls_policy policy;
	unsigned	 how;
	int		 shaken, asked, logged_in;
};

enum { HOW_MUST = 1, HOW_IMPLICIT = 2, HOW_LOGIN = 4, HOW_BREAK = 8, HOW_WAIT = 16, HOW_REFUSE = 32, HOW_LONG = 64, HOW_TLS = 128 };

static const char secret[] = "\1secret of ours, which stays with us";

static char	big[2 * BDAT_CHUNK + 3];

static void
take_output(struct fuzz *f)
{
	struct slice s = buf_slice(&f->c.out);

	if (s.n == 0)
		return;
	assert(!f->over);
	assert(f->quit < 2);
	if (f->quit == 1) {
		assert(s.n == 6 && memcmp(s.p, "QUIT\r\n", 6) == 0);
		f->quit = 2;
	}
	assert(s.n >= 2 && s.p[s.n - 2] == '\r' && s.p[s.n - 1] == '\n');
	assert(f->c.state != CS_TLS && f->c.state != CS_LOGIN);
	if (memmem(s.p, s.n, "MAIL FROM", 9) != NULL) {
		assert(!(f->how & HOW_MUST) || f->c.tls);
		assert(!(f->how & HOW_LOGIN) || f->logged_in);
	}
	for (size_t i = 0; i < s.n; i++)
		assert((unsigned char)s.p[i] < 0x80 || (f->c.offers & OFFER_SMTPUTF8));
	client_out_taken(&f->c, s.n);
	if (f->how & HOW_LOGIN && f->c.out.p != NULL)
		assert(memmem(f->c.out.p, f->c.out.size, "AXNlY3JldCBv", 12) == NULL);
}

static int	shake(struct fuzz *, size_t rest);

/* auth's side of it: anything may be asked at any time. */
static void
auth_step(struct fuzz *f)
{
	const struct client_auth *a = &f->c.auth;
	enum sasl_mechanism m = f->how & HOW_WAIT ? SASL_LOGIN : SASL_PLAIN;
	static char long_one[600];

	assert(f->c.state == CS_LOGIN && a->challenge.n <= sizeof(a->text));
	f->asked++;
	if ((f->how & HOW_REFUSE) && f->asked % 3 == 0)
		client_auth_failed(&f->c, "4.7.0", "no", f->now);
	else if (a->done) {
		f->logged_in = 1;
		client_auth_ok(&f->c, f->now);
	} else if ((f->how & HOW_LONG) && a->first) {
		memset(long_one, 's', sizeof(long_one));
		client_auth_say(&f->c, m, 1, slice_make(long_one, sizeof(long_one)), f->now);
	} else
		client_auth_say(&f->c, m, !(f->how & HOW_WAIT), slice_make(secret, a->first && (f->how & HOW_WAIT) ? 0 :
		    sizeof(secret) - 1), f->now);
}

static void	pump(struct fuzz *, struct slice);

static void
pump(struct fuzz *f, struct slice in)
{
	struct client_result r;
	enum client_event e;

	while ((e = client_step(&f->c, &in, f->now, &r)) != CLIENT_WAIT) {
		switch (e) {
		case CLIENT_RESULT:
			assert(f->busy && r.rcpt < NRCPT);
			assert(f->outcomes[r.rcpt]++ == 0);
			assert(f->rcpt[r.rcpt].done);
			if (r.outcome == OUT_DELIVERED)
				assert((f->dot_sent || f->m.probe) && r.code / 100 == 2 && f->rcpt[r.rcpt].accepted);
			if (r.outcome == OUT_UNSURE)
				assert(f->dot_sent && f->rcpt[r.rcpt].accepted);
			assert(r.code != 0 || r.enhanced.cls != 0);
			break;
		case CLIENT_READY:
			assert(!f->busy);
			f->ready = 1;
			break;
		case CLIENT_BODY:
			assert(f->busy && !f->dot_sent && !f->m.probe);
			f->body = 1;
			break;
		case CLIENT_DONE:
			assert(f->busy);
			for (int i = 0; i < NRCPT; i++)
				assert(f->outcomes[i] == 1);
			f->busy = f->body = 0;
			f->ready = 1;
			break;
		case CLIENT_TLS:
			if (shake(f, in.n))
				return;
			break;
		case CLIENT_AUTH:
			assert(f->how & HOW_LOGIN && !f->busy);
			auth_step(f);
			break;
		case CLIENT_OVER:
			assert(!f->over);
			f->over = 1;
			/* Once the dot was sent, nobody may be left to a second host. */
			for (int i = 0; i < NRCPT && f->busy && f->dot_sent; i++)
				assert(f->outcomes[i] == 1 || f->messages == 0);
			break;
		case CLIENT_WAIT:
			break;
		}
	}
	f->body &= f->c.state == CS_BODY;
	if (!f->over)
		take_output(f);
}

/* The handshake; what is left of this read was never TLS. */
static int
shake(struct fuzz *f, size_t rest)
{
	assert(f->how & HOW_TLS && f->shaken++ == 0 && !f->busy && rest == 0 && f->c.state == CS_TLS);
	assert(f->c.out.len == 0);
	if (f->how & HOW_BREAK)
		client_tls_failed(&f->c, "because", f->now);
	else {
		client_tls_started(&f->c, "TLS", f->now);
		assert(f->c.offers == 0 && f->c.size_max == 0 && f->c.rcpt_max == 0 && f->c.auth.mechanisms == 0);
	}
	pump(f, slice_make(NULL, 0));
	return (1);
}

static void
check_data(const struct fuzz *f)
{
	char un[SENT_MAX];
	size_t n = 0;

	assert(f->ndata >= 5 && memcmp(f->data + f->ndata - 5, "\r\n.\r\n", 5) == 0);
	for (size_t i = 0; i < f->ndata - 3; i++) {
		int start = i == 0 || (i >= 2 && f->data[i - 1] == '\n' && f->data[i - 2] == '\r');

		if (start && f->data[i] == '.') {
			assert(f->data[i + 1] != '\r' || f->data[i + 2] != '\n');	/* no early end */
			continue;
		}
		un[n++] = f->data[i];
	}
	assert(n == sizeof(body) - 1 + 2);		/* the CRLF that was missing */
	assert(memcmp(un, body, sizeof(body) - 1) == 0);
}

static void
send_body(struct fuzz *f, size_t piece)
{
	struct slice in = { body, sizeof(body) - 1 }, seg[4], end;
	size_t nseg, used, k;

	f->body = 0;
	f->ndata = 0;
	while (in.n != 0) {
		k = in.n < piece ? in.n : piece;
		assert(client_body(&f->c, slice_make(in.p, k), seg, 4, &nseg, &used) == E_OK);
		for (size_t i = 0; i < nseg; i++) {
			memcpy(f->data + f->ndata, seg[i].p, seg[i].n);
			f->ndata += seg[i].n;
			client_body_sent(&f->c, seg[i].n, f->now);
		}
		in = slice_make(in.p + used, in.n - used);
	}
	assert(client_body_end(&f->c, &end) == E_OK);
	memcpy(f->data + f->ndata, end.p, end.n);
	f->ndata += end.n;
	check_data(f);
	f->dot_sent = 1;
	client_dot_sent(&f->c, f->now);
}

/* One piece of the stream of chunks. */
static void
check_chunk(struct fuzz *f, struct slice seg)
{
	char head[64];
	unsigned long long n;
	int len;

	if (f->chunk_left != 0) {
		assert(seg.n <= f->chunk_left && memcmp(seg.p, big + f->chunk_at, seg.n) == 0);
		f->chunk_left -= seg.n;
		f->chunk_at += seg.n;
		return;
	}
	assert(!f->last && seg.n < sizeof(head));
	memcpy(head, seg.p, seg.n);
	head[seg.n] = '\0';
	assert(sscanf(head, "BDAT %llu%n", &n, &len) == 1 && n > 0 && n <= BDAT_CHUNK);
	f->last = strcmp(head + len, " LAST\r\n") == 0;
	assert(f->last || strcmp(head + len, "\r\n") == 0);
	f->chunk_left = n;
}

static void
send_chunks(struct fuzz *f, size_t piece)
{
	struct slice seg[8], end;
	size_t nseg, used = 1, left;

	while (f->body && used != 0) {
		left = f->m.size - f->chunk_at;
		if (left > piece * 4001)
			left = piece * 4001;
		assert(client_body(&f->c, slice_make(big + f->chunk_at, left), seg, 8, &nseg, &used) == E_OK);
		for (size_t i = 0; i < nseg; i++) {
			check_chunk(f, seg[i]);
			client_body_sent(&f->c, seg[i].n, f->now);
		}
		if (f->chunk_at < f->m.size)
			continue;
		assert(client_body_end(&f->c, &end) == E_OK && end.n == 0);
		assert(f->last && f->chunk_left == 0);
		f->body = 0;
		f->dot_sent = 1;
		client_dot_sent(&f->c, f->now);
	}
}

/* The next message. */
static void
prepare(struct fuzz *f)
{
	f->m.probe = f->extended && f->messages == 2;
	f->m.sender = f->m.probe ? "" : "s@a.example";
	f->chunk_left = f->chunk_at = 0;
	f->last = 0;
	for (int i = 0; i < NRCPT; i++) {
		f->rcpt[i] = (struct client_rcpt){ .address = "r@b.example" };
		if (f->extended) {
			f->rcpt[i].notify = (uint8_t)(i * 3 % 16);
			f->rcpt[i].orcpt = i % 2 == 0 ? "utf-8;\303\244@c" : "rfc822;a b@c";
		}
		f->outcomes[i] = 0;
	}
	if (f->extended)
		f->rcpt[1].address = "\303\244@b.example";
}

static void
act(struct fuzz *f, size_t piece)
{
	while (f->ready && !f->over) {
		f->ready = 0;
		if (f->messages == MESSAGES || !client_reusable(&f->c)) {
			client_quit(&f->c, f->now);
			f->quit = 1;
			pump(f, slice_make(NULL, 0));
			return;
		}
		f->messages++;
		f->busy = 1;
		f->dot_sent = 0;
		prepare(f);
		assert(client_mail(&f->c, &f->m, f->now) == E_OK);
		pump(f, slice_make(NULL, 0));
	}
	if (f->body && !f->over && f->c.bdat)
		send_chunks(f, piece);
	else if (f->body && !f->over)
		send_body(f, piece);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	char text[DIALOGUE_MAX];
	size_t piece, at, k, n;

	if (size < 2)
		return (0);
	memset(&f, 0, sizeof(f));
	f.now = 1000;
	f.m = (struct client_mail){ .sender = "s@a.example", .size = sizeof(body) - 1, .body = data[0] & 1, .rcpt = f.rcpt, .nrcpt = NRCPT };
	piece = (data[0] >> 2) % 32 + 1;
	f.extended = data[0] >> 7;
	if (f.extended) {
		for (size_t i = 0; i < sizeof(big) && big[1] == 0; i++)
			big[i] = (char)(i * 31 % 251 + 1);
		f.m.header8 = data[0] >> 1 & 1;
		f.m.utf8 = 1;
		f.m.ret = RET_HDRS;
		f.m.envid = "e+";
		f.m.by_mode = BY_NOTIFY;
		f.m.by_left = 60;
		f.m.prioritized = 1;
		if (data[0] & 1) {
			f.m.body = BODY_BINARY;
			f.m.size = sizeof(big);
		}
	}
	client_init(&f.c, "me.example", &timeouts);
	dialogue_init(&f.dialogue, f.now);
	f.c.dialogue = &f.dialogue;
	f.how = data[1];
	if (!(f.how & HOW_TLS))
		f.how &= ~(unsigned)(HOW_MUST | HOW_IMPLICIT);
	f.policy = (struct tls_policy){ .refs = 1, .want = !(f.how & HOW_TLS) ? WANT_NONE : f.how & HOW_MUST ? WANT_DANE : WANT_MAY,
	    .clear = !(f.how & HOW_MUST), .implicit = f.how & HOW_IMPLICIT ? 1 : 0, .may_login = 1, .text = "text", .why = "" };
	client_secure(&f.c, &f.policy, 0, (f.how & HOW_LOGIN) != 0);
	client_connected(&f.c, f.now);
	pump(&f, slice_make(NULL, 0));
	for (at = 2; at < size && !f.over; at += k) {
		k = piece < size - at ? piece : size - at;
		f.now += 7;
		pump(&f, slice_make(data + at, k));
		act(&f, piece);
	}
	if (!f.over) {
		if ((data[0] & 2) != 0 && f.c.deadline_ms != UINT64_MAX) {
			f.now = f.c.deadline_ms;
			client_timeout(&f.c, f.now);
		} else
			client_eof(&f.c, f.now, "lost connection");
		pump(&f, slice_make(NULL, 0));
	}
	assert(f.over);
	assert(f.c.fail.stage != STAGE_TLS || f.c.fail.outcome == OUT_TEMPFAIL);
	assert(f.c.fail.stage != STAGE_AUTH || f.c.fail.outcome == OUT_TEMPFAIL);
	n = dialogue_text(&f.dialogue, text);
	/* ... unless the host said it itself. */
	assert(memmem(text, n, "AXNlY3Jl", 8) == NULL || memmem(data, size, "AXNlY3Jl", 8) != NULL);
	assert(memmem(text, n, "secret of", 9) == NULL || memmem(data, size, "secret of", 9) != NULL);
	assert(n <= DIALOGUE_MAX);
	for (size_t i = 0; i < n; i++)
		assert(text[i] == '\n' || (text[i] >= 0x20 && text[i] <= 0x7e));
	client_clear(&f.c);
	return (0);
}
