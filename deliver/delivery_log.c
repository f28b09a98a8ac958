/*
 * delivery_log.c -- the log line of one recipient and attempt.  Shell.
 *
 * ID rcpt=<address> relay=host[address]:port [tls="..."] delay=S.s age=S dsn=x.y.z status=... [stage=...]
 * reply="..." tls says what it went over, and how the host was verified; in clear it is left out.  delay is this attempt's time, age the message's since it arrived, both in seconds.
 * A probe has "probe" for the ID, no age, and status=taken, refused or unknown.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/units.h"
#include "deliver/job.h"

void
log_delivery(const struct job *j, uint32_t i)
{
	const struct job_out *o = &j->out[i];
	char id[MSGID_STRLEN], rcpt[2 * ADDRESS_MAX], relay[2 * DOMAIN_MAX],
	    text[2 * REPLY_TEXT_MAX];
	char dsn[ENHANCED_STRLEN], code[8] = "", age[40] = "";
	const char *status = outcome_name(o->outcome);
	int good = o->outcome == OUT_DELIVERED;
	int64_t age_s;

	if (o->code != 0)
		snprintf(code, sizeof(code), "%03u ", o->code % 1000u);
	if (j->probe) {
		snprintf(id, sizeof(id), "probe");
		status = good ? "taken" : o->outcome == OUT_PERMFAIL && o->stage == STAGE_RCPT ?
		    "refused" : "unknown";
	} else {
		msgid_str(j->msgid, id);
		age_s = (int64_t)(now_wall_ms() / 1000) - j->arrival;
		snprintf(age, sizeof(age), " age=%" PRId64, age_s > 0 ? age_s : 0);
	}
	log_info("%s rcpt=<%s> relay=%s%s%s%s delay=%" PRIu32 ".%02" PRIu32 "%s"
	    " dsn=%s status=%s%s%s reply=\"%s%s\"",
	    id, text_escape_word(rcpt, sizeof(rcpt), slice_str(j->rcpt[i].address)),
	    o->relay[0] != '\0' ? text_escape_word(relay, sizeof(relay), slice_str(o->relay)) : "none",
	    o->tls[0] != '\0' ? " tls=\"" : "", o->tls, o->tls[0] != '\0' ? "\"" : "",
	    o->delay_ms / 1000, o->delay_ms % 1000 / 10, age, enhanced_str(&o->enhanced, dsn), status,
	    good ? "" : " stage=", good ? "" : stage_name(o->stage),
	    code, text_escape(text, sizeof(text), slice_str(o->text)));
}
