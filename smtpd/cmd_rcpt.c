/*
 * cmd_rcpt.c -- RCPT: the forward-path and its parameters.  Core.
 *
 * RFC 5321 3.3, 4.1.1.3, 3.6.1 (source routes are dropped by the parser), 4.5.3.1.10 (too many: 452).
 */
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "smtpd/params.h"
#include "smtpd/session.h"

void
cmd_rcpt(struct smtp_session *s)
{
	struct slice		 args = s->args;
	struct smtp_txn		*t = s->txn;
	struct param_rules	 rules = { .esmtp = s->esmtp, .utf8 = t->utf8 };
	struct param_fault	 f;
	struct rcpt_params	 rp;
	struct addr		 a;
	struct txn_rcpt		 r;
	char			 to[ADDRESS_MAX + 1];
	const char		*why = "syntax";
	size_t			 used, n;

	for (n = 0; n < 3 && n < args.n && (args.p[n] | 0x20) == ("to:"[n] | 0x20); n++)
		;
	if (n < 3) {
		smtp_refuse(s, 501, "5.5.2", "RCPT TO:<address>");
		return;
	}
	while (n < args.n && args.p[n] == ' ')
		n++;
	args = slice_make(args.p + n, args.n - n);
	if (addr_parse_path(&a, args, &used, ADDR_POSTMASTER_OK | ADDR_UTF8, &why) != E_OK) {
		smtp_refuse(s, 501, "5.1.3", "bad recipient address: %s", why);
		return;
	}
	if (used < args.n && args.p[used] != ' ' && args.p[used] != '\t') {
		smtp_refuse(s, 501, "5.1.3",
		    "bad recipient address: something follows its bracket");
		return;
	}
	if (rcpt_params(&rp, slice_make(args.p + used, args.n - used), &rules, &f) != E_OK) {
		smtp_refuse(s, f.code, f.enhanced, "%s", f.text);
		return;
	}
	if (a.utf8 && !t->utf8) {		/* RFC 6531 3.5 */
		smtp_refuse(s, 553, "5.6.7",
		    "a recipient that is not ASCII needs the parameter SMTPUTF8 of MAIL");
		return;
	}
	if (t->nrcpt >= s->env->conf->smtpd.rcpt_max) {
		smtp_refuse(s, 452, "4.5.3", "too many recipients, %u are taken at once",
		    s->env->conf->smtpd.rcpt_max);
		return;
	}
	if (!smtp_destination(s, &a, to))
		return;
	smtp_original(&a, to, rp.orcpt);
	n = t->rcpts.len;
	r = (struct txn_rcpt){ .notify = rp.notify, .address = to, .orcpt = rp.orcpt };
	if ((s->env->rcpts_max != 0 && 1 + strlen(to) + 1 + strlen(rp.orcpt) + 1 > s->env->rcpts_max - s->env->rcpts) ||
	    txn_rcpt_add(t, &r) != E_OK) {
		smtp_refuse(s, 452, "4.3.0", "no memory for more recipients");
		return;
	}
	s->env->rcpts += t->rcpts.len - n;
	smtp_rcpt_taken(s, n);
}
