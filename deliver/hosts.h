/*
 * hosts.h -- from DNS answers to the ordered list of hosts and addresses to try.  Core.
 *
 * RFC 5321 5.1: by preference, at random inside one preference, implicit MX; RFC 7505: null MX; if
 * this machine is among the hosts, it and all that are not preferred to it are left out; if none remains it is
 * a loop.  RFC 8305: families alternate, beginning with IPv6 or with what worked last.
 *
 * Addresses are asked for all hosts at once, but each preference waits only for its own.  Where DANE may apply, a host's TLSA
 * records are asked for once its addresses are known (RFC 7672 2.2.2), and nobody dials it before they are.
 */
#ifndef DELIVER_HOSTS_H
#define DELIVER_HOSTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/dane.h"
#include "common/ipc_msg.h"
#include "common/net.h"

enum host_state { HOST_ASK, HOST_GOOD, HOST_NONE, HOST_FAILED };

struct host {
	const char	*name;		/* domain name, or the address as text */
	uint16_t	 pref;
	enum host_state	 state;
	size_t		 naddr;
	struct net_addr	*addr;		/* in the order in which they are tried */
	const char	*said;		/* of its addresses, where there is none: "NXDOMAIN"; else "" */
	struct dane_search *search;	/* a question of it is open; NULL: none */
	struct dane_found dane;		/* why "" : not looked for */
};

struct hosts_self {			/* what is "us" */
	const char	*hostname;
	size_t		 nlisteners;
	const struct conf_listener *listeners;
	size_t		 nlocal;	/* addresses of this machine's interfaces */
	const struct net_addr *local;
};

struct hosts_fail {
	enum outcome	 outcome;
	enum stage	 stage;
	struct enhanced	 enhanced;
	char		 text[REPLY_TEXT_MAX + 1];
};

struct hosts {
	struct arena	 mem;
	enum hop_kind	 kind;
	uint16_t	 port;
	size_t		 nhost;		/* this machine and what lies behind it cut off */
	struct host	*host;
	int		 looped;	/* something was cut off */
	int		 failed;	/* there is nothing to try: fail says why */
	struct hosts_fail fail;
	uint64_t	 provider;	/* hash of the best-preference names, sorted; the same in every process */
	uint32_t	 ttl;		/* seconds, the least of all answers */
	int		 dane;		/* TLSA records are to be looked for; set before the first answer */
	int		 by_mx;		/* the hosts are from MX records, not the domain itself */
	int		 mx_secure;	/* the answer about MX was, with its aliases; also that there are none */
	const char	*domain;	/* what the MX were asked of, or the configured host */
	const char	*domain_end;	/* where its aliases end; "" if it is none */
};

struct hosts_cursor {
	size_t		 host;
	uint32_t	 tried;		/* bit i: addr[i] of that host was tried */
};

enum hosts_next { HOSTS_ADDR, HOSTS_WAIT, HOSTS_END };

void	hosts_init(struct hosts *, enum hop_kind, uint16_t port);
void	hosts_clear(struct hosts *);

/* One host with one address, no DNS.  E_NOMEM in all these. */
int	hosts_from_addr(struct hosts *, const struct net_addr *, const struct hosts_self *);
/* One host, whose addresses are to be asked. */
int	hosts_from_name(struct hosts *, const char *name);
/* By the answer about the domain's MX.  seed: random. */
int	hosts_from_mx(struct hosts *, const char *domain, const struct ipc_dns_answer *,
	    const struct hosts_self *, uint64_t seed);
/* The addresses of host i have come.  prefer4: begin with IPv4. */
int	hosts_set_addrs(struct hosts *, size_t i, const struct ipc_dns_answer *, const struct hosts_self *,
	    int prefer4);

/* What is to be asked for host i's TLSA records next, and its type; NULL: nothing (any more).  Each question once. */
const char *hosts_dane_question(const struct hosts *, size_t i, enum dns_type *);
void	hosts_dane_answer(struct hosts *, size_t i, const struct ipc_dns_answer *);

/* The next address to try; *host and *addr index into the list. */
enum hosts_next hosts_next(const struct hosts *, struct hosts_cursor *, size_t *host, size_t *addr);
void	hosts_mark(struct hosts_cursor *, size_t addr, int tried);
/* Why there was no address at all to try, after HOSTS_END. */
void	hosts_why(const struct hosts *, struct hosts_fail *);

#endif
