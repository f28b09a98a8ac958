/*
 * args.h -- posternctl's command line: one table of commands, one parser.  Core.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/ipc_msg.h"

enum {				/* exit status */
	EXIT_DONE = 0,
	EXIT_FAILED = 1,	/* not found, refused, or failed */
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,	/* no server there, or it went away */
	EXIT_DENIED = 4,
};

enum args_action {
	ACT_HELP, ACT_CHECK, ACT_STATUS, ACT_LIST, ACT_SHOW,
	ACT_CHANGE,		/* hold, release, retry, delete, undo */
	ACT_SIMPLE,		/* flush, pause, resume, reload */
	ACT_STOP, ACT_WHY, ACT_MAILQ, ACT_LOOKUP, ACT_TLS, ACT_TLSA, ACT_PASSWD
};

enum {				/* which options a command takes */
	OPT_ALL = 1, OPT_STATE = 2, OPT_NO_HEADER = 4, OPT_FROM = 8, OPT_SENDER = 16, OPT_NAME = 32, OPT_BASE = 64,
	OPT_FILE = 128, OPT_ENTRY = 256
};

#define CTL_NAMES_MAX	16	/* -n of one command */

struct ctl_command {
	const char	*group;		/* "queue", or NULL for a command of one word */
	const char	*name;
	enum args_action	 action;
	enum ctl_verb	 verb;
	unsigned	 options;
	int		 min, max;	/* operands; with --all one at most, and none is enough */
	const char	*operands;	/* as in help */
	const char	*summary;	/* one line */
	const char	*more;		/* whole lines for its own help */
};

extern const struct ctl_command ctl_commands[];	/* ends with a NULL name */

struct ctl_args {
	const struct ctl_command *cmd;	/* NULL for help and -V */
	const char	*conf;		/* -c, or NULL */
	const char	*socket;	/* -s, or NULL */
	const char	*dir;		/* -d, or NULL */
	int		 json, all, no_header, help, version;
	uint8_t		 states;	/* 1 << enum msg_state */
	int		 from_set, sender_set;
	struct net_addr	 from;		/* --from */
	char		 sender[ADDRESS_MAX + 1];	/* --sender; "" is <> */
	const char	*names[CTL_NAMES_MAX];		/* -n, --name */
	size_t		 nnames;
	const char	*base;				/* -b, --base, or NULL */
	const char	*file;				/* -f, --file, or NULL */
	int		 crypt, delete;			/* passwd: -c, -d */
	int		 nop;
	char	       **op;		/* operands: points into argv, whose order is changed */
};

/* EXIT_DONE, or EXIT_USAGE with what is wrong in err. */
int	args_parse(struct ctl_args *, int argc, char **argv, char *err, size_t size);

/* The command that words[0..n) name, in *used words; NULL if none.  "queue" alone names none. */
const struct ctl_command *command_find(char **words, int n, int *used);

/* An address, with or without brackets, as addr.h writes it; "<>" is "".  E_SYNTAX, E_LIMIT. */
int	address_parse(const char *, char dst[ADDRESS_MAX + 1], const char **why);

/* --state: "deferred,held" into bits; E_SYNTAX. */
int	states_parse(uint8_t *, const char *);

void	help_print(FILE *, char **words, int n);	/* of one command, of "queue", or of all */

#endif
