/*
 * compose.c -- see compose.h.  Shell.
 */
#include "sendmail/compose.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/units.h"
#include "sendmail/header.h"
#include "sendmail/message.h"

#define READ_MAX	65536
#define NAME_MAX_OCTETS	512
#define ENVID_XTEXT	(3 * ENVID_MAX + 1)

struct composer {
	struct outgoing	*o;
	const struct args *a;
	const struct places *p;
	char		 sender[ADDRESS_MAX + 1];	/* "" is <> */
	char		 from[ADDRESS_MAX + 1];		/* for a missing From */
	char		 name[NAME_MAX_OCTETS];		/* display name, "" none */
	char		 envid[ENVID_XTEXT];
	const char	*field;		/* for error lines */
};

static int
complain(int status, const char *what, const char *why)
{
	(void)fprintf(stderr, "sendmail: %s%s%s\n", what, what[0] != '\0' ? ": " : "", why);
	return (status);
}

/* ---- who sends it ---- */

/* The full name of the password database: up to the first comma, & for the login name (finger(1)). */
static void
name_from_gecos(char *dst, size_t size, const struct passwd *pw)
{
	const char *p, *q;
	size_t n = 0;

	for (p = pw->pw_gecos != NULL ? pw->pw_gecos : ""; *p != '\0' && *p != ','; p++) {
		if (*p != '&') {
			if (n + 1 < size && (unsigned char)*p >= ' ' && *p != 0x7f)
				dst[n++] = *p;
			continue;
		}
		for (q = pw->pw_name; *q != '\0' && n + 1 < size; q++)
			dst[n++] = (char)(q == pw->pw_name ? toupper((unsigned char)*q) : *q);
	}
	dst[n] = '\0';
}

static int
first_mailbox(void *arg, const struct mailbox *m)
{
	struct mailbox *dst = arg;

	if (dst->text[0] != '\0')
		return (E_EXISTS);
	*dst = *m;
	return (E_OK);
}

/* One address as a user writes it, qualified.  "" and "<>" are the null sender. */
static int
take_sender(struct composer *c, const char *text)
{
	struct mailbox m;
	const char *why = "";
	int err;

	if (text[0] == '\0' || strcmp(text, "<>") == 0) {
		c->sender[0] = '\0';
		return (EX_OK);
	}
	memset(&m, 0, sizeof(m));
	err = address_list(slice_str(text), first_mailbox, &m, &why);
	if (err == E_EXISTS)
		return (complain(EX_USAGE, "-f", "more than one address"));
	if (err != E_OK || m.text[0] == '\0')
		return (complain(EX_USAGE, "-f", why[0] != '\0' ? why : "an address is expected"));
	if (address_qualify(&m, c->p->hostname) != E_OK)
		return (complain(EX_USAGE, "-f", "the address is too long"));
	memcpy(c->sender, m.text, sizeof(c->sender));
	return (EX_OK);
}

static int
find_sender(struct composer *c)
{
	const struct passwd *pw = getpwuid(getuid());
	char quoted[ADDRESS_MAX + 1];
	int rc;

	if (c->a->sender == NULL && pw == NULL) {
		(void)fprintf(stderr, "sendmail: uid %lu has no login name, and -f names no sender\n",
		    (unsigned long)getuid());
		return (EX_OSERR);
	}
	if (c->a->sender != NULL)
		rc = take_sender(c, c->a->sender);
	else
		rc = take_sender(c, pw->pw_name);
	if (rc != EX_OK)
		return (rc);
	(void)snprintf(quoted, sizeof(quoted), "MAILER-DAEMON@%s", c->p->hostname);
	memcpy(c->from, c->sender[0] != '\0' ? c->sender : quoted, sizeof(c->from));
	c->name[0] = '\0';
	if (c->a->full_name != NULL)
		(void)snprintf(c->name, sizeof(c->name), "%s", c->a->full_name);
	else if (c->a->sender == NULL)
		name_from_gecos(c->name, sizeof(c->name), pw);
	if (!address_is_utf8(slice_str(c->name)))
		c->name[0] = '\0';	/* of an encoding that nothing tells */
	c->o->mail.sender = c->sender;
	return (EX_OK);
}

/* ---- whom it is for ---- */

static int
add_recipient(void *arg, const struct mailbox *m)
{
	struct composer *c = arg;
	struct mailbox q = *m;

	if (address_qualify(&q, c->p->hostname) != E_OK)
		return (E_LIMIT);
	return (outgoing_add(c->o, q.text, c->a->notify));
}

static int
recipient_status(int err, const char *what, const char *why)
{
	switch (err) {
	case E_SYNTAX:
		return (complain(EX_DATAERR, what, why));
	case E_LIMIT:
		return (complain(EX_DATAERR, what, why[0] != '\0' ? why : "too many recipients, or too long an address"));
	default:
		return (complain(EX_OSERR, what, "out of memory"));
	}
}

static int
command_line_recipients(struct composer *c)
{
	const char *why;
	int i, err;

	for (i = 0; i < c->a->nop; i++) {
		why = "";
		err = address_list(slice_str(c->a->op[i]), add_recipient, c, &why);
		if (err != E_OK)
			return (recipient_status(err, c->a->op[i], why));
	}
	return (EX_OK);
}

/* ---- the message ---- */

static int
on_body(void *arg, struct slice s)
{
	struct composer *c = arg;

	return (spool_add(&c->o->body, s));
}

static int
input_status(int err)
{
	switch (err) {
	case E_LIMIT:
		return (complain(EX_DATAERR, "", "the header section is too long"));
	case E_FULL:
		return (complain(EX_TEMPFAIL, "", "no space for the message in /var/tmp"));
	case E_NOMEM:
		return (complain(EX_OSERR, "", "out of memory"));
	default:
		return (complain(EX_IOERR, "", "the message cannot be kept while it is read"));
	}
}

static int
read_message(struct composer *c, struct message *m)
{
	static char in[READ_MAX];
	ssize_t n;
	int err = E_OK;

	while (err == E_OK && !m->ended) {
		n = read(STDIN_FILENO, in, sizeof(in));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (complain(EX_IOERR, "standard input", strerror(errno)));
		if (n == 0)
			break;
		err = message_feed(m, slice_make(in, (size_t)n));
		/* Known to be in vain: why read on. */
		if (c->p->size_limit != 0 && c->o->body.size > c->p->size_limit)
			break;
	}
	if (err == E_OK)
		err = message_end(m);
	return (err == E_OK ? EX_OK : input_status(err));
}

static int
make_header(struct composer *c, struct message *m)
{
	char date[DATE_STRLEN], id[DOMAIN_MAX + 64], name[128];
	struct header_facts f = { .origin = c->p->hostname, .from = c->from, .full_name = c->name, .date = date,
	    .message_id = id, .extract = c->a->extract };
	struct slice field;
	const char *why;
	uint64_t random;
	int err;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return (complain(EX_OSERR, "", "no random numbers"));
	(void)date_str((int64_t)time(NULL), date);
	(void)snprintf(id, sizeof(id), "<%" PRIx64 ".%016" PRIx64 "@%s>", now_wall_ms(), random, c->p->hostname);
	err = header_fix(&c->o->header, buf_slice(&m->header), &f, add_recipient, c, &field, &why);
	if (err != E_OK) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(field.n < 100 ? field.n : 100), field.p);
		return (recipient_status(err, name, why));
	}
	/* The line between header and body is the message's in any case (RFC 5322 3.5). */
	return (buf_adds(&c->o->header, "\r\n") == E_OK ? EX_OK : complain(EX_OSERR, "", "out of memory"));
}

/* RFC 3461 4: xtext. */
static void
encode_envid(struct composer *c)
{
	const char *p = c->a->envid;
	size_t n = 0;

	for (; *p != '\0' && n + 4 < sizeof(c->envid); p++) {
		if (*p > ' ' && *p <= '~' && *p != '+' && *p != '=')
			c->envid[n++] = *p;
		else
			n += (size_t)snprintf(c->envid + n, sizeof(c->envid) - n, "+%02X", (unsigned char)*p);
	}
	c->envid[n] = '\0';
	c->o->mail.envid = c->envid;
}

/* What the server has to be told of the octets. */
static void
describe(struct composer *c, const struct message *m)
{
	struct submit_mail *mail = &c->o->mail;
	size_t i;

	mail->ret = c->a->ret;
	mail->body8 = c->a->body == '8' || m->header8 || m->body8;
	/* RFC 6532: a header section in UTF-8.  Octets of another encoding are but 8-bit, as they ever were. */
	mail->utf8 = !address_is_ascii(slice_str(c->sender)) ||
	    (m->header8 && address_is_utf8(buf_slice(&c->o->header)));
	for (i = 0; i < c->o->n && !mail->utf8; i++)
		mail->utf8 = !address_is_ascii(slice_str(c->o->rcpt[i].address));
	if (mail->utf8)
		mail->body8 = 1;	/* RFC 6531 3.6 */
}

int
compose(struct outgoing *o, const struct args *a, const struct places *p)
{
	static struct composer c;	/* the envelope's strings live in it */
	static struct message m;
	int rc;

	c.o = o;
	c.a = a;
	c.p = p;
	if ((rc = find_sender(&c)) != EX_OK || (rc = command_line_recipients(&c)) != EX_OK)
		return (rc);
	message_init(&m, a->keep_dot, on_body, &c);
	if ((rc = read_message(&c, &m)) == EX_OK)
		rc = make_header(&c, &m);
	if (rc == EX_OK && p->size_limit != 0 && o->header.len + o->body.size > p->size_limit) {
		(void)fprintf(stderr, "sendmail: the message is longer than the %" PRIu64 " octets that the server "
		    "takes\n", p->size_limit);
		rc = EX_UNAVAILABLE;
	}
	if (rc == EX_OK) {
		encode_envid(&c);
		describe(&c, &m);
		if (o->n == 0)
			rc = complain(EX_DATAERR, "", "no recipients in the header section");
	}
	if (rc == EX_OK && (rc = outgoing_unique(o)) != E_OK)
		rc = recipient_status(rc, "recipients", "");
	message_clear(&m);
	return (rc);
}
