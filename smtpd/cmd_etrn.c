/*
 * cmd_etrn.c -- queue's answer to ETRN as a reply.  Core.  RFC 1985 5.3.
 */
#include <string.h>

#include "smtpd/session.h"

void
smtp_etrn_done(struct smtp_session *s, const struct ipc_etrn_result *r, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->state != ST_ASK || strcmp(s->verb, "ETRN") != 0)
		return;
	s->command_ms = now_ms;
	smtp_set_state(s, (enum smtp_state)s->ask_from);
	switch (r != NULL ? r->status : ETRN_UNABLE) {
	case ETRN_STARTED:
		smtp_reply(s, 250, "2.0.0", "queuing for the node started");
		break;
	case ETRN_NOTHING:
		smtp_reply(s, 251, "2.0.0", "no messages wait for the node");
		break;
	case ETRN_PENDING:
		smtp_reply(s, 252, "2.0.0", "messages for the node are pending, and on their way");
		break;
	case ETRN_COUNTED:
		smtp_replyf(s, 253, "2.0.0", "%u messages for the node started", r->count);
		break;
	default:
		smtp_refuse(s, 458, "4.3.0", "unable to queue messages for the node now");
		break;
	}
	if (s->env->stopping)
		smtp_stop(s, 0, now_ms);
}
