/*
 * main.c -- postern-conf: checks a configuration with its tables, packs the snapshot and compiles the image.  Shell.
 *
 * One shot, started by master for each check and reload: text in on one descriptor, snapshot and image out into the
 * memory file on another (posternctl: the snapshot alone into a pipe), errors on stderr.  It is the only program that links libconfuse.
 */
#include <confuse.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/idn.h"
#include "common/limits.h"
#include "common/units.h"
#include "common/version.h"
#include "conf/build.h"
#include "conf/confine.h"
#include "conf/defaults.h"
#include "conf/file.h"

#define HOSTS_MAX	(1u << 20)	/* octets of /etc/hosts that are looked at */

struct options {
	const char	*name;
	const char	*dir;		/* embedded configuration beneath it, or NULL */
	int		 in, out;	/* out: -1 checks only */
	int		 alone;		/* the packed snapshot without tables and without the head of a memory file */
	int		 no_tables;	/* do not read them */
	struct confine	 confine;
};

static _Noreturn void
usage(void)
{
	fputs("usage: postern-conf [-VsT] [-n name] [-i fd] [-o fd] [-D directory] [-u uid -g gid]\n", stderr);
	exit(2);
}

static uint64_t
number(const char *s, uint64_t max)
{
	uint64_t	 n;

	if (number_parse(&n, slice_str(s), max) != E_OK)
		usage();
	return (n);
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	int	 c, ids = 0;

	*o = (struct options){ .name = "standard input", .in = 0, .out = -1 };
	while ((c = getopt(argc, argv, "D:TVg:i:n:o:su:")) != -1) {
		switch (c) {
		case 'D':
			o->dir = optarg;
			break;
		case 'T':
			o->no_tables = 1;
			break;
		case 's':
			o->alone = 1;
			break;
		case 'V':
			puts("postern-conf " POSTERN_VERSION);
			exit(0);
		case 'g':
			o->confine.gid = (uint32_t)number(optarg, UINT32_MAX - 1);
			ids |= 1;
			break;
		case 'i':
			o->in = (int)number(optarg, INT_MAX);
			break;
		case 'n':
			o->name = optarg;
			break;
		case 'o':
			o->out = (int)number(optarg, INT_MAX);
			break;
		case 'u':
			o->confine.uid = (uint32_t)number(optarg, UINT32_MAX - 1);
			ids |= 2;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || ids == 1 || ids == 2)
		usage();
	o->confine.change_ids = ids != 0;
}

static void
own_hostname(char dst[static DOMAIN_MAX + 1])
{
	char		 node[HOST_NAME_MAX + 1] = "", *hosts;
	const char	*why;

	if (gethostname(node, sizeof(node) - 1) == -1)
		node[0] = '\0';
	hosts = file_read("/etc/hosts", HOSTS_MAX, &why);	/* none is as good as an empty one */
	defaults_hostname(dst, slice_str(node), slice_str(hosts != NULL ? hosts : ""));
	free(hosts);
}

static int
run(const struct options *o)
{
	char			 hostname[DOMAIN_MAX + 1], *text;
	struct conf_world	 world = { .name = o->name, .hostname = hostname, .read_file = file_read,
				     .read_cert = file_read_cert, .open_file = file_open, .now = time(NULL),
				     .no_tables = o->no_tables };
	struct errors		 errors = { 0 };
	struct conf		*c;
	struct slice		 packed;
	const char		*why;
	size_t			 n = 0;

	own_hostname(hostname);
	text = o->dir != NULL ? defaults_text(o->dir, hostname, &why) :
	    file_read_fd(o->in, CONF_FILE_MAX, &n, &why);
	if (text == NULL) {
		fprintf(stderr, "%s: %s\n", o->dir != NULL ? o->dir : o->name, why);
		return (1);
	}
	if (o->dir != NULL)
		n = strlen(text);
	c = conf_build(slice_make(text, n), &world, &errors);
	errors_print(&errors, o->dir != NULL ? "built-in configuration" : o->name, stderr);	/* or warnings */
	errors_clear(&errors);
	if (c == NULL)
		return (1);
	free(text);
	if (o->out == -1)
		return (0);
	if (conf_pack(c, &packed) != E_OK || (o->alone ? file_write_fd(o->out, packed) == -1 :
	    conf_memfd_write(o->out, packed, c->image) != E_OK)) {
		fprintf(stderr, "%s: the snapshot could not be written\n", o->name);
		return (1);
	}
	free((void *)packed.p);
	conf_free(c);
	return (0);
}

int
main(int argc, char **argv)
{
	struct options	 o;

	signal(SIGPIPE, SIG_IGN);	/* master may be gone; that is an error of write */
	signal(SIGXFSZ, SIG_IGN);	/* and so is a memory file that grows too large */
	parse_options(&o, argc, argv);
	idn_init();
	if (clearenv() != 0)	/* libconfuse replaces ${NAME} from it */
		return (1);
	if (confine_enter(&o.confine) == -1)
		return (1);
	return (run(&o));
}
