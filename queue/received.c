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

/*
 * RFC 3848 and RFC 6531 4.3, as IANA lists them.  Encryption and authentication have their letters when there
 * are such sessions.
 */
static const char *
with(const struct ipc_txn_begin *b)
{
	static const char *const names[PROTOCOLS][2] = {
		[PROTO_SMTP] = { "SMTP", "UTF8SMTP" },
		[PROTO_ESMTP] = { "ESMTP", "UTF8SMTP" },
		[PROTO_LMTP] = { "LMTP", "UTF8LMTP" },
	};

	return (names[b->protocol < PROTOCOLS ? b->protocol : PROTO_SMTP][b->utf8 != 0]);
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
	char fortext[ADDRESS_MAX + 16] = "", priority[32] = "", from[HELO_MAX + 2 * DOMAIN_MAX + 160];
	int n;

	/* The field must not be what makes a message need SMTPUTF8: an address that is not ASCII is left out. */
	if (rcpt != NULL && is_ascii(rcpt))
		(void)snprintf(fortext, sizeof(fortext), "\r\n\tfor <%s>", rcpt);
	if (b->prioritized)		/* RFC 6710 4 item 2 */
		(void)snprintf(priority, sizeof(priority), "\r\n\tPRIORITY %d", b->priority);
	if (b->local) {
		(void)snprintf(from, sizeof(from), "by %s (Postern, from userid %u)\r\n\tid", hostname, b->uid);
	} else {
		helo_clean(helo, b->helo);
		(void)snprintf(from, sizeof(from), "from %s (%s%s[%s%s])\r\n\tby %s with %s id",
		    helo[0] != '\0' ? helo : "unknown", b->name, b->name[0] != '\0' ? " " : "",
		    net_addr_is4(&b->client) ? "" : "IPv6:", net_addr_str(&b->client, ip), hostname, with(b));
	}
	n = snprintf(dst, RECEIVED_MAX, "Received: %s %s%s%s;\r\n\t%s\r\n", from, msgid_str(msgid, id), fortext,
	    priority, date_str(now, date));
	return (n > 0 && n < RECEIVED_MAX ? (size_t)n : 0);
}
