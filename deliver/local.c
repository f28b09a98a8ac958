/*
 * local.c -- what has to be known of this machine before the sandbox.  Shell.
 */
#include <ifaddrs.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "deliver/main.h"

#define DESCRIPTORS_EXTRA	64	/* beside the connections' */

/* An MX that names one of our addresses is us, if we listen on all of them.  Addresses that come
 * later are not known. */
void
deliver_local_addrs(struct deliver *d)
{
	struct ifaddrs *all, *i;
	uint16_t port;

	if (getifaddrs(&all) == -1) {
		log_warn("cannot list this machine's addresses: loops are seen by host name only");
		return;
	}
	for (i = all; i != NULL && d->self.nlocal < LOCAL_ADDRS_MAX; i = i->ifa_next) {
		if (i->ifa_addr != NULL &&
		    net_addr_from_sockaddr(&d->local[d->self.nlocal], &port, i->ifa_addr) == E_OK)
			d->self.nlocal++;
	}
	freeifaddrs(all);
}

static void
add_port(struct sandbox_run *run, size_t *n, uint16_t port)
{
	size_t i;

	for (i = 0; i < *n && i < SANDBOX_PORTS_MAX; i++)
		if (run->ports[i] == port)
			return;
	if (*n < SANDBOX_PORTS_MAX)
		run->ports[*n] = port;
	(*n)++;
}

/* All ports that the configuration can lead to.  When they change master replaces this process. */
static void
remote_ports(const struct conf *conf, struct sandbox_run *run)
{
	size_t n = 0;

	add_port(run, &n, conf->deliver.port);
	for (size_t i = 0; i < conf->ndomains; i++)
		if (!conf->domains[i].relay && conf->domains[i].deliver.kind == HOP_SMTP)
			add_port(run, &n, conf->domains[i].deliver.port);
	for (size_t i = 0; i < conf->nroutes; i++)
		if (conf->routes[i].via.kind == HOP_SMTP)
			add_port(run, &n, conf->routes[i].via.port);
	if (n > SANDBOX_PORTS_MAX)
		log_warn("more than %u ports of next hops: connections to any port stay possible",
		    SANDBOX_PORTS_MAX);
	run->nports = n <= SANDBOX_PORTS_MAX ? n : 0;
}

void
deliver_remote_limits(const struct deliver *d, struct sandbox_run *run)
{
	remote_ports(d->room.conf, run);
	run->nofile = d->room.conf->deliver.connections + CLOSING_MAX + DESCRIPTORS_EXTRA;
}

static void
add_dir(struct sandbox_run *run, const struct hop *h)
{
	static char	dir[SANDBOX_DIRS_MAX][CONF_PATH_MAX + 1];
	size_t		n = run->ndirs, i;

	if (h->kind != HOP_MAILDIR)
		return;
	if (n == SANDBOX_DIRS_MAX || conf_maildir_base(dir[n], sizeof(dir[n]), h->path) != E_OK)
		log_fatal("maildir %s: no place for its directory among %d", h->path, SANDBOX_DIRS_MAX);
	for (i = 0; i < n && strcmp(dir[i], dir[n]) != 0; i++)
		;
	if (i < n)
		return;
	run->dirs[n] = dir[n];
	run->ndirs++;
}

/* All directories that maildirs are beneath.  When they change master replaces this process.  The root
 * directory is what they have in common, which may be no more than "/". */
static void
mailbox_dirs(const struct conf *conf, struct sandbox_run *run)
{
	for (size_t i = 0; i < conf->ndomains; i++)
		if (!conf->domains[i].relay)
			add_dir(run, &conf->domains[i].deliver);
	for (size_t i = 0; i < conf->nroutes; i++)
		add_dir(run, &conf->routes[i].via);
}

void
mailbox_limits(struct deliver *d, struct sandbox_run *run)
{
	d->uid = d->room.start.privileged ? d->room.start.uid : (uint32_t)getuid();
	/* For each recipient of each job in a thread's hands: its file, and the maildir's new/ and
	 * tmp/. */
	run->nofile = (uint64_t)WORKS_MAX * JOB_RCPT_MAX * 3 + DESCRIPTORS_EXTRA;
	mailbox_dirs(d->room.conf, run);
}
