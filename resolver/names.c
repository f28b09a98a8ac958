/*
 * names.c -- see names.h.  Core.
 */
#include "resolver/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/net.h"

const char *const builtin_zones[] = {
	"test", "home.arpa",
	"10.in-addr.arpa", "16.172.in-addr.arpa", "17.172.in-addr.arpa", "18.172.in-addr.arpa",
	"19.172.in-addr.arpa", "20.172.in-addr.arpa", "21.172.in-addr.arpa", "22.172.in-addr.arpa",
	"23.172.in-addr.arpa", "24.172.in-addr.arpa", "25.172.in-addr.arpa", "26.172.in-addr.arpa",
	"27.172.in-addr.arpa", "28.172.in-addr.arpa", "29.172.in-addr.arpa", "30.172.in-addr.arpa",
	"31.172.in-addr.arpa", "168.192.in-addr.arpa", "0.in-addr.arpa", "254.169.in-addr.arpa",
	"2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa",
	"255.255.255.255.in-addr.arpa", "127.in-addr.arpa",
	"64.100.in-addr.arpa", "65.100.in-addr.arpa", "66.100.in-addr.arpa", "67.100.in-addr.arpa",
	"68.100.in-addr.arpa", "69.100.in-addr.arpa", "70.100.in-addr.arpa", "71.100.in-addr.arpa",
	"72.100.in-addr.arpa", "73.100.in-addr.arpa", "74.100.in-addr.arpa", "75.100.in-addr.arpa",
	"76.100.in-addr.arpa", "77.100.in-addr.arpa", "78.100.in-addr.arpa", "79.100.in-addr.arpa",
	"80.100.in-addr.arpa", "81.100.in-addr.arpa", "82.100.in-addr.arpa", "83.100.in-addr.arpa",
	"84.100.in-addr.arpa", "85.100.in-addr.arpa", "86.100.in-addr.arpa", "87.100.in-addr.arpa",
	"88.100.in-addr.arpa", "89.100.in-addr.arpa", "90.100.in-addr.arpa", "91.100.in-addr.arpa",
	"92.100.in-addr.arpa", "93.100.in-addr.arpa", "94.100.in-addr.arpa", "95.100.in-addr.arpa",
	"96.100.in-addr.arpa", "97.100.in-addr.arpa", "98.100.in-addr.arpa", "99.100.in-addr.arpa",
	"100.100.in-addr.arpa", "101.100.in-addr.arpa", "102.100.in-addr.arpa",
	"103.100.in-addr.arpa", "104.100.in-addr.arpa", "105.100.in-addr.arpa",
	"106.100.in-addr.arpa", "107.100.in-addr.arpa", "108.100.in-addr.arpa",
	"109.100.in-addr.arpa", "110.100.in-addr.arpa", "111.100.in-addr.arpa",
	"112.100.in-addr.arpa", "113.100.in-addr.arpa", "114.100.in-addr.arpa",
	"115.100.in-addr.arpa", "116.100.in-addr.arpa", "117.100.in-addr.arpa",
	"118.100.in-addr.arpa", "119.100.in-addr.arpa", "120.100.in-addr.arpa",
	"121.100.in-addr.arpa", "122.100.in-addr.arpa", "123.100.in-addr.arpa",
	"124.100.in-addr.arpa", "125.100.in-addr.arpa", "126.100.in-addr.arpa",
	"127.100.in-addr.arpa",
	"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	"d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa", "b.e.f.ip6.arpa",
	"8.b.d.0.1.0.0.2.ip6.arpa",
	NULL
};

const char *const special_zones[] = {
	"test", "home.arpa", "localhost", "invalid", "example", "local", "internal", "lan", "home",
	"corp", NULL
};

char *
reverse_name(const struct net_addr *ip, char dst[static REVERSE_NAME_LEN])
{
	static const char	hex[] = "0123456789abcdef";
	const uint8_t		*a = ip->a;
	size_t			i, n = 0;

	if (net_addr_is4(ip)) {
		(void)snprintf(dst, REVERSE_NAME_LEN, "%u.%u.%u.%u.in-addr.arpa", a[15], a[14],
		    a[13], a[12]);
		return (dst);
	}
	for (i = 16; i-- > 0;) {
		dst[n++] = hex[a[i] & 0x0f];
		dst[n++] = '.';
		dst[n++] = hex[a[i] >> 4];
		dst[n++] = '.';
	}
	memcpy(dst + n, "ip6.arpa", sizeof("ip6.arpa"));
	return (dst);
}

int
question_prepare(const struct ipc_dns_query *q, char dst[static DOMAIN_MAX + 1],
    uint16_t rr[static 2])
{
	struct net_addr	ip;
	const char	*why;

	if (q->type == DNS_PTR) {
		if (net_addr_parse(&ip, slice_str(q->name)) != E_OK)
			return (E_SYNTAX);
		(void)reverse_name(&ip, dst);
		rr[0] = RR_PTR;
		return (1);
	}
	if (domain_parse(dst, slice_str(q->name), &why) != E_OK || dst[0] == '\0')
		return (E_SYNTAX);
	switch (q->type) {
	case DNS_ADDR:
		rr[0] = RR_A;
		rr[1] = RR_AAAA;
		return (2);
	case DNS_MX:
		rr[0] = RR_MX;
		return (1);
	case DNS_TXT:
		rr[0] = RR_TXT;
		return (1);
	case DNS_TLSA:
		rr[0] = RR_TLSA;
		return (1);
	case DNS_CNAME:
		rr[0] = RR_CNAME;
		return (1);
	default:
		return (E_RANGE);
	}
}

enum dns_status
packet_status(const struct packet_answer *a)
{
	if (a->rcode == RCODE_NXDOMAIN)
		return (DNS_NXDOMAIN);
	if (a->rcode != RCODE_NOERROR)
		return (DNS_FAILED);
	if (a->nrec != 0)
		return (DNS_OK);
	return (a->nbad != 0 ? DNS_FAILED : DNS_NODATA);
}

enum dns_status
status_merge(enum dns_status a, enum dns_status b)
{
	/* From what decides alone to what only holds if both say it. */
	static const enum dns_status order[] = {
		DNS_OK, DNS_BOGUS, DNS_FAILED, DNS_TIMED_OUT, DNS_OVERLOAD, DNS_NODATA, DNS_NXDOMAIN
	};
	size_t	i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return (order[i]);
	return (DNS_FAILED);
}

const char *
rcode_text(unsigned rcode)
{
	switch (rcode) {
	case RCODE_FORMERR:
		return ("the name server did not understand the question (FORMERR)");
	case RCODE_SERVFAIL:
		return ("no name server of the domain gave a usable answer (SERVFAIL)");
	case RCODE_NOTIMP:
		return ("the name server does not know this kind of question (NOTIMP)");
	case RCODE_REFUSED:
		return ("the name server refused to answer (REFUSED)");
	default:
		return ("the name server answered with an unknown error");
	}
}

static size_t
name_len(const char *s)
{
	size_t	n = strlen(s);

	return (n != 0 && s[n - 1] == '.' ? n - 1 : n);
}

int
name_beneath(const char *name, const char *zone)
{
	size_t	n = name_len(name), z = name_len(zone);

	if (z == 0)
		return (1);
	if (n < z || strncasecmp(name + n - z, zone, z) != 0)
		return (0);
	return (n == z || name[n - z - 1] == '.');
}

int
name_is_special(const char *name)
{
	const char *const	*z;

	for (z = builtin_zones; *z != NULL; z++)
		if (name_beneath(name, *z))
			return (1);
	for (z = special_zones; *z != NULL; z++)
		if (name_beneath(name, *z))
			return (1);
	return (0);
}

int
anchor_covers(const char *anchors, const char *zone)
{
	char	owner[DOMAIN_MAX + 2];
	size_t	n;

	while (*anchors != '\0') {
		anchors += strspn(anchors, " \t");
		n = strcspn(anchors, " \t\n;");
		if (n != 0 && n < sizeof(owner)) {
			memcpy(owner, anchors, n);
			owner[n] = '\0';
			if (name_len(owner) != 0 && name_beneath(zone, owner))
				return (1);
		}
		anchors += strcspn(anchors, "\n");
		anchors += *anchors == '\n';
	}
	return (0);
}
