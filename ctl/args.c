/*
 * args.c -- see args.h.  Core.
 *
 * Options may stand anywhere before "--"; what is left is command words, then operands.
 */
#include "ctl/args.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/slice.h"

#define CHANGE_OPERANDS	"ID... | --all [ADDRESS | DOMAIN]"

const struct ctl_command ctl_commands[] = {
	{ NULL, "check", ACT_CHECK, CTL_NONE, 0, 0, 0, "",
	    "check the configuration file; needs no server",
	    "Prints every error as FILE:LINE: text.  Exit status 1 if there are any.\n" },
	{ NULL, "status", ACT_STATUS, CTL_STATUS_QUEUE, 0, 0, 0, "",
	    "the queue's figures and the daemons", "" },
	{ "queue", "list", ACT_LIST, CTL_LIST, OPT_STATE | OPT_NO_HEADER, 0, 1, "[ADDRESS | DOMAIN]",
	    "list the queue, oldest first",
	    "  --state S[,S...]  only messages that are active, queued, deferred, held or deleted\n"
	    "  -H, --no-header   rows only\n"
	    "ADDRESS is a sender or recipient, DOMAIN one of a recipient.\n" },
	{ "queue", "show", ACT_SHOW, CTL_SHOW, 0, 1, INT32_MAX, "ID...",
	    "one message with its recipients", "" },
	{ "queue", "hold", ACT_CHANGE, CTL_HOLD, OPT_ALL, 1, INT32_MAX, CHANGE_OPERANDS,
	    "make no attempts, and let it not expire", "" },
	{ "queue", "release", ACT_CHANGE, CTL_RELEASE, OPT_ALL, 1, INT32_MAX, CHANGE_OPERANDS,
	    "end a hold", "" },
	{ "queue", "retry", ACT_CHANGE, CTL_RETRY, OPT_ALL, 1, INT32_MAX, CHANGE_OPERANDS,
	    "try now what waits", "" },
	{ "queue", "delete", ACT_CHANGE, CTL_DELETE, OPT_ALL, 1, INT32_MAX, CHANGE_OPERANDS,
	    "take it out of the queue, without a notice to its sender",
	    "It can be brought back for a day: queue undo.\n" },
	{ "queue", "undo", ACT_CHANGE, CTL_UNDO, OPT_ALL, 1, INT32_MAX, CHANGE_OPERANDS,
	    "bring back what was deleted within a day", "" },
	{ NULL, "flush", ACT_SIMPLE, CTL_FLUSH, 0, 1, 1, "DOMAIN",
	    "try now what waits for a recipient domain", "" },
	{ NULL, "pause", ACT_SIMPLE, CTL_PAUSE, 0, 0, 0, "", "accept mail, but deliver none",
	    "Lasts until `posternctl resume' or the next start.\n" },
	{ NULL, "resume", ACT_SIMPLE, CTL_RESUME, 0, 0, 0, "", "deliver again", "" },
	{ NULL, "why", ACT_WHY, CTL_WHY, 0, 1, 1, "ID | ADDRESS | DOMAIN",
	    "the life of a message: attempts, replies, what it waits for", "" },
	{ NULL, "lookup", ACT_LOOKUP, CTL_LOOKUP, OPT_FROM | OPT_SENDER, 1, 1, "ADDRESS",
	    "what would happen to a recipient, step by step",
	    "  --from ADDRESS    asked as from this client: access rules, relaying\n"
	    "  --sender ADDRESS  asked with this sender; <> is none\n" },
	{ NULL, "tls", ACT_TLS, CTL_TLS, 0, 1, 1, "DOMAIN | ADDRESS",
	    "what TLS towards a domain has to be, by which rule, and what it is",
	    "Shows the route, what is signed, the TLSA records, and tries each host without mail.\n"
	    "Exit status 0 if mail would go, 1 if it would wait.\n" },
	{ NULL, "tlsa-check", ACT_TLSA, CTL_NONE, OPT_NAME | OPT_BASE | OPT_FILE, 1, INT32_MAX, "CHAIN.pem [RECORD...]",
	    "hold a certificate chain against TLSA records; needs no server",
	    "  -b, --base NAME   the host's name, the TLSA base domain; for records of usage 2\n"
	    "  -n, --name NAME   another name the certificate may have, as the mail domain's\n"
	    "  -f, --file FILE   records from a file, one a line, as dig prints them; - is standard input\n"
	    "RECORD is \"3 1 1 DIGEST\".  Exit status 0 if the chain is authenticated by one, else 1.\n" },
	{ NULL, "passwd", ACT_PASSWD, CTL_NONE, OPT_FILE | OPT_ENTRY, 1, 1, "LOGIN",
	    "set the password of a login, or remove it; needs no server",
	    "  -f, --file FILE   the table; " SYSCONFDIR "/postern/passwd by default\n"
	    "  -s, --scram       an entry for SCRAM-SHA-256, PLAIN and LOGIN; the default\n"
	    "  -c, --crypt       an entry of crypt(3), for PLAIN and LOGIN alone\n"
	    "  -d, --delete      remove the login\n"
	    "Asks twice on a terminal; otherwise reads a line of standard input.\n" },
	{ NULL, "mailq", ACT_MAILQ, CTL_LIST, 0, 0, 0, "", "the queue in the form of mailq(1)", "" },
	{ NULL, "reload", ACT_SIMPLE, CTL_RELOAD, 0, 0, 0, "",
	    "take a changed configuration into use, whole or not at all", "" },
	{ NULL, "stop", ACT_STOP, CTL_STOP, 0, 0, 0, "", "stop the server, and wait for its end", "" },
	{ NULL, "help", ACT_HELP, CTL_NONE, 0, 0, 3, "[COMMAND]", "this, or more on one command", "" },
	{ NULL, NULL, ACT_HELP, CTL_NONE, 0, 0, 0, NULL, NULL, NULL }
};

const struct ctl_command *
command_find(char **words, int n, int *used)
{
	const struct ctl_command	*c;

	for (c = ctl_commands; c->name != NULL; c++) {
		if (c->group == NULL && n >= 1 && strcmp(words[0], c->name) == 0) {
			*used = 1;
			return (c);
		}
		if (c->group != NULL && n >= 2 && strcmp(words[0], c->group) == 0 &&
		    strcmp(words[1], c->name) == 0) {
			*used = 2;
			return (c);
		}
	}
	return (NULL);
}

int
states_parse(uint8_t *states, const char *s)
{
	unsigned	i;
	size_t		n;

	*states = 0;
	for (;;) {
		n = strcspn(s, ",");
		for (i = 0; i < MSG_STATES; i++)
			if (slice_eq(slice_make(s, n), slice_str(msg_state_name(i))))
				break;
		if (i == MSG_STATES)
			return (E_SYNTAX);
		*states |= (uint8_t)(1u << i);
		if (s[n] == '\0')
			return (E_OK);
		s += n + 1;
	}
}

/* The value of an option: "--name=value", "--name value", "-nvalue" or "-n value". */
static const char *
option_value(const char *arg, const char *attached, int argc, char **argv, int *i)
{
	if (attached != NULL && *attached != '\0')
		return (arg[1] == '-' ? attached + 1 : attached);
	return (*i + 1 < argc ? argv[++*i] : NULL);
}

/* Whether arg is the option "--name", or "--name=..." if it takes a value; *rest is what follows. */
static int
is_long(const char *arg, const char *name, int valued, const char **rest)
{
	size_t	n = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, n) != 0)
		return (0);
	*rest = arg + 2 + n;
	return (**rest == '\0' || (valued && **rest == '='));
}

int
address_parse(const char *text, char dst[ADDRESS_MAX + 1], const char **why)
{
	struct addr	 a;
	size_t		 used, n = strlen(text);
	int		 err;

	if (strcmp(text, "postmaster") == 0) {
		memcpy(dst, text, n + 1);
		return (E_OK);
	}
	if (text[0] != '<')
		err = addr_parse(&a, slice_str(text), why);
	else if ((err = addr_parse_path(&a, slice_str(text), &used, ADDR_NULL_OK | ADDR_POSTMASTER_OK | ADDR_UTF8,
	    why)) == E_OK && used != n) {
		*why = "something follows its bracket";
		err = E_SYNTAX;
	}
	if (err == E_OK)
		memcpy(dst, a.text, strlen(a.text) + 1);
	return (err);
}

/* -c, -s and -d behind the word passwd are its own. */
static int
take_entry_option(struct ctl_args *a, const char *arg, int passwd)
{
	const char	*rest;

	if ((passwd && strcmp(arg, "-c") == 0) || is_long(arg, "crypt", 0, &rest))
		a->crypt = 1;
	else if ((passwd && strcmp(arg, "-s") == 0) || is_long(arg, "scram", 0, &rest))
		a->crypt = 0;
	else if ((passwd && strcmp(arg, "-d") == 0) || is_long(arg, "delete", 0, &rest))
		a->delete = 1;
	else
		return (0);
	return (1);
}

static int
take_option(struct ctl_args *a, int argc, char **argv, int *i, unsigned *given, char *err, size_t size)
{
	const char	*arg = argv[*i], *rest = NULL, *value, *why = "";

	if (is_long(arg, "json", 0, &rest)) {
		a->json = 1;
	} else if (is_long(arg, "all", 0, &rest)) {
		a->all = 1;
		*given |= OPT_ALL;
	} else if (strcmp(arg, "-H") == 0 || is_long(arg, "no-header", 0, &rest)) {
		a->no_header = 1;
		*given |= OPT_NO_HEADER;
	} else if (strcmp(arg, "-h") == 0 || is_long(arg, "help", 0, &rest)) {
		a->help = 1;
	} else if (strcmp(arg, "-V") == 0 || is_long(arg, "version", 0, &rest)) {
		a->version = 1;
	} else if (arg[1] == 'c' || arg[1] == 's' || arg[1] == 'd') {
		if ((value = option_value(arg, arg + 2, argc, argv, i)) == NULL) {
			(void)snprintf(err, size, "%.2s needs a path", arg);
			return (EXIT_USAGE);
		}
		*(arg[1] == 'c' ? &a->conf : arg[1] == 's' ? &a->socket : &a->dir) = value;
	} else if (strncmp(arg, "-n", 2) == 0 || is_long(arg, "name", 1, &rest)) {
		*given |= OPT_NAME;
		value = option_value(arg, arg[1] == '-' ? rest : arg + 2, argc, argv, i);
		if (value == NULL || a->nnames == CTL_NAMES_MAX) {
			(void)snprintf(err, size, value == NULL ? "--name needs a name" : "too many names");
			return (EXIT_USAGE);
		}
		a->names[a->nnames++] = value;
	} else if (strncmp(arg, "-b", 2) == 0 || is_long(arg, "base", 1, &rest)) {
		*given |= OPT_BASE;
		if ((a->base = option_value(arg, arg[1] == '-' ? rest : arg + 2, argc, argv, i)) == NULL) {
			(void)snprintf(err, size, "--base needs a name");
			return (EXIT_USAGE);
		}
	} else if (strncmp(arg, "-f", 2) == 0 || is_long(arg, "file", 1, &rest)) {
		*given |= OPT_FILE;
		if ((a->file = option_value(arg, arg[1] == '-' ? rest : arg + 2, argc, argv, i)) == NULL) {
			(void)snprintf(err, size, "--file needs a file");
			return (EXIT_USAGE);
		}
	} else if (is_long(arg, "from", 1, &rest)) {
		*given |= OPT_FROM;
		value = option_value(arg, rest, argc, argv, i);
		if (value == NULL || net_addr_parse(&a->from, slice_str(value)) != E_OK) {
			(void)snprintf(err, size, "--from needs an IP address");
			return (EXIT_USAGE);
		}
		a->from_set = 1;
	} else if (is_long(arg, "sender", 1, &rest)) {
		*given |= OPT_SENDER;
		value = option_value(arg, rest, argc, argv, i);
		if (value == NULL || address_parse(value, a->sender, &why) != E_OK) {
			(void)snprintf(err, size, "--sender needs an address: %s", value != NULL ? why : "missing");
			return (EXIT_USAGE);
		}
		a->sender_set = 1;
	} else if (is_long(arg, "state", 1, &rest)) {
		*given |= OPT_STATE;
		value = option_value(arg, rest, argc, argv, i);
		if (value == NULL || states_parse(&a->states, value) != E_OK) {
			(void)snprintf(err, size,
			    "--state needs active, queued, deferred, held or deleted, joined by commas");
			return (EXIT_USAGE);
		}
	} else {
		(void)snprintf(err, size, "unknown option %.64s", arg);
		return (EXIT_USAGE);
	}
	return (EXIT_DONE);
}

static int
check_operands(const struct ctl_args *a, unsigned given, char *err, size_t size)
{
	const struct ctl_command	*c = a->cmd;
	const char			*group = c->group != NULL ? c->group : "";
	const char			*gap = c->group != NULL ? " " : "";

	if (given & ~c->options) {
		(void)snprintf(err, size, "%s%s%s does not take %s", group, gap, c->name,
		    given & ~c->options & OPT_ALL ? "--all" :
		    given & ~c->options & OPT_STATE ? "--state" :
		    given & ~c->options & OPT_FROM ? "--from" :
		    given & ~c->options & OPT_SENDER ? "--sender" :
		    given & ~c->options & OPT_NAME ? "--name" :
		    given & ~c->options & OPT_BASE ? "--base" :
		    given & ~c->options & OPT_FILE ? "--file" :
		    given & ~c->options & OPT_ENTRY ? "--crypt, --scram or --delete" : "--no-header");
		return (EXIT_USAGE);
	}
	if (a->all ? a->nop > 1 : (a->nop < c->min || a->nop > c->max)) {
		(void)snprintf(err, size, "usage: posternctl %s%s%s %s", group, gap, c->name, c->operands);
		return (EXIT_USAGE);
	}
	return (EXIT_DONE);
}

int
args_parse(struct ctl_args *a, int argc, char **argv, char *err, size_t size)
{
	unsigned	given = 0;
	int		i, n = 0, used = 0;

	memset(a, 0, sizeof(*a));
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				argv[1 + n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			argv[1 + n++] = argv[i];
		else if (take_entry_option(a, argv[i], n != 0 && strcmp(argv[1], "passwd") == 0))
			given |= OPT_ENTRY;
		else if (take_option(a, argc, argv, &i, &given, err, size) != EXIT_DONE)
			return (EXIT_USAGE);
	}
	a->op = argv + 1;
	a->nop = n;
	if (a->version || a->help)
		return (EXIT_DONE);
	if (n == 0) {
		(void)snprintf(err, size, "no command; try `posternctl help'");
		return (EXIT_USAGE);
	}
	if ((a->cmd = command_find(a->op, n, &used)) == NULL) {
		(void)snprintf(err, size, "unknown command %.32s%s%.32s; try `posternctl help'", a->op[0],
		    n > 1 ? " " : "", n > 1 ? a->op[1] : "");
		return (EXIT_USAGE);
	}
	a->op += used;
	a->nop -= used;
	return (check_operands(a, given, err, size));
}
