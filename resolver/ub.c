/*
 * ub.c -- see ub.h.  Shell: libunbound.
 *
 * The numbers below replace defaults meant for a lone program (16 ports, 1 MiB caches): with
 * those, questions to one dead zone delay all others for a minute.
 */
#include "resolver/ub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unbound-event.h>
#include <unbound.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/net.h"
#include "common/units.h"
#include "resolver/names.h"

#define DNS_PORT	53
#define DNS_TLS_PORT	853
#define OTHER_FDS	192	/* TCP sockets to name servers, channels, libuv's own, a reserve */
#define SOCKETS_MIN	16

struct setting {
	const char	*name;
	const char	*value;
};

static const struct setting settings[] = {
	{ "module-config:", "validator iterator" },
	{ "verbosity:", "0" },
	{ "outgoing-num-tcp:", "64" },
	{ "num-queries-per-thread:", "4096" },
	{ "msg-cache-size:", "64m" },
	{ "rrset-cache-size:", "128m" },
	{ "key-cache-size:", "16m" },
	{ "neg-cache-size:", "4m" },
	/* A dead server is given up after two tries of at most 3 s, and remembered. */
	{ "outbound-msg-retry:", "2" },
	{ "infra-cache-max-rtt:", "3000" },
};

static void
check(int err, const char *what, const char *value)
{
	if (err != UB_NOERROR)
		log_fatal("libunbound refuses %s %s: %s", what, value, ub_strerror(err));
}

static void
set(struct ub_ctx *ctx, const char *name, const char *value)
{
	check(ub_ctx_set_option(ctx, name, value), name, value);
}

int
ub_server_parse(struct net_addr *ip, uint16_t *port, const char *text)
{
	const char	*at = strchr(text, '@');
	uint64_t	 n = DNS_PORT;

	if (at != NULL && (number_parse(&n, slice_str(at + 1), UINT16_MAX) != E_OK || n == 0))
		return (E_SYNTAX);
	*port = (uint16_t)n;
	return (net_addr_parse(ip, slice_make(text, at != NULL ? (size_t)(at - text) : strlen(text))));
}

unsigned
ub_sockets(uint64_t *nofile)
{
	struct rlimit	rl;
	unsigned	n = UB_SOCKETS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		log_fatal("getrlimit: %m");
	if (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < UB_SOCKETS_MAX + OTHER_FDS) {
		n = rl.rlim_max > OTHER_FDS + SOCKETS_MIN ? (unsigned)rl.rlim_max - OTHER_FDS : SOCKETS_MIN;
		log_info("descriptor limit %llu: only %u questions to name servers at once",
		    (unsigned long long)rl.rlim_max, n);
	}
	*nofile = n + OTHER_FDS;
	return (n);
}

static void
port_add(struct sandbox_run *run, uint16_t port)
{
	size_t	i;

	for (i = 0; i < run->nports; i++)
		if (run->ports[i] == port)
			return;
	if (run->nports == SANDBOX_PORTS_MAX)
		log_fatal("forwarders and stubs use more than %d ports", SANDBOX_PORTS_MAX);
	run->ports[run->nports++] = port;
}

void
ub_ports(const struct conf *c, struct sandbox_run *run)
{
	struct net_addr	ip;
	uint16_t	port;
	size_t		i;

	port_add(run, DNS_PORT);
	port_add(run, DNS_TLS_PORT);
	for (i = 0; i < c->resolver.nforward; i++)
		if (ub_server_parse(&ip, &port, c->resolver.forward[i]) == E_OK)
			port_add(run, port);
	for (i = 0; i < c->resolver.nstub; i++)
		if (ub_server_parse(&ip, &port, c->resolver.stub_server[i]) == E_OK)
			port_add(run, port);
}

/* A server we are told to ask; true if it is on this machine. */
static int
server_check(const char *what, const char *text)
{
	struct net_addr	ip;
	uint16_t	port;

	if (ub_server_parse(&ip, &port, text) != E_OK)
		log_fatal("%s \"%s\" is not an address, nor address@port", what, text);
	return (net_addr_is_loopback(&ip));
}

/* Each line of the anchors' text is one record. */
static void
add_anchors(struct ub_ctx *ctx, const char *text)
{
	char	line[2048];
	size_t	n;

	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n >= sizeof(line))
			log_fatal("a line of the trust anchor is longer than %zu octets", sizeof(line) - 1);
		memcpy(line, text, n);
		line[n] = '\0';
		line[strcspn(line, ";\r")] = '\0';
		if (line[strspn(line, " \t")] != '\0')
			check(ub_ctx_add_ta(ctx, line), "trust anchor", line);
	}
}

/*
 * A name outside the public tree has no chain from the root: it is taken unsigned, unless
 * the operator gave an anchor for it.
 */
static void
insecure_if_special(struct ub_ctx *ctx, const struct conf *c, const char *zone)
{
	if (name_is_special(zone) && !anchor_covers(c->resolver.trust_anchor, zone))
		set(ctx, "domain-insecure:", zone);
}

static int
add_stubs(struct ub_ctx *ctx, const struct conf *c)
{
	const char	*zone, *server;
	int		 local = 0;
	size_t		 i;

	for (i = 0; i < c->resolver.nstub; i++) {
		zone = c->resolver.stub_zone[i];
		server = c->resolver.stub_server[i];
		local |= server_check("stub server", server);
		check(ub_ctx_set_stub(ctx, zone, server, 0), "stub", zone);
		insecure_if_special(ctx, c, zone);
	}
	return (local);
}

/* With forwarders they know best what is private here; else only what a stub serves is asked for. */
static void
remove_builtin(struct ub_ctx *ctx, const struct conf *c)
{
	const char *const	*z;
	size_t			 i;
	int			 out;

	for (z = builtin_zones; *z != NULL; z++) {
		out = c->resolver.nforward != 0;
		for (i = 0; i < c->resolver.nstub && !out; i++)
			out = name_beneath(c->resolver.stub_zone[i], *z) ||
			    name_beneath(*z, c->resolver.stub_zone[i]);
		if (out)
			check(ub_ctx_zone_remove(ctx, *z), "removal of the built-in zone", *z);
	}
}

static void
warm_up_done(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	*(int *)arg = 1;
}

struct ub_ctx *
ub_context_new(struct ub_event_base *base, const struct conf *c, unsigned sockets)
{
	struct ub_ctx	*ctx = ub_ctx_create_ub_event(base);
	char		 number[16];
	int		 local = 0, done = 0;
	size_t		 i;

	if (ctx == NULL)
		log_fatal("libunbound: no context (out of memory)");
	(void)ub_ctx_debugout(ctx, NULL);	/* it would write to stderr */
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		set(ctx, settings[i].name, settings[i].value);
	(void)snprintf(number, sizeof(number), "%u", sockets);
	set(ctx, "outgoing-range:", number);

	for (i = 0; i < c->resolver.nforward; i++) {
		local |= server_check("forwarder", c->resolver.forward[i]);
		check(ub_ctx_set_fwd(ctx, c->resolver.forward[i]), "forwarder",
		    c->resolver.forward[i]);
	}
	if (c->resolver.nforward != 0)
		for (i = 0; special_zones[i] != NULL; i++)
			insecure_if_special(ctx, c, special_zones[i]);
	local |= add_stubs(ctx, c);
	/* The root's "no such name" must not be stretched over a private name that the configured
	 * server has. */
	if (c->resolver.nforward + c->resolver.nstub != 0)
		set(ctx, "aggressive-nsec:", "no");
	if (c->resolver.nstub != 0)
		set(ctx, "harden-below-nxdomain:", "no");
	if (local)
		set(ctx, "do-not-query-localhost:", "no");
	add_anchors(ctx, c->resolver.trust_anchor);
	remove_builtin(ctx, c);

	/* What the library sets up at the first question happens now, before the sandbox: this name is
	 * answered from a built-in zone, with no packet sent. */
	check(ub_resolve_event(ctx, "localhost", RR_A, 1, &done, warm_up_done, NULL), "a question",
	    "for localhost");
	if (!done)
		log_fatal("libunbound did not answer for localhost at once");
	return (ctx);
}
