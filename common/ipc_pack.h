/*
 * ipc_pack.h -- pieces that several payloads share; for the ipc_msg*.c files alone.
 *
 * Core: no input or output.  Everything here is checked as R2 asks.
 */
#ifndef COMMON_IPC_PACK_H
#define COMMON_IPC_PACK_H

#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/wire.h"

#define IPC_CODE_MIN	200	/* SMTP reply codes (RFC 5321 4.2.1) */
#define IPC_CODE_MAX	599
#define IPC_SUBCODE_MAX	999	/* RFC 3463 2: subject and detail have up to three digits */

/* One room, and it is one of those in mask. */
static inline uint32_t
ipc_rd_room(struct rd *r, uint32_t mask)
{
	uint32_t room = rd_u32(r);

	if (room == 0 || (room & (room - 1)) != 0 || (room & ~mask) != 0)
		rd_fail(r);
	return (room);
}

/* An enum whose 0 means "none" and is not wanted here. */
static inline uint8_t
ipc_rd_enum1(struct rd *r, uint8_t count)
{
	uint8_t v = rd_u8max(r, (uint8_t)(count - 1));

	if (v == 0)
		rd_fail(r);
	return (v);
}

static inline uint32_t
ipc_rd_u32range(struct rd *r, uint32_t min, uint32_t max)
{
	uint32_t v = rd_u32(r);

	if (v < min || v > max)
		rd_fail(r);
	return (v);
}

static inline uint16_t
ipc_rd_u16range(struct rd *r, uint16_t min, uint16_t max)
{
	uint16_t v = rd_u16(r);

	if (v < min || v > max)
		rd_fail(r);
	return (v);
}

static inline uint64_t
ipc_rd_u64max(struct rd *r, uint64_t max)
{
	uint64_t v = rd_u64(r);

	if (v > max)
		rd_fail(r);
	return (v);
}

/* A number that names a thing: 0 is no name. */
static inline uint64_t
ipc_rd_id(struct rd *r)
{
	uint64_t v = rd_u64(r);

	if (v == 0)
		rd_fail(r);
	return (v);
}

/* Seconds since the epoch. */
static inline int64_t
ipc_rd_time(struct rd *r)
{
	return ((int64_t)ipc_rd_u64max(r, INT64_MAX));
}

/* RFC 6710 4.2; sent as its two's complement. */
static inline int8_t
ipc_rd_priority(struct rd *r)
{
	int8_t v = (int8_t)rd_u8(r);

	if (v < -PRIORITY_MAX || v > PRIORITY_MAX)
		rd_fail(r);
	return (v);
}

/* A string that must not be empty. */
static inline void
ipc_rd_str1(struct rd *r, char *dst, size_t size)
{
	rd_str(r, dst, size);
	if (dst[0] == '\0')
		rd_fail(r);
}

static inline void
ipc_wr_addr(struct wr *w, const struct net_addr *a)
{
	wr_raw(w, a->a, sizeof(a->a));
}

static inline void
ipc_rd_addr(struct rd *r, struct net_addr *a)
{
	rd_raw(r, a->a, sizeof(a->a));
}

static inline void
ipc_wr_enhanced(struct wr *w, const struct enhanced *e)
{
	wr_u8(w, e->cls);
	wr_u16(w, e->subject);
	wr_u16(w, e->detail);
}

/* none_ok: 0.0.0 may stand for "no code". */
static inline void
ipc_rd_enhanced(struct rd *r, struct enhanced *e, int none_ok)
{
	e->cls = rd_u8(r);
	e->subject = ipc_rd_u16range(r, 0, IPC_SUBCODE_MAX);
	e->detail = ipc_rd_u16range(r, 0, IPC_SUBCODE_MAX);
	if (e->cls == 0) {
		if (!none_ok || e->subject != 0 || e->detail != 0)
			rd_fail(r);
	} else if (e->cls != 2 && e->cls != 4 && e->cls != 5)
		rd_fail(r);
}

/* The code of a reply, 0 if there was none. */
static inline uint16_t
ipc_rd_code(struct rd *r)
{
	uint16_t code = rd_u16(r);

	if (code != 0 && (code < IPC_CODE_MIN || code > IPC_CODE_MAX))
		rd_fail(r);
	return (code);
}

/* Lines for a person: printable ASCII and LF alone, since they end on a terminal (R9). */
static inline struct slice
ipc_rd_lines(struct rd *r, size_t max)
{
	struct slice	s = rd_bytes(r, max);
	size_t		i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '\n' && (s.p[i] < ' ' || s.p[i] > '~')) {
			rd_fail(r);
			return (slice_make(NULL, 0));
		}
	}
	return (s);
}

#endif
