/*
 * received.c -- the Received field.  Core; see received.h.
 */
#include "queue/received.h"

#include <stdio.h>
#include <string.h>

#include "common/net.h"
#include "common/units.h"

/*
 * RFC 5321 4.4 wants a Domain or an address literal after "from".  A client's HELO may be anything that
 * smtpd let pass: characters that could end the clause or open a comment become "?" (A5).
 */
static void
helo_clean(char *dst, const char *helo)
{
	size_t i;
	char c;

	for (i = 0; helo[i] != '\0'; i++) {
		c = helo[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._:[]", c) != NULL)
			dst[i] = c;
		else
			dst[i] = '?';
	}
	dst[i] = '\0';
}

/* RFC 3848 and RFC 6531 4.3, as IANA lists them; HELO has no letter for TLS. */
static const char *
with(const struct ipc_txn_begin *b)
{
	static const char *const names[PROTOCOLS][2][2][2] = {	/* login, TLS, UTF-8 */
		[PROTO_SMTP] = { { { "SMTP", "UTF8SMTP" }, { "SMTP", "UTF8SMTPS" } },
		    { { "SMTP", "UTF8SMTPA" }, { "SMTP", "UTF8SMTPSA" } } },
		[PROTO_ESMTP] = { { { "ESMTP", "UTF8SMTP" }, { "ESMTPS", "UTF8SMTPS" } },
		    { { "ESMTPA", "UTF8SMTPA" }, { "ESMTPSA", "UTF8SMTPSA" } } },
		[PROTO_LMTP] = { { { "LMTP", "UTF8LMTP" }, { "LMTPS", "UTF8LMTPS" } },
		    { { "LMTPA", "UTF8LMTPA" }, { "LMTPSA", "UTF8LMTPSA" } } },
	};

	return (names[b->protocol < PROTOCOLS ? b->protocol : PROTO_SMTP][b->login[0] != '\0'][b->tls != 0][b->utf8 != 0]);
}

/* What a name of IANA's consists of; else nothing is written. */
static int
is_name(struct slice s)
{
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		    c == '.'))
			return (0);
	}
	return (s.n != 0);
}

static struct slice
word(const char **p)
{
	const char *start = *p + strspn(*p, " ");

	*p = start + strcspn(start, " ");
	return (slice_make(start, (size_t)(*p - start)));
}

/* RFC 8314 4.3, from "version cipher [group [client]]"; the version, and what became of a client's certificate, as a comment. */
static void
tls_clause(char *dst, size_t size, const struct ipc_txn_begin *b)
{
	const char *p = b->tls_text;
	struct slice version = word(&p), cipher = word(&p), group = word(&p), client = word(&p);

	if (group.n > 7 && memcmp(group.p, "client-", 7) == 0) {
		client = group;
		group.n = 0;
	}
	dst[0] = '\0';
	if (b->tls && is_name(version) && is_name(cipher) && (group.n == 0 || is_name(group)) &&
	    (client.n == 0 || is_name(client)))
		(void)snprintf(dst, size, "\r\n\ttls %.*s%s%.*s (%.*s%s%.*s)", (int)cipher.n, cipher.p, group.n != 0 ? " group " : "",
		    (int)group.n, group.p, (int)version.n, version.p, client.n != 0 ? ", " : "", (int)client.n, client.p);
}

static int
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return (0);
	return (1);
}

size_t
received_write(char *dst, const struct ipc_txn_begin *b, const char *hostname, uint64_t msgid,
    const char *rcpt, int64_t now)
{
	char helo[HELO_MAX + 1], ip[NET_ADDR_STRLEN], id[MSGID_STRLEN], date[DATE_STRLEN];
	char tls[TLS_TEXT_MAX + 32], fortext[ADDRESS_MAX + 16] = "", priority[32] = "", from[HELO_MAX + 2 * DOMAIN_MAX + 160];
	int n;

	/* The field must not be what makes a message need SMTPUTF8: an address that is not ASCII is left out. */
	if (rcpt != NULL && is_ascii(rcpt))
		(void)snprintf(fortext, sizeof(fortext), "\r\n\tfor <%s>", rcpt);
	if (b->prioritized)		/* RFC 6710 4 item 2 */
		(void)snprintf(priority, sizeof(priority), "\r\n\tPRIORITY %d", b->priority);
	tls_clause(tls, sizeof(tls), b);
	if (b->local) {
		(void)snprintf(from, sizeof(from), "by %s (Postern, from userid %u)\r\n\tid", hostname, b->uid);
	} else {
		helo_clean(helo, b->helo);
		(void)snprintf(from, sizeof(from), "from %s (%s%s[%s%s])\r\n\tby %s with %s id",
		    helo[0] != '\0' ? helo : "unknown", b->name, b->name[0] != '\0' ? " " : "",
		    net_addr_is4(&b->client) ? "" : "IPv6:", net_addr_str(&b->client, ip), hostname, with(b));
	}
	n = snprintf(dst, RECEIVED_MAX, "Received: %s %s%s%s%s;\r\n\t%s\r\n", from, msgid_str(msgid, id), fortext,
	    tls, priority, date_str(now, date));
	return (n > 0 && n < RECEIVED_MAX ? (size_t)n : 0);
}
