/*
 * rcpt_trace.c -- the steps of the resolver in words, for those who ask why.  Core; see rcpt.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rcpt_int.h"

#define LINE_MAX_OCTETS	1024
#define TARGETS_SHOWN	8
#define WHERE_MAX	512

void
rcpt_trace_targets(rcpt_trace *trace, void *arg, const char *subject, const struct table *t,
    const struct table_value *v)
{
	char			 line[LINE_MAX_OCTETS], where[WHERE_MAX];
	struct table_iter	 it;
	struct target		 target;
	size_t			 n = 0, shown = 0, more = 0;

	n += (size_t)snprintf(line, sizeof(line), "%s ->", subject);
	table_targets(&it, v);
	while (table_target_next(&it, &target) == E_OK) {
		if (shown == TARGETS_SHOWN || n + target.text.n + 64 > sizeof(line)) {
			more++;
			continue;
		}
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s %s%.*s", shown++ != 0 ? "," : "",
		    target.kind == TARGET_INCLUDE ? ":include:" : target.kind == TARGET_DISCARD ? "/dev/null" :
		    target.kind == TARGET_DOMAIN ? "@" : "", (int)target.text.n, target.text.p);
	}
	if (more != 0)
		(void)snprintf(line + n, sizeof(line) - n, ", and %zu more", more);
	else if (shown == 0)
		(void)snprintf(line + n, sizeof(line) - n, " nobody");
	trace(arg, table_where(t, v, where, sizeof(where)), line);
}

void
rcpt_trace_catch_all(rcpt_trace *trace, void *arg, const char *subject, const struct conf_domain *d)
{
	char	 line[LINE_MAX_OCTETS], where[WHERE_MAX];

	(void)snprintf(where, sizeof(where), "domain %s", d->name);
	(void)snprintf(line, sizeof(line), "%s -> %s by catch-all", subject, d->catch_all);
	trace(arg, where, line);
}

void
rcpt_trace_end(rcpt_trace *trace, void *arg, const char *subject, const struct rcpt_step *s)
{
	char	 line[LINE_MAX_OCTETS], where[WHERE_MAX];

	if (s->domain != NULL)
		(void)snprintf(where, sizeof(where), "%s %s", s->domain->relay ? "relay-domain" : "domain",
		    s->domain->name);
	else
		(void)snprintf(where, sizeof(where), "remote");
	switch (s->kind) {
	case TO_MAILBOX:
		(void)snprintf(line, sizeof(line), "%s: mailbox %s", subject, s->mailbox);
		break;
	case TO_UNKNOWN:
		(void)snprintf(line, sizeof(line), "%s: no such recipient", subject);
		break;
	case TO_RELAY:
		(void)snprintf(line, sizeof(line), "%s: relayed", subject);
		break;
	default:
		(void)snprintf(line, sizeof(line), "%s: elsewhere", subject);
		break;
	}
	trace(arg, where, line);
}
