/*
 * ipc_msg_ctl.c -- payloads between the operator's command line, master and queue (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

#define COUNTERS	(sizeof(((struct ipc_ctl_daemon *)NULL)->counter) / sizeof(uint64_t))

void
ipc_pack_ctl_request(struct wr *w, const struct ipc_ctl_request *m)
{
	wr_u8(w, m->verb);
	wr_u8(w, m->all);
	wr_u8(w, m->state);
	wr_u64(w, m->msgid);
	wr_str(w, m->text);
	wr_u8(w, m->has_client);
	wr_u8(w, m->has_sender);
	ipc_wr_addr(w, &m->client);
	wr_str(w, m->sender);
}

int
ipc_unpack_ctl_request(struct rd *r, struct ipc_ctl_request *m)
{
	m->verb = ipc_rd_enum1(r, CTL_VERBS);
	m->all = rd_u8max(r, 1);
	m->state = rd_u8max(r, (1 << MSG_STATES) - 1);
	m->msgid = rd_u64(r);
	rd_str(r, m->text, sizeof(m->text));
	m->has_client = rd_u8max(r, 1);
	m->has_sender = rd_u8max(r, 1);
	ipc_rd_addr(r, &m->client);
	rd_str(r, m->sender, sizeof(m->sender));
	return (rd_end(r));
}

void
ipc_pack_ctl_message(struct wr *w, const struct ipc_ctl_message *m)
{
	wr_u64(w, m->msgid);
	wr_u64(w, (uint64_t)m->arrival);
	wr_u64(w, m->size);
	wr_u8(w, m->state);
	wr_u32(w, m->nrcpt);
	wr_u32(w, m->ndone);
	wr_u64(w, (uint64_t)m->next);
	wr_u64(w, (uint64_t)m->expires);
	ipc_wr_addr(w, &m->client);
	wr_str(w, m->helo);
	wr_str(w, m->sender);
	wr_u8(w, m->held);
	wr_u8(w, m->by_mode);
	wr_u8(w, m->prioritized);
	wr_u8(w, (uint8_t)m->priority);
	wr_u8(w, m->local);
	wr_u32(w, m->uid);
	wr_u64(w, (uint64_t)m->by_time);
	wr_u64(w, (uint64_t)m->hold_until);
	wr_str(w, m->envid);
	wr_str(w, m->login);
}

int
ipc_unpack_ctl_message(struct rd *r, struct ipc_ctl_message *m)
{
	m->msgid = ipc_rd_id(r);
	m->arrival = ipc_rd_time(r);
	m->size = rd_u64(r);
	m->state = rd_u8max(r, MSG_STATES - 1);
	m->nrcpt = rd_u32(r);
	m->ndone = rd_u32(r);
	m->next = ipc_rd_time(r);
	m->expires = ipc_rd_time(r);
	ipc_rd_addr(r, &m->client);
	rd_str(r, m->helo, sizeof(m->helo));
	rd_str(r, m->sender, sizeof(m->sender));
	m->held = rd_u8max(r, HELD_KINDS - 1);
	m->by_mode = rd_u8max(r, BY_MODES - 1);
	m->prioritized = rd_u8max(r, 1);
	m->priority = ipc_rd_priority(r);
	m->local = rd_u8max(r, 1);
	m->uid = rd_u32(r);
	m->by_time = ipc_rd_time(r);
	m->hold_until = ipc_rd_time(r);
	rd_str(r, m->envid, sizeof(m->envid));
	rd_str(r, m->login, sizeof(m->login));
	if (m->ndone > m->nrcpt)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_ctl_rcpt(struct wr *w, const struct ipc_ctl_rcpt *m)
{
	wr_u64(w, m->msgid);
	wr_u32(w, m->index);
	wr_u8(w, m->state);
	wr_u32(w, m->attempts);
	wr_u64(w, (uint64_t)m->last);
	wr_u64(w, (uint64_t)m->next);
	wr_u16(w, m->code);
	ipc_wr_enhanced(w, &m->enhanced);
	wr_u8(w, m->stage);
	wr_str(w, m->address);
	wr_str(w, m->hop);
	wr_str(w, m->relay);
	wr_str(w, m->text);
	wr_u8(w, m->notify);
	wr_u8(w, m->owned);
	wr_str(w, m->orcpt);
	wr_str(w, m->alias);
	wr_str(w, m->sender);
}

int
ipc_unpack_ctl_rcpt(struct rd *r, struct ipc_ctl_rcpt *m)
{
	m->msgid = ipc_rd_id(r);
	m->index = rd_u32(r);
	m->state = rd_u8max(r, RCPT_STATES - 1);
	m->attempts = rd_u32(r);
	m->last = ipc_rd_time(r);
	m->next = ipc_rd_time(r);
	m->code = ipc_rd_code(r);
	ipc_rd_enhanced(r, &m->enhanced, 1);
	m->stage = rd_u8max(r, STAGES - 1);
	ipc_rd_str1(r, m->address, sizeof(m->address));
	rd_str(r, m->hop, sizeof(m->hop));
	rd_str(r, m->relay, sizeof(m->relay));
	rd_str(r, m->text, sizeof(m->text));
	m->notify = rd_u8max(r, NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
	m->owned = rd_u8max(r, 1);
	rd_str(r, m->orcpt, sizeof(m->orcpt));
	rd_str(r, m->alias, sizeof(m->alias));
	rd_str(r, m->sender, sizeof(m->sender));
	return (rd_end(r));
}

void
ipc_pack_ctl_text(struct wr *w, const struct ipc_ctl_text *m)
{
	wr_bytes(w, m->text.p, m->text.n);
}

int
ipc_unpack_ctl_text(struct rd *r, struct ipc_ctl_text *m)
{
	m->text = ipc_rd_lines(r, IPC_PAYLOAD_MAX - sizeof(uint32_t));
	return (rd_end(r));
}

void
ipc_pack_ctl_daemon(struct wr *w, const struct ipc_ctl_daemon *m)
{
	size_t i;

	wr_u32(w, m->room);
	wr_u32(w, m->instance);
	wr_u8(w, m->role);
	wr_u32(w, m->pid);
	wr_u32(w, m->restarts);
	wr_u64(w, (uint64_t)m->since);
	wr_u64(w, m->log_dropped);
	for (i = 0; i < COUNTERS; i++)
		wr_u64(w, m->counter[i]);
	wr_str(w, m->state);
}

int
ipc_unpack_ctl_daemon(struct rd *r, struct ipc_ctl_daemon *m)
{
	size_t i;

	m->room = ipc_rd_room(r, ROOM_MASTER | ROOM_DAEMON);
	m->instance = rd_u32(r);
	m->role = rd_u8max(r, ROLES - 1);
	m->pid = rd_u32(r);
	m->restarts = rd_u32(r);
	m->since = ipc_rd_time(r);
	m->log_dropped = rd_u64(r);
	for (i = 0; i < COUNTERS; i++)
		m->counter[i] = rd_u64(r);
	rd_str(r, m->state, sizeof(m->state));
	return (rd_end(r));
}

void
ipc_pack_ctl_queue(struct wr *w, const struct ipc_ctl_queue *m)
{
	wr_u64(w, m->total);
	wr_u64(w, m->active);
	wr_u64(w, m->queued);
	wr_u64(w, m->deferred);
	wr_u64(w, m->held);
	wr_u64(w, m->trash);
	wr_u64(w, m->received);
	wr_u64(w, m->delivered);
	wr_u64(w, m->bounced);
	wr_u64(w, m->expired);
	wr_u64(w, m->store_octets);
	wr_u64(w, m->store_limit);
	wr_u64(w, m->free_octets);
	wr_u64(w, m->commits);
	wr_u8(w, m->pressure);
	wr_u8(w, m->paused);
}

int
ipc_unpack_ctl_queue(struct rd *r, struct ipc_ctl_queue *m)
{
	m->total = rd_u64(r);
	m->active = rd_u64(r);
	m->queued = rd_u64(r);
	m->deferred = rd_u64(r);
	m->held = rd_u64(r);
	m->trash = rd_u64(r);
	m->received = rd_u64(r);
	m->delivered = rd_u64(r);
	m->bounced = rd_u64(r);
	m->expired = rd_u64(r);
	m->store_octets = rd_u64(r);
	m->store_limit = rd_u64(r);
	m->free_octets = rd_u64(r);
	m->commits = rd_u64(r);
	m->pressure = rd_u8max(r, PRESSURES - 1);
	m->paused = rd_u8max(r, 1);
	return (rd_end(r));
}

void
ipc_pack_ctl_end(struct wr *w, const struct ipc_ctl_end *m)
{
	wr_u8(w, m->status);
	wr_u64(w, m->count);
	wr_bytes(w, m->text, strnlen(m->text, sizeof(m->text) - 1));
}

int
ipc_unpack_ctl_end(struct rd *r, struct ipc_ctl_end *m)
{
	struct slice text;

	m->status = rd_u8max(r, CTL_STATUSES - 1);
	m->count = rd_u64(r);
	text = ipc_rd_lines(r, sizeof(m->text) - 1);
	if (text.n != 0)
		memcpy(m->text, text.p, text.n);
	m->text[text.n] = '\0';
	return (rd_end(r));
}
