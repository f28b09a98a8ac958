/*
 * ipc_msg_job.c -- payloads between queue and deliver (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

/* What queue writes in front of a body is shorter than one frame. */
#define BODY_MAX	(MESSAGE_SIZE_MAX + IPC_PAYLOAD_MAX)

void
ipc_pack_job_begin(struct wr *w, const struct ipc_job_begin *m)
{
	wr_u64(w, m->job);
	wr_u64(w, m->msgid);
	wr_u64(w, m->body_len);
	wr_u64(w, (uint64_t)m->arrival);
	wr_u8(w, m->body);
	wr_u8(w, m->hop);
	wr_u16(w, m->port);
	wr_u16(w, m->nrcpt);
	wr_u32(w, m->attempt);
	wr_u8(w, m->implicit);
	wr_str(w, m->login);
	wr_str(w, m->host);
	wr_str(w, m->path);
	wr_str(w, m->sender);
	wr_u8(w, m->header8);
	wr_u8(w, m->utf8);
	wr_u8(w, m->ret);
	wr_u8(w, m->by_mode);
	wr_u8(w, m->by_trace);
	wr_u8(w, m->prioritized);
	wr_u8(w, (uint8_t)m->priority);
	wr_u64(w, (uint64_t)m->by_time);
	wr_str(w, m->envid);
}

int
ipc_unpack_job_begin(struct rd *r, struct ipc_job_begin *m)
{
	m->job = ipc_rd_id(r);
	m->msgid = ipc_rd_id(r);
	m->body_len = ipc_rd_u64max(r, BODY_MAX);
	m->arrival = ipc_rd_time(r);
	m->body = rd_u8max(r, BODY_KINDS - 1);
	m->hop = rd_u8max(r, HOP_KINDS - 1);
	m->port = rd_u16(r);
	m->nrcpt = ipc_rd_u16range(r, 1, JOB_RCPT_MAX);
	m->attempt = rd_u32(r);
	m->implicit = rd_u8max(r, 1);
	rd_str(r, m->login, sizeof(m->login));
	if (m->hop != HOP_SMTP && (m->implicit || m->login[0] != '\0'))
		rd_fail(r);
	rd_str(r, m->host, sizeof(m->host));
	rd_str(r, m->path, sizeof(m->path));
	rd_str(r, m->sender, sizeof(m->sender));
	m->header8 = rd_u8max(r, 1);
	m->utf8 = rd_u8max(r, 1);
	m->ret = rd_u8max(r, RETS - 1);
	m->by_mode = rd_u8max(r, BY_MODES - 1);
	m->by_trace = rd_u8max(r, 1);
	m->prioritized = rd_u8max(r, 1);
	m->priority = ipc_rd_priority(r);
	m->by_time = ipc_rd_time(r);
	rd_str(r, m->envid, sizeof(m->envid));
	if (m->hop == HOP_MAILDIR ? m->path[0] != '/' : m->host[0] == '\0' || m->port == 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_job_rcpt(struct wr *w, const struct ipc_job_rcpt *m)
{
	wr_u64(w, m->job);
	wr_u32(w, m->index);
	wr_u8(w, m->notify);
	wr_str(w, m->address);
	wr_str(w, m->orcpt);
}

int
ipc_unpack_job_rcpt(struct rd *r, struct ipc_job_rcpt *m)
{
	m->job = ipc_rd_id(r);
	m->index = rd_u32(r);
	m->notify = rd_u8max(r, NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
	ipc_rd_str1(r, m->address, sizeof(m->address));
	rd_str(r, m->orcpt, sizeof(m->orcpt));
	return (rd_end(r));
}

void
ipc_pack_job_body(struct wr *w, const struct ipc_job_body *m)
{
	wr_u64(w, m->job);
	wr_bytes(w, m->data.p, m->data.n);
}

int
ipc_unpack_job_body(struct rd *r, struct ipc_job_body *m)
{
	m->job = ipc_rd_id(r);
	m->data = rd_bytes(r, IPC_CHUNK_MAX);
	if (m->data.n == 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_job_id(struct wr *w, const struct ipc_job_id *m)
{
	wr_u64(w, m->job);
}

int
ipc_unpack_job_id(struct rd *r, struct ipc_job_id *m)
{
	m->job = ipc_rd_id(r);
	return (rd_end(r));
}

void
ipc_pack_job_credit(struct wr *w, const struct ipc_job_credit *m)
{
	wr_u64(w, m->job);
	wr_u32(w, m->octets);
}

int
ipc_unpack_job_credit(struct rd *r, struct ipc_job_credit *m)
{
	m->job = ipc_rd_id(r);
	m->octets = ipc_rd_u32range(r, 1, JOB_WINDOW);	/* no more than can have been sent */
	return (rd_end(r));
}

void
ipc_pack_job_result(struct wr *w, const struct ipc_job_result *m)
{
	wr_u64(w, m->job);
	wr_u64(w, m->msgid);
	wr_u32(w, m->index);
	wr_u8(w, m->outcome);
	wr_u16(w, m->code);
	ipc_wr_enhanced(w, &m->enhanced);
	wr_u32(w, m->delay_ms);
	wr_u32(w, m->retry_hint);
	wr_u8(w, m->stage);
	wr_u8(w, m->handed);
	wr_u8(w, m->by_passed);
	wr_str(w, m->tls);
	wr_str(w, m->relay);
	wr_str(w, m->text);
}

int
ipc_unpack_job_result(struct rd *r, struct ipc_job_result *m)
{
	m->job = ipc_rd_id(r);
	m->msgid = ipc_rd_id(r);
	m->index = rd_u32(r);
	m->outcome = rd_u8max(r, OUTCOMES - 1);
	m->code = ipc_rd_code(r);
	ipc_rd_enhanced(r, &m->enhanced, 0);
	m->delay_ms = rd_u32(r);
	m->retry_hint = rd_u32(r);
	m->stage = rd_u8max(r, STAGES - 1);
	m->handed = rd_u8max(r, HANDED_KINDS - 1);
	m->by_passed = rd_u8max(r, 1);
	rd_str(r, m->tls, sizeof(m->tls));
	rd_str(r, m->relay, sizeof(m->relay));
	rd_str(r, m->text, sizeof(m->text));
	return (rd_end(r));
}

void
ipc_pack_job_done(struct wr *w, const struct ipc_job_done *m)
{
	wr_u64(w, m->job);
	wr_u64(w, m->msgid);
	wr_u8(w, m->reached);
	wr_u64(w, m->provider);
	wr_bytes(w, m->dialogue.p, m->dialogue.n);
}

int
ipc_unpack_job_done(struct rd *r, struct ipc_job_done *m)
{
	m->job = ipc_rd_id(r);
	m->msgid = ipc_rd_id(r);
	m->reached = rd_u8max(r, REACHED_KINDS - 1);
	m->provider = rd_u64(r);
	m->dialogue = ipc_rd_lines(r, DIALOGUE_MAX);
	return (rd_end(r));
}

void
ipc_pack_job_running(struct wr *w, const struct ipc_job_running *m)
{
	uint16_t i;

	wr_u64(w, m->job);
	wr_u64(w, m->msgid);
	wr_u16(w, m->nrcpt);
	for (i = 0; i < m->nrcpt && i < JOB_RCPT_MAX; i++)
		wr_u32(w, m->index[i]);
}

int
ipc_unpack_job_running(struct rd *r, struct ipc_job_running *m)
{
	uint16_t i;

	m->job = ipc_rd_id(r);
	m->msgid = ipc_rd_id(r);
	m->nrcpt = ipc_rd_u16range(r, 1, JOB_RCPT_MAX);
	for (i = 0; r->err == E_OK && i < m->nrcpt; i++)
		m->index[i] = rd_u32(r);
	return (rd_end(r));
}

void
ipc_pack_probe(struct wr *w, const struct ipc_probe *m)
{
	wr_u64(w, m->id);
	wr_u8(w, m->hop);
	wr_u16(w, m->port);
	wr_u32(w, m->timeout_ms);
	wr_u8(w, m->implicit);
	wr_str(w, m->login);
	wr_str(w, m->host);
	wr_str(w, m->address);
}

int
ipc_unpack_probe(struct rd *r, struct ipc_probe *m)
{
	m->id = ipc_rd_id(r);
	m->hop = rd_u8max(r, HOP_KINDS - 1);
	m->port = ipc_rd_u16range(r, 1, UINT16_MAX);
	m->timeout_ms = rd_u32(r);
	m->implicit = rd_u8max(r, 1);
	rd_str(r, m->login, sizeof(m->login));
	ipc_rd_str1(r, m->host, sizeof(m->host));
	ipc_rd_str1(r, m->address, sizeof(m->address));
	if (m->hop != HOP_SMTP && (m->hop != HOP_MX || m->implicit || m->login[0] != '\0'))
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_probe_result(struct wr *w, const struct ipc_probe_result *m)
{
	wr_u64(w, m->id);
	wr_u8(w, m->outcome);
	wr_u16(w, m->code);
	ipc_wr_enhanced(w, &m->enhanced);
	wr_str(w, m->relay);
	wr_str(w, m->text);
}

int
ipc_unpack_probe_result(struct rd *r, struct ipc_probe_result *m)
{
	m->id = ipc_rd_id(r);
	m->outcome = rd_u8max(r, OUTCOMES - 1);
	m->code = ipc_rd_code(r);
	ipc_rd_enhanced(r, &m->enhanced, 0);
	rd_str(r, m->relay, sizeof(m->relay));
	rd_str(r, m->text, sizeof(m->text));
	if (m->outcome == OUT_UNSURE)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_try_tls(struct wr *w, const struct ipc_try_tls *m)
{
	wr_u64(w, m->id);
	wr_u8(w, m->hop);
	wr_u16(w, m->port);
	wr_u8(w, m->implicit);
	wr_str(w, m->login);
	wr_str(w, m->host);
}

int
ipc_unpack_try_tls(struct rd *r, struct ipc_try_tls *m)
{
	m->id = ipc_rd_id(r);
	m->hop = rd_u8max(r, HOP_KINDS - 1);
	m->port = ipc_rd_u16range(r, 1, UINT16_MAX);
	m->implicit = rd_u8max(r, 1);
	rd_str(r, m->login, sizeof(m->login));
	ipc_rd_str1(r, m->host, sizeof(m->host));
	if (m->hop != HOP_SMTP && (m->hop != HOP_MX || m->implicit || m->login[0] != '\0'))
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_tls_report(struct wr *w, const struct ipc_tls_report *m)
{
	wr_u64(w, m->id);
	wr_u8(w, m->last);
	wr_u8(w, m->ok);
	wr_bytes(w, m->text.p, m->text.n);
}

int
ipc_unpack_tls_report(struct rd *r, struct ipc_tls_report *m)
{
	m->id = ipc_rd_id(r);
	m->last = rd_u8max(r, 1);
	m->ok = rd_u8max(r, 1);
	m->text = ipc_rd_lines(r, TLS_REPORT_MAX);
	if (m->ok && !m->last)
		rd_fail(r);
	return (rd_end(r));
}
