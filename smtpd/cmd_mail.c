/*
 * cmd_mail.c -- MAIL: the reverse-path and its parameters.  Core.
 *
 * RFC 5321 3.3, 4.1.1.2; RFC 6531 3.4; params.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "smtpd/params.h"
#include "smtpd/session.h"

static struct smtp_txn *
txn_new(struct smtp_env *env)
{
	struct smtp_txn	*t = env->pool;
	struct buf	 rcpts;

	if (t != NULL) {
		env->pool = t->next;
		env->npool--;
		rcpts = t->rcpts;
		memset(t, 0, offsetof(struct smtp_txn, rcpts));
		t->rcpts = rcpts;
		return (t);
	}
	if ((t = calloc(1, sizeof(*t))) != NULL)
		buf_init(&t->rcpts, (size_t)RCPT_MAX * TXN_RCPT_OCTETS);
	return (t);
}

/* "FROM:" or "TO:" off the arguments; blanks behind the colon are common enough to let pass. */
static int
keyword(struct slice *args, const char *word)
{
	size_t	n = strlen(word);

	if (args->n < n || !slice_caseeq(slice_make(args->p, n), slice_make(word, n)))
		return (0);
	while (n < args->n && args->p[n] == ' ')
		n++;
	*args = slice_make(args->p + n, args->n - n);
	return (1);
}

/* What was asked for is part of the transaction. */
static void
keep(struct smtp_txn *t, const struct mail_params *mp)
{
	t->size_hint = mp->size;
	t->hold_until = mp->hold_until;
	t->by_s = mp->by_s;
	t->body = mp->body;
	t->utf8 = mp->utf8;
	t->ret = mp->ret;
	t->by_mode = mp->by_mode;
	t->by_trace = mp->by_trace;
	t->prioritized = mp->prioritized;
	t->priority = mp->priority;
	memcpy(t->envid, mp->envid, sizeof(t->envid));
}

void
cmd_mail(struct smtp_session *s)
{
	struct slice		 args = s->args;
	struct param_rules	 rules = { .esmtp = s->esmtp, .trusted = s->may_relay, .auth = smtp_auth_listener(s),
				     .size_limit = s->env->conf->message_size_limit, .now = s->env->wall_s };
	struct mail_params	 mp;
	struct param_fault	 f;
	struct smtp_txn		*t;
	struct addr		 a;
	const char		*why = "syntax";
	uint8_t			 hold = 0;
	size_t			 used;

	if (!keyword(&args, "FROM:")) {
		smtp_refuse(s, 501, "5.5.2", "MAIL FROM:<address>");
		return;
	}
	if (addr_parse_path(&a, args, &used, ADDR_NULL_OK | ADDR_UTF8, &why) != E_OK) {
		smtp_refuse(s, 501, "5.1.7", "bad sender address: %s", why);
		return;
	}
	if (used < args.n && args.p[used] != ' ' && args.p[used] != '\t') {
		smtp_refuse(s, 501, "5.1.7", "bad sender address: something follows its bracket");
		return;
	}
	if (mail_params(&mp, slice_make(args.p + used, args.n - used), &rules, &f) != E_OK) {
		smtp_refuse(s, f.code, f.enhanced, "%s", f.text);
		return;
	}
	if (a.utf8 && !mp.utf8) {		/* RFC 6531 3.5: 550 to MAIL, 553 to RCPT */
		smtp_refuse(s, 550, "5.6.7", "a sender that is not ASCII needs the parameter SMTPUTF8");
		return;
	}
	if (s->mails >= SESSION_MAILS_MAX) {
		smtp_refuse(s, 452, "4.5.3", "%u messages in one session are enough",
		    SESSION_MAILS_MAX);
		return;
	}
	if (!smtp_queue_takes(s) || !smtp_access_mail(s, a.text, &hold))
		return;
	if ((t = txn_new(s->env)) == NULL) {
		smtp_refuse(s, 452, "4.3.0", "no memory for a transaction");
		return;
	}
	keep(t, &mp);
	t->hold = hold;
	if (mp.auth.n != 0 && s->env->ops->auth_event != NULL)
		s->env->ops->auth_event(s, AUTH_CLAIMED, NULL, mp.auth);
	memcpy(t->sender, a.text, strlen(a.text) + 1);
	(void)rcpt_rewrite_sender(s->env->conf, t->sender, NULL, NULL);
	s->txn = t;
	s->mails++;
	smtp_set_state(s, ST_MAIL);
	smtp_reply(s, 250, "2.1.0", "sender ok");
}
