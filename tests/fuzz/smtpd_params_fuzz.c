/*
 * smtpd_params_fuzz.c -- the parameters of MAIL and RCPT, and dates.
 *
 * The first octet says what is offered.  Oracles: what was taken, written again, is taken with the same values;
 * all values are within their limits; a fault is a whole refusal; a date is the date that it is written as.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/units.h"
#include "common/utf8.h"
#include "common/xtext.h"
#include "smtpd/params.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define NOW 1800000000

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_fault(const struct param_fault *f)
{
	MUST(f->code == 501 || f->code == 552 || f->code == 553 || f->code == 555);
	MUST(f->enhanced != NULL && f->enhanced[0] == '5' && f->text[0] != '\0' && strlen(f->text) < sizeof(f->text) - 1);
	MUST(!utf8_has_8bit(slice_str(f->text)) && xtext_is_printable(f->text));
}

static void
fuzz_mail(struct slice in, const struct param_rules *rules)
{
	static const char *const	 bodies[] = { "7BIT", "8BITMIME", "BINARYMIME" };
	struct mail_params		 mp, again;
	struct param_fault		 f = { 0 };
	char				 text[1024], envid[XTEXT_ENVID_MAX + 1], date[DATE_STRLEN];
	size_t				 n;

	if (mail_params(&mp, in, rules, &f) != E_OK) {
		check_fault(&f);
		return;
	}
	MUST(mp.body < BODY_KINDS && mp.ret < RETS && mp.by_mode < BY_MODES && mp.priority >= -9 && mp.priority <= 9);
	MUST(mp.size <= (rules->size_limit != 0 ? rules->size_limit : MESSAGE_SIZE_MAX));
	MUST(mp.by_mode != BY_RETURN || mp.by_s > 0);
	MUST(mp.by_s >= -BY_MAX_S && mp.by_s <= BY_MAX_S && mp.hold_until >= 0 && mp.hold_until <= NOW + HOLD_MAX_S);
	MUST(xtext_is_printable(mp.envid));
	MUST(mp.auth.n == 0 || (rules->auth && mp.auth.n <= AUTH_PARAM_MAX));
	MUST(rules->trusted || (mp.by_mode == BY_NONE && mp.hold_until == 0 && !mp.prioritized));
	if (!rules->esmtp)
		return;
	MUST(xtext_encode(slice_str(mp.envid), envid, sizeof(envid)) == E_OK);
	n = (size_t)snprintf(text, sizeof(text), " SIZE=%llu BODY=%s%s%s%s%s", (unsigned long long)mp.size, bodies[mp.body],
	    mp.utf8 ? " SMTPUTF8" : "", mp.ret == RET_NONE ? "" : mp.ret == RET_FULL ? " RET=FULL" : " RET=HDRS",
	    mp.envid[0] != '\0' ? " ENVID=" : "", envid);
	if (mp.by_mode != BY_NONE)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " BY=%d;%s%s", mp.by_s, mp.by_mode == BY_NOTIFY ? "N" : "R",
		    mp.by_trace ? "T" : "");
	if (mp.prioritized)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " MT-PRIORITY=%d", mp.priority);
	if (mp.hold_until != 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " HOLDUNTIL=%s", date_rfc3339(mp.hold_until, date));
	MUST(n < sizeof(text) && mail_params(&again, slice_str(text), rules, &f) == E_OK);
	MUST(again.size == mp.size && again.hold_until == mp.hold_until && again.by_s == mp.by_s && again.body == mp.body &&
	    again.utf8 == mp.utf8 && again.ret == mp.ret && again.by_mode == mp.by_mode && again.by_trace == mp.by_trace &&
	    again.prioritized == mp.prioritized && again.priority == mp.priority && strcmp(again.envid, mp.envid) == 0);
}

static void
fuzz_rcpt(struct slice in, const struct param_rules *rules)
{
	struct rcpt_params	 rp, again;
	struct param_fault	 f = { 0 };
	char			 text[XTEXT_ORCPT_MAX + 128], orcpt[XTEXT_ORCPT_MAX + 1] = "";

	if (rcpt_params(&rp, in, rules, &f) != E_OK) {
		check_fault(&f);
		return;
	}
	MUST(rp.notify == NOTIFY_NEVER || (rp.notify & (NOTIFY_NEVER | 0xf0)) == 0);
	MUST(strlen(rp.orcpt) <= ORCPT_MAX);
	if (!rules->esmtp) {
		MUST(rp.notify == 0 && rp.orcpt[0] == '\0');
		return;
	}
	if (rp.orcpt[0] != '\0')
		MUST(orcpt_encode(rp.orcpt, rules->utf8, orcpt, sizeof(orcpt)) == E_OK);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s%s", rp.notify != 0 ? " NOTIFY=" : "",
	    (rp.notify & NOTIFY_NEVER) != 0 ? "NEVER" : "", (rp.notify & NOTIFY_SUCCESS) != 0 ? "SUCCESS," : "",
	    (rp.notify & NOTIFY_FAILURE) != 0 ? "FAILURE," : "", (rp.notify & NOTIFY_DELAY) != 0 ? "DELAY" : "", " ",
	    orcpt[0] != '\0' ? "ORCPT=" : "", orcpt);
	MUST(rcpt_params(&again, slice_str(text), rules, &f) == E_OK);
	MUST(again.notify == rp.notify && strcmp(again.orcpt, rp.orcpt) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct param_rules	 rules = { .now = NOW };
	struct slice		 in;
	char			 text[DATE_STRLEN];
	int64_t			 t, again;

	if (size == 0 || size > 4096)
		return (0);
	rules.esmtp = (data[0] & 1) == 0;
	rules.trusted = (data[0] & 2) == 0;
	rules.auth = (data[0] & 64) != 0;
	rules.utf8 = (data[0] & 4) == 0;
	rules.size_limit = (data[0] & 8) == 0 ? 1000000 : 0;
	in = slice_make(data + 1, size - 1);
	fuzz_mail(in, &rules);
	fuzz_rcpt(in, &rules);
	if (date_time_parse(&t, in) == E_OK && t >= 0 && t < 253402300800)
		MUST(date_time_parse(&again, slice_str(date_rfc3339(t, text))) == E_OK && again == t);
	return (0);
}
