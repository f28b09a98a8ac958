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

size_t
received_write(char *dst, const struct ipc_txn_begin *b, const char *hostname, uint64_t msgid,
    const char *rcpt, int64_t now)
{
	char helo[HELO_MAX + 1], ip[NET_ADDR_STRLEN], id[MSGID_STRLEN], date[DATE_STRLEN];
	char fortext[ADDRESS_MAX + 16] = "";
	const char *tag;
	int n;

	helo_clean(helo, b->helo);
	net_addr_str(&b->client, ip);
	tag = net_addr_is4(&b->client) ? "" : "IPv6:";
	if (rcpt != NULL)
		(void)snprintf(fortext, sizeof(fortext), "\r\n\tfor <%s>", rcpt);
	n = snprintf(dst, RECEIVED_MAX, "Received: from %s (%s%s[%s%s])\r\n\tby %s with %s id %s%s;\r\n\t%s\r\n",
	    helo[0] != '\0' ? helo : "unknown", b->name, b->name[0] != '\0' ? " " : "", tag, ip,
	    hostname, b->protocol != PROTO_SMTP ? "ESMTP" : "SMTP", msgid_str(msgid, id), fortext, date_str(now, date));
	return (n > 0 && n < RECEIVED_MAX ? (size_t)n : 0);
}
