/*
 * main.c -- posternctl: the operator's command line.  Shell.
 *
 * It holds no privilege of its own: the server knows the operator by the control socket's
 * credentials.  All output is buffered; a reader that goes away is no error worth a line.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/idn.h"
#include "common/version.h"
#include "ctl/args.h"
#include "ctl/cmd.h"

#define OUTPUT_BUFFER	65536

static char	output[OUTPUT_BUFFER];

int
main(int argc, char **argv)
{
	struct ctl_args	a;
	char		err[512];
	int		status;

	(void)signal(SIGPIPE, SIG_IGN);
	idn_init();
	(void)setvbuf(stdout, output, _IOFBF, sizeof(output));
	if (args_parse(&a, argc, argv, err, sizeof(err)) != EXIT_DONE) {
		(void)fprintf(stderr, "posternctl: %s\n", err);
		return (EXIT_USAGE);
	}
	if (a.version) {
		(void)puts("posternctl " POSTERN_VERSION);
		status = EXIT_DONE;
	} else if (a.help) {
		help_print(stdout, a.op, a.nop);
		status = EXIT_DONE;
	} else {
		status = cmd_run(&a);
	}
	errno = 0;
	if (fflush(stdout) != 0 && errno != EPIPE) {
		(void)fprintf(stderr, "posternctl: cannot write: %s\n", strerror(errno));
		return (EXIT_FAILED);
	}
	return (status);
}
