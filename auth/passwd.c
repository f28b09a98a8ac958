/*
 * passwd.c -- the password table as a backend (auth.h): each password is hashed by a worker.
 * Shell.
 *
 * What is checked is a copy of the table's entry, so that a reload need not wait; for who is not
 * there, of an entry as dear as most are.
 */
#include <string.h>

#include "auth/auth.h"
#include "auth/exchange.h"
#include "auth/passwd.h"
#include "auth/secure.h"
#include "auth/workers.h"
#include "common/err.h"
#include "common/log.h"

#define JOBS	(WORK_WAITING_MAX + WORK_SPARE + 64)	/* all that wait, and those that run or were just dropped */

struct job {
	struct work	 work;
	struct exchange	*x;
	struct sasl_env	*env;		/* for when x has gone: */
	struct net_addr	 client;
	char		 login[LOGIN_MAX + 1];
	int		 known, result;
	struct hash	 hash;
	size_t		 len;
	char		 password[PASSWORD_MAX + 1];
	struct job	*next_free;
};

static struct job	*jobs, *unused;

void
passwd_open(void)
{
	if ((jobs = secure_alloc(JOBS * sizeof(*jobs))) == NULL)
		log_fatal("no memory for passwords");
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i].next_free = unused;
		unused = &jobs[i];
	}
}

static void
job_free(struct job *j)
{
	explicit_bzero(j, sizeof(*j));
	j->next_free = unused;
	unused = j;
}

/* Others may have failed since it was asked for. */
static int
on_begin(struct work *w)
{
	struct job	*j = (struct job *)w;
	struct exchange	*x = j->x;

	x->backend_arg = NULL;
	if (exchange_barred(x)) {
		job_free(j);
		return (0);
	}
	x->backend_arg = j;
	return (1);
}

static void
on_run(struct work *w, void *scratch)
{
	struct job	*j = (struct job *)w;

	j->result = hash_check(&j->hash, slice_make(j->password, j->len), scratch);
	if (j->result == E_OK && !j->known)
		j->result = E_DENIED;
	explicit_bzero(j->password, sizeof(j->password));
}

static void
on_done(struct work *w)
{
	struct job	*j = (struct job *)w;
	struct exchange	*x = j->x;
	int		 result = j->result, dropped = w->dropped;

	/* Who hangs up before he is told has cost a hash, too. */
	if (dropped && result == E_DENIED)
		exchange_unheard(j->env, &j->client, j->login);
	job_free(j);
	if (dropped)
		return;
	x->backend_arg = NULL;
	if (result == E_IO)
		log_warn("a password could not be checked: no memory for its hash");
	auth_checked(x, result == E_OK ? SASL_OK : result == E_DENIED ? SASL_FAILED : SASL_TEMPORARY,
	    NULL, SLICE_LIT(""));
}

static void
check(struct exchange *x, struct slice login, struct slice password)
{
	const struct table	*t = x->peer->env->table;
	struct job		*j = unused;

	if (j == NULL || t == NULL) {
		auth_checked(x, SASL_TEMPORARY, NULL, SLICE_LIT(""));
		return;
	}
	unused = j->next_free;
	j->work = (struct work){ .begin = on_begin, .run = on_run, .done = on_done };
	j->x = x;
	j->env = x->peer->env;
	j->client = x->client;
	memcpy(j->login, x->login, sizeof(j->login));
	j->known = table_find(t, login, &j->hash);
	j->len = password.n;
	memcpy(j->password, password.p, password.n);
	j->password[password.n] = '\0';
	if (work_submit(&j->work, x->peer, &x->client) == E_OK) {
		x->backend_arg = j;
		return;
	}
	job_free(j);
	auth_checked(x, SASL_TEMPORARY, NULL, SLICE_LIT(""));
}

static void
cancel(struct exchange *x)
{
	struct job	*j = x->backend_arg;

	x->backend_arg = NULL;
	if (work_cancel(&j->work))
		job_free(j);
}

/* What is under way ends by itself, in the time of a hash. */
static void
nothing(struct room *room)
{
}

const struct backend passwd_backend = {
	.name = "passwd",
	.check = check,
	.step = NULL,
	.cancel = cancel,
	.use = nothing,
	.leave = nothing,
};
