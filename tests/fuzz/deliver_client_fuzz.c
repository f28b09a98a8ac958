/*
 * deliver_client_fuzz.c -- a hostile server's octets, in any cut, with drops and time-outs, over several messages.
 *
 * The first octet chooses how the rest is cut and when the connection ends.  Oracles: each recipient gets at most
 * one outcome, and exactly one once the transaction is done; "delivered" only after the final dot had gone, and only from a
 * 2yz that came after it; what was sent as data un-stuffs to the body; nothing is sent after QUIT or the end.
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
};

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
	buf_drain(&f->c.out, s.n);
}

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
				assert(f->dot_sent && r.code / 100 == 2 && f->rcpt[r.rcpt].accepted);
			if (r.outcome == OUT_UNSURE)
				assert(f->dot_sent && f->rcpt[r.rcpt].accepted);
			assert(r.code != 0 || r.enhanced.cls != 0);
			break;
		case CLIENT_READY:
			assert(!f->busy);
			f->ready = 1;
			break;
		case CLIENT_BODY:
			assert(f->busy && !f->dot_sent);
			f->body = 1;
			break;
		case CLIENT_DONE:
			assert(f->busy);
			for (int i = 0; i < NRCPT; i++)
				assert(f->outcomes[i] == 1);
			f->busy = f->body = 0;
			f->ready = 1;
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
	if (!f->over)
		take_output(f);
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
		for (int i = 0; i < NRCPT; i++) {
			f->rcpt[i] = (struct client_rcpt){ .address = "r@b.example" };
			f->outcomes[i] = 0;
		}
		assert(client_mail(&f->c, &f->m, f->now) == E_OK);
		pump(f, slice_make(NULL, 0));
	}
	if (f->body && !f->over)
		send_body(f, piece);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	char text[DIALOGUE_MAX];
	size_t piece, at, k, n;

	if (size == 0)
		return (0);
	memset(&f, 0, sizeof(f));
	f.now = 1000;
	f.m = (struct client_mail){ .sender = "s@a.example", .size = sizeof(body) - 1, .body = data[0] & 1, .rcpt = f.rcpt, .nrcpt = NRCPT };
	piece = (data[0] >> 2) % 32 + 1;
	client_init(&f.c, "me.example", &timeouts);
	dialogue_init(&f.dialogue, f.now);
	f.c.dialogue = &f.dialogue;
	client_connected(&f.c, f.now);
	for (at = 1; at < size && !f.over; at += k) {
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
	n = dialogue_text(&f.dialogue, text);
	assert(n <= DIALOGUE_MAX);
	for (size_t i = 0; i < n; i++)
		assert(text[i] == '\n' || (text[i] >= 0x20 && text[i] <= 0x7e));
	client_clear(&f.c);
	return (0);
}
