/*
 * dane.c -- see dane.h.  Core.  RFC 7672 2 and 3.2.2.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/dane.h"
#include "common/err.h"
#include "common/ipc_msg.h"

#define TEXT_MAX	1024

/* ---- the end of a search, and the way there ---- */

__attribute__((format(printf, 2, 0))) static const char *
text_keep(struct dane_search *s, const char *fmt, va_list ap)
{
	char		 text[TEXT_MAX];
	const char	*kept;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	kept = arena_strdup(s->mem, slice_str(text));
	return (kept != NULL ? kept : "out of memory");
}

__attribute__((format(printf, 2, 3))) static void
step(struct dane_search *s, const char *fmt, ...)
{
	va_list	ap;

	if (s->found.nsteps == DANE_STEPS_MAX)
		return;
	va_start(ap, fmt);
	s->found.steps[s->found.nsteps++] = text_keep(s, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void
finish(struct dane_search *s, enum dane_status status, const char *fmt, ...)
{
	va_list	ap;

	s->step = DANE_DONE;
	s->found.status = status;
	va_start(ap, fmt);
	s->found.why = text_keep(s, fmt, ap);
	va_end(ap);
}

static void
no_memory(struct dane_search *s)
{
	s->step = DANE_DONE;
	s->found.status = DANE_FAILED;
	s->found.why = "out of memory";
}

/* RFC 7672 2.1.2: not known is not "none". */
static void
failed(struct dane_search *s, const char *what, const struct ipc_dns_answer *a)
{
	step(s, "%s of %s: %s%s%s", what, s->question, dns_status_name(a->status),
	    a->reason[0] != '\0' ? ": " : "", a->reason);
	finish(s, DANE_FAILED, "looking up %s of %s: %s%s%s", what, s->question,
	    dns_status_name(a->status), a->reason[0] != '\0' ? ": " : "", a->reason);
}

static int
is_answer(const struct ipc_dns_answer *a)
{
	return (a->status == DNS_OK || a->status == DNS_NODATA || a->status == DNS_NXDOMAIN);
}

static const char *
safety(const struct ipc_dns_answer *a)
{
	return (a->secure ? "secure" : "not secure");
}

/* ---- questions ---- */

/*
 * RFC 7672 2.2.3: "_25._tcp." and the base domain.  What would be too long a name has no records.
 */
static void
ask_next(struct dane_search *s)
{
	int	n;

	for (; s->at < s->ncandidates; s->at++) {
		n = snprintf(
		    s->question, sizeof(s->question), "_%u._tcp.%s", s->port, s->candidate[s->at]);
		if (n > 0 && (size_t)n < sizeof(s->question)) {
			s->step = DANE_ASK_TLSA;
			return;
		}
	}
	if (s->ncandidates == 2)
		finish(s, DANE_NONE, "neither _%u._tcp.%s nor _%u._tcp.%s has signed TLSA records",
		    s->port, s->candidate[0], s->port, s->candidate[1]);
	else
		finish(s, DANE_NONE, "_%u._tcp.%s has no signed TLSA records", s->port,
		    s->candidate[0]);
}

static void
candidate(struct dane_search *s, const char *name)
{
	s->candidate[s->ncandidates++] = name;
}

void
dane_begin(struct dane_search *s, struct arena *mem, const struct dane_host *h,
    const struct ipc_dns_answer *a)
{
	const char	*end = NULL;

	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->found.base = s->found.why = "";
	s->found.ttl = a->ttl;
	s->port = h->port;
	s->by_mx = h->by_mx != 0;
	s->mx_secure = h->mx_secure != 0;
	s->host = arena_strdup(mem, slice_str(h->host));
	s->nexthop = arena_strdup(mem, slice_str(h->nexthop));
	s->nexthop_end = arena_strdup(mem, slice_str(h->nexthop_end));
	if (a->canonical[0] != '\0' && strcmp(a->canonical, h->host) != 0)
		end = arena_strdup(mem, slice_str(a->canonical));
	if (s->host == NULL || s->nexthop == NULL || s->nexthop_end == NULL ||
	    (end == NULL && a->canonical[0] != '\0' && strcmp(a->canonical, h->host) != 0)) {
		no_memory(s);
		return;
	}
	if (a->status != DNS_OK) {
		finish(s, DANE_NONE, "%s has no address", s->host);
		return;
	}
	step(s, "addresses of %s: %s%s%s", s->host, safety(a), end != NULL ? ", an alias of " : "",
	    end != NULL ? end : "");
	if (a->secure) {
		/* "Secure CNAME" and "Non-CNAME" of RFC 7672 2.2.2. */
		if (end != NULL)
			candidate(s, end);
		candidate(s, s->host);
		ask_next(s);
		return;
	}
	if (end == NULL) {
		finish(s, DANE_NONE, "the addresses of %s are not signed", s->host);
		return;
	}
	/* "Insecure CNAME": the alias itself may be signed; its own answer says so (2.1.3). */
	(void)snprintf(s->question, sizeof(s->question), "%s", s->host);
	s->step = DANE_ASK_CNAME;
}

/* ---- answers ---- */

static void
answer_cname(struct dane_search *s, const struct ipc_dns_answer *a)
{
	if (!is_answer(a)) {
		failed(s, "CNAME", a);
		return;
	}
	step(s, "CNAME of %s: %s, %s", s->host, a->status == DNS_OK ? "an alias" : "none",
	    safety(a));
	if (!a->secure)
		finish(s, DANE_NONE,
		    "neither the alias %s nor the addresses it leads to are signed", s->host);
	else if (a->status != DNS_OK)
		/*
		 * Signed that there is no alias, and unsigned addresses that came through one: one
		 * of the two is not true.
		 */
		finish(s, DANE_FAILED,
		    "the answers about %s contradict each other: no alias, but addresses behind one",
		    s->host);
	else {
		candidate(s, s->host);
		ask_next(s);
	}
}

/* RFC 7672 3.2.2. */
static void
names(struct dane_search *s)
{
	struct dane_found	*f = &s->found;
	const char		*more[2] = { "", "" };

	f->names[f->nnames++] = f->base;
	if (s->by_mx && s->mx_secure) {
		more[0] = s->nexthop;
		more[1] = s->nexthop_end;
	} else if (!s->by_mx)
		more[0] = s->nexthop;
	for (size_t i = 0; i < 2; i++) {
		if (more[i][0] != '\0' && strcmp(more[i], f->base) != 0 &&
		    (i == 0 || strcmp(more[1], more[0]) != 0))
			f->names[f->nnames++] = more[i];
	}
}

static int
records_keep(struct dane_search *s, const struct ipc_dns_answer *a)
{
	struct dane_found	*f = &s->found;
	size_t			 n = a->nrec < TLSA_MAX ? a->nrec : TLSA_MAX;
	struct tlsa		*all = arena_alloc(s->mem, n * sizeof(*all)), *used;
	uint8_t			*data;

	f->unusable = arena_alloc(s->mem, n * sizeof(*f->unusable));
	used = arena_alloc(s->mem, n * sizeof(*used));
	if (all == NULL || f->unusable == NULL || used == NULL)
		return (E_NOMEM);
	for (size_t i = 0; i < n; i++) {
		if ((data = arena_alloc(s->mem, (size_t)a->rec[i].tlsa.len + 1)) == NULL)
			return (E_NOMEM);
		memcpy(data, a->rec[i].tlsa.data, a->rec[i].tlsa.len);
		all[i] = (struct tlsa){ .usage = a->rec[i].tlsa.usage,
			.selector = a->rec[i].tlsa.selector,
			.matching = a->rec[i].tlsa.matching,
			.len = a->rec[i].tlsa.len,
			.data = data };
	}
	tlsa_judge(all, n, f->unusable);
	for (size_t i = 0; i < n; i++) {
		if (f->unusable[i] == NULL)
			used[f->ntlsa++] = all[i];
	}
	f->nall = n;
	f->all = all;
	f->tlsa = used;
	return (E_OK);
}

static void
answer_tlsa(struct dane_search *s, const struct ipc_dns_answer *a)
{
	struct dane_found	*f = &s->found;

	if (!is_answer(a)) {
		failed(s, "TLSA", a);
		return;
	}
	if (a->status != DNS_OK || !a->secure) {
		step(s, "TLSA of %s: %s, %s", s->question, a->status == DNS_OK ? "records" : "none",
		    safety(a));
		s->at++;
		ask_next(s);
		return;
	}
	f->base = s->candidate[s->at];
	names(s);
	if (records_keep(s, a) != E_OK) {
		no_memory(s);
		return;
	}
	step(s, "TLSA of %s: %zu record%s, secure", s->question, f->nall, f->nall == 1 ? "" : "s");
	if (f->ntlsa != 0)
		finish(s, DANE_USABLE, "%zu TLSA record%s at %s", f->ntlsa,
		    f->ntlsa == 1 ? "" : "s", s->question);
	else
		finish(s, DANE_UNUSABLE, "%zu TLSA record%s at %s, none of which is usable: %s",
		    f->nall, f->nall == 1 ? "" : "s", s->question, f->unusable[0]);
}

void
dane_answer(struct dane_search *s, const struct ipc_dns_answer *a)
{
	if (s->step == DANE_DONE)
		return;
	if (is_answer(a) && a->ttl < s->found.ttl)
		s->found.ttl = a->ttl;
	if (s->step == DANE_ASK_CNAME)
		answer_cname(s, a);
	else
		answer_tlsa(s, a);
}
