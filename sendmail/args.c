/*
 * args.c -- see args.h.  Core.
 */
#include "sendmail/args.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "common/ipc_msg.h"
#include "common/slice.h"

enum takes { TAKES_NOTHING, TAKES_VALUE, TAKES_REST };	/* REST: what stands attached, if anything */

struct option {
	char		letter;
	enum takes	takes;
	int		(*set)(struct args *, const char *value, char *err, size_t size);	/* NULL: ignored */
};

static int
wrong(char *err, size_t size, const char *option, const char *value)
{
	(void)snprintf(err, size, "-%s%.64s is not possible here", option, value);
	return (EX_USAGE);
}

/* ---- what options do ---- */

static int
set_mode(struct args *a, const char *v, char *err, size_t size)
{
	if (v[0] == '\0' || v[1] != '\0')
		return (wrong(err, size, "b", v));
	switch (v[0]) {
	case 'm':
		a->mode = MODE_DELIVER;
		return (EX_OK);
	case 's':
		a->mode = MODE_SMTP;
		return (EX_OK);
	case 'p':
		a->mode = MODE_LIST;
		return (EX_OK);
	case 'i':
		a->mode = MODE_TABLES;
		return (EX_OK);
	case 'd':
	case 'D':
	case 'l':
		(void)snprintf(err, size, "-b%c: the server is started by posternd(8)", v[0]);
		return (EX_USAGE);
	case 'v':
	case 't':
		(void)snprintf(err, size, "-b%c: ask posternctl(8) lookup what becomes of an address", v[0]);
		return (EX_USAGE);
	default:		/* -ba, -bh, -bH, -bP: of sendmail's own daemon */
		return (wrong(err, size, "b", v));
	}
}

static int
set_tables(struct args *a, const char *v, char *err, size_t size)
{
	(void)v;
	(void)err;
	(void)size;
	a->mode = MODE_TABLES;
	return (EX_OK);
}

/* -q, -q30m (an interval: only a daemon has one), -qIid, -qRdomain, -qSdomain, -q!..., -qG... */
static int
set_queue(struct args *a, const char *v, char *err, size_t size)
{
	if (v[0] == '\0') {
		a->mode = MODE_FLUSH;
		return (EX_OK);
	}
	if (v[0] >= '0' && v[0] <= '9')
		return (EX_OK);
	if ((v[0] != 'I' && v[0] != 'R' && v[0] != 'S') || v[1] == '\0')
		return (wrong(err, size, "q", v));
	a->mode = v[0] == 'I' ? MODE_FLUSH_ID : MODE_FLUSH_DOMAIN;
	a->what = v + 1;
	return (EX_OK);
}

static int
set_sender(struct args *a, const char *v, char *err, size_t size)
{
	(void)err;
	(void)size;
	a->sender = v;
	return (EX_OK);
}

static int
set_full_name(struct args *a, const char *v, char *err, size_t size)
{
	const char *p;

	for (p = v; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			(void)snprintf(err, size, "-F: a control character in the name");
			return (EX_USAGE);
		}
	}
	a->full_name = v;
	return (EX_OK);
}

/* RFC 3461 4.1: never alone, or a list of the others. */
static int
set_notify(struct args *a, const char *v, char *err, size_t size)
{
	static const struct { const char *word; uint8_t bit; } words[] = {
		{ "never", NOTIFY_NEVER }, { "success", NOTIFY_SUCCESS }, { "failure", NOTIFY_FAILURE },
		{ "delay", NOTIFY_DELAY },
	};
	const char *p = v;
	size_t i, n;

	a->notify = 0;
	for (;; p += n + 1) {
		n = strcspn(p, ",");
		for (i = 0; i < 4; i++) {
			if (slice_caseeq(slice_make(p, n), slice_str(words[i].word)))
				break;
		}
		if (i == 4 || ((a->notify | words[i].bit) & NOTIFY_NEVER && a->notify != 0)) {
			(void)snprintf(err, size, "-N %.64s: expected never, or some of success,failure,delay", v);
			return (EX_USAGE);
		}
		a->notify |= words[i].bit;
		if (p[n] == '\0')
			return (EX_OK);
	}
}

static int
set_ret(struct args *a, const char *v, char *err, size_t size)
{
	a->ret = strcasecmp(v, "full") == 0 ? 'F' : strcasecmp(v, "hdrs") == 0 ? 'H' : 0;
	if (a->ret != 0)
		return (EX_OK);
	(void)snprintf(err, size, "-R %.64s: expected full or hdrs", v);
	return (EX_USAGE);
}

static int
set_envid(struct args *a, const char *v, char *err, size_t size)
{
	const char *p;

	for (p = v; *p >= ' ' && *p <= '~'; p++)
		;
	if (*p == '\0' && p != v && p - v <= ENVID_MAX) {
		a->envid = v;
		return (EX_OK);
	}
	(void)snprintf(err, size, "-V: expected 1 to %d printable characters", ENVID_MAX);
	return (EX_USAGE);
}

static int
set_body(struct args *a, const char *v, char *err, size_t size)
{
	a->body = strcasecmp(v, "7BIT") == 0 ? '7' : strcasecmp(v, "8BITMIME") == 0 ? '8' : 0;
	if (a->body != 0)
		return (EX_OK);
	(void)snprintf(err, size, "-B %.64s: expected 7BIT or 8BITMIME", v);
	return (EX_USAGE);
}

static int
set_dot(struct args *a, const char *v, char *err, size_t size)
{
	(void)v;
	(void)err;
	(void)size;
	a->keep_dot = 1;
	return (EX_OK);
}

static int
set_extract(struct args *a, const char *v, char *err, size_t size)
{
	(void)v;
	(void)err;
	(void)size;
	a->extract = 1;
	return (EX_OK);
}

/* -oX value: of sendmail's many only these say something about the message. */
static int
set_old(struct args *a, const char *v, char *err, size_t size)
{
	if (strcmp(v, "i") == 0)
		a->keep_dot = 1;
	else if (strcmp(v, "7") == 0 || strcmp(v, "8") == 0)
		a->body = (uint8_t)v[0];
	else if (v[0] == '\0')
		return (wrong(err, size, "o", v));
	return (EX_OK);
}

/* -O Name=Value: ours, and those of sendmail, whose settings this server has in its own file. */
static int
set_long(struct args *a, const char *v, char *err, size_t size)
{
	const char *value = strchr(v, '=');

	if (strncmp(v, "postern-", 8) != 0)
		return (EX_OK);
	if (value != NULL && value[1] == '/' && strncmp(v, "postern-runtime=", 16) == 0) {
		a->runtime = value + 1;
		return (EX_OK);
	}
	if (value != NULL && value[1] == '/' && strncmp(v, "postern-directory=", 18) == 0) {
		a->directory = value + 1;
		return (EX_OK);
	}
	(void)snprintf(err, size, "-O %.64s: expected postern-runtime=/PATH or postern-directory=/PATH", v);
	return (EX_USAGE);
}

static int
refuse_file(struct args *a, const char *v, char *err, size_t size)
{
	(void)a;
	(void)snprintf(err, size, "-C %.64s: no configuration is read here; -O postern-runtime=/PATH names a server", v);
	return (EX_USAGE);
}

static const struct option options[] = {
	{ 'A', TAKES_VALUE, NULL },		/* -Am, -Ac: which of sendmail's queues */
	{ 'B', TAKES_VALUE, set_body },
	{ 'b', TAKES_VALUE, set_mode },
	{ 'C', TAKES_VALUE, refuse_file },
	{ 'c', TAKES_NOTHING, NULL },		/* hold what is expensive to deliver */
	{ 'd', TAKES_REST, NULL },		/* debugging of sendmail's own kind */
	{ 'e', TAKES_VALUE, NULL },		/* how to report errors: here by words and exit status */
	{ 'F', TAKES_VALUE, set_full_name },
	{ 'f', TAKES_VALUE, set_sender },
	{ 'G', TAKES_NOTHING, NULL },		/* relayed by a gateway */
	{ 'h', TAKES_VALUE, NULL },		/* hops so far: Received fields are counted */
	{ 'I', TAKES_NOTHING, set_tables },
	{ 'i', TAKES_NOTHING, set_dot },
	{ 'L', TAKES_VALUE, NULL },		/* a name for the log */
	{ 'm', TAKES_NOTHING, NULL },		/* send to me too: an alias that holds the sender always does */
	{ 'N', TAKES_VALUE, set_notify },
	{ 'n', TAKES_NOTHING, NULL },		/* no aliases: it has been without meaning for long */
	{ 'O', TAKES_VALUE, set_long },
	{ 'o', TAKES_VALUE, set_old },
	{ 'p', TAKES_VALUE, NULL },		/* protocol and host it came by */
	{ 'q', TAKES_REST, set_queue },
	{ 'R', TAKES_VALUE, set_ret },
	{ 'r', TAKES_VALUE, set_sender },
	{ 's', TAKES_NOTHING, NULL },		/* keep the From line */
	{ 't', TAKES_NOTHING, set_extract },
	{ 'U', TAKES_NOTHING, NULL },		/* first submission: all are */
	{ 'V', TAKES_VALUE, set_envid },
	{ 'v', TAKES_NOTHING, NULL },
	{ 'X', TAKES_VALUE, NULL },		/* a file for the dialogue: the server's log has it */
	{ 'x', TAKES_NOTHING, NULL },
};

static const struct option *
option_find(char letter)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].letter == letter)
			return (&options[i]);
	}
	return (NULL);
}

/* One argument of options: "-t", "-oi", "-f sender", "-ti". */
static int
take_cluster(struct args *a, const char *arg, int argc, char **argv, int *i, char *err, size_t size)
{
	const struct option *o;
	const char *p = arg + 1, *value;
	int rc;

	for (; *p != '\0'; p++) {
		if ((o = option_find(*p)) == NULL) {
			(void)snprintf(err, size, "unknown option -%c", *p > ' ' && *p <= '~' ? *p : '?');
			return (EX_USAGE);
		}
		value = "";
		if (o->takes == TAKES_REST || (o->takes == TAKES_VALUE && p[1] != '\0'))
			value = p + 1;
		else if (o->takes == TAKES_VALUE) {
			if (*i + 1 >= argc) {
				(void)snprintf(err, size, "option -%c needs a value", *p);
				return (EX_USAGE);
			}
			value = argv[++*i];
		}
		if (o->set != NULL && (rc = o->set(a, value, err, size)) != EX_OK)
			return (rc);
		if (o->takes != TAKES_NOTHING)
			return (EX_OK);
	}
	return (EX_OK);
}

static enum mode
mode_of_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	argv0 = slash != NULL ? slash + 1 : argv0;
	if (strcmp(argv0, "mailq") == 0)
		return (MODE_LIST);
	return (strcmp(argv0, "newaliases") == 0 ? MODE_TABLES : MODE_DELIVER);
}

int
args_parse(struct args *a, int argc, char **argv, char *err, size_t size)
{
	int i, n = 0, rc;

	memset(a, 0, sizeof(*a));
	a->envid = "";
	a->mode = argc > 0 ? mode_of_name(argv[0]) : MODE_DELIVER;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		a->mode = MODE_VERSION;
		return (EX_OK);
	}
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				argv[1 + n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			argv[1 + n++] = argv[i];	/* users put options behind recipients, too */
		else if ((rc = take_cluster(a, argv[i], argc, argv, &i, err, size)) != EX_OK)
			return (rc);
	}
	a->op = argv + 1;
	a->nop = n;
	if (a->mode == MODE_DELIVER && n == 0 && !a->extract) {
		(void)snprintf(err, size, "no recipients: name them behind the options, or use -t");
		return (EX_USAGE);
	}
	return (EX_OK);
}
