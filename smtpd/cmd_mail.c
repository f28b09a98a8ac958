/*
 * cmd_mail.c -- MAIL: the reverse-path and its parameters.  Core.
 *
 * RFC 5321 3.3, 4.1.1.2; RFC 1870 6 (SIZE); RFC 6152 2 (BODY).
 */
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/units.h"
#include "smtpd/params.h"
#include "smtpd/session.h"

#define SIZE_DIGITS_MAX	20	/* RFC 1870 5: size-value */

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

/* SIZE=n.  1 if the command may go on. */
static int
param_size(struct smtp_session *s, struct slice v, uint64_t *size)
{
	uint64_t	limit = s->env->conf->message_size_limit;
	int		err;

	if (v.n == 0 || v.n > SIZE_DIGITS_MAX) {
		smtp_refuse(s, 501, "5.5.4", "SIZE needs a number of up to %d digits",
		    SIZE_DIGITS_MAX);
		return (0);
	}
	err = number_parse(size, v, limit != 0 ? limit : MESSAGE_SIZE_MAX);
	if (err == E_SYNTAX) {
		smtp_refuse(s, 501, "5.5.4", "SIZE needs a number");
		return (0);
	}
	if (err != E_OK) {
		smtp_refuse(s, 552, "5.3.4", "message size exceeds the limit of %llu octets",
		    (unsigned long long)limit);
		return (0);
	}
	return (1);
}

/* 1 if the command may go on. */
static int
params(struct smtp_session *s, struct slice rest, uint64_t *size, uint8_t *body8)
{
	struct param	pa;
	int		err, seen_size = 0, seen_body = 0;

	while ((err = param_next(&rest, &pa)) == E_OK) {
		if (s->esmtp && slice_caseeq(pa.keyword, SLICE_LIT("SIZE"))) {
			if (seen_size++) {
				smtp_refuse(s, 501, "5.5.4", "SIZE given twice");
				return (0);
			}
			if (!param_size(s, pa.value, size))
				return (0);
		} else if (s->esmtp && slice_caseeq(pa.keyword, SLICE_LIT("BODY"))) {
			if (seen_body++) {
				smtp_refuse(s, 501, "5.5.4", "BODY given twice");
				return (0);
			}
			*body8 = (uint8_t)slice_caseeq(pa.value, SLICE_LIT("8BITMIME"));
			if (!*body8 && !slice_caseeq(pa.value, SLICE_LIT("7BIT"))) {
				smtp_refuse(s, 501, "5.5.4", "BODY is 7BIT or 8BITMIME");
				return (0);
			}
		} else {
			smtp_refuse(s, 555, "5.5.4", s->esmtp ? "MAIL: unknown parameter" :
			    "MAIL: parameters need EHLO");
			return (0);
		}
	}
	if (err == E_SYNTAX) {
		smtp_refuse(s, 501, "5.5.4", "MAIL: malformed parameter");
		return (0);
	}
	return (1);
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

void
cmd_mail(struct smtp_session *s)
{
	struct slice	 args = s->args;
	struct smtp_txn	*t;
	struct addr	 a;
	const char	*why = "syntax";
	uint64_t	 size = 0;
	uint8_t		 body8 = 0;
	size_t		 used;

	if (!keyword(&args, "FROM:")) {
		smtp_refuse(s, 501, "5.5.2", "MAIL FROM:<address>");
		return;
	}
	if (addr_parse_path(&a, args, &used, ADDR_NULL_OK, &why) != E_OK) {
		smtp_refuse(s, 501, "5.1.7", "bad sender address: %s", why);
		return;
	}
	if (used < args.n && args.p[used] != ' ' && args.p[used] != '\t') {
		smtp_refuse(s, 501, "5.1.7", "bad sender address: something follows its bracket");
		return;
	}
	if (!params(s, slice_make(args.p + used, args.n - used), &size, &body8))
		return;
	if (s->mails >= SESSION_MAILS_MAX) {
		smtp_refuse(s, 452, "4.5.3", "%u messages in one session are enough",
		    SESSION_MAILS_MAX);
		return;
	}
	if (!smtp_queue_takes(s))
		return;
	if ((t = txn_new(s->env)) == NULL) {
		smtp_refuse(s, 452, "4.3.0", "no memory for a transaction");
		return;
	}
	t->size_hint = size;
	t->body = body8 ? BODY_8BIT : BODY_7BIT;
	memcpy(t->sender, a.text, strlen(a.text) + 1);
	s->txn = t;
	s->mails++;
	smtp_set_state(s, ST_MAIL);
	smtp_reply(s, 250, "2.1.0", "sender ok");
}
