/*
 * deliver_limits.h -- limits and waits that concern this daemon alone (threat-model.md R3, R11).
 *
 * Milliseconds where the name ends in _MS, octets or counts otherwise.  Core.
 */
#ifndef DELIVER_DELIVER_LIMITS_H
#define DELIVER_DELIVER_LIMITS_H

#include "common/limits.h"

#define TICK_MS			100	/* how often deadlines are looked at */
#define DIAL_DELAY_MS		250	/* RFC 8305 5: connection attempt delay */
#define DIALS_MAX		4	/* attempts at once for one job */
#define FAMILY_MEMORY		1024	/* hosts whose better address family is remembered */
#define FAMILY_MEMORY_MS	600000
#define BROKE_MEMORY_MS		1800000	/* a host that broke off a long body is tried after the others so long */
#define HOSTS_MEMORY		(256u << 10)	/* names and addresses of one destination */
#define HOSTS_TTL_MIN_MS	5000	/* a destination's hosts are kept so long at least ... */
#define HOSTS_TTL_MAX_MS	300000	/* ... and at most */
#define FULL_MEMORY_MS		10000	/* a host that refused one connection more is not asked for more so long */
#define CONN_AGE_MAX_MS		300000	/* an older connection takes no further message */
#define CLOSING_MAX		200	/* connections that wait for the answer to QUIT */
#define JOBS_MAX		(2 * JOBS_HELD_MAX)	/* jobs held, acknowledged or not */
#define JOB_MEMORY		(256u << 10)	/* recipients and results of one job */
#define TRIAL_MS		90000	/* posternctl tls: so long in all ... */
#define TRIAL_HOST_MS		15000	/* ... for one address ... */
#define TRIAL_ADDRS_MAX		8	/* ... of so many, the best first ... */
#define TRIAL_OUT_MAX		(256u << 10)	/* ... in so many octets of report */
#define PROBES_MAX		1024	/* questions of queue about recipients, at once */
#define HANDSHAKE_MAX_S		60	/* seconds for a TLS handshake, where the time for EHLO is not shorter */
#define AUTH_WAIT_S		30	/* seconds for a step of our login inside auth */
#define AUTH_RESPONSE_MAX	(SASL_LINE_MAX + 64)	/* a line of AUTH */
#define TLS_RECORD		16384	/* octets of a record, RFC 8446 5.1 */
#define TLS_BATCH		(64u << 10)	/* octets of a body that are encrypted before the socket has to take them */
#define TLS_OUT_MAX		(256u << 10)	/* records of one connection that wait for the socket */
#define TLS_SESSIONS_MAX	2000	/* sessions kept for resumption, about 5 KB each */
#define TLS_SESSION_CHAIN_MAX	8	/* certificates of a host whose session is kept */
#define TLS_SESSION_AGE_S	3600	/* an older one is not used */
#define COMMANDS_MAX		(96u << 10)	/* a group of MAIL, 100 RCPT, DATA at their longest */
#define BDAT_CHUNK		(128u << 10)	/* octets of a body in one BDAT */
#define BDAT_AHEAD_MAX		4	/* chunks sent before the first of them is answered, with PIPELINING */
#define READ_MAX		16384	/* octets of replies read at once */
#define SEGMENTS_MAX		64	/* pieces of one gathered write */
#define BODY_RATE_MIN		100	/* octets a second that a next hop must take, over the whole body */
#define CREDIT_STEP		(32u << 10)	/* credit is granted in steps of at least this */
#define RETRY_AT_ONCE		1	/* seconds; "too many recipients": the rest may come at once */
#define DNS_GRACE_MS		2000	/* beyond the question's own time-out */
#define LOCAL_ADDRS_MAX		256	/* addresses of this machine that are compared */
#define WORKS_MAX		64	/* mailbox jobs given to threads at once */
#define TMP_AGE_MAX_S		(36 * 3600)	/* maildir(5): older files in tmp/ are nobody's */
#define TMP_CLEAN_S		3600	/* a maildir's tmp/ is looked through this often at most */
#define FILE_NAME_MAX		255
#define MIME_DEPTH_MAX		32	/* multiparts inside each other, of a message that is converted; at most 32 */
#define MIME_BOUNDARY_MAX	70	/* RFC 2046 5.1.1 */
#define MIME_PADDING_MAX	128	/* what may follow a boundary on its line: "--", blanks, CRLF */
#define MIME_FIELD_MAX		8192	/* a Content-Type or Content-Transfer-Encoding field */
#define MIME_OUT_MAX		(128u << 10)	/* what one part of a body becomes */
#define MIME_NAME_MAX		32	/* names of fields are compared up to here */

#endif
