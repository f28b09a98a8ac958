/*
 * help.c -- what `posternctl help' prints.  Core.
 */
#include <string.h>

#include "ctl/args.h"

static void
help_one(FILE *f, const struct ctl_command *c)
{
	(void)fprintf(f, "usage: posternctl [options] %s%s%s%s%s\n\n%s\n", c->group != NULL ? c->group : "",
	    c->group != NULL ? " " : "", c->name, c->operands[0] != '\0' ? " " : "", c->operands,
	    c->summary);
	if (c->options & OPT_ALL)
		(void)fputs("\n  --all   every message, or every one of ADDRESS or DOMAIN\n", f);
	if (c->more[0] != '\0')
		(void)fprintf(f, "%s%s", c->options & OPT_ALL ? "" : "\n", c->more);
}

static void
help_rows(FILE *f, const char *group)
{
	const struct ctl_command	*c;
	char				 left[80];

	for (c = ctl_commands; c->name != NULL; c++) {
		if (group != NULL && (c->group == NULL || strcmp(c->group, group) != 0))
			continue;
		(void)snprintf(left, sizeof(left), "%s%s%s%s%s", c->group != NULL ? c->group : "",
		    c->group != NULL ? " " : "", c->name, c->operands[0] != '\0' ? " " : "",
		    c->action == ACT_CHANGE ? "ID... | --all" : c->operands);
		(void)fprintf(f, "  %-30s %s\n", left, c->summary);
	}
}

void
help_print(FILE *f, char **words, int n)
{
	const struct ctl_command	*c;
	int				 used;

	if ((c = command_find(words, n, &used)) != NULL && c->action != ACT_HELP) {
		help_one(f, c);
		return;
	}
	if (n >= 1 && strcmp(words[0], "queue") == 0) {
		(void)fputs("usage: posternctl [options] queue COMMAND ...\n\n", f);
		help_rows(f, "queue");
		return;
	}
	(void)fputs("usage: posternctl [-c FILE | -d DIR | -s SOCKET] [--json] COMMAND ...\n\n", f);
	help_rows(f, NULL);
	(void)fputs("\n"
	    "  -c FILE    configuration file, for its runtime directory (and for check)\n"
    	"  -d DIR     directory of a server started by `posternd -d DIR'\n"
	    "  -s SOCKET  the control socket itself\n"
	    "  --json     machine-readable output\n"
	    "  -h, --help, -V, --version\n"
	    "\n"
	    "Exit status: 0 done, 1 not found or failed, 2 usage, 3 no server, 4 permission denied.\n", f);
}
