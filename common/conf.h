/*
 * conf.h -- the configuration as every daemon sees it: one immutable snapshot.
 *
 * postern-conf checks the text and packs the snapshot; master hands it on in a sealed
 * memory file; a daemon unpacks it once and checks it as any message (R2).  Nothing is
 * read as text at mail time.  Times are seconds, sizes octets.
 *
 * The snapshot owns all its strings and arrays, and the image of the tables (table.h) that stands behind it in the
 * memory file and stays mapped: they live until conf_free().
 * Domain names are in lower case without a final dot.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/arena.h"
#include "common/net.h"
#include "common/slice.h"
#include "common/table.h"

enum hop_kind {
	HOP_MX,			/* by the MX records of the recipient's domain */
	HOP_SMTP,		/* to host:port, no MX lookup; the host may be an address.  "smtp:[host]:port", "smtps:login@[host]:port" */
	HOP_MAILDIR,		/* into a maildir on this machine */
	HOP_KINDS
};

struct hop {
	enum hop_kind	 kind;
	const char	*host;		/* HOP_SMTP: domain name, or address without brackets; else "" */
	uint16_t	 port;		/* HOP_SMTP; HOP_MX: 25 */
	const char	*path;		/* HOP_MAILDIR: absolute, with %u and %d as whole components; else "" */
	const char	*login;		/* HOP_SMTP: title of a login section, as whom to AUTH; "" not at all */
	uint8_t		 implicit;	/* HOP_SMTP: smtps: TLS from the first octet on (RFC 8314 3.3) */
};

enum log_kind { LOG_TO_SYSLOG, LOG_TO_STDERR };

struct conf_prefixes {			/* whom a rule is for */
	size_t		 n;
	struct net_prefix *v;
};

#define SPKI_HASH_LEN	32

enum listener_kind {
	LISTEN_TCP,
	LISTEN_UNIX,		/* a socket at path; clients are known by their uid */
};

enum listener_tls {
	LISTEN_CLEAR,		/* tls = "none" */
	LISTEN_STARTTLS,	/* offered */
	LISTEN_REQUIRE,		/* STARTTLS first, for everything but EHLO, NOOP, QUIT (RFC 3207 4) */
	LISTEN_IMPLICIT,	/* from the first octet on (RFC 8314 3.3) */
	LISTEN_TLS_KINDS
};

struct conf_listener {
	const char	*name;		/* the section's title: "mx"; "submit" is local-submission's */
	enum listener_kind kind;
	const char	*path;		/* LISTEN_UNIX: absolute, at most CONF_SOCKET_MAX octets; else "" */
	int		 everybody;	/* LISTEN_UNIX: any local user may connect (mode 0666), else the admin group (0660) */
	int		 lmtp;		/* protocol = "lmtp" (RFC 2033) */
	enum listener_tls tls;
	int		 auth;		/* AUTH is offered, and asked for of who may not relay by his address; served by ROLE_SUBMISSION */
	int		 client_certs;	/* a certificate is asked for and checked against client_ca, for EXTERNAL */
	int		 any_sender;	/* with auth: a login may use any sender, not only its own */
	struct conf_prefixes proxy_from;	/* connections from here begin with a PROXY header, v1 or v2 */
	struct conf_prefixes xclient_from;	/* may use XCLIENT */
	struct conf_prefixes xforward_from;	/* may use XFORWARD */
	struct net_addr	 addr;
	uint16_t	 port;
	uint32_t	 connections;	/* most at once in each process; 10000 */
	uint32_t	 per_address;	/* most at once from one address not in relay-from, in each process; 50 */
	uint32_t	 per_prefix;	/* the same from one IPv4 /24 or IPv6 /56; 200 */
};

struct conf_domain {
	const char	*name;		/* a final stop: "domain"; or "relay-domain" */
	int		 relay;		/* relay-domain: pass on by route */
	struct hop	 deliver;	/* a final stop only */
	int		 all;		/* recipients = { "*" } */
	struct table	 recipients;	/* TABLE_PRESENT: local parts in lower case; postmaster is always one more */
	struct table	 aliases;	/* TABLE_TARGETS: local parts */
	const char	*catch_all;	/* address that gets what no recipient takes; "" none */
	int		 verify;	/* relay-domain: recipients are asked for at the next hop (call-ahead) */
	struct conf_prefixes etrn_from;	/* relay-domain: who may say ETRN for it; n = 0: anybody */
};

enum tls_level {			/* tls-level: one word for versions, ciphers, groups and key sizes */
	TLS_MODERN,		/* TLS 1.3 alone */
	TLS_INTERMEDIATE,	/* TLS 1.2 with forward secrecy and AEAD, and 1.3; the default */
	TLS_OLD,		/* TLS 1.2 with CBC and without forward secrecy too */
	TLS_LEVELS
};

enum tls_want {				/* what a policy asks of a next hop */
	WANT_NONE,		/* never TLS */
	WANT_MAY,		/* if it offers it; any certificate */
	WANT_ENCRYPT,		/* TLS, any certificate */
	WANT_VERIFY,		/* a chain to a CA, and a name */
	WANT_FINGERPRINT,	/* one of these certificates or public keys */
	WANT_DANE,		/* RFC 7672 where there are TLSA records, else as WANT_MAY; the default */
	WANT_DANE_ONLY,		/* RFC 7672, or the mail waits */
	WANTS
};
const char	*tls_want_name(unsigned);	/* "dane-only": as the configuration has it */

struct conf_tls_policy {		/* tls-policy "example.net" { } */
	const char	*name;		/* the next hop: the recipient's domain, or the host of smtp:; ".example.net": what lies below; "*": all */
	enum tls_want	 want;
	size_t		 nnames;	/* WANT_VERIFY: names of which the certificate has one, "*.example.net" is ".example.net" here;
					 * none: the MX host's where its name came secure, else the next hop's own */
	const char	**names;
	size_t		 nfingerprints;	/* WANT_FINGERPRINT: SHA-256 of the certificate or of its SubjectPublicKeyInfo */
	uint8_t		(*fingerprints)[SPKI_HASH_LEN];
	int		 resume;	/* sessions may be resumed; yes by default */
};

struct conf_login {			/* login "NAME" { user = "u" password-file = "/f" }: ours at a next hop */
	const char	*name;
	const char	*user;
	const char	*password_path;	/* opened by master, read by auth */
};

struct conf_cert {			/* one pair of tls "mx.example.org" { certificate = ... key = ... } */
	const char	*name;		/* the section's title, a domain; its other pairs have the same */
	const char	*certificate_path, *key_path;	/* absolute; the key file is master's to open */
	struct slice	 chain;		/* DER, one certificate behind the other, our own first */
	uint8_t		 spki[SPKI_HASH_LEN];	/* SHA-256 of its SubjectPublicKeyInfo */
	size_t		 nnames;
	const char	**names;	/* dNSName entries, lower case, "*.example.org" as it is: for SNI */
};

struct conf_route {
	const char	*name;		/* a domain; "*" sorts and matches last */
	struct hop	 via;
};

struct conf_timeouts {			/* seconds; defaults are RFC 5321 4.5.3.2's */
	uint32_t	connect;	/* one address: 30 */
	uint32_t	greeting;	/* 300 */
	uint32_t	helo;		/* 300 */
	uint32_t	mail;		/* 300 */
	uint32_t	rcpt;		/* 300 */
	uint32_t	data_init;	/* 120 */
	uint32_t	data_block;	/* 180 */
	uint32_t	data_end;	/* 600 */
	uint32_t	quit;		/* 10 */
	uint32_t	total;		/* one job in all: 7200 */
};

struct conf_tables {			/* of the top level; each domain has its own */
	struct table	 canonical, sender_canonical, recipient_canonical;	/* TABLE_TARGETS: one address or domain */
	struct table	 virtual;						/* TABLE_TARGETS */
	struct table	 sender_login;						/* TABLE_LOGINS */
	struct table	 client_access, helo_access, sender_access, recipient_access;	/* TABLE_ACTION */
};

struct conf {
	struct arena	 mem;		/* holds everything below */
	struct slice	 image;		/* of the tables; empty where it was not asked for */
	void		*map;		/* what image is part of; NULL: it is somebody else's */
	size_t		 map_len;	/* of the mapped memory file; 0: malloc'd */
	struct conf_tables tables;

	const char	*hostname;
	const char	*directory;	/* absolute */
	const char	*runtime;
	const char	*user_prefix;	/* "postern-"; "" when run unprivileged */
	enum log_kind	 log;
	const char	*postmaster;	/* where double bounces go; "" logs them only */
	uint64_t	 message_size_limit;

	int		 local_submission;	/* the listener "submit" at <runtime>/submit exists, and pickup */
	const char	*recipient_delimiter;	/* "+": alice+x is alice; any of these characters; "" none */

	size_t		 nrelay_from;
	struct net_prefix *relay_from;

	size_t		 nlisteners;
	struct conf_listener *listeners;

	size_t		 ndomains;	/* domain and relay-domain together, sorted by name (strcmp) */
	struct conf_domain *domains;

	size_t		 ncerts;	/* in the order of the file; the first serves clients that name no host */
	struct conf_cert *certs;

	enum tls_level	 tls_level;
	struct slice	 ca;		/* PEM, trust anchors of WANT_VERIFY: tls-ca, by default the system's; empty where nothing asks for it */
	struct slice	 client_ca;	/* PEM: who may sign clients' certificates; empty: none is asked for */
	size_t		 npolicies;	/* sorted by name (strcmp) */
	struct conf_tls_policy *policies;
	size_t		 nlogins;	/* in the order of the file */
	struct conf_login *logins;

	size_t		 nroutes;	/* sorted by name, "*" last */
	struct conf_route *routes;

	struct {			/* smtpd { } */
		uint32_t	 processes;		/* 1..16; 0: one per processor, at most 4 */
		uint32_t	 submission_processes;	/* of ROLE_SUBMISSION, 1..16; 1 */
		uint32_t	 command_timeout;	/* 300; 4.5.3.2.7 */
		uint32_t	 data_timeout;		/* 180: between two reads of data */
		uint32_t	 min_rate;		/* octets a second of data, over the whole of it; 100 */
		uint32_t	 errors_max;		/* 20 */
		uint32_t	 commands_max;		/* commands without a message: 1000 */
		uint32_t	 rcpt_max;		/* 1000; RCPT_MAX at most */
		int		 client_names;		/* look up the client's PTR name */
		uint32_t	 header_size_max;	/* octets of a header section: 1 MB */
		uint32_t	 header_count_max;	/* fields of it: 2000 */
		uint32_t	 line_max;		/* octets of a line of a message, CRLF counted; 0, the default: any */
		struct conf_prefixes vrfy_from;		/* real answers to VRFY; nobody by default */
		struct conf_prefixes expn_from;
	} smtpd;

	struct {			/* queue { } */
		size_t		 nretry;
		uint32_t	*retry;			/* 60, 300, 900, 3600; the last repeats */
		uint32_t	 lifetime;		/* 432000 */
		uint32_t	 bounce_lifetime;	/* for messages with a null sender; 432000 */
		uint32_t	 delay_notice;		/* 14400; 0 is never */
		int		 paused;
		uint64_t	 store_max;		/* octets the store may grow to; 64 GB */
		uint64_t	 reserve;		/* octets kept for deliveries and deletions: 64 MB */
		uint32_t	 verify_positive;	/* call-ahead: a yes is good for so long: 86400 */
		uint32_t	 verify_negative;	/* and a no: 3600 */
	} queue;

	struct {			/* deliver { } */
		uint32_t	 processes;		/* of role remote, 1..16; 1 */
		struct conf_timeouts timeouts;
		uint32_t	 concurrency;		/* most connections to one destination; 20 */
		uint32_t	 connections;		/* most in all; 500 */
		uint32_t	 idle;			/* an unused connection is kept so long; 5 */
		const char	*bind4;			/* source address; "" is the kernel's choice */
		const char	*bind6;
		uint16_t	 port;			/* MX hosts are spoken to on this port: 25 */
	} deliver;

	struct {			/* auth { } */
		int		 needed;	/* a listener has auth = true, or there is a login section */
		const char	*passwd_path;	/* password table; "" none.  One of these three where a listener has auth */
		const char	*dovecot_path;	/* Unix socket of Dovecot's auth service; "" none */
		const char	*pam_service;	/* "" none */
		unsigned	 mechanisms;	/* 1 << enum sasl_mechanism (ipc_msg.h): what may be offered */
		uint32_t	 workers;	/* threads that hash: 1..16; 2 */
		uint32_t	 failures_max;	/* of one address, or of one login from elsewhere, in failure_window; past it they wait: 10 */
		uint32_t	 failure_window;	/* 600 */
	} auth;

	struct {			/* resolver { } */
		size_t		 nforward;
		const char	**forward;		/* "192.0.2.1@53" */
		size_t		 nstub;
		const char	**stub_zone;		/* stub "example.test" { server = ... } */
		const char	**stub_server;
		const char	*trust_anchor;		/* the records' text, read by postern-conf; "" turns validation off */
		uint32_t	 timeout;		/* one question in all: 20 */
	} resolver;
};

/*
 * conf_unpack() makes a whole snapshot from untrusted octets: E_PROTO, E_NOMEM.  image: of the tables, it must live
 * as long as the snapshot.  NULL where tables are not asked: they have their numbers, but to look up in one that
 * has entries is E_CORRUPT.
 */
int		 conf_pack(const struct conf *, struct slice *out);	/* out: malloc'd, the caller frees */
int		 conf_unpack(struct conf **, struct slice packed, struct slice image);
void		 conf_free(struct conf *);

/*
 * The memory file (R2): a head, the packed snapshot, the image.  master makes it, the checker writes it, master
 * seals it when the checker has ended; daemons check its seals before they map it.
 */
int		 conf_memfd_new(void);					/* descriptor, or E_IO */
int		 conf_memfd_write(int fd, struct slice packed, struct slice image);	/* E_IO, E_LIMIT */
int		 conf_memfd_seal(int fd);				/* E_IO, E_LIMIT */
int		 conf_to_memfd(struct slice packed);			/* all three, of a snapshot without tables: for tests */
int		 conf_from_memfd(struct conf **, int fd);		/* closes nothing */

const struct conf_domain *conf_domain_find(const struct conf *, const char *domain);
/* The next hop for a recipient's domain: its own deliver, a route, or MX (design.md 1.7).
 * An address literal's domain "[192.0.2.1]" goes to HOP_SMTP of that address by default; the host is
 * then this thread's until its next call of conf_route().  Ports of HOP_MX are deliver.port. */
void		 conf_route(const struct conf *, const char *domain, struct hop *);
int		 conf_may_relay(const struct conf *, const struct net_addr *);
int		 conf_prefixes_have(const struct conf_prefixes *, const struct net_addr *);
/* By the next hop's name: its own policy, that of the nearest ".parent", "*"; NULL: none is configured, WANT_DANE. */
const struct conf_tls_policy *conf_tls_policy_find(const struct conf *, const char *name);
/*
 * The same for a hop with a login: a password goes only to a peer that is known by its certificate, or to this machine
 * itself.  *want is WANT_VERIFY, WANT_FINGERPRINT or WANT_DANE_ONLY; WANT_VERIFY by default, where the "*" policy asks
 * for less too (then NULL); at a loopback address whatever its policy says, WANT_DANE if none.
 */
const struct conf_tls_policy *conf_login_policy(const struct conf *, const char *host, enum tls_want *want);
int		 conf_login_policy_ok(const struct conf *, const char *host);	/* 0: a policy named for the host asks for less */
const struct conf_login *conf_login_find(const struct conf *, const char *name);
/* "mx", "smtp:[host]:port", "smtps:login@host:port", "smtp:host", "maildir:/path/%d/%u": the parser of hops.
 * Strings are copied to the arena.  why gets a constant text on failure. */
int		 hop_parse(struct hop *, struct arena *, struct slice, const char **why);
/* The same, as text, for logs and lists. */
char		*hop_str(const struct hop *, char *dst, size_t size);

#endif
