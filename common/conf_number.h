/*
 * conf_number.h -- every number of the configuration but those of listeners, in one table:
 * where it stands in the text, where it is kept, its unit, its range and its default.
 *
 * The reader of the text, the snapshot's pack and unpack, and the manual page's test use the same rows.
 */
#ifndef COMMON_CONF_NUMBER_H
#define COMMON_CONF_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

enum conf_unit {
	UNIT_COUNT,		/* written as a bare integer */
	UNIT_SECONDS,		/* written as "5m" */
	UNIT_OCTETS,		/* written as "50M" */
	UNIT_BOOL,		/* written as true or false */
};

struct conf_number {
	const char	*section;	/* "" at the top level */
	const char	*key;
	enum conf_unit	 unit;
	size_t		 off;		/* in struct conf */
	size_t		 width;		/* octets of the field there: 2, 4 or 8 */
	uint64_t	 min, max, def;
};

extern const struct conf_number conf_numbers[];
extern const size_t conf_nnumbers;

uint64_t conf_number_get(const struct conf *, const struct conf_number *);
void	 conf_number_set(struct conf *, const struct conf_number *, uint64_t);
const struct conf_number *conf_number_find(const char *section, const char *key);

/* The maps of the top level: "virtual" and "virtual-file" in the text. */
struct conf_map {
	const char	*key;
	enum table_type	 type;
	size_t		 off;		/* in struct conf */
};
extern const struct conf_map conf_maps[];
extern const size_t conf_nmaps;
struct table *conf_map_table(struct conf *, const struct conf_map *);
const struct conf_map *conf_map_find(const char *key);

/* What a path of the configuration must be: absolute, no empty, "." or ".." component, printable, at
 * most max octets; with hops, %u and %d as whole components behind a fixed one.  NULL, or why not. */
const char *conf_path_why(const char *path, size_t max, int hops);
/* A domain name, route name etc. exactly as domain_parse() writes it. */
int	 conf_is_domain(const char *);
/* "192.0.2.1@53": an address in net_addr_str()'s form, and a port. */
int	 conf_is_server(const char *);
/* The directory before the first %u or %d of a maildir's path, or all of it.  E_SYNTAX if it is not absolute, E_LIMIT. */
int	 conf_maildir_base(char *dst, size_t size, const char *path);
/* Whether hop is whole and in hop_parse()'s own form. */
int	 conf_hop_ok(const struct hop *);
int	 conf_is_listener_name(const char *);
int	 conf_is_login_name(const char *);
int	 conf_is_service_name(const char *);			/* of PAM */
/* Title of a tls-policy: "*", a domain, an address in net_addr_str()'s form, or ".below.it". */
int	 conf_is_policy_name(const char *);
/* Nobody but this machine's own can be at its other end: AUTH may go in clear. */
int	 conf_listener_is_near(const struct conf_listener *);
/* Bits of enum sasl_mechanism that auth { }'s source of passwords can serve. */
unsigned conf_mechanisms(const struct conf *);
int	 conf_is_user_prefix(const char *);
/* recipient-delimiter: "", or some of !#$%&'*+-/=?^_`{|}~ */
int	 conf_delimiter_ok(const char *);
int	 conf_route_cmp(const char *a, const char *b);	/* strcmp, with "*" last */

#endif
