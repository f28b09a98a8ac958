/*
 * control_lookup.c -- what would happen to a recipient, step by step.  Shell, around common/rcpt.h.
 *
 * The same code as at RCPT and at accept, with the snapshot in use.  The answer is lines for posternctl:
 *	step WHERE | WHAT		a table or rule that had something to say
 *	end KIND | ADDRESS | ROUTE | MAILBOX | SENDER
 *	more N				ends that are not told
 *	reply CODE ENHANCED TEXT	what RCPT (or, refused before, MAIL) answers
 * WHERE and the fields of end hold no "|", which is written \x7c.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rcpt.h"
#include "common/table.h"
#include "queue/control.h"

#define STORY_MAX	(1u << 20)	/* octets of an answer; what does not fit is left out, and so said */
#define STEPS_MAX	1000		/* lines of steps */
#define ENDS_TOLD	1000		/* of an expansion */
#define LOOKUP_MEMORY	(16u << 20)
#define PIECE_MAX	(4 * 1024)	/* a line's part, escaped */
#define TEXT_SEND_MAX	16384		/* octets of one CTL_TEXT */

struct lookup {
	struct client	*c;
	const struct conf *conf;
	struct buf	 b;
	unsigned	 steps;
	char		 reply[PIECE_MAX];	/* "" so far */
};

/* Printable ASCII as it is, all else and what parts the fields as \xNN. */
static const char *
piece(char dst[static PIECE_MAX], const char *src)
{
	size_t n = 0;

	for (; *src != '\0' && n + 5 < PIECE_MAX; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= ' ' && c <= '~' && c != '|')
			dst[n++] = (char)c;
		else
			n += (size_t)snprintf(dst + n, PIECE_MAX - n, "\\x%02x", c);
	}
	dst[n] = '\0';
	return (dst);
}

static void
on_step(void *arg, const char *where, const char *what)
{
	struct lookup *l = arg;
	char a[PIECE_MAX], b[PIECE_MAX];

	if (l->steps++ < STEPS_MAX)
		(void)buf_addf(&l->b, "step %s | %s\n", piece(a, where), piece(b, what));
	else if (l->steps == STEPS_MAX + 1)
		(void)buf_addf(&l->b, "step limit | more steps than %u are not told\n", STEPS_MAX);
}

static void
set_reply(struct lookup *l, unsigned code, const char *enhanced, const char *text)
{
	char a[PIECE_MAX];

	if (l->reply[0] == '\0')
		(void)snprintf(l->reply, sizeof(l->reply), "%u %s %.3000s", code, enhanced, piece(a, text));
}

/* ---- access rules ---- */

static void
rules(struct lookup *l, const char *name, struct table_access *a)
{
	static const char *const kinds[ACTION_KINDS] = { "OK", "DUNNO", "REJECT", "HOLD", "WARN", "INFO" };
	char where[1024], what[1024], code[ENHANCED_STRLEN];
	struct table_value v;
	struct action action;
	int err;

	if (table_is_empty(a->t))
		return;
	while ((err = table_access_next(a, &v, &action)) == E_OK) {
		if (action.kind == ACTION_REJECT) {
			(void)snprintf(what, sizeof(what), "%u %s %.*s", action.code,
			    enhanced_str(&action.enhanced, code), (int)action.text.n, action.text.p);
			set_reply(l, action.code, code, action.text.n != 0 ? what + strlen(code) + 5 : "access denied");
		} else
			(void)snprintf(what, sizeof(what), "%s %.*s", kinds[action.kind], (int)action.text.n,
			    action.text.p);
		(void)snprintf(where + strlen(table_where(a->t, &v, where, 900)), 100, " (%s)", name);
		on_step(l, where, what);
		if (action.kind == ACTION_OK || action.kind == ACTION_REJECT)
			return;
	}
	if (err == E_CORRUPT)
		set_reply(l, 451, "4.3.0", "access rules cannot be read now");
}

static void
all_rules(struct lookup *l, const char *recipient)
{
	const struct conf_tables *t = &l->conf->tables;
	const struct ipc_ctl_request *q = &l->c->req;
	struct table_access a;
	char sender[ADDRESS_MAX + 1];

	if (q->has_client) {
		table_access_client(&a, &t->client_access, "", &q->client);
		rules(l, "client-access", &a);
	}
	if (q->has_sender) {
		table_access_mail(&a, &t->sender_access, q->sender, l->conf->recipient_delimiter);
		rules(l, "sender-access", &a);
		memcpy(sender, q->sender, sizeof(sender));
		(void)rcpt_rewrite_sender(l->conf, sender, on_step, l);
	}
	table_access_mail(&a, &t->recipient_access, recipient, l->conf->recipient_delimiter);
	rules(l, "recipient-access", &a);
}

/* ---- ends ---- */

static void
tell_end(struct lookup *l, const struct rcpt_end *e)
{
	char address[PIECE_MAX], route[PIECE_MAX], mailbox[PIECE_MAX], sender[PIECE_MAX], name[DEST_NAME_MAX];
	char hop_text[DEST_NAME_MAX] = "", own[LOCAL_PART_MAX + 1] = "";
	struct hop hop;

	if (e->kind <= TO_REMOTE) {
		route_recipient(l->c->q, e->address, &hop, name);
		(void)hop_str(&hop, hop_text, sizeof(hop_text));
	}
	if (e->kind == TO_MAILBOX)
		(void)rcpt_mailbox(l->conf, e->address, own);
	(void)buf_addf(&l->b, "end %s | %s | %s | %s | %s\n", rcpt_kind_name(e->kind), piece(address, e->address),
	    piece(route, hop_text), piece(mailbox, own), piece(sender, e->owned ? e->sender : ""));
}

static void
tell_ends(struct lookup *l, const char *address)
{
	struct rcpt_expansion x = { .trace = NULL };
	const struct rcpt_end *e;
	struct arena mem;
	int err;

	arena_init(&mem, LOOKUP_MEMORY);
	err = rcpt_expand_begin(&x, l->conf, &mem, address, ENDS_TOLD);
	while (err == E_OK && (err = rcpt_expand_some(&x, ENDS_TOLD)) == E_AGAIN)
		err = E_OK;
	for (e = x.ends; e != NULL; e = e->next)
		tell_end(l, e);
	if (err == E_LIMIT || err == E_NOMEM)
		(void)buf_addf(&l->b, "more than %u\n", x.nends);
	arena_clear(&mem);
}

/* ---- the whole ---- */

static int
parse(const char *text, struct addr *a, const char **why)
{
	char path[ADDRESS_MAX + 3];
	size_t used;

	if (strchr(text, '@') != NULL)
		return (addr_parse(a, slice_str(text), why));
	(void)snprintf(path, sizeof(path), "<%s>", text);	/* postmaster alone */
	return (addr_parse_path(a, slice_str(path), &used, ADDR_POSTMASTER_OK, why));
}

static void
look(struct lookup *l, const struct addr *a)
{
	const struct ipc_ctl_request *q = &l->c->req;
	struct rcpt_ask ask = { .conf = l->conf, .addr = a, .trace = on_step, .arg = l };
	struct rcpt_verdict v;
	struct arena scratch;
	const char *enhanced, *text;
	unsigned code;

	ask.may_relay = q->has_client && conf_may_relay(l->conf, &q->client);
	if (q->has_client)
		on_step(l, "relay-from", ask.may_relay ? "the client may relay" : "the client may not relay");
	all_rules(l, a->text);
	arena_init(&scratch, LOOKUP_MEMORY);
	rcpt_verdict(&ask, &scratch, &v);
	arena_clear(&scratch);
	if (v.kind == TO_RELAY && (!v.aliased || v.sole) && v.domain->verify)
		on_step(l, "verify", "the next hop is asked for the recipient before it is taken (call-ahead)");
	if (v.kind <= TO_DISCARD || v.aliased)
		tell_ends(l, v.address);
	text = rcpt_reply(v.kind, &code, &enhanced);
	set_reply(l, code, enhanced, text);
	(void)buf_addf(&l->b, "reply %s\n", l->reply);
}

static int
send_lines(struct client *c, struct slice s)
{
	struct ipc_ctl_text m;
	int err = E_OK;

	while (s.n != 0 && err == E_OK) {
		m.text = slice_make(s.p, s.n < TEXT_SEND_MAX ? s.n : TEXT_SEND_MAX);
		err = ipc_send(&c->ipc, CTL_TEXT, ctl_text, &m);
		s.p += m.text.n;
		s.n -= m.text.n;
	}
	return (err);
}

enum ctl_status
control_lookup(struct client *c, const char **why)
{
	static struct lookup l;		/* large; one at a time */
	struct addr a;

	if (parse(c->req.text, &a, why) != E_OK)
		return (CTL_BAD);
	memset(&l, 0, sizeof(l));
	l.c = c;
	l.conf = c->q->room.conf;
	buf_init(&l.b, STORY_MAX);
	look(&l, &a);
	(void)send_lines(c, buf_slice(&l.b));
	buf_clear(&l.b);
	*why = "";
	return (CTL_OK);
}
