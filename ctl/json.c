/*
 * json.c -- see json.h.  Core: jansson only.
 */
#include "ctl/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/net.h"
#include "common/reply.h"
#include "common/units.h"
#include "ctl/cells.h"

#define REPLACEMENT	"\xef\xbf\xbd"	/* U+FFFD */

/* The octets of the UTF-8 character at the start of s; 0 if there is none (RFC 3629 4). */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t		len, i;
	unsigned char	low = 0x80, high = 0xbf;	/* of the second octet */

	if (p[0] < 0x80)
		return (1);
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return (0);
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return (0);
	for (i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return (0);
	return (len);
}

json_t *
json_text(struct slice s)
{
	size_t	 i, k, n = 0;
	char	*clean;
	json_t	*j = json_stringn(s.n != 0 ? s.p : "", s.n);

	if (j != NULL || s.n == 0 || s.n > SIZE_MAX / 3)
		return (j);
	if ((clean = malloc(s.n * 3)) == NULL)
		return (NULL);
	for (i = 0; i < s.n; i += k != 0 ? k : 1) {
		k = utf8_len((const unsigned char *)s.p + i, s.n - i);
		memcpy(clean + n, k != 0 ? s.p + i : REPLACEMENT, k != 0 ? k : 3);
		n += k != 0 ? k : 3;
	}
	j = json_stringn(clean, n);
	free(clean);
	return (j);
}

static json_t *
str(const char *s)
{
	return (json_text(slice_str(s)));
}

static json_t *
num(uint64_t n)
{
	return (json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n)));
}

json_t *
json_time(int64_t t)
{
	char	s[DATE_STRLEN];

	return (t == 0 ? json_null() : json_string(date_rfc3339(t, s)));
}

/* Put key, taking value; remembers a failure in *ok. */
static void
put(json_t *o, int *ok, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, value) != 0)
		*ok = 0;
}

static json_t *
done(json_t *o, int ok)
{
	if (!ok) {
		json_decref(o);
		return (NULL);
	}
	return (o);
}

json_t *
json_message(const struct ipc_ctl_message *m)
{
	char	id[MSGID_STRLEN], ip[NET_ADDR_STRLEN];
	json_t	*o = json_object();
	int	ok = o != NULL;

	put(o, &ok, "id", str(msgid_str(m->msgid, id)));
	put(o, &ok, "state", str(msg_state_name(m->state)));
	put(o, &ok, "arrival", json_time(m->arrival));
	put(o, &ok, "size", num(m->size));
	put(o, &ok, "sender", str(m->sender));
	put(o, &ok, "rcpt_total", num(m->nrcpt));
	put(o, &ok, "rcpt_done", num(m->ndone));
	put(o, &ok, "next", json_time(m->next));
	put(o, &ok, "expires", json_time(m->expires));
	put(o, &ok, "client", str(net_addr_str(&m->client, ip)));
	put(o, &ok, "helo", str(m->helo));
	if (m->held != HELD_NOT)
		put(o, &ok, "held_by", str(held_by_name(m->held)));
	if (m->hold_until != 0)
		put(o, &ok, "held_until", json_time(m->hold_until));
	if (m->by_mode != BY_NONE) {
		put(o, &ok, "deliver_by", json_time(m->by_time));
		put(o, &ok, "deliver_by_mode", str(m->by_mode == BY_RETURN ? "return" : "notify"));
	}
	if (m->prioritized)
		put(o, &ok, "priority", json_integer(m->priority));
	if (m->local)
		put(o, &ok, "uid", num(m->uid));
	if (m->login[0] != '\0')
		put(o, &ok, "login", str(m->login));
	if (m->envid[0] != '\0')
		put(o, &ok, "envid", str(m->envid));
	put(o, &ok, "recipients", json_array());
	return (done(o, ok));
}

json_t *
json_rcpt(const struct ipc_ctl_rcpt *r)
{
	char	dsn[ENHANCED_STRLEN], notify[CELL_NOTIFY_LEN];
	json_t	*o = json_object();
	int	ok = o != NULL;

	put(o, &ok, "address", str(r->address));
	put(o, &ok, "state", str(rcpt_state_name(r->state)));
	put(o, &ok, "route", str(r->hop));
	put(o, &ok, "attempts", num(r->attempts));
	put(o, &ok, "last", json_time(r->last));
	put(o, &ok, "next", json_time(r->next));
	put(o, &ok, "relay", str(r->relay));
	put(o, &ok, "stage", r->attempts != 0 ? str(stage_name(r->stage)) : json_null());
	put(o, &ok, "code", r->code != 0 ? num(r->code) : json_null());
	put(o, &ok, "enhanced", r->enhanced.cls != 0 ? str(enhanced_str(&r->enhanced, dsn)) : json_null());
	put(o, &ok, "reply", str(r->text));
	if (r->notify != 0)
		put(o, &ok, "notify", str(cell_notify(r->notify, notify)));
	if (r->orcpt[0] != '\0')
		put(o, &ok, "original_recipient", str(r->orcpt));
	if (r->alias[0] != '\0')
		put(o, &ok, "alias", str(r->alias));
	if (r->owned)
		put(o, &ok, "owner", str(r->sender));
	return (done(o, ok));
}

json_t *
json_daemon(const struct ipc_ctl_daemon *d)
{
	json_t	*o = json_object(), *counters = json_array();
	int	ok = o != NULL;
	size_t	i;

	put(o, &ok, "name", str(room_name(d->room)));
	put(o, &ok, "instance", num(d->instance));
	put(o, &ok, "role", d->role == ROLE_REMOTE ? str("remote") :
	    d->role == ROLE_MAILBOX ? str("mailbox") :
	    d->role == ROLE_SUBMISSION ? str("submission") : json_null());
	put(o, &ok, "pid", d->pid != 0 ? num(d->pid) : json_null());
	put(o, &ok, "state", str(d->state));
	put(o, &ok, "restarts", num(d->restarts));
	put(o, &ok, "since", json_time(d->since));
	put(o, &ok, "log_dropped", num(d->log_dropped));
	for (i = 0; i < sizeof(d->counter) / sizeof(d->counter[0]); i++)
		if (json_array_append_new(counters, num(d->counter[i])) != 0)
			ok = 0;
	put(o, &ok, "counters", counters);
	return (done(o, ok));
}

json_t *
json_queue(const struct ipc_ctl_queue *q)
{
	static const char *const pressure[PRESSURES] = { "none", "full", "busy", "io" };
	json_t	*o = json_object();
	int	ok = o != NULL;

	put(o, &ok, "total", num(q->total));
	put(o, &ok, "active", num(q->active));
	put(o, &ok, "queued", num(q->queued));
	put(o, &ok, "deferred", num(q->deferred));
	put(o, &ok, "held", num(q->held));
	put(o, &ok, "trash", num(q->trash));
	put(o, &ok, "received", num(q->received));
	put(o, &ok, "delivered", num(q->delivered));
	put(o, &ok, "bounced", num(q->bounced));
	put(o, &ok, "expired", num(q->expired));
	put(o, &ok, "commits", num(q->commits));
	put(o, &ok, "store_octets", num(q->store_octets));
	put(o, &ok, "store_limit", num(q->store_limit));
	put(o, &ok, "free_octets", num(q->free_octets));
	put(o, &ok, "pressure", str(q->pressure < PRESSURES ? pressure[q->pressure] : "?"));
	put(o, &ok, "paused", json_boolean(q->paused));
	return (done(o, ok));
}

static int
dump(const char *p, size_t n, void *f)
{
	return (fwrite(p, 1, n, f) == n ? 0 : -1);
}

int
json_print(FILE *f, json_t *j)
{
	int	err = E_OK;

	if (j == NULL)
		return (E_NOMEM);
	if (json_dump_callback(j, dump, f, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		err = E_IO;
	json_decref(j);
	if (err == E_OK && putc('\n', f) == EOF)
		err = E_IO;
	return (err);
}
