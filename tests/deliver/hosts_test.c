/*
 * hosts_test.c -- from DNS answers to the order of hosts and addresses.
 *
 * MX lists are written "10 a,20 b", addresses "192.0.2.1 2001:db8::1"; the walk is written "a/192.0.2.1 ...".
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deliver/deliver_limits.h"
#include "deliver/hosts.h"

static struct dns_record rec[DNS_RECORDS_MAX + 8];
static struct conf_listener listeners[2];
static struct net_addr local[1];
static struct hosts_self self = { .hostname = "us.example", .nlisteners = 2, .listeners = listeners,
    .nlocal = 1, .local = local };

static struct net_addr
ip(const char *text)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse(&a, slice_str(text)), E_OK);
	return (a);
}

static int
setup(void **state)
{
	listeners[0].addr = ip("192.0.2.99");
	listeners[0].port = 25;
	listeners[1].addr = ip("0.0.0.0");
	listeners[1].port = 26;
	local[0] = ip("198.51.100.7");
	return (0);
}

static struct ipc_dns_answer
answer(enum dns_type type, enum dns_status status)
{
	struct ipc_dns_answer a = {
		.type = (uint8_t)type, .status = (uint8_t)status, .ttl = 300, .rec = rec
	};

	memset(rec, 0, sizeof(rec));
	return (a);
}

static struct ipc_dns_answer
mx(const char *list)
{
	struct ipc_dns_answer a = answer(DNS_MX, DNS_OK);
	unsigned pref;
	int used;

	while (*list != '\0') {
		assert_int_equal(sscanf(list, "%u%n", &pref, &used), 1);
		list += used + 1;
		rec[a.nrec].mx.pref = (uint16_t)pref;
		used = (int)strcspn(list, ",");
		memcpy(rec[a.nrec].mx.host, list, (size_t)used);
		list += used + (list[used] == ',');
		if (strcmp(rec[a.nrec].mx.host, ".") == 0)
			rec[a.nrec].mx.host[0] = '\0';
		a.nrec++;
	}
	return (a);
}

static struct ipc_dns_answer
addrs(const char *list)
{
	struct ipc_dns_answer a = answer(DNS_ADDR, DNS_OK);
	char one[64];
	size_t n;

	while (*list != '\0') {
		n = strcspn(list, " ");
		memcpy(one, list, n);
		one[n] = '\0';
		rec[a.nrec++].addr = ip(one);
		list += n + (list[n] == ' ');
	}
	return (a);
}

static const char *
walk(const struct hosts *h)
{
	static char text[8192];
	struct hosts_cursor c = { 0 };
	char a[NET_ADDR_STRLEN];
	size_t hi, ai, n = 0;

	text[0] = '\0';
	while (hosts_next(h, &c, &hi, &ai) == HOSTS_ADDR) {
		hosts_mark(&c, ai, 1);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s/%s", n != 0 ? " " : "",
		    h->host[hi].name, net_addr_str(&h->host[hi].addr[ai], a));
	}
	return (text);
}

static size_t
host_at(const struct hosts *h, const char *name)
{
	for (size_t i = 0; i < h->nhost; i++) {
		if (strcmp(h->host[i].name, name) == 0)
			return (i);
	}
	fail_msg("no host %s", name);
	return (0);
}

static void
set(struct hosts *h, const char *name, struct ipc_dns_answer a)
{
	assert_int_equal(hosts_set_addrs(h, host_at(h, name), &a, &self, 0), E_OK);
}

static void
refusals(void **state)
{
	static const struct {
		int status;
		const char *list;
		enum outcome out;
		struct enhanced e;
	} t[] = {
		{ DNS_NXDOMAIN, "", OUT_PERMFAIL, { 5, 1, 2 } },
		{ DNS_OK, "0 .", OUT_PERMFAIL, { 5, 1, 10 } },
		{ DNS_FAILED, "", OUT_TEMPFAIL, { 4, 4, 3 } },
		{ DNS_BOGUS, "", OUT_TEMPFAIL, { 4, 4, 3 } },
		{ DNS_TIMED_OUT, "", OUT_TEMPFAIL, { 4, 4, 3 } },
		{ DNS_OVERLOAD, "", OUT_TEMPFAIL, { 4, 4, 3 } },
		{ DNS_OK, "10 us.example", OUT_PERMFAIL, { 5, 4, 6 } },
		{ DNS_OK, "10 us.example,10 b,20 c", OUT_PERMFAIL, { 5, 4, 6 } },
	};
	struct hosts_fail f;
	struct hosts h;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct ipc_dns_answer a = mx(t[i].list);

		a.status = (uint8_t)t[i].status;
		snprintf(a.reason, sizeof(a.reason), "because");
		hosts_init(&h, HOP_MX, 25);
		assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
		assert_string_equal(walk(&h), "");
		hosts_why(&h, &f);
		assert_int_equal(f.outcome, t[i].out);
		assert_int_equal(f.enhanced.cls, t[i].e.cls);
		assert_int_equal(f.enhanced.subject, t[i].e.subject);
		assert_int_equal(f.enhanced.detail, t[i].e.detail);
		assert_int_equal(strstr(f.text, "because") != NULL, t[i].e.detail == 3);
		hosts_clear(&h);
	}
}

static void
implicit(void **state)
{
	struct hosts h;
	struct hosts_fail f;
	struct ipc_dns_answer a = answer(DNS_MX, DNS_NODATA);
	struct hosts_cursor c = { 0 };
	size_t hi, ai;

	hosts_init(&h, HOP_MX, 25);
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);
	set(&h, "d.example", addrs("192.0.2.1"));
	assert_string_equal(walk(&h), "d.example/192.0.2.1");
	hosts_clear(&h);

	hosts_init(&h, HOP_MX, 25);
	a = answer(DNS_MX, DNS_NODATA);
	assert_int_equal(hosts_from_mx(&h, "us.example", &a, &self, 1), E_OK);
	hosts_why(&h, &f);
	assert_int_equal(f.enhanced.detail, 6);
	hosts_clear(&h);
}

static void
order(void **state)
{
	struct hosts h;
	struct ipc_dns_answer a;
	uint64_t provider = 0;
	int first[3] = { 0 };

	for (uint64_t seed = 1; seed <= 600; seed++) {
		a = mx(seed % 2 ? "10 b,5 x,10 a,10 c,20 z" : "20 z,10 c,10 a,10 b,5 x");
		hosts_init(&h, HOP_MX, 25);
		assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, seed), E_OK);
		assert_int_equal(h.nhost, 5);
		assert_string_equal(h.host[0].name, "x");
		assert_string_equal(h.host[4].name, "z");
		first[h.host[1].name[0] - 'a']++;
		if (seed == 1)
			provider = h.provider;
		assert_int_equal(h.provider, provider);
		hosts_clear(&h);
	}
	for (int i = 0; i < 3; i++)		/* a third each */
		assert_in_range(first[i], 140, 260);
	a = mx("5 y");
	hosts_init(&h, HOP_MX, 25);
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	assert_int_not_equal(h.provider, provider);
	hosts_clear(&h);
}

/* Each preference waits for its own hosts only. */
static void
waits(void **state)
{
	struct hosts h;
	struct ipc_dns_answer a = mx("10 a,20 b");
	struct hosts_cursor c = { 0 };
	size_t hi, ai;

	hosts_init(&h, HOP_MX, 25);
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);
	set(&h, "a", addrs("192.0.2.1"));
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	hosts_mark(&c, ai, 1);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);
	set(&h, "b", answer(DNS_ADDR, DNS_FAILED));
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_END);
	hosts_clear(&h);
}

static void
families(void **state)
{
	static const struct { const char *in; int prefer4; const char *want; } t[] = {
		{ "192.0.2.1 192.0.2.2 2001:db8::1", 0, "a/2001:db8::1 a/192.0.2.1 a/192.0.2.2" },
		{ "192.0.2.1 192.0.2.2 2001:db8::1", 1, "a/192.0.2.1 a/2001:db8::1 a/192.0.2.2" },
		{ "2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1", 1,
		    "a/192.0.2.1 a/2001:db8::1 a/2001:db8::2 a/2001:db8::3" },
		{ "192.0.2.1", 0, "a/192.0.2.1" },
		{ "2001:db8::1", 1, "a/2001:db8::1" },
	};
	struct hosts h;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct ipc_dns_answer a = addrs(t[i].in);

		hosts_init(&h, HOP_SMTP, 25);
		assert_int_equal(hosts_from_name(&h, "a"), E_OK);
		assert_int_equal(hosts_set_addrs(&h, 0, &a, &self, t[i].prefer4), E_OK);
		assert_string_equal(walk(&h), t[i].want);
		hosts_clear(&h);
	}
}

/* Who is us: by listener, by any address of this machine where we listen on all, by 0.0.0.0; the port counts. */
static void
loops(void **state)
{
	static const struct { const char *addr; uint16_t port; int loop; } t[] = {
		{ "192.0.2.99", 25, 1 }, { "192.0.2.99", 26, 0 }, { "192.0.2.98", 25, 0 },
		{ "127.0.0.1", 26, 1 }, { "127.0.0.1", 25, 0 }, { "198.51.100.7", 26, 1 },
		{ "198.51.100.7", 25, 0 }, { "0.0.0.0", 25, 1 }, { "::", 9, 1 },
	};
	struct hosts_fail f;
	struct hosts h;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct net_addr a = ip(t[i].addr);

		hosts_init(&h, HOP_SMTP, t[i].port);
		assert_int_equal(hosts_from_addr(&h, &a, &self), E_OK);
		assert_int_equal(h.failed, t[i].loop);
		if (t[i].loop) {
			hosts_why(&h, &f);
			assert_int_equal(f.outcome, OUT_TEMPFAIL);	/* a hop can be corrected */
			assert_int_equal(f.enhanced.detail, 6);
		}
		hosts_clear(&h);
	}
	/* In an MX list: it and the less preferred are cut off, the better one stays. */
	struct ipc_dns_answer m = mx("10 a,20 b,20 b2,30 c");
	hosts_init(&h, HOP_MX, 25);
	assert_int_equal(hosts_from_mx(&h, "d.example", &m, &self, 7), E_OK);
	set(&h, "c", addrs("192.0.2.3"));
	set(&h, "a", addrs("192.0.2.1"));
	set(&h, "b2", addrs("192.0.2.2"));
	set(&h, "b", addrs("192.0.2.4 192.0.2.99"));
	assert_string_equal(walk(&h), "a/192.0.2.1");
	hosts_clear(&h);
}

static void
no_addresses(void **state)
{
	struct ipc_dns_answer a = mx("10 a,20 b");
	struct hosts_fail f;
	struct hosts h;

	hosts_init(&h, HOP_MX, 25);
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	set(&h, "a", answer(DNS_ADDR, DNS_NXDOMAIN));
	set(&h, "b", answer(DNS_ADDR, DNS_NODATA));
	assert_string_equal(walk(&h), "");
	hosts_why(&h, &f);
	assert_int_equal(f.outcome, OUT_PERMFAIL);
	assert_int_equal(f.enhanced.detail, 4);
	set(&h, "b", answer(DNS_ADDR, DNS_FAILED));
	hosts_why(&h, &f);
	assert_int_equal(f.outcome, OUT_TEMPFAIL);
	hosts_clear(&h);

	hosts_init(&h, HOP_SMTP, 25);
	assert_int_equal(hosts_from_name(&h, "hop"), E_OK);
	set(&h, "hop", answer(DNS_ADDR, DNS_NXDOMAIN));
	hosts_why(&h, &f);
	assert_int_equal(f.outcome, OUT_TEMPFAIL);
	hosts_clear(&h);
}

/* MX_MAX and ADDRS_MAX at limit - 1, limit, limit + 1. */
static void
limits(void **state)
{
	struct ipc_dns_answer a;
	struct hosts h;

	for (int n = MX_MAX - 1; n <= MX_MAX + 1; n++) {
		a = answer(DNS_MX, DNS_OK);
		a.nrec = (uint16_t)n;
		for (int i = 0; i < n; i++) {
			memset(rec[i].mx.host, 'a' + i % 26, DOMAIN_MAX);
			rec[i].mx.host[0] = (char)('a' + i / 26);
		}
		hosts_init(&h, HOP_MX, 25);
		assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
		assert_int_equal(h.nhost, n > MX_MAX ? MX_MAX : n);
		for (size_t i = 0; i < h.nhost; i++) {
			struct ipc_dns_answer b = answer(DNS_ADDR, DNS_OK);

			b.nrec = ADDRS_MAX;
			for (int k = 0; k < ADDRS_MAX; k++) {
				rec[k].addr = ip("192.0.2.1");
				rec[k].addr.a[15] = (uint8_t)(k + 1);
			}
			assert_int_equal(hosts_set_addrs(&h, i, &b, &self, 0), E_OK);
		}
		hosts_clear(&h);
	}
	for (int n = ADDRS_MAX - 1; n <= ADDRS_MAX + 1; n++) {
		a = answer(DNS_ADDR, DNS_OK);
		a.nrec = (uint16_t)n;
		for (int i = 0; i < n; i++) {
			rec[i].addr = ip("192.0.2.1");
			rec[i].addr.a[15] = (uint8_t)(i + 1);
		}
		hosts_init(&h, HOP_SMTP, 25);
		assert_int_equal(hosts_from_name(&h, "a"), E_OK);
		assert_int_equal(hosts_set_addrs(&h, 0, &a, &self, 0), E_OK);
		assert_int_equal(h.host[0].naddr, n > ADDRS_MAX ? ADDRS_MAX : n);
		hosts_clear(&h);
	}
}

/* An address that was cut off by a faster one may be tried again. */
static void
untried(void **state)
{
	struct hosts_cursor c = { 0 };
	size_t hi, ai;
	struct hosts h;

	hosts_init(&h, HOP_SMTP, 25);
	assert_int_equal(hosts_from_name(&h, "a"), E_OK);
	set(&h, "a", addrs("192.0.2.1 192.0.2.2"));
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	hosts_mark(&c, 0, 1);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	assert_int_equal(ai, 1);
	hosts_mark(&c, 1, 1);
	hosts_mark(&c, 0, 0);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	assert_int_equal(ai, 0);
	hosts_clear(&h);
}

/* Nobody is dialled before his TLSA records are known; the other hosts do not wait for them (RFC 7672 2.2.2). */
static void
dane(void **state)
{
	struct ipc_dns_answer a = mx("10 a.example,20 b.example"), t;
	struct hosts_cursor c = { 0 };
	enum dns_type type;
	struct hosts h;
	size_t hi, ai;

	hosts_init(&h, HOP_MX, 2525);
	h.dane = 1;
	a.secure = 1;
	snprintf(a.canonical, sizeof(a.canonical), "end.example");
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	assert_int_equal(h.mx_secure, 1);
	assert_null(hosts_dane_question(&h, 0, &type));
	a = addrs("192.0.2.1");
	a.secure = 1;
	set(&h, "a.example", a);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);
	assert_string_equal(hosts_dane_question(&h, 0, &type), "_2525._tcp.a.example");
	assert_int_equal(type, DNS_TLSA);
	t = answer(DNS_TLSA, DNS_OK);
	t.secure = 1;
	t.ttl = 9;
	t.nrec = 1;
	rec[0].tlsa.usage = 3;
	rec[0].tlsa.selector = rec[0].tlsa.matching = 1;
	rec[0].tlsa.len = 32;
	hosts_dane_answer(&h, 0, &t);
	assert_null(hosts_dane_question(&h, 0, &type));
	hosts_dane_answer(&h, 0, &t);		/* one too many */
	assert_int_equal(h.host[0].dane.status, DANE_USABLE);
	assert_int_equal(h.host[0].dane.nnames, 3);
	assert_string_equal(h.host[0].dane.names[1], "d.example");
	assert_string_equal(h.host[0].dane.names[2], "end.example");
	assert_int_equal(h.ttl, 9);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	hosts_mark(&c, ai, 1);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);	/* b's addresses */

	/* An alias that may be signed by itself; and a failure is for the next attempt to ask again. */
	a = addrs("192.0.2.2");
	snprintf(a.canonical, sizeof(a.canonical), "b.example.org");
	set(&h, "b.example", a);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_WAIT);
	assert_string_equal(hosts_dane_question(&h, 1, &type), "b.example");
	assert_int_equal(type, DNS_CNAME);
	t = answer(DNS_CNAME, DNS_OK);
	t.secure = 1;
	hosts_dane_answer(&h, 1, &t);
	assert_string_equal(hosts_dane_question(&h, 1, &type), "_2525._tcp.b.example");
	t = answer(DNS_TLSA, DNS_BOGUS);
	hosts_dane_answer(&h, 1, &t);
	assert_int_equal(h.host[1].dane.status, DANE_FAILED);
	assert_int_equal(h.ttl, 0);
	assert_int_equal(hosts_next(&h, &c, &hi, &ai), HOSTS_ADDR);
	hosts_clear(&h);

	/* Unsigned, or not wanted: no question. */
	for (int wanted = 0; wanted <= 1; wanted++) {
		hosts_init(&h, HOP_SMTP, 25);
		h.dane = wanted;
		assert_int_equal(hosts_from_name(&h, "a.example"), E_OK);
		a = addrs("192.0.2.1");
		a.secure = !wanted;
		set(&h, "a.example", a);
		assert_null(hosts_dane_question(&h, 0, &type));
		assert_string_equal(walk(&h), "a.example/192.0.2.1");
		assert_int_equal(h.host[0].dane.status, DANE_NONE);
		assert_int_equal(h.host[0].dane.why[0] != '\0', wanted);
		hosts_clear(&h);
	}
	/* Memory for its addresses, and none for the search: not as if there were no records (R12, G7). */
	hosts_init(&h, HOP_SMTP, 25);
	h.dane = 1;
	assert_int_equal(hosts_from_name(&h, "a.example"), E_OK);
	h.mem.cap = h.mem.used + 64;
	a = addrs("192.0.2.1");
	a.secure = 1;
	set(&h, "a.example", a);
	assert_int_equal(h.host[0].state, HOST_GOOD);
	assert_int_equal(h.host[0].dane.status, DANE_FAILED);
	assert_string_equal(h.host[0].dane.why, "out of memory");
	assert_int_equal(h.ttl, 0);
	hosts_clear(&h);
	/* A host that is cut off while its records are asked for. */
	a = mx("10 a.example,10 b.example");
	hosts_init(&h, HOP_MX, 25);
	h.dane = 1;
	assert_int_equal(hosts_from_mx(&h, "d.example", &a, &self, 1), E_OK);
	a = addrs("192.0.2.1");
	a.secure = 1;
	set(&h, "a.example", a);
	set(&h, "b.example", addrs("192.0.2.99"));
	assert_int_equal(h.nhost, 0);
	hosts_dane_answer(&h, 0, &t);
	hosts_dane_answer(&h, 1, &t);
	assert_null(hosts_dane_question(&h, 0, &type));
	hosts_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(implicit),
		cmocka_unit_test(order),
		cmocka_unit_test(waits),
		cmocka_unit_test(families),
		cmocka_unit_test(loops),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(limits),
		cmocka_unit_test(untried),
		cmocka_unit_test(dane),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
