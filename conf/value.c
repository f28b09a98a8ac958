/* value.c -- values of postern.conf, each kind with its own complaint.  Core. */
#include "conf/value.h"

#include <inttypes.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/units.h"

#define DNS_PORT	53

static int
bad(struct errors *e, const struct text_value *v, const char *expected)
{
	errors_add(e, v->line, "%s: \"%s\": expected %s", v->key, v->text, expected);
	return (0);
}

int
value_count(struct errors *e, const struct text_value *v, uint64_t min, uint64_t max, uint64_t *out)
{
	if (number_parse(out, slice_str(v->text), UINT64_MAX) == E_OK && *out >= min && *out <= max)
		return (1);
	errors_add(e, v->line, "%s: \"%s\": expected a number from %" PRIu64 " to %" PRIu64, v->key, v->text,
	    min, max);
	return (0);
}

int
value_seconds(struct errors *e, const struct text_value *v, uint64_t min, uint64_t max, uint64_t *out)
{
	char		 a[32], b[32];
	uint32_t	 seconds;

	switch (duration_parse(&seconds, slice_str(v->text))) {
	case E_OK:
		if (seconds >= min && seconds <= max) {
			*out = seconds;
			return (1);
		}
		/* FALLTHROUGH */
	case E_RANGE:
		errors_add(e, v->line, "%s: \"%s\": expected a duration from %s to %s", v->key, v->text,
		    duration_str(min, a), duration_str(max, b));
		return (0);
	default:
		return (bad(e, v, "a duration such as \"90s\", \"5m\", \"1h30m\" or \"5d\""));
	}
}

/* Sizes as they are written: the largest unit that leaves no rest. */
static const char *
size_str(uint64_t v, char dst[static 32])
{
	static const char	 units[] = "KMGT";
	int			 i = -1;

	while (i < 3 && v != 0 && v % 1024 == 0) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(dst, 32, "%" PRIu64, v);
	else
		snprintf(dst, 32, "%" PRIu64 "%c", v, units[i]);
	return (dst);
}

static int
value_octets(struct errors *e, const struct text_value *v, uint64_t min, uint64_t max, uint64_t *out)
{
	char	 a[32], b[32];
	int	 err = size_parse(out, slice_str(v->text));

	if (err == E_SYNTAX)
		return (bad(e, v, "a size such as \"4096\", \"10K\", \"50M\" or \"2G\""));
	if (err == E_OK && *out >= min && *out <= max)
		return (1);
	errors_add(e, v->line, "%s: \"%s\": expected a size from %s to %s", v->key, v->text, size_str(min, a),
	    size_str(max, b));
	return (0);
}

int
value_bool(struct errors *e, const struct text_value *v, int *out)
{
	if (strcmp(v->text, "true") == 0)
		*out = 1;
	else if (strcmp(v->text, "false") == 0)
		*out = 0;
	else
		return (bad(e, v, "true or false"));
	return (1);
}

int
value_number(struct errors *e, const struct text_value *v, const struct conf_number *n, uint64_t *out)
{
	int	 flag;

	switch (n->unit) {
	case UNIT_SECONDS:
		return (value_seconds(e, v, n->min, n->max, out));
	case UNIT_OCTETS:
		return (value_octets(e, v, n->min, n->max, out));
	case UNIT_BOOL:
		if (!value_bool(e, v, &flag))
			return (0);
		*out = (uint64_t)flag;
		return (1);
	default:
		return (value_count(e, v, n->min, n->max, out));
	}
}

int
value_address(struct errors *e, const struct text_value *v, struct net_addr *out)
{
	if (net_addr_parse(out, slice_str(v->text)) == E_OK)
		return (1);
	return (bad(e, v, "an IP address such as \"192.0.2.1\" or \"2001:db8::1\""));
}

int
value_bind(struct errors *e, const struct text_value *v, int is4, struct arena *mem, const char **out)
{
	struct net_addr	 ip;
	char		 own[NET_ADDR_STRLEN];

	if (v->text[0] == '\0') {
		*out = "";
		return (1);
	}
	if (net_addr_parse(&ip, slice_str(v->text)) != E_OK || net_addr_is4(&ip) != is4)
		return (bad(e, v, is4 ? "an IPv4 address of this machine" : "an IPv6 address of this machine"));
	*out = mem_strdup(mem, net_addr_str(&ip, own));
	return (1);
}

int
value_prefix(struct errors *e, const struct text_value *v, struct net_prefix *out)
{
	const char	*slash = strchr(v->text, '/');
	struct net_addr	 ip;

	if (net_prefix_parse(out, slice_str(v->text)) == E_OK)
		return (1);
	if (slash != NULL && net_addr_parse(&ip, slice_make(v->text, (size_t)(slash - v->text))) == E_OK &&
	    strspn(slash + 1, "0123456789") == strlen(slash + 1) && slash[1] != '\0')
		return (bad(e, v, "a prefix length of the address's size, and no bits set behind it"));
	return (bad(e, v, "an address or a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\""));
}

int
value_server(struct errors *e, const struct text_value *v, struct arena *mem, const char **out)
{
	const char	*at = strchr(v->text, '@');
	struct slice	 ip_text = slice_str(v->text);
	struct net_addr	 ip;
	char		 own[NET_ADDR_STRLEN], text[NET_ADDR_STRLEN + 8];
	uint64_t	 port = DNS_PORT;

	if (at != NULL)
		ip_text.n = (size_t)(at - v->text);
	if (net_addr_parse(&ip, ip_text) != E_OK || (at != NULL &&
	    (number_parse(&port, slice_str(at + 1), UINT16_MAX) != E_OK || port == 0)))
		return (bad(e, v, "an address and port such as \"192.0.2.1@53\""));
	snprintf(text, sizeof(text), "%s@%u", net_addr_str(&ip, own), (unsigned)port);
	*out = mem_strdup(mem, text);
	return (1);
}

int
value_hop(struct errors *e, const struct text_value *v, struct arena *mem, struct hop *out)
{
	const char	*why = "";

	if (hop_parse(out, mem, slice_str(v->text), &why) == E_OK)
		return (1);
	errors_add(e, v->line, "%s: \"%s\": %s", v->key, v->text, why);
	return (0);
}

int
value_path(struct errors *e, const struct text_value *v, size_t max, struct arena *mem, const char **out)
{
	const char	*why = conf_path_why(v->text, max, 0);

	if (why != NULL) {
		errors_add(e, v->line, "%s: \"%.300s\": %s (expected an absolute path of at most %zu octets)", v->key,
		    v->text, why, max);
		return (0);
	}
	*out = mem_strdup(mem, v->text);
	return (1);
}

int
value_mailbox(struct errors *e, const struct text_value *v, struct arena *mem, const char **out)
{
	struct addr	 a;
	const char	*why;

	if (v->text[0] == '\0') {
		*out = "";
		return (1);
	}
	if (addr_parse(&a, slice_str(v->text), &why) != E_OK) {
		errors_add(e, v->line, "%s: \"%s\": %s (expected an address such as \"postmaster@example.org\")",
		    v->key, v->text, why);
		return (0);
	}
	*out = mem_strdup(mem, a.text);
	return (1);
}

int
value_local(struct errors *e, const struct text_value *v, struct arena *mem, const char **out)
{
	char		 text[ADDRESS_MAX + 1], local[LOCAL_PART_MAX + 1];
	struct addr	 a;
	const char	*why = "local part longer than 64 octets";

	/* The one parser of addresses judges; the domain only makes it a whole address. */
	if ((size_t)snprintf(text, sizeof(text), "%s@d", v->text) >= sizeof(text) ||
	    addr_parse(&a, slice_str(text), &why) != E_OK) {
		errors_add(e, v->line, "%s: \"%s\": %s (expected the part of an address before the @)", v->key,
		    v->text, strchr(v->text, '@') != NULL ? "the domain stands in the section's title" : why);
		return (0);
	}
	addr_local_unquoted(&a, local);
	if (strchr(local, '@') != NULL)
		return (bad(e, v, "a local part without an @ in its quotes"));
	for (char *p = local; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	}
	*out = mem_strdup(mem, local);
	return (1);
}

int
value_domain(struct errors *e, int line, const char *what, const char *text, struct arena *mem, const char **out)
{
	char		 own[DOMAIN_MAX + 1];
	const char	*why;

	if (domain_parse_utf8(own, slice_str(text), &why) != E_OK) {
		errors_add(e, line, "%s \"%s\": %s (expected a domain name)", what, text, why);
		return (0);
	}
	*out = mem_strdup(mem, own);
	return (1);
}
