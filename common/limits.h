/*
 * limits.h -- every limit of Postern, in one place (threat-model.md R3).
 *
 * Each has a test at limit-1, limit and limit+1.  Octets unless the name says
 * otherwise; line lengths include the CRLF.
 */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

/* RFC 5321 4.5.3.1: the sizes a server must take; ours are the same or larger. */
#define LOCAL_PART_MAX		64	/* 4.5.3.1.1 */
#define DOMAIN_MAX		255	/* 4.5.3.1.2; also RFC 1035 2.3.4 */
#define DOMAIN_LABEL_MAX	63	/* RFC 1035 2.3.4 */
#define PATH_MAX_OCTETS		256	/* 4.5.3.1.3, with the angle brackets; longer with a source route */
#define ADDRESS_MAX		(LOCAL_PART_MAX + 1 + DOMAIN_MAX)	/* local@domain; quoting counts */
#define COMMAND_LINE_MAX	2048	/* 4.5.3.1.4 asks for 512, extensions add to it */
#define REPLY_LINE_MAX		2048	/* a remote reply line; 4.5.3.1.5 asks for 512 */
#define REPLY_LINES_MAX		128	/* lines of one remote reply */
#define RETRY_HINT_MIN		30	/* seconds: a remote host that asks for less is asked no sooner */
#define REPLY_TEXT_MAX		512	/* of a remote reply, kept and logged */
#define TEXT_LINE_MAX		998	/* RFC 5322 2.1.1: what we write ourselves; longer is passed on */
#define RCPT_MAX		1000	/* recipients of one transaction; 4.5.3.1.8 asks for 100 */
#define HOPS_MAX		100	/* Received fields before a loop is assumed, 6.3 */

/* Inside the sender of a session's patience. */
#define SESSION_ERRORS_MAX	20	/* then 421 */
#define SESSION_COMMANDS_MAX	1000	/* commands without a message, then 421 */
#define SESSION_MAILS_MAX	100000u	/* MAIL commands taken in one session; RFC 9422 MAILMAX */
#define HELO_MAX		255
#define ENVID_MAX		100	/* RFC 3461 4.4, decoded */
#define ORCPT_MAX		500	/* RFC 3461 4.2: type, ";" and the decoded address */
#define LOGIN_MAX		255	/* an authenticated or local user's name */
#define ORIGIN_MAX		340	/* XFORWARD's client, as one text */
#define BY_MAX_S		999999999	/* RFC 2852 4: by-time has up to nine digits */
#define HOLD_MAX_S		(30u * 86400u)	/* FUTURERELEASE: the longest wait that can be asked for */
#define PRIORITY_MAX		9	/* RFC 6710 4.2: -9 to 9 */

/* Channels between the daemons. */
#define IPC_DATAGRAM_MAX	65536	/* one datagram: whole frames, nothing else */
#define IPC_PAYLOAD_MAX		32768	/* one frame's payload */
#define IPC_QUEUE_MAX		(8u << 20)	/* octets waiting for one peer; more is E_LIMIT */
#define IPC_SOCKET_BUFFER	(1 << 20)	/* asked of the kernel for each end, which may give less */
#define IPC_CHUNK_MAX		32000	/* body octets in one frame */

/* Bodies. */
#define TXN_WINDOW		(128u << 10)	/* body octets a smtpd may send ahead of credit, per transaction */
#define JOB_WINDOW		(128u << 10)	/* the same from queue to deliver, per job */
#define MESSAGE_SIZE_MAX	(1ull << 40)	/* the largest message-size-limit that can be set */

/* AUTH. */
#define SASL_LINE_MAX		12288	/* octets of base64 of one step, RFC 4954 4 */
#define SASL_DATA_MAX		(SASL_LINE_MAX / 4 * 3)	/* and decoded */
#define AUTH_COMMAND_MAX	(SASL_LINE_MAX + 64)	/* a command with such a step behind it: verb, mechanism, CRLF */
#define AUTH_PARAM_MAX		500	/* octets of MAIL's AUTH=, RFC 4954 3 (5) */
#define SESSION_AUTH_FAILURES_MAX 5	/* of one session; the last one is told by 421 */
#define SASL_BINDING_MAX	64	/* octets of channel binding */
#define SASL_OPEN_MAX		4096	/* exchanges of one peer of auth that are open */
#define PASSWORD_MAX		1024	/* octets */
#define SCRAM_ITERATIONS_MIN	4096	/* RFC 7677 4 */
#define SCRAM_ITERATIONS_MAX	10000000	/* more takes seconds */
#define SCRAM_ITERATIONS	50000	/* of an entry that we make: about as dear as crypt(3)'s default, yescrypt, and above what RFC 7677 4 names */
#define SCRAM_SALT_MAX		64	/* octets of a salt */
#define AUTH_TABLE_MAX		(32u << 20)	/* octets of the password table */
#define AUTH_ENTRIES_MAX	100000	/* its logins */
#define AUTH_TABLE_LINE_MAX	1024	/* octets of a line of it, without its end */
#define AUTH_FAILURES_MAX	65536	/* addresses, logins and pairs of them with failures that are remembered */
#define AUTH_FRIENDS_MAX	65536	/* pairs of them with a success */
#define AUTH_FRIEND_S		(7u * 86400u)	/* so long a login stays open for an address after its last success */
#define AUTH_DELAY_MAX_S	30	/* before a client hears that it failed */
#define WORK_WAITING_MAX	1024	/* hashes that wait for a worker */
#define WORK_LANE_MAX		256	/* of them of one client address (/32, /64) */
#define WORK_SPARE		128	/* beyond WORK_WAITING_MAX, for peers that have fewer than WORK_PEER_MIN waiting */
#define WORK_PEER_MIN		8
#define SCRAM_MESSAGE_MAX	4096	/* octets of one message of a next hop's SCRAM */
#define SCRAM_CLIENT_ITERATIONS_MAX 1000000	/* what a next hop may make us count: a quarter of a second or so */
#define LOGINS_MAX		256	/* login sections */
#define LOGIN_TITLE_MAX		63	/* octets of such a section's title */
#define LOGIN_FILE_MAX		4096	/* octets of its password file, of which the first line counts */
#define CREDENTIALS_OPEN_MAX	1024	/* logins of ours that one deliver has under way */
#define DOVECOT_LINE_MAX	16384	/* octets of a line from Dovecot's auth service */
#define DOVECOT_SEND_MAX	8191	/* octets of a line to it, LF counted: it drops a client that sends longer ones */
#define DOVECOT_HELLO_MAX	128	/* lines of its handshake */
#define DOVECOT_HELLO_MS	5000	/* its handshake in all */
#define DOVECOT_ANSWER_MS	25000	/* one answer; it delays those to wrong passwords by some seconds itself */
#define DOVECOT_BACKLOG_MAX	(1u << 20)	/* octets that it has not taken yet; more exchanges get SASL_TEMPORARY */
#define DOVECOT_AGAIN_MS	1000	/* a new stream is asked of master after this, doubled up to ... */
#define DOVECOT_AGAIN_MAX_MS	4000
#define PAM_SLOTS		8	/* questions that PAM is asked at once */
#define PAM_WAITING_MAX		256	/* questions that wait for that; more get SASL_TEMPORARY */
#define PAM_TIME_S		20	/* seconds for one question, its wait not counted; then its process is killed */
#define PAM_ANSWER_MS		25000	/* for one question in all; smtpd waits 30 s */
#define PAM_SERVICE_MAX		63	/* octets of a PAM service's name */

/* TLS. */
#define TLS_POLICIES_MAX	10000
#define TLS_POLICY_NAMES_MAX	64	/* names, and fingerprints, of one policy */
#define TLS_CA_MAX		(4u << 20)	/* octets of trust anchors in PEM */
#define TLS_REPORT_MAX		30000	/* octets of one TLS_REPORT */
#define TLS_TRIES_MAX		16	/* posternctl tls: questions under way */
#define TLSA_MAX		64	/* TLSA records looked at for one host */
#define TLSA_DATA_MAX		4096	/* octets of one: a whole certificate (RFC 7671 5.2.2); a longer one is kept without them */
#define TLS_TEXT_MAX		120	/* version, cipher, group and what was verified, as one text */
#define TLS_HANDSHAKES_MAX	1000	/* of one smtpd that are under way; each holds about 70 KB */
#define TLS_HANDSHAKE_OCTETS	(256u << 10)	/* from the client in one handshake: its certificates are the most of it */
#define TBS_MAX			512	/* octets that TLS wants signed: no well-formed input is longer */
#define SIGN_WAITING_MAX	1024	/* of one peer, not signed yet; more get SIGN_BUSY */
#define SIGN_RATE_MAX		4000	/* signatures a second for one peer; more wait */
#define SIGNATURE_MAX		1024	/* octets of a signature: RSA of 8192 bits */
#define CERTS_MAX		256	/* certificates in the configuration, each with its key */
#define CERT_FILE_MAX		(256u << 10)	/* octets of a certificate file: PEM, with words between */
#define CHAIN_MAX		65536	/* octets of a chain in DER */
#define CHAIN_CERTS_MAX		10	/* certificates of it */
#define CERT_NAMES_MAX		1000	/* dNSName entries of one certificate */

/* Delivery. */
#define JOB_RCPT_MAX		100	/* recipients of one delivery transaction; 4.5.3.1.8 */
#define DIALOGUE_MAX		4096	/* the last SMTP dialogue kept with a deferred message */
#define MX_MAX			64	/* MX hosts looked at for one domain */
#define ADDRS_MAX		32	/* addresses looked at for one host */

/* Configuration. */
#define CONF_BLOB_MAX		(64u << 20)	/* a packed snapshot */
#define CONF_MEMFD_MAX		(CONF_BLOB_MAX + TABLE_IMAGE_MAX + 4096)	/* the memory file of both */
#define CONF_FILE_MAX		(16u << 20)	/* the text of postern.conf */
#define LISTENERS_MAX		64	/* with local-submission's own */
#define LISTENER_NAME_MAX	63
#define LISTENER_CONNECTIONS_MAX 1000000	/* what a listener's limits may be set to */
#define CONF_REFUSAL_MAX	1500	/* a daemon says why it cannot use a snapshot: a path and a sentence */
#define CONF_PATH_MAX		1000	/* directory and maildir: paths, which grow by a name of ours */
#define CONF_RUNTIME_MAX	90	/* runtime: a socket's path in it has to fit in 107 octets */
#define CONF_SOCKET_MAX		107	/* the path of a Unix socket: sun_path without its NUL */
#define USER_PREFIX_MAX		16
#define RELAY_FROM_MAX		4096
#define FORWARDS_MAX		64	/* resolver: servers of forward, and as many of all stubs */
#define TRUST_ANCHOR_MAX	65536	/* octets of the trust anchor file */
#define RETRY_STEPS_MAX		64
#define RETRY_STEP_MAX		(7u * 86400u)	/* seconds: the longest wait between two attempts */
#define SMTPD_LINE_LEAST	1000	/* what line-max may be set to: RFC 5321 4.5.3.1.6; 0 is any */
#define PREFIXES_MAX		4096	/* of proxy-from, etrn-from, vrfy-from and the like, each */
#define DELIMITERS_MAX		8	/* characters of recipient-delimiter */
#define ROOM_ORPHAN_MS		5000	/* a daemon without its master finishes within this, then leaves (F2) */
#define PEERS_MAX		64	/* channels of one daemon */

/* Tables: what postern-conf compiles from text files. */
#define TABLE_KEY_MAX		512	/* a key; an address has at most ADDRESS_MAX */
#define TABLE_LINE_MAX		(4u << 20)	/* a line of a table file with the lines that continue it */
#define TABLE_IMAGE_MAX		(4ull << 30)	/* the image of all tables */
#define TABLE_VALUE_MAX		(32u << 20)	/* the targets of one key or :include: list, packed: EXPANSION_MAX of the longest */
#define TABLE_FILES_MAX		64	/* files of one map */
#define TABLE_INCLUDES_MAX	10000	/* :include: lists of one table */
#define TABLE_NESTED_MAX	32	/* if ... endif in a cidr: file */
#define ACCESS_TEXT_MAX		400	/* the text of an access rule */

/* Local submission. */
#define DROP_RCPT_MAX		10000	/* recipients of one call of sendmail, and of a file in the drop directory */
#define DROP_HEAD_MAX		(4u << 20)	/* octets of such a file before the message */
#define DROP_ENVID_MAX		300	/* ENVID as xtext: 100 octets, RFC 3461 4.4 */
#define SENDMAIL_HEADER_MAX	(1u << 20)	/* octets of a header section that sendmail takes */
#define SENDMAIL_MEMORY_MAX	(1u << 20)	/* octets of a message kept in memory; the rest in a file without a name */
#define SENDMAIL_COMMENTS_MAX	1000	/* comments within comments in an address */
#define PICKUP_SESSIONS_MAX	8	/* messages that pickup submits at once */
#define PICKUP_OWNER_SESSIONS	4	/* of them of one user */
#define PICKUP_OWNERS_MAX	1024	/* users with waiting files that are looked at in one pass */
#define PICKUP_OWNER_FILES	256	/* files of one of them in one pass */
#define PICKUP_BAD_MAX		10000	/* files kept in bad/; more are left where they are */

/* Names: the resolver. */
#define DNS_LOOKUPS_MAX		2048	/* different questions in flight; each is two for DNS_ADDR */
#define DNS_LOOKUPS_PEER_MAX	1024	/* of them begun for one peer */
#define DNS_WAITERS_PEER_MAX	4096	/* questions of one peer not answered yet */
#define DNS_PACKET_RECORDS_MAX	1024	/* records of an answer section looked at; more is a failure */
#define DNS_CHAIN_MAX		16	/* CNAME records followed within one answer */
#define DNS_ADDRS_FAMILY_MAX	32	/* addresses of one family in an answer; the rest is left out */
#define DNS_TTL_MAX		86400	/* seconds; more is cut to this */
#define DNS_ABANDONED_MS	60000	/* a question nobody waits for any more is given up after this */

/* Recipients. */
#define ALIAS_DEPTH_MAX		32	/* steps from a recipient to one of its ends */
#define EXPANSION_MAX		100000	/* ends of all recipients of one message */
#define EXPAND_SLICE		2000	/* addresses looked at in one turn of queue's loop */

/* Queue. */
#define VERIFY_WAIT_MS		15000	/* a client waits so long for a call-ahead, then the recipient is taken */
#define VERIFY_TURN_MS		10000	/* for its turn at a next hop that does answer others; then 450 */
#define VERIFY_PEER_MAX		1024	/* questions of one smtpd not answered yet */
#define VERIFY_CACHE_MAX	16384	/* answers of next hops remembered */
#define VERIFY_WAITERS_MAX	16384	/* and of all together, in queue */
#define VERIFY_PROBES_MAX	256	/* questions to next hops under way */
#define VERIFY_DEST_MAX		4	/* of them at one destination */
#define OUTCOME_MAX		RCPT_MAX	/* recipients in one operation of the store; a list's others are in the next */
#define RETRY_SLICE		RCPT_MAX	/* recipients of one message made due in one turn of the loop */
#define ETRN_LOOK_MAX		1024	/* recipients looked at before ETRN is answered; the rest is started after it */
#define ETRN_AGAIN_S		30	/* a node's mail is started no sooner again */
#define ETRN_RUNS_MAX		256	/* requests that are under way */
#define ETRN_NODES_MAX		4096	/* nodes remembered for ETRN_AGAIN_S */
#define JOBS_HELD_MAX		4096	/* jobs with one deliver process that are not acknowledged yet; deliver itself takes twice that */
#define SCHED_WINDOW		10000	/* recipients in memory because they are due or being delivered */
#define SCHED_DEST_SHARE	1250	/* of them for one destination */
#define SCHED_DEST_URGENT	250	/* and so many of a priority above 0, or of the others, when the rest has that share */
#define SCHED_LOWER_TURN	8	/* one job in so many at a destination is not of its highest priority */
#define SCHED_DESTS_MAX		20000	/* destinations remembered */
#define SCHED_DEST_IDLE_S	7200	/* ... so long after their last use */
#define SCHED_UNIT		256	/* a connection, in the fixed point of a provider's window */
#define SCHED_START		5	/* connections to a provider that is new */
#define SCHED_DEAD_AFTER	3	/* failures in a row, then back-off */
#define RETRY_HINT_MAX_S	86400	/* a remote host's hint counts up to this */
#define RECEIVED_MAX		2048	/* our own Received field */
#define TXN_PEER_MAX		20000	/* open transactions of one smtpd */
#define TXN_RCPT_MEMORY_MAX	(64u << 20)	/* octets of recipients in open transactions, all together */
#define TXN_MEMORY_MAX		(256u << 10)	/* a larger body streams into the store */
#define TXN_AHEAD_MAX		(1u << 20)	/* octets of one body on their way into the store at once */
#define QUEUE_BODY_BUDGET	(96u << 20)	/* bodies in memory, all together */
#define QUEUE_HOT_MAX		(48u << 20)	/* ... above this new mail is not kept in memory for its first attempt */
#define FEED_BATCH		256	/* records looked at in one turn of the loop */
#define FEED_CHANGES_MAX	2048	/* changes on their way into the store, above which the feed waits */
#define CTL_CLIENTS_MAX		32
#define CTL_BACKLOG_MAX		(256u << 10)	/* octets a reader of a list may be behind */
#define CTL_STALL_S		2	/* seconds without movement, after which an operator's connection may have to give way */
#define CTL_ALIVE_S		5	/* seconds: an operator's request that takes long gives a sign of life this often */
#define CTL_SLICE		64	/* messages of a list in one turn of the loop */
#define NOTICE_HEADER_MAX	16384	/* octets of the original's header in a notice */
#define NOTICE_FULL_MAX		(128u << 10)	/* RET=FULL: a longer original comes back as its header alone */
#define NOTICE_RATE_MAX		200	/* notices a second in all; more wait (R16) */
#define NOTICE_ADDRESS_MAX	60	/* notices a minute to one address; more wait (R16) */
#define CLOCK_STEP_S		30	/* the wall clock was set if it is off by more */
#define CLOCK_DOWN_S		3600	/* a longer time without this process does not count as a message's life */
#define CLOCK_STEPS		8	/* steps remembered */
#define CLOCK_SAVE_S		300	/* how often the highest time seen is stored */

#endif
