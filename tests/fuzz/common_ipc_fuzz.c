/*
 * common_ipc_fuzz.c -- a datagram from a hostile peer, through the table and every unpack function.
 *
 * The first two octets choose the direction and the number of descriptors, the rest is the datagram.
 * Oracle: what was accepted packs to the very octets that came, is not longer than the table says, and is
 * accepted again.  Frames add up to the datagram; after a failure no frame is passed on.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc.h"

#define FRAME_HEADER	12

static const unsigned rooms[] = {
	ROOM_MASTER, ROOM_SMTPD, ROOM_QUEUE, ROOM_DELIVER, ROOM_RESOLVER, ROOM_CTL, ROOM_PICKUP, ROOM_KEYS,
	ROOM_AUTH, ROOM_PAM,
};

#define NROOMS	(sizeof(rooms) / sizeof(rooms[0]))

struct seen {
	unsigned	from, to, nfd;
	size_t		octets;
	int		failed;
};

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
prepare(enum ipc_type type, void *m)
{
	static struct dns_record room[DNS_RECORDS_MAX];

	if (type == IPC_DNS_ANSWER)
		((struct ipc_dns_answer *)m)->rec = room;
}

#define CASE(NAME, name, from, to, nfd) \
	case IPC_##NAME: { \
		static struct ipc_##name m; \
		prepare(type, &m); \
		rd_init(&r, payload->p, payload->len); \
		if ((err = ipc_unpack_##name(&r, &m)) == E_OK) \
			ipc_pack_##name(&w, &m); \
		break; \
	}

static int
on_frame(void *arg, enum ipc_type type, struct rd *payload)
{
	static uint8_t	 out[IPC_PAYLOAD_MAX];
	struct seen	*s = arg;
	struct wr	 w;
	struct rd	 r;
	int		 err = E_PROTO;

	if (s->failed)
		abort();
	wr_init(&w, out, sizeof(out));
	switch (type) {
	IPC_MESSAGES(CASE)
	default:
		abort();
	}
	if (ipc_check(type, s->from, s->to, payload->len, s->nfd) != E_OK)
		abort();
	s->octets += FRAME_HEADER + payload->len;
	if (err != E_OK) {
		s->failed = 1;
		return (err);
	}
	if (w.err != E_OK || w.len != payload->len || memcmp(out, payload->p, w.len) != 0)
		abort();
	return (E_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen	s;
	uint32_t	seq = 0;
	int		err;

	if (size < 2)
		return (0);
	memset(&s, 0, sizeof(s));
	s.from = rooms[(data[0] & 0x0f) % NROOMS];
	s.to = rooms[(data[0] >> 4) % NROOMS];
	s.nfd = data[1] % 3;
	err = ipc_split(data + 2, size - 2, s.from, s.to, s.nfd, &seq, on_frame, &s);
	if (err == E_OK && (s.octets != size - 2 || s.failed))
		abort();
	if (s.failed && err != E_PROTO)
		abort();
	return (0);
}
