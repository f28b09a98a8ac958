/*
 * ipc_msg_auth.c -- payloads to and from auth (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

const char *
sasl_mechanism_name(unsigned m)
{
	static const char *const names[SASL_MECHANISMS] = {
		[SASL_PLAIN] = "PLAIN", [SASL_LOGIN] = "LOGIN", [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
		[SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS", [SASL_EXTERNAL] = "EXTERNAL",
	};

	return (m < SASL_MECHANISMS ? names[m] : "?");
}

const char *
binding_name(unsigned b)
{
	static const char *const names[BINDINGS] = {
		[BINDING_EXPORTER] = "tls-exporter", [BINDING_UNIQUE] = "tls-unique",
		[BINDING_ENDPOINT] = "tls-server-end-point",
	};

	return (b < BINDINGS ? names[b] : "?");
}

static void
pack_bindings(struct wr *w, const struct slice b[static BINDINGS])
{
	for (unsigned i = 0; i < BINDINGS; i++)
		wr_bytes(w, b[i].p, b[i].n);
}

static void
unpack_bindings(struct rd *r, struct slice b[static BINDINGS])
{
	for (unsigned i = 0; i < BINDINGS; i++)
		b[i] = rd_bytes(r, SASL_BINDING_MAX);
}

void
ipc_pack_secret(struct wr *w, const struct ipc_secret *m)
{
	wr_u64(w, m->generation);
	wr_u8(w, m->kind);
	wr_u16(w, m->index);
}

int
ipc_unpack_secret(struct rd *r, struct ipc_secret *m)
{
	m->generation = rd_u64(r);
	m->kind = rd_u8max(r, SECRET_KINDS - 1);
	m->index = ipc_rd_u16range(r, 0, LOGINS_MAX - 1);
	return (rd_end(r));
}

void
ipc_pack_sasl(struct wr *w, const struct ipc_sasl *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->first);
	wr_u8(w, m->mechanism);
	wr_u8(w, m->initial);
	wr_u8(w, m->tls);
	ipc_wr_addr(w, &m->client);
	ipc_wr_addr(w, &m->own);
	wr_u16(w, m->client_port);
	wr_u16(w, m->own_port);
	pack_bindings(w, m->binding);
	wr_bytes(w, m->data.p, m->data.n);
	wr_str(w, m->external);
}

int
ipc_unpack_sasl(struct rd *r, struct ipc_sasl *m)
{
	m->id = rd_u32(r);
	m->first = rd_u8max(r, 1);
	m->mechanism = rd_u8max(r, SASL_MECHANISMS - 1);
	m->initial = rd_u8max(r, 1);
	m->tls = rd_u8max(r, 1);
	ipc_rd_addr(r, &m->client);
	ipc_rd_addr(r, &m->own);
	m->client_port = rd_u16(r);
	m->own_port = rd_u16(r);
	unpack_bindings(r, m->binding);
	m->data = rd_bytes(r, SASL_DATA_MAX);
	rd_str(r, m->external, sizeof(m->external));
	if (m->initial && !m->first)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_sasl_answer(struct wr *w, const struct ipc_sasl_answer *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
	wr_u32(w, m->wait_ms);
	wr_str(w, m->login);
	wr_bytes(w, m->data.p, m->data.n);
}

int
ipc_unpack_sasl_answer(struct rd *r, struct ipc_sasl_answer *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, SASL_STATUSES - 1);
	m->wait_ms = rd_u32(r);
	rd_str(r, m->login, sizeof(m->login));
	m->data = rd_bytes(r, SASL_DATA_MAX);
	if (m->status == SASL_OK && m->login[0] == '\0')
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_sasl_end(struct wr *w, const struct ipc_sasl_end *m)
{
	wr_u32(w, m->id);
}

int
ipc_unpack_sasl_end(struct rd *r, struct ipc_sasl_end *m)
{
	m->id = rd_u32(r);
	return (rd_end(r));
}

void
ipc_pack_credential(struct wr *w, const struct ipc_credential *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->first);
	wr_u8(w, m->mechanisms);
	wr_str(w, m->login);
	pack_bindings(w, m->binding);
	wr_bytes(w, m->data.p, m->data.n);
	wr_u8(w, m->done);
}

int
ipc_unpack_credential(struct rd *r, struct ipc_credential *m)
{
	m->id = rd_u32(r);
	m->first = rd_u8max(r, 1);
	m->mechanisms = rd_u8max(r, (1u << SASL_MECHANISMS) - 1);
	rd_str(r, m->login, sizeof(m->login));
	unpack_bindings(r, m->binding);
	m->data = rd_bytes(r, SASL_DATA_MAX);
	m->done = rd_u8max(r, 1);
	if (m->first && (m->login[0] == '\0' || m->data.n != 0 || m->done))
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_credential_answer(struct wr *w, const struct ipc_credential_answer *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
	wr_u8(w, m->mechanism);
	wr_u8(w, m->has_data);
	wr_bytes(w, m->data.p, m->data.n);
}

int
ipc_unpack_credential_answer(struct rd *r, struct ipc_credential_answer *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, SASL_STATUSES - 1);
	m->mechanism = rd_u8max(r, SASL_MECHANISMS - 1);
	m->has_data = rd_u8max(r, 1);
	m->data = rd_bytes(r, SASL_DATA_MAX);
	if (!m->has_data && m->data.n != 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_pam_ask(struct wr *w, const struct ipc_pam_ask *m)
{
	wr_u32(w, m->id);
	ipc_wr_addr(w, &m->client);
	wr_str(w, m->login);
	wr_str(w, m->password);
}

int
ipc_unpack_pam_ask(struct rd *r, struct ipc_pam_ask *m)
{
	m->id = rd_u32(r);
	ipc_rd_addr(r, &m->client);
	ipc_rd_str1(r, m->login, sizeof(m->login));
	rd_str(r, m->password, sizeof(m->password));
	return (rd_end(r));
}

void
ipc_pack_pam_answer(struct wr *w, const struct ipc_pam_answer *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
}

int
ipc_unpack_pam_answer(struct rd *r, struct ipc_pam_answer *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, SASL_STATUSES - 1);
	if (m->status != SASL_OK && m->status != SASL_FAILED && m->status != SASL_TEMPORARY)
		rd_fail(r);
	return (rd_end(r));
}
