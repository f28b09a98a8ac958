/*
 * verify.c -- a recipient is taken, perhaps after the next hop was asked for it (call-ahead).  Core.
 *
 * A relay domain with verify = true: queue asks the next hop (through deliver, with a cache).  A yes is 250, a no is
 * its own no, so that nobody's backscatter is made here.  Where the next hop cannot be asked the recipient is taken:
 * to keep mail while the primary is down is what a backup MX is for.  But an answer of 4yz to RCPT itself says that
 * the next hop does not want it now (greylisting, a full mailbox), and is passed on.
 *
 * The recipient stands at the end of t->rcpts while it is asked about; a no takes it off again.
 */
#include <string.h>

#include "common/err.h"
#include "common/reply.h"
#include "smtpd/session.h"

#define WORDS_MAX	300	/* octets of the next hop's words in our reply */

static void
take(struct smtp_session *s)
{
	const char	*enhanced, *text;
	unsigned	 code;

	text = rcpt_reply(TO_MAILBOX, &code, &enhanced);
	s->txn->nrcpt++;
	s->commands--;			/* a large message is no idle chatter */
	smtp_set_state(s, ST_RCPT);
	smtp_reply(s, code, enhanced, text);
}

/* Its enhanced code, if it is of the class that the reply has. */
static const char *
of_class(const struct ipc_verify_result *r, uint8_t cls, const char *other, char dst[static ENHANCED_STRLEN])
{
	return (r->enhanced.cls == cls ? enhanced_str(&r->enhanced, dst) : other);
}

/* The recipient that was asked about comes off: NULL for "not now", for no fault of its own. */
static void
drop(struct smtp_session *s, const struct ipc_verify_result *r)
{
	struct smtp_txn	*t = s->txn;
	char		 to[SHOWN_MAX], words[WORDS_MAX], code[ENHANCED_STRLEN];

	s->env->rcpts -= t->rcpts.len - t->ask_len;
	/* Its record still lies behind the end: NOTIFY, the address, its NUL. */
	s->args = slice_str(t->rcpts.p + t->rcpts.off + t->ask_len + 1);
	t->rcpts.len = t->ask_len;
	(void)text_escape(to, sizeof(to), s->args);
	if (r == NULL)
		smtp_refuse(s, 451, "4.3.0", "<%s>: recipients cannot be verified now", to);
	else if (r->status == VERIFY_REFUSED)
		smtp_refuse(s, 550, of_class(r, 5, "5.1.1", code), "<%s>: the next hop refuses it: %s", to,
		    text_escape(words, sizeof(words), slice_str(r->text)));
	else
		smtp_refuse(s, 450, of_class(r, 4, "4.2.0", code), "<%s>: the next hop does not take it now: %s", to,
		    text_escape(words, sizeof(words), slice_str(r->text)));
	s->args = slice_make(NULL, 0);
}

void
smtp_rcpt_taken(struct smtp_session *s, size_t before)
{
	const struct rcpt_verdict	*v = &s->env->verdict;
	struct smtp_txn			*t = s->txn;

	/* A list's members are asked for by nobody: the list is ours, and so is what it promises.  But another name for one
	 * recipient, or for a whole domain, is as good as that recipient. */
	if ((v->aliased && !v->sole) || v->kind != TO_RELAY || !v->domain->verify || s->env->ops->verify == NULL) {
		take(s);
		return;
	}
	t->ask_len = (uint32_t)before;
	if (s->env->ops->verify(s, v->end) != E_OK) {
		drop(s, NULL);
		return;
	}
	s->ask_from = s->state;
	s->ask_ms = s->now_ms;
	smtp_set_state(s, ST_ASK);
}

void
smtp_verified(struct smtp_session *s, const struct ipc_verify_result *r, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->state != ST_ASK || strcmp(s->verb, "RCPT") != 0)
		return;
	s->command_ms = now_ms;
	smtp_set_state(s, (enum smtp_state)s->ask_from);
	/* 4yz to RCPT itself counts, and nothing else that the next hop may have said. */
	if (r == NULL || r->status == VERIFY_REFUSED ||
	    (r->status == VERIFY_UNKNOWN && r->code >= 400 && r->code <= 499))
		drop(s, r);
	else
		take(s);
	if (s->env->stopping)
		smtp_stop(s, 0, now_ms);
}

void
smtp_ask_over(struct smtp_session *s)
{
	static const struct ipc_verify_result	unknown = { .status = VERIFY_UNKNOWN };

	if (strcmp(s->verb, "RCPT") == 0)
		smtp_verified(s, &unknown, s->now_ms);
	else
		smtp_etrn_done(s, NULL, s->now_ms);
}
