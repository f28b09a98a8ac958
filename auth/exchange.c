/* exchange.c -- see exchange.h.  Core. */
#include <stdlib.h>
#include <string.h>

#include "auth/exchange.h"
#include "auth/sasl.h"
#include "auth/scram_server.h"
#include "common/err.h"
#include "common/log.h"
#include "common/reply.h"

#define BARRED_WAIT_MS	3000	/* before a client hears that it must wait */
#define NOTHING		SLICE_LIT("")

/* ---- open ones ---- */

static struct exchange **
bucket(struct auth_peer *p, uint32_t id)
{
	return (&p->bucket[id % EXCHANGE_BUCKETS]);
}

static struct exchange *
find(struct auth_peer *p, uint32_t id)
{
	struct exchange	*x = *bucket(p, id);

	while (x != NULL && x->id != id)
		x = x->next;
	return (x);
}

static struct exchange *
open_new(struct auth_peer *p, const struct ipc_sasl *m)
{
	struct exchange	*x, **at = bucket(p, m->id);

	if (p->nopen >= SASL_OPEN_MAX || (x = calloc(1, sizeof(*x))) == NULL)
		return (NULL);
	x->peer = p;
	x->backend = p->env->backend;
	x->id = m->id;
	x->mechanism = m->mechanism;
	x->tls = m->tls;
	x->client = m->client;
	x->own = m->own;
	x->client_port = m->client_port;
	x->own_port = m->own_port;
	if ((x->next = *at) != NULL)
		x->next->prev = x;
	*at = x;
	p->nopen++;
	p->env->counter[COUNT_OPEN]++;
	return (x);
}

static void
forget(struct exchange *x)
{
	struct auth_peer	*p = x->peer;

	*(x->prev != NULL ? &x->prev->next : bucket(p, x->id)) = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	p->nopen--;
	p->env->counter[COUNT_OPEN]--;
	scram_server_free(x->scram);
	free(x);
}

/* ---- answers ---- */

static void
log_barred(const struct sasl_env *env, const struct net_addr *a, const char *who, unsigned reached)
{
	char	client[NET_ADDR_STRLEN], login[4 * LOGIN_MAX + 1];

	(void)net_addr_str(a, client);
	(void)text_escape(login, sizeof(login), slice_str(who));
	if ((reached & BARRED(FAILURE_ADDRESS)) != 0)
		log_warn("locked-out client=%s failures=%u for=%us", client, (unsigned)env->limits.max,
		    (unsigned)(env->limits.window_ms / 1000));
	if ((reached & (BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR))) != 0)
		log_warn("locked-out login=\"%s\" %s=%s failures=%u for=%us", login,
		    (reached & BARRED(FAILURE_LOGIN)) != 0 ? "last-client" : "client", client,
		    (unsigned)env->limits.max, (unsigned)(env->limits.window_ms / 1000));
}

static uint32_t
count_failure(struct sasl_env *env, const struct net_addr *client, const char *login)
{
	unsigned	reached;
	uint32_t	wait = failures_add(env->failures, &env->limits, client, slice_str(login),
			    env->now(), &reached);

	if (reached != 0)
		log_barred(env, client, login, reached);
	return (wait);
}

void
exchange_unheard(struct sasl_env *env, const struct net_addr *client, const char *login)
{
	env->counter[COUNT_FAILED]++;
	(void)count_failure(env, client, login);
}

static void
answer(struct exchange *x, struct ipc_sasl_answer *m)
{
	m->id = x->id;
	x->peer->answer(x->peer, m);
}

void
auth_challenge(struct exchange *x, struct slice data)
{
	struct ipc_sasl_answer	m = { .status = SASL_CONTINUE, .data = data };

	x->pending = 0;
	answer(x, &m);
}

void
auth_checked(struct exchange *x, enum sasl_status status, const char *login, struct slice data)
{
	static const unsigned	 counts[SASL_STATUSES] = {
		[SASL_OK] = COUNT_OK, [SASL_FAILED] = COUNT_FAILED, [SASL_BAD] = COUNT_BAD,
		[SASL_TEMPORARY] = COUNT_TEMPORARY,
	};
	struct sasl_env		*env = x->peer->env;
	struct ipc_sasl_answer	 m = { .status = (uint8_t)status, .data = data };
	const char		*who = login != NULL && login[0] != '\0' ? login : x->login;

	/* A backend's word: a login that is none cannot be passed on. */
	if (status == SASL_OK && slice_copy(slice_str(who), m.login, sizeof(m.login)) != E_OK)
		m.status = SASL_TEMPORARY;
	if (m.status == SASL_OK)
		failures_success(env->failures, &env->limits, &x->client, slice_str(x->login), env->now());
	if (m.status == SASL_FAILED) {
		m.wait_ms = count_failure(env, &x->client, x->login);
		memcpy(m.login, x->login, sizeof(m.login));
	}
	env->counter[counts[m.status]]++;
	answer(x, &m);
	forget(x);
}

static void
finish(struct exchange *x, enum sasl_status status)
{
	auth_checked(x, status, NULL, NOTHING);
}

int
exchange_barred(struct exchange *x)
{
	struct sasl_env		*env = x->peer->env;
	struct ipc_sasl_answer	 m = { .status = SASL_TEMPORARY, .wait_ms = BARRED_WAIT_MS };

	if (failures_barred(env->failures, &env->limits, &x->client, slice_str(x->login), env->now()) == 0)
		return (0);
	env->counter[COUNT_LIMITED]++;
	/* For smtpd's log: this one was refused for its failures. */
	memcpy(m.login, x->login, sizeof(m.login));
	answer(x, &m);
	forget(x);
	return (1);
}

/* ---- PLAIN, LOGIN ---- */

static void
check_password(struct exchange *x, struct slice text)
{
	char	password[PASSWORD_MAX + 1];
	size_t	n = 0;

	switch (sasl_password(password, &n, text)) {
	case E_OK:
		x->pending = 1;
		x->backend->check(x, slice_str(x->login), slice_make(password, n));
		break;
	case E_LIMIT:		/* nobody has it */
		finish(x, SASL_FAILED);
		break;
	default:
		finish(x, SASL_BAD);
	}
	explicit_bzero(password, sizeof(password));
}

static void
step_plain(struct exchange *x, struct slice data)
{
	struct slice	authzid, login, password;
	char		other[LOGIN_MAX + 1];

	if (sasl_plain(data, &authzid, &login, &password) != E_OK || sasl_login(x->login, login) != E_OK ||
	    (authzid.n != 0 && sasl_login(other, authzid) != E_OK))
		finish(x, SASL_BAD);
	else if (exchange_barred(x))
		return;
	else if (authzid.n != 0 && strcmp(other, x->login) != 0)
		finish(x, SASL_FAILED);		/* nobody acts for somebody else here */
	else
		check_password(x, password);
}

static void
step_login(struct exchange *x, struct slice data)
{
	if (x->state == SASL_WANT_PASSWORD) {
		if (!exchange_barred(x))
			check_password(x, data);
		return;
	}
	if (sasl_login(x->login, data) != E_OK) {
		finish(x, SASL_BAD);
		return;
	}
	x->state = SASL_WANT_PASSWORD;
	auth_challenge(x, SLICE_LIT("Password:"));
}

/* ---- EXTERNAL, RFC 4422 A: what was said is as whom to act, which is oneself ---- */

static void
step_external(struct exchange *x, struct slice data)
{
	const struct table	*t = x->peer->env->table;
	char			 other[LOGIN_MAX + 1];

	if (data.n != 0 && sasl_login(other, data) != E_OK)
		finish(x, SASL_BAD);
	else if (exchange_barred(x))
		return;
	else if (x->login[0] == '\0' || t == NULL || !table_has(t, slice_str(x->login)) ||
	    (data.n != 0 && strcmp(other, x->login) != 0))
		finish(x, SASL_FAILED);
	else
		finish(x, SASL_OK);
}

/* ---- SCRAM ---- */

/* How an exchange ends that SCRAM ends. */
static void
scram_failed(struct exchange *x, int err)
{
	char	client[NET_ADDR_STRLEN], login[4 * LOGIN_MAX + 1];

	/* A wrong password is smtpd's to log; all else says something of client, server or what is
	 * between them. */
	if (err == E_DENIED && strcmp(x->scram->error, "invalid-proof") != 0)
		log_info("scram client=%s login=\"%s\" error=%s", net_addr_str(&x->client, client),
		    text_escape(login, sizeof(login), slice_str(x->login)), x->scram->error);
	finish(x, err == E_SYNTAX ? SASL_BAD : err == E_DENIED ? SASL_FAILED : SASL_TEMPORARY);
}

static void
scram_first(struct exchange *x, struct slice data)
{
	struct sasl_env		*env = x->peer->env;
	struct scram_entry	 e;
	struct slice		 challenge, login;
	struct hash		 h;
	uint8_t			 nonce[SCRAM_NONCE_OCTETS];
	int			 err, known;

	err = scram_server_first(x->scram, data);
	memcpy(x->login, x->scram->login, sizeof(x->login));
	if (err == E_SYNTAX || err == E_NOMEM) {
		scram_failed(x, err);
		return;
	}
	if (exchange_barred(x))
		return;
	if (x->backend->step != NULL) {		/* it judges by itself */
		x->state = SASL_BACKEND;
		x->pending = 1;
		x->backend->step(x, data);
		return;
	}
	if (err != E_OK || env->table == NULL) {
		scram_failed(x, err != E_OK ? err : E_IO);
		return;
	}
	login = slice_str(x->login);
	if ((err = scram_fake(&e, env->secret, login, table_iterations(env->table))) != E_OK ||
	    (err = env->random(nonce, sizeof(nonce))) != E_OK) {
		scram_failed(x, err);
		return;
	}
	known = table_find(env->table, login, &h) && h.kind == HASH_SCRAM;
	if (known)
		e = h.scram;
	explicit_bzero(&h, sizeof(h));
	err = scram_server_challenge(x->scram, known, &e, nonce, &challenge);
	explicit_bzero(&e, sizeof(e));
	if (err != E_OK) {
		scram_failed(x, err);
		return;
	}
	x->state = SASL_WANT_FINAL;
	auth_challenge(x, challenge);
}

static void
scram_final(struct exchange *x, struct slice data)
{
	char	last[SCRAM_FINAL_MAX + 1];
	size_t	n;
	int	err;

	if (exchange_barred(x))		/* others failed meanwhile */
		return;
	if ((err = scram_server_final(x->scram, data, last, &n)) != E_OK)
		scram_failed(x, err);
	else
		auth_checked(x, SASL_OK, NULL, slice_make(last, n));
}

static void
step_scram(struct exchange *x, struct slice data)
{
	if (x->state == SASL_WANT_FIRST)
		scram_first(x, data);
	else if (x->state == SASL_WANT_FINAL)
		scram_final(x, data);
	else {
		x->pending = 1;
		x->backend->step(x, data);
	}
}

/* ---- messages ---- */

static void
step(struct exchange *x, struct slice data)
{
	switch (x->mechanism) {
	case SASL_PLAIN:
		step_plain(x, data);
		break;
	case SASL_LOGIN:
		step_login(x, data);
		break;
	case SASL_EXTERNAL:
		step_external(x, data);
		break;
	default:
		step_scram(x, data);
	}
}

/* What only the first message says.  Whether there is memory for it. */
static int
begin(struct exchange *x, const struct ipc_sasl *m)
{
	const int	plus = 1 << SASL_SCRAM_SHA_256_PLUS;
	int		offered = 0;

	switch (x->mechanism) {
	case SASL_EXTERNAL:	/* of a checked certificate; a name that can be no login is nobody */
		if (sasl_login(x->login, slice_str(m->external)) != E_OK)
			x->login[0] = '\0';
		return (1);
	case SASL_SCRAM_SHA_256:
	case SASL_SCRAM_SHA_256_PLUS:
		for (size_t i = 0; i < BINDINGS; i++)
			offered |= m->tls && m->binding[i].n != 0;
		offered = offered && (x->peer->env->mechanisms & plus) != 0;
		x->scram = scram_server_new(x->mechanism == SASL_SCRAM_SHA_256_PLUS, offered, m->binding);
		return (x->scram != NULL);
	default:
		return (1);
	}
}

static int
on_first(struct auth_peer *p, const struct ipc_sasl *m)
{
	struct ipc_sasl_answer	 no = { .id = m->id, .status = SASL_TEMPORARY };
	struct exchange		*x;

	if (find(p, m->id) != NULL || (!m->initial && m->data.n != 0))
		return (E_PROTO);
	/* The two may have different snapshots in use for a moment. */
	if (p->env->backend == NULL || (p->env->mechanisms & 1u << m->mechanism) == 0 ||
	    (x = open_new(p, m)) == NULL) {
		p->env->counter[COUNT_TEMPORARY]++;
		p->answer(p, &no);
		return (E_OK);
	}
	if (!begin(x, m))
		finish(x, SASL_TEMPORARY);
	else if (m->initial)
		step(x, m->data);
	else
		auth_challenge(x, x->mechanism == SASL_LOGIN ? SLICE_LIT("Username:") : NOTHING);
	return (E_OK);
}

int
exchange_message(struct auth_peer *p, const struct ipc_sasl *m)
{
	struct exchange	*x;

	if (m->first)
		return (on_first(p, m));
	if ((x = find(p, m->id)) == NULL || x->pending || x->mechanism != m->mechanism)
		return (E_PROTO);
	step(x, m->data);
	return (E_OK);
}

static void
end(struct exchange *x)
{
	if (x->pending || x->backend_arg != NULL)
		x->backend->cancel(x);
	forget(x);
}

void
exchange_end(struct auth_peer *p, uint32_t id)
{
	struct exchange	*x = find(p, id);

	if (x != NULL)
		end(x);
}

void
exchange_end_all(struct auth_peer *p)
{
	for (size_t i = 0; i < EXCHANGE_BUCKETS; i++) {
		while (p->bucket[i] != NULL)
			end(p->bucket[i]);
	}
}
