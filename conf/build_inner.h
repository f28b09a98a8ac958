/* build_inner.h -- what build.c and its parts share. */
#ifndef CONF_BUILD_INNER_H
#define CONF_BUILD_INNER_H

#include "conf/build.h"
#include "conf/map.h"
#include "conf/text.h"

#define LISTENER_PORT		25	/* of a listener section without port */
#define LISTENER_DEFAULT_PORT	2525	/* of the listener there is when none is configured */
#define MAILDIR_DEFAULT		"/var/mail/postern/%d/%u"
#define TRUST_ANCHOR_DEFAULT	"/usr/share/dns/root.ds"

struct place {			/* of a section: where its values go */
	size_t		 index;		/* into the list of its kind */
	const char	*name;		/* a stub's zone */
	int		 good;
};

struct new_domain {
	struct conf_domain	 d;
	struct vec		 rcpts, rcpt_files, aliases, alias_files;	/* struct map_line */
	struct vec		 etrn_from;	/* struct net_prefix */
	int			 line;
	int			 hop_line;	/* of deliver */
	int			 good;	/* its name is a domain */
};

struct new_listener {
	struct conf_listener	 l;
	struct vec		 proxy_from, xclient_from, xforward_from;	/* struct net_prefix */
	int			 line;
	int			 port_line;	/* 0: not given */
	int			 tls_line, auth_line, certs_line, any_line;
};

struct new_path {
	const char		*path;
	int			 line;
	int			 good;
};

struct new_tls {
	const char		*name;
	struct vec		 certs, keys;	/* struct new_path */
	int			 line;
	int			 good;	/* its name is a domain */
};

struct new_policy {
	struct conf_tls_policy	 p;
	struct vec		 names;		/* const char * */
	struct vec		 fingerprints;	/* uint8_t[SPKI_HASH_LEN] */
	int			 line, names_line, fingerprints_line;
	int			 good;	/* its name is one */
};

struct new_login {
	struct conf_login	 l;
	int			 line;
	int			 used;	/* by a next hop */
	int			 user_bad, path_bad;	/* told already */
};

struct new_mechanism {
	unsigned		 mechanism;	/* enum sasl_mechanism */
	int			 line;
};

struct new_map {
	struct vec		 lines, files;	/* struct map_line */
};

struct new_route {
	struct conf_route	 r;
	int			 line;
	int			 hop_line;	/* of via; 0: not given */
	int			 good;
};

struct build {
	struct conf		*c;
	struct errors		*errors;
	struct text		*text;
	const struct conf_world	*world;
	struct vec		 places;	/* struct place, one for each section */
	struct vec		 listeners;	/* struct new_listener */
	struct vec		 domains;	/* struct new_domain */
	struct vec		 routes;	/* struct new_route */
	struct vec		 tls;		/* struct new_tls */
	struct vec		 certs;		/* struct conf_cert */
	struct vec		 policies;	/* struct new_policy */
	struct vec		 logins;	/* struct new_login */
	struct vec		 mechanisms;	/* struct new_mechanism */
	struct new_path		 ca, client_ca;	/* line 0: not given */
	int			 passwd_line, dovecot_line, pam_line;
	int			 mechanisms_bad;	/* one was refused: an empty list is its fault */
	struct vec		 relay_from, vrfy_from, expn_from;	/* struct net_prefix */
	struct new_map		*maps;		/* as conf_maps */
	struct vec		 retry;		/* uint32_t */
	struct vec		 forwards, stub_zones, stub_servers;	/* const char * */
	const char		*anchor;	/* path; NULL if not given */
	int			 anchor_line, reserve_line, line_max_line;
	int			 retry_bad;	/* a step was refused: an empty schedule is its fault */
};

void	build_open_listener(struct build *, const struct text_section *);
void	build_listener_value(struct build *, const struct text_value *, size_t index);
void	build_finish_listeners(struct build *);
/* A prefix of a list of at most PREFIXES_MAX. */
void	build_prefix(struct build *, const struct text_value *, struct vec *list, size_t max);
struct conf_prefixes build_prefixes(struct build *, struct vec *list);

void	build_open_tls(struct build *, const struct text_section *);
void	build_tls_value(struct build *, const struct text_value *, size_t index);
void	build_tls_level(struct build *, const struct text_value *);
void	build_finish_tls(struct build *);	/* behind build_finish_listeners() */

void	build_open_policy(struct build *, const struct text_section *);
void	build_policy_value(struct build *, const struct text_value *, size_t index);
void	build_ca_value(struct build *, const struct text_value *);	/* tls-ca, client-ca */
void	build_finish_policies(struct build *);	/* sorted into b->c */
void	build_finish_ca(struct build *);	/* behind all that may need it */

void	build_open_login(struct build *, const struct text_section *);
void	build_login_value(struct build *, const struct text_value *, size_t index);
void	build_auth_value(struct build *, const struct text_value *);
void	build_finish_auth(struct build *);	/* behind listeners, domains, routes and policies */

/* A key of the top level that belongs to a map: 1, else 0. */
int	build_map_value(struct build *, const struct text_value *);
void	build_map_line(struct build *, struct vec *lines, const struct text_value *);
/* All tables; the domains are in b->c, in the order of b->domains.  The image goes to b->c. */
void	build_tables(struct build *);
void	build_open_domain(struct build *, const struct text_section *, int relay);
void	build_open_route(struct build *, const struct text_section *);
void	build_domain_value(struct build *, const struct text_value *, size_t index);
void	build_route_value(struct build *, const struct text_value *, size_t index);
void	build_finish_domains(struct build *);	/* sorted into b->c */
void	build_finish_routes(struct build *);

#endif
