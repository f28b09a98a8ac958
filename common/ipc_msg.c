/*
 * ipc_msg.c -- the message table at work: names, the check of direction, length and
 * descriptors, and the payloads of a daemon's life.
 *
 * Core: no input or output.  The other payloads stand in ipc_msg_txn.c (smtpd and queue),
 * ipc_msg_job.c (queue and deliver), ipc_msg_dns.c and ipc_msg_ctl.c.
 */
#include "common/ipc_pack.h"

/* ---- the table ---- */

/* The longest each payload may be, in octets; sizes are those of the structs' fields. */
#define STR(size)	(2 + (size) - 1)	/* a char array of that size: u16 length, no NUL */
#define ADDR		16			/* struct net_addr */
#define COUNTERS	8
#define FIELD(type, f)	sizeof(((struct type *)NULL)->f)

#define LEN_empty	0
#define LEN_start	(4 + 4 + 1 + 1 + 4 + 4 + STR(FIELD(ipc_start, root)) + 8)
#define LEN_conf_blob	8
#define LEN_conf_use	8
#define LEN_conf_ready	(8 + 4 + STR(CONF_REFUSAL_MAX + 1))
#define LEN_listener	(2 + STR(FIELD(ipc_listener, name)))
#define LEN_channel	(4 + 4 + 1)
#define LEN_log_socket	1
#define LEN_ping	8
#define LEN_pong	(8 + 8 + 8 * COUNTERS)
#define LEN_stop	4
#define LEN_ctl_client	(4 + 4 + 4 + 1)
#define LEN_txn_begin	(4 + 8 + ADDR + 2 + 1 + 1 + 8 + STR(HELO_MAX + 1) + STR(DOMAIN_MAX + 1) + \
			STR(ADDRESS_MAX + 1) + STR(FIELD(ipc_txn_begin, listener)) + 8 + 4 + 4 + 8 + \
			STR(ENVID_MAX + 1) + STR(LOGIN_MAX + 1) + STR(ORIGIN_MAX + 1) + \
			1 + STR(TLS_TEXT_MAX + 1))
#define LEN_txn_rcpt	(4 + 1 + STR(ADDRESS_MAX + 1) + STR(FIELD(ipc_txn_rcpt, orcpt)))
#define LEN_txn_chunk	(4 + 4 + IPC_CHUNK_MAX)
#define LEN_txn_commit	(4 + 4 + 8 + 1 + 1)
#define LEN_txn_abort	4
#define LEN_txn_credit	(4 + 4)
#define LEN_txn_result	(4 + 1 + 8)
#define LEN_pressure	1
#define LEN_verify	(4 + STR(ADDRESS_MAX + 1))
#define LEN_verify_result (4 + 1 + 2 + 5 + STR(REPLY_TEXT_MAX + 1))
#define LEN_etrn	(4 + 1 + STR(DOMAIN_MAX + 1))
#define LEN_etrn_result	(4 + 1 + 4)
#define LEN_submit	4
#define LEN_key		(8 + 2)
#define LEN_sign	(4 + 8 + 2 + 2 + 4 + TBS_MAX)
#define LEN_signed	(4 + 1 + 4 + SIGNATURE_MAX)
#define LEN_ticket_keys	(1 + TICKET_KEYS_MAX * (16 + 32 + 32))
#define LEN_secret	(8 + 1 + 2)
#define LEN_binding	(BINDINGS * (4 + SASL_BINDING_MAX))
#define LEN_sasl	(4 + 1 + 1 + 1 + 1 + 2 * (ADDR + 2) + LEN_binding + 4 + SASL_DATA_MAX + \
			STR(FIELD(ipc_sasl, external)))
#define LEN_sasl_answer	(4 + 1 + 4 + STR(LOGIN_MAX + 1) + 4 + SASL_DATA_MAX)
#define LEN_sasl_end	4
#define LEN_credential	(4 + 1 + 1 + STR(LOGIN_TITLE_MAX + 1) + LEN_binding + 4 + SASL_DATA_MAX + 1)
#define LEN_credential_answer (4 + 1 + 1 + 1 + 4 + SASL_DATA_MAX)
#define LEN_pam_ask	(4 + ADDR + STR(LOGIN_MAX + 1) + STR(PASSWORD_MAX + 1))
#define LEN_pam_answer	(4 + 1)
#define LEN_dns_query	(4 + 1 + 4 + STR(DOMAIN_MAX + 1))
#define LEN_dns_answer	IPC_PAYLOAD_MAX		/* 64 large TXT records do not fit: resolver leaves some out */
#define LEN_job_begin	(8 + 8 + 8 + 8 + 1 + 1 + 2 + 2 + 4 + STR(DOMAIN_MAX + 1) + \
			STR(FIELD(ipc_job_begin, path)) + STR(ADDRESS_MAX + 1) + 7 + 8 + STR(ENVID_MAX + 1) + \
			1 + STR(LOGIN_TITLE_MAX + 1))
#define LEN_job_rcpt	(8 + 4 + 1 + STR(ADDRESS_MAX + 1) + STR(FIELD(ipc_job_rcpt, orcpt)))
#define LEN_job_body	(8 + 4 + IPC_CHUNK_MAX)
#define LEN_job_id	8
#define LEN_job_credit	(8 + 4)
#define LEN_job_result	(8 + 8 + 4 + 1 + 2 + 5 + 4 + 4 + 1 + 1 + 1 + STR(TLS_TEXT_MAX + 1) + \
			STR(FIELD(ipc_job_result, relay)) + \
			STR(REPLY_TEXT_MAX + 1))
#define LEN_job_done	(8 + 8 + 1 + 8 + 4 + DIALOGUE_MAX)
#define LEN_probe	(8 + 1 + 2 + 4 + 1 + STR(LOGIN_TITLE_MAX + 1) + STR(DOMAIN_MAX + 1) + STR(ADDRESS_MAX + 1))
#define LEN_try_tls	(8 + 1 + 2 + 1 + STR(LOGIN_TITLE_MAX + 1) + STR(DOMAIN_MAX + 1))
#define LEN_tls_report	(8 + 1 + 1 + 4 + TLS_REPORT_MAX)
#define LEN_probe_result (8 + 1 + 2 + 5 + STR(FIELD(ipc_probe_result, relay)) + STR(REPLY_TEXT_MAX + 1))
#define LEN_job_running	(8 + 8 + 2 + 4 * JOB_RCPT_MAX)
#define LEN_ctl_request	(1 + 1 + 1 + 8 + STR(ADDRESS_MAX + 1) + 1 + 1 + ADDR + STR(ADDRESS_MAX + 1))
#define LEN_ctl_message	(8 + 8 + 8 + 1 + 4 + 4 + 8 + 8 + ADDR + STR(HELO_MAX + 1) + STR(ADDRESS_MAX + 1) + \
			5 + 4 + 8 + 8 + STR(ENVID_MAX + 1) + STR(LOGIN_MAX + 1))
#define LEN_ctl_rcpt	(8 + 4 + 1 + 4 + 8 + 8 + 2 + 5 + 1 + STR(ADDRESS_MAX + 1) + \
			STR(FIELD(ipc_ctl_rcpt, hop)) + STR(FIELD(ipc_ctl_rcpt, relay)) + STR(REPLY_TEXT_MAX + 1) + \
			1 + 1 + STR(ORCPT_MAX + 1) + 2 * STR(ADDRESS_MAX + 1))
#define LEN_ctl_text	IPC_PAYLOAD_MAX
#define LEN_ctl_daemon	(4 + 4 + 1 + 4 + 4 + 8 + 8 + 8 * COUNTERS + STR(FIELD(ipc_ctl_daemon, state)))
#define LEN_ctl_queue	(8 * 14 + 1 + 1)
#define LEN_ctl_end	(1 + 8 + 4 + FIELD(ipc_ctl_end, text) - 1)

static const struct {
	const char	*name;
	unsigned	 from, to;	/* ROOM_* bits */
	unsigned	 nfd;
	size_t		 len_max;
} table[IPC_TYPES] = {
#define ROW(NAME, name, from, to, nfd) [IPC_##NAME] = { #NAME, from, to, nfd, LEN_##name },
	IPC_MESSAGES(ROW)
#undef ROW
};

#define FITS(NAME, name, from, to, nfd) \
	_Static_assert(LEN_##name <= IPC_PAYLOAD_MAX, #NAME " is longer than a frame may be");
IPC_MESSAGES(FITS)
#undef FITS

int
ipc_check(unsigned type, unsigned from, unsigned to, size_t len, unsigned nfd)
{
	if (type == IPC_NONE || type >= IPC_TYPES)
		return (E_PROTO);
	if ((table[type].from & from) == 0 || (table[type].to & to) == 0)
		return (E_PROTO);
	if (len > table[type].len_max || nfd != table[type].nfd)
		return (E_PROTO);
	return (E_OK);
}

int
ipc_is_secret(unsigned type)
{
	switch (type) {
	case IPC_TICKET_KEYS:
	case IPC_SASL:
	case IPC_SASL_ANSWER:
	case IPC_CREDENTIAL:
	case IPC_CREDENTIAL_ANSWER:
	case IPC_PAM_ASK:
		return (1);
	default:
		return (0);
	}
}

/* ---- names ---- */

#define NAME_OF(names, i) ((i) < sizeof(names) / sizeof((names)[0]) && (names)[i] != NULL ? (names)[i] : "?")

const char *
ipc_type_name(unsigned type)
{
	return (type != IPC_NONE && type < IPC_TYPES ? table[type].name : "?");
}

const char *
room_name(unsigned room)
{
	switch (room) {
	case ROOM_MASTER:
		return ("master");
	case ROOM_SMTPD:
		return ("smtpd");
	case ROOM_QUEUE:
		return ("queue");
	case ROOM_DELIVER:
		return ("deliver");
	case ROOM_RESOLVER:
		return ("resolver");
	case ROOM_CTL:
		return ("ctl");
	case ROOM_PICKUP:
		return ("pickup");
	case ROOM_KEYS:
		return ("keys");
	case ROOM_AUTH:
		return ("auth");
	case ROOM_PAM:
		return ("pam");
	}
	return ("?");
}

const char *
role_suffix(unsigned role)
{
	return (role == ROLE_MAILBOX ? "-mailbox" : role == ROLE_SUBMISSION ? "-submission" : "");
}

const char *
stage_name(unsigned stage)
{
	static const char *const names[STAGES] = {
		[STAGE_ROUTE] = "route", [STAGE_DNS] = "dns", [STAGE_CONNECT] = "connect",
		[STAGE_GREETING] = "greeting", [STAGE_HELO] = "helo", [STAGE_MAIL] = "mail",
		[STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data", [STAGE_BODY] = "body",
		[STAGE_DOT] = "dot", [STAGE_FILE] = "file",
		[STAGE_TLS] = "tls", [STAGE_AUTH] = "auth",
	};

	return (NAME_OF(names, stage));
}

const char *
outcome_name(unsigned outcome)
{
	static const char *const names[OUTCOMES] = {
		[OUT_DELIVERED] = "delivered", [OUT_TEMPFAIL] = "tempfail",
		[OUT_PERMFAIL] = "permfail", [OUT_UNSURE] = "unsure",
	};

	return (NAME_OF(names, outcome));
}

const char *
dns_status_name(unsigned status)
{
	static const char *const names[DNS_STATUSES] = {
		[DNS_OK] = "ok", [DNS_NODATA] = "nodata", [DNS_NXDOMAIN] = "nxdomain",
		[DNS_FAILED] = "failed", [DNS_BOGUS] = "bogus", [DNS_TIMED_OUT] = "timed out",
		[DNS_OVERLOAD] = "overload",
	};

	return (NAME_OF(names, status));
}

const char *
ctl_verb_name(unsigned verb)
{
	static const char *const names[CTL_VERBS] = {
		[CTL_STATUS_MASTER] = "status", [CTL_RELOAD] = "reload", [CTL_STOP] = "stop",
		[CTL_STATUS_QUEUE] = "queue status", [CTL_LIST] = "list", [CTL_SHOW] = "show",
		[CTL_HOLD] = "hold", [CTL_RELEASE] = "release", [CTL_RETRY] = "retry",
		[CTL_DELETE] = "delete", [CTL_UNDO] = "undo", [CTL_FLUSH] = "flush",
		[CTL_PAUSE] = "pause", [CTL_RESUME] = "resume", [CTL_WHY] = "why",
		[CTL_LOOKUP] = "lookup", [CTL_TLS] = "tls",
	};

	return (NAME_OF(names, verb));
}

const char *
rcpt_state_name(unsigned state)
{
	static const char *const names[RCPT_STATES] = {
		[RCPT_PENDING] = "pending", [RCPT_ACTIVE] = "active", [RCPT_DEFERRED] = "deferred",
		[RCPT_UNSURE] = "unsure", [RCPT_DELIVERED] = "delivered", [RCPT_FAILED] = "failed",
		[RCPT_EXPIRED] = "expired",
	};

	return (NAME_OF(names, state));
}

const char *
msg_state_name(unsigned state)
{
	static const char *const names[MSG_STATES] = {
		[MSG_ACTIVE] = "active", [MSG_QUEUED] = "queued", [MSG_DEFERRED] = "deferred",
		[MSG_HELD] = "held", [MSG_DELETED] = "deleted", [MSG_DAMAGED] = "damaged",
	};

	return (NAME_OF(names, state));
}

/* ---- life of a daemon ---- */

void
ipc_pack_empty(struct wr *w, const struct ipc_empty *m)
{
}

int
ipc_unpack_empty(struct rd *r, struct ipc_empty *m)
{
	m->unused = 0;
	return (rd_end(r));
}

void
ipc_pack_start(struct wr *w, const struct ipc_start *m)
{
	wr_u32(w, m->room);
	wr_u32(w, m->instance);
	wr_u8(w, m->role);
	wr_u8(w, m->privileged);
	wr_u32(w, m->uid);
	wr_u32(w, m->gid);
	wr_str(w, m->root);
	wr_u64(w, m->boot);
}

int
ipc_unpack_start(struct rd *r, struct ipc_start *m)
{
	m->room = ipc_rd_room(r, ROOM_DAEMON);
	m->instance = rd_u32(r);
	m->role = rd_u8max(r, ROLES - 1);
	m->privileged = rd_u8max(r, 1);
	m->uid = rd_u32(r);
	m->gid = rd_u32(r);
	rd_str(r, m->root, sizeof(m->root));
	m->boot = rd_u64(r);
	/* Never as root, but pam, which is nothing else (threat-model.md 4). */
	if (m->privileged && (m->room == ROOM_PAM ? m->uid != 0 || m->gid != 0 : m->uid == 0 || m->gid == 0))
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_conf_blob(struct wr *w, const struct ipc_conf_blob *m)
{
	wr_u64(w, m->generation);
}

int
ipc_unpack_conf_blob(struct rd *r, struct ipc_conf_blob *m)
{
	m->generation = rd_u64(r);
	return (rd_end(r));
}

void
ipc_pack_conf_use(struct wr *w, const struct ipc_conf_use *m)
{
	wr_u64(w, m->generation);
}

int
ipc_unpack_conf_use(struct rd *r, struct ipc_conf_use *m)
{
	m->generation = rd_u64(r);
	return (rd_end(r));
}

void
ipc_pack_conf_ready(struct wr *w, const struct ipc_conf_ready *m)
{
	wr_u64(w, m->generation);
	wr_u32(w, (uint32_t)m->err);
	wr_str(w, m->why);
}

int
ipc_unpack_conf_ready(struct rd *r, struct ipc_conf_ready *m)
{
	m->generation = rd_u64(r);
	m->err = (int32_t)rd_u32(r);
	rd_str(r, m->why, sizeof(m->why));
	if (m->err > 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_listener(struct wr *w, const struct ipc_listener *m)
{
	wr_u16(w, m->index);
	wr_str(w, m->name);
}

int
ipc_unpack_listener(struct rd *r, struct ipc_listener *m)
{
	m->index = ipc_rd_u16range(r, 0, LISTENERS_MAX - 1);
	rd_str(r, m->name, sizeof(m->name));
	return (rd_end(r));
}

void
ipc_pack_channel(struct wr *w, const struct ipc_channel *m)
{
	wr_u32(w, m->room);
	wr_u32(w, m->instance);
	wr_u8(w, m->role);
}

int
ipc_unpack_channel(struct rd *r, struct ipc_channel *m)
{
	m->room = ipc_rd_room(r, ROOM_DAEMON);
	m->instance = rd_u32(r);
	m->role = rd_u8max(r, ROLES - 1);
	return (rd_end(r));
}

void
ipc_pack_log_socket(struct wr *w, const struct ipc_log_socket *m)
{
	wr_u8(w, m->kind);
}

int
ipc_unpack_log_socket(struct rd *r, struct ipc_log_socket *m)
{
	m->kind = rd_u8max(r, LOG_TO_STDERR);
	return (rd_end(r));
}

void
ipc_pack_ping(struct wr *w, const struct ipc_ping *m)
{
	wr_u64(w, m->seq);
}

int
ipc_unpack_ping(struct rd *r, struct ipc_ping *m)
{
	m->seq = rd_u64(r);
	return (rd_end(r));
}

void
ipc_pack_pong(struct wr *w, const struct ipc_pong *m)
{
	size_t i;

	wr_u64(w, m->seq);
	wr_u64(w, m->log_dropped);
	for (i = 0; i < COUNTERS; i++)
		wr_u64(w, m->counter[i]);
}

int
ipc_unpack_pong(struct rd *r, struct ipc_pong *m)
{
	size_t i;

	m->seq = rd_u64(r);
	m->log_dropped = rd_u64(r);
	for (i = 0; i < COUNTERS; i++)
		m->counter[i] = rd_u64(r);
	return (rd_end(r));
}

void
ipc_pack_stop(struct wr *w, const struct ipc_stop *m)
{
	wr_u32(w, m->within_ms);
}

int
ipc_unpack_stop(struct rd *r, struct ipc_stop *m)
{
	m->within_ms = rd_u32(r);
	return (rd_end(r));
}

void
ipc_pack_ctl_client(struct wr *w, const struct ipc_ctl_client *m)
{
	wr_u32(w, m->uid);
	wr_u32(w, m->gid);
	wr_u32(w, m->pid);
	wr_u8(w, m->verb);
}

int
ipc_unpack_ctl_client(struct rd *r, struct ipc_ctl_client *m)
{
	m->uid = rd_u32(r);
	m->gid = rd_u32(r);
	m->pid = rd_u32(r);
	m->verb = ipc_rd_enum1(r, CTL_VERBS);
	return (rd_end(r));
}
