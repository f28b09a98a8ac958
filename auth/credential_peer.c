/*
 * credential_peer.c -- deliver's side of our own logins: channels, the passwords of the snapshots,
 * hashing in a thread (auth.h).  Shell over credential.h.
 *
 * The passwords of one snapshot are one set, in locked memory; an exchange keeps the set it began
 * with, so that a reload changes nothing under its hands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/credential.h"
#include "auth/secure.h"
#include "auth/workers.h"
#include "common/err.h"
#include "common/log.h"

struct secret {
	void		*mem;			/* secure_read()'s */
	size_t		 len;
	struct slice	 password;		/* within mem */
};

struct secrets {				/* of one snapshot */
	unsigned	 refs;
	size_t		 n;
	struct secret	 of[];			/* as conf.logins */
};

struct login {					/* an exchange */
	struct work	 work;			/* first */
	struct login	*next;
	struct cred_peer *peer;			/* NULL: it has gone, the thread has not */
	struct secrets	*secrets;
	uint32_t	 id;
	int		 err;			/* of the thread */
	uint8_t		 salted[SCRAM_KEY_LEN];
	char		 title[LOGIN_TITLE_MAX + 1];
	char		 user[LOGIN_MAX + 1];
	struct credential c;
};

struct cred_peer {
	struct cred_peer *next;
	struct ipc	 ipc;
	struct login	*logins;
	size_t		 n;
};

static struct {
	struct room	*room;
	struct cred_peer *peers;
	struct secrets	*now, *coming;
	int		 files[LOGINS_MAX];	/* of the snapshot that comes next; 0 none: descriptors 0 to 3 are taken */
} creds;

/* ---- passwords ---- */

static void
secrets_unref(struct secrets *s)
{
	if (s == NULL || --s->refs != 0)
		return;
	for (size_t i = 0; i < s->n; i++)
		secure_free(s->of[i].mem, s->of[i].len + 1);
	free(s);
}

void
credential_secret(struct room *room, const struct ipc_secret *m, int fd)
{
	if (creds.files[m->index] != 0)
		close(creds.files[m->index]);
	creds.files[m->index] = fd;
}

static void
close_files(void)
{
	for (size_t i = 0; i < LOGINS_MAX; i++) {
		if (creds.files[i] != 0)
			close(creds.files[i]);
		creds.files[i] = 0;
	}
}

static int
read_secret(struct secret *s, int fd, const char **why)
{
	int	err;

	*why = "was not handed over";
	if (fd == 0)
		return (E_NOTFOUND);
	*why = "is too long, or cannot be read";
	if ((err = secure_read(fd, LOGIN_FILE_MAX, &s->mem, &s->len)) != E_OK)
		return (err);
	return (credential_password(slice_make(s->mem, s->len), &s->password, why));
}

int
credential_check(struct room *room, const struct conf *next, uint64_t generation)
{
	struct secrets	*s = calloc(1, sizeof(*s) + next->nlogins * sizeof(s->of[0]));
	const char	*why = "";
	int		 err = s != NULL ? E_OK : E_NOMEM;

	for (size_t i = 0; i < next->nlogins && err == E_OK; i++) {
		s->n = i + 1;
		if ((err = read_secret(&s->of[i], creds.files[i], &why)) == E_OK)
			continue;
		(void)snprintf(room->refusal, sizeof(room->refusal), "password-file %s of login \"%s\": %s",
		    next->logins[i].password_path, next->logins[i].name, why);
		log_warn("%s", room->refusal);
	}
	close_files();
	if (s != NULL)
		s->refs = 1;
	if (err != E_OK) {
		secrets_unref(s);
		s = NULL;
	}
	secrets_unref(creds.coming);
	creds.coming = s;
	return (err);
}

void
credential_use(struct room *room)
{
	creds.room = room;
	if (creds.coming == NULL)
		return;
	secrets_unref(creds.now);
	creds.now = creds.coming;
	creds.coming = NULL;
}

/* ---- exchanges ---- */

static void
login_free(struct login *l)
{
	secrets_unref(l->secrets);
	credential_end(&l->c);
	explicit_bzero(l, sizeof(*l));
	free(l);
}

static void
unlink_login(struct login *l)
{
	struct login	**at;

	for (at = &l->peer->logins; *at != l; at = &(*at)->next)
		;
	*at = l->next;
	l->peer->n--;
	l->peer = NULL;
}

/* It is over, whether or not a thread is at it. */
static void
login_drop(struct login *l)
{
	int	hashing = l->c.hash;

	unlink_login(l);
	if (!hashing || work_cancel(&l->work))
		login_free(l);
}

static struct login *
find_login(const struct cred_peer *p, uint32_t id)
{
	struct login	*l;

	for (l = p->logins; l != NULL && l->id != id; l = l->next)
		;
	return (l);
}

static void
send_answer(struct cred_peer *p, const struct ipc_credential_answer *m)
{
	int	err = ipc_send(&p->ipc, CREDENTIAL_ANSWER, credential_answer, m);

	/* A peer that does not read has its own deadline. */
	if (err != E_OK && err != E_CLOSED)
		log_warn("answer to deliver[%u] dropped: %s", p->ipc.instance, err_name(err));
}

/* What the core said goes to deliver. */
static void
answer(struct login *l, enum sasl_status status)
{
	struct ipc_credential_answer	m = { .id = l->id, .status = (uint8_t)status,
					    .mechanism = (uint8_t)l->c.mechanism };

	if (status == SASL_CONTINUE) {
		m.has_data = (uint8_t)(l->c.has_data || l->c.state != CRED_USER);
		m.data = slice_make(l->c.out, m.has_data ? l->c.len : 0);
	}
	send_answer(l->peer, &m);
	credential_sent(&l->c);
	if (status == SASL_CONTINUE)
		return;
	if (status != SASL_OK)
		log_info("login=%s mechanism=%s refused: %s", l->title, sasl_mechanism_name(l->c.mechanism),
		    l->c.why != NULL ? l->c.why : "?");
	login_drop(l);
}

static void
hash_run(struct work *w, void *scratch)
{
	struct login	*l = (struct login *)w;

	l->err = scram_salted_password(l->salted, l->c.password, slice_make(l->c.scram.salt, l->c.scram.salt_len),
	    l->c.scram.iterations);
}

static void
hash_done(struct work *w)
{
	struct login		*l = (struct login *)w;
	enum sasl_status	 status;

	if (l->peer == NULL) {
		login_free(l);
		return;
	}
	status = credential_hashed(&l->c, l->err, l->salted);
	explicit_bzero(l->salted, sizeof(l->salted));
	answer(l, status);
}

static void
stepped(struct login *l, enum sasl_status status)
{
	static const struct net_addr	us;	/* our own logins share one lane for each deliver */

	if (status != SASL_CONTINUE || !l->c.hash) {
		answer(l, status);
		return;
	}
	l->work = (struct work){ .run = hash_run, .done = hash_done };
	if (work_submit(&l->work, l->peer, &us) != E_OK)
		answer(l, credential_hashed(&l->c, E_BUSY, l->salted));
}

/* ---- messages ---- */

static int
begin(struct cred_peer *p, const struct ipc_credential *m)
{
	struct ipc_credential_answer	 no = { .id = m->id, .status = SASL_TEMPORARY };
	const struct conf		*conf = creds.room->conf;
	const struct conf_login		*cl = conf_login_find(conf, m->login);
	uint8_t				 nonce[SCRAM_NONCE_OCTETS];
	struct login			*l;
	size_t				 i = cl != NULL ? (size_t)(cl - conf->logins) : 0;

	if (find_login(p, m->id) != NULL)
		return (E_PROTO);
	if (cl == NULL || creds.now == NULL || i >= creds.now->n) {	/* deliver may hear of a reload sooner or later than we */
		log_info("login=%s is not configured", m->login);
		send_answer(p, &no);
		return (E_OK);
	}
	if (p->n == CREDENTIALS_OPEN_MAX || getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce) ||
	    (l = calloc(1, sizeof(*l))) == NULL) {
		send_answer(p, &no);
		return (E_OK);
	}
	l->id = m->id;
	l->peer = p;
	l->next = p->logins;
	p->logins = l;
	p->n++;
	l->secrets = creds.now;
	l->secrets->refs++;
	memcpy(l->title, m->login, sizeof(l->title));
	(void)snprintf(l->user, sizeof(l->user), "%s", cl->user);
	auth_counter[COUNT_CREDENTIALS]++;
	stepped(l, credential_begin(&l->c, slice_str(l->user), l->secrets->of[i].password, m->mechanisms, m->binding, nonce));
	return (E_OK);
}

static int
on_credential(struct cred_peer *p, const struct ipc_credential *m)
{
	struct login	*l;

	if (m->first)
		return (begin(p, m));
	/*
	 * Ended by us already, or it asks while we compute: both are no state in which an honest
	 * deliver asks.
	 */
	if ((l = find_login(p, m->id)) == NULL || l->c.hash)
		return (E_PROTO);
	stepped(l, m->done ? credential_done(&l->c, m->data) : credential_step(&l->c, m->data));
	return (E_OK);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct cred_peer	*p = ch->arg;
	struct ipc_credential	 m;
	struct ipc_sasl_end	 end;
	struct login		*l;

	if (type == IPC_CREDENTIAL)
		return (ipc_unpack_credential(r, &m) == E_OK ? on_credential(p, &m) : E_PROTO);
	if (type != IPC_CREDENTIAL_END || ipc_unpack_sasl_end(r, &end) != E_OK)
		return (E_PROTO);
	if ((l = find_login(p, end.id)) != NULL)	/* else our answer crossed it */
		login_drop(l);
	return (E_OK);
}

static void
peer_free(struct ipc *ch)
{
	free(ch->arg);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct cred_peer	*p = ch->arg, **at;

	for (at = &creds.peers; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	while (p->logins != NULL)
		login_drop(p->logins);
	ipc_close(ch, peer_free);
}

static const struct ipc_ops peer_ops = { .message = on_message, .closed = on_closed };

void
credential_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct cred_peer	*p, *next;

	creds.room = room;
	/* One process has one channel: with a new one the old one is over. */
	for (p = creds.peers; p != NULL; p = next) {
		next = p->next;
		if (p->ipc.instance == m->instance && p->ipc.role == m->role)
			on_closed(&p->ipc, E_CLOSED);
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		log_fatal("no memory for a channel");
	if (ipc_open(&p->ipc, &room->loop, fd, room->self, m->room, &peer_ops, p) != E_OK)
		log_fatal("cannot open the channel to %s[%u]", room_name(m->room), m->instance);
	p->ipc.instance = m->instance;
	p->ipc.role = m->role;
	p->next = creds.peers;
	creds.peers = p;
}

void
credential_stop(struct room *room)
{
	for (struct cred_peer *p = creds.peers; p != NULL; p = p->next) {
		while (p->logins != NULL)
			login_drop(p->logins);
	}
	secrets_unref(creds.now);
	secrets_unref(creds.coming);
	creds.now = creds.coming = NULL;
}
