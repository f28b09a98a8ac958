/*
 * conf_cidr_fuzz.c -- cidr: files.  Oracle: as in conf_table_oracle.h; and if the lines are plain networks with
 * their action, each address in and around them gets the first line that holds it.
 */
#include "tests/fuzz/conf_table_oracle.h"

#include "common/net.h"

#define NETS_MAX	64

/* The networks of the text, one a line; -1 if there is anything else in it. */
static int
plain_nets(struct net_prefix nets[NETS_MAX], const uint8_t *data, size_t size)
{
	const char	*p = (const char *)data, *end, *blank;
	int		 n = 0;

	for (; size != 0; p = end + 1, size -= size != 0) {
		if ((end = memchr(p, '\n', size)) == NULL || n == NETS_MAX)
			return (-1);
		size -= (size_t)(end - p);
		if ((blank = memchr(p, ' ', (size_t)(end - p))) == NULL ||
		    net_prefix_parse(&nets[n], slice_make(p, (size_t)(blank - p))) != E_OK)
			return (-1);
		n++;
	}
	return (n);
}

static void
ask(const struct table *t, const struct net_prefix *nets, int n, const struct net_addr *a)
{
	struct table_value	 v;
	int			 want = 0, err = table_get_net(t, a, &v);

	while (want < n && !net_prefix_has(&nets[want], a))
		want++;
	MUST(err == (want < n ? E_OK : E_NOTFOUND));
	MUST(err != E_OK || v.line == (uint32_t)want + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char	 conf[] = "client-access-file = \"cidr:/t\"\n";
	struct net_prefix	 nets[NETS_MAX];
	struct net_addr		 a;
	struct conf		*c;
	int			 n;

	table_oracle(conf, data, size);
	if (size > TEXT_MAX || (n = plain_nets(nets, data, size)) < 0 || (c = oracle_build(conf, data, size)) == NULL)
		return (0);
	for (int i = 0; i < n; i++) {
		for (int edge = 0; edge < 4; edge++) {
			a = nets[i].addr;
			for (unsigned bit = nets[i].len; edge % 2 == 1 && bit < 128; bit++)
				a.a[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
			for (size_t k = 16; edge >= 2 && k-- > 0; ) {
				a.a[k] = (uint8_t)(a.a[k] + (edge == 2 ? -1 : 1));
				if (a.a[k] != (edge == 2 ? 0xff : 0))
					break;
			}
			ask(&c->tables.client_access, nets, n, &a);
		}
	}
	conf_free(c);
	return (0);
}
