/*
 * query_test.c -- resolver/query.c, ub.c and event.c with libunbound and a small name server on
 * loopback in the same loop: statuses, sharing, deadlines, limits, and dead servers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unbound.h>
#include <uv.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/net.h"
#include "common/siphash.h"
#include "resolver/event.h"
#include "resolver/packet.h"
#include "resolver/query.h"
#include "resolver/ub.h"

static uv_loop_t		 loop;
static struct ub_event_base	*base;
static struct ub_ctx		*ctx;
static struct resolver		 res;

/* ---- a name server ---- */

static uv_udp_t	server;		/* of the stub zones */
static uv_udp_t	silent;		/* takes questions and says nothing */
static unsigned	asked_shared;	/* questions for shared.test A */

struct dns_reply {
	uint8_t	p[1024];
	size_t	n;
};

static void
put(struct dns_reply *r, const void *p, size_t n)
{
	assert_true(n <= sizeof(r->p) - r->n);
	memcpy(r->p + r->n, p, n);
	r->n += n;
}

static void
put16(struct dns_reply *r, unsigned v)
{
	uint8_t	b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(r, b, 2);
}

/* A record whose owner is the question. */
static void
put_rr(struct dns_reply *r, unsigned type, unsigned ttl, const void *data, size_t n, int section)
{
	put16(r, 0xc00c);
	put16(r, type);
	put16(r, 1);
	put16(r, 0);
	put16(r, ttl);
	put16(r, (unsigned)n);
	put(r, data, n);
	r->p[7 + 2 * section]++;
}

static int
label_is(const uint8_t *q, const char *label)
{
	size_t	n = strlen(label);

	return (q[12] == n && strncasecmp((const char *)q + 13, label, n) == 0);
}

/* The first label says what to answer. */
static void
answer(struct dns_reply *r, const uint8_t *q, unsigned type)
{
	static const uint8_t	mx[] = "\000\012\003mx1\004test\000";
	static const uint8_t	odd[] = "\000\012\003a b\004test\000";
	static const uint8_t	ptr[] = "\004host\004test\000";
	static const uint8_t	txt[] = "\006v=spf1\005 -all";
	static const uint8_t	alias[] = "\002v4\004test\000";
	static const uint8_t	soa[] = "\000\000\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\74";

	if (label_is(q, "nx"))
		r->p[3] |= RCODE_NXDOMAIN;
	else if (label_is(q, "servfail"))
		r->p[3] |= RCODE_SERVFAIL;
	else if (label_is(q, "refused"))
		r->p[3] |= RCODE_REFUSED;
	else if ((label_is(q, "v4") || label_is(q, "both") || label_is(q, "half") || q[13] == 'g') &&
	    type == RR_A)
		put_rr(r, RR_A, 60, "\300\000\002\001", 4, 0);
	else if (label_is(q, "both") && type == RR_AAAA)
		put_rr(r, RR_AAAA, 50, " \001\015\270\0\0\0\0\0\0\0\0\0\0\0\001", 16, 0);
	else if (label_is(q, "half") && type == RR_AAAA)
		r->p[3] |= RCODE_SERVFAIL;
	else if (label_is(q, "shared") && type == RR_A)
		put_rr(r, RR_A, 60, "\300\000\002\002", 4, 0);
	else if (label_is(q, "alias"))
		put_rr(r, RR_CNAME, 60, alias, sizeof(alias) - 1, 0);
	else if (label_is(q, "mail") && type == RR_MX)
		put_rr(r, RR_MX, 60, mx, sizeof(mx) - 1, 0);
	else if (label_is(q, "odd") && type == RR_MX)
		put_rr(r, RR_MX, 60, odd, sizeof(odd) - 1, 0);
	else if (label_is(q, "mail") && type == RR_TXT)
		put_rr(r, RR_TXT, 60, txt, sizeof(txt) - 1, 0);
	else if (label_is(q, "7") && type == RR_PTR)
		put_rr(r, RR_PTR, 60, ptr, sizeof(ptr) - 1, 0);
	if (r->p[7] == 0 && (r->p[3] & 0x0f) != RCODE_SERVFAIL)
		put_rr(r, RR_SOA, 60, soa, sizeof(soa) - 1, 1);
}

static void
on_sent(uv_udp_send_t *req, int status)
{
	free(req->data);
	free(req);
}

static void
on_question(uv_udp_t *u, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	const uint8_t	*q = (const uint8_t *)buf->base;
	struct dns_reply	*r;
	uv_udp_send_t	*req;
	uv_buf_t	 out;
	size_t		 end = 12;

	if (n < 17 || from == NULL)
		return;
	while (end < (size_t)n && q[end] != 0)
		end += 1 + (size_t)q[end];
	if (end + 5 > (size_t)n)
		return;
	if (label_is(q, "mute"))
		return;
	if (label_is(q, "shared") && q[end + 2] == RR_A)
		asked_shared++;
	r = calloc(1, sizeof(*r));
	req = calloc(1, sizeof(*req));
	assert_non_null(r);
	assert_non_null(req);
	put(r, q, end + 5);
	r->p[2] = 0x84 | (q[2] & 1);
	r->p[3] = 0;
	memset(r->p + 6, 0, 6);
	answer(r, q, (unsigned)q[end + 1] << 8 | q[end + 2]);
	req->data = r;
	out = uv_buf_init((char *)r->p, (unsigned)r->n);
	assert_int_equal(uv_udp_send(req, u, &out, 1, from, on_sent), 0);
}

static void
on_alloc(uv_handle_t *h, size_t want, uv_buf_t *buf)
{
	static char	room[65536];

	*buf = uv_buf_init(room, sizeof(room));
}

static unsigned
udp_open(uv_udp_t *u)
{
	struct sockaddr_in	sin;
	int			len = sizeof(sin);

	assert_int_equal(uv_udp_init(&loop, u), 0);
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &sin), 0);
	assert_int_equal(uv_udp_bind(u, (struct sockaddr *)&sin, 0), 0);
	assert_int_equal(uv_udp_getsockname(u, (struct sockaddr *)&sin, &len), 0);
	return (ntohs(sin.sin_port));
}

/* ---- one who asks ---- */

struct got {
	unsigned	n;
	uint8_t		status[8192];	/* by id */
	uint8_t		seen[8192];
	struct ipc_dns_answer last;
	struct dns_record rec[DNS_RECORDS_MAX];
};

static struct asker	asker;
static struct got	got;

static void
on_answer(struct asker *a, const struct ipc_dns_answer *m)
{
	assert_true(m->id < 8192);
	assert_false(got.seen[m->id]);	/* exactly one answer */
	got.seen[m->id] = 1;
	got.status[m->id] = m->status;
	got.n++;
	got.last = *m;
	if (m->nrec != 0)
		memcpy(got.rec, m->rec, m->nrec * sizeof(m->rec[0]));
	assert_int_equal(m->status == DNS_OK, m->nrec != 0);
}

static void
ask(uint32_t id, uint8_t type, const char *name, uint32_t timeout_ms)
{
	struct ipc_dns_query	q = { .id = id, .type = type, .timeout_ms = timeout_ms };

	(void)snprintf(q.name, sizeof(q.name), "%s", name);
	asker_ask(&asker, &q);
}

/* Turn the loop until n answers have come. */
static void
wait_for(unsigned n)
{
	uint64_t	end = uv_hrtime() + 30000000000ull;

	while (got.n < n) {
		assert_true(uv_hrtime() < end);
		(void)uv_run(&loop, UV_RUN_ONCE);
	}
}

static void
forget(void)
{
	memset(&got, 0, sizeof(got));
}

/* ---- tests ---- */

static void
statuses(void **state)
{
	static const struct {
		uint8_t		type;
		const char	*name;
		uint8_t		status;
		unsigned	nrec;
		const char	*reason;	/* a part of it */
	} t[] = {
		{ DNS_ADDR, "v4.test", DNS_OK, 1, "" },
		{ DNS_ADDR, "V4.Test", DNS_OK, 1, "" },
		{ DNS_ADDR, "both.test", DNS_OK, 2, "" },
		{ DNS_ADDR, "half.test", DNS_OK, 1, "" },	/* AAAA fails: what A says still counts */
		{ DNS_ADDR, "alias.test", DNS_OK, 1, "" },
		{ DNS_ADDR, "nothing.test", DNS_NODATA, 0, "" },
		{ DNS_ADDR, "nx.test", DNS_NXDOMAIN, 0, "" },
		{ DNS_ADDR, "servfail.test", DNS_FAILED, 0, "SERVFAIL" },
		{ DNS_ADDR, "refused.test", DNS_FAILED, 0, "SERVFAIL" },
		{ DNS_MX, "mail.test", DNS_OK, 1, "" },
		{ DNS_MX, "v4.test", DNS_NODATA, 0, "" },
		{ DNS_MX, "odd.test", DNS_FAILED, 0, "usable" },
		{ DNS_MX, "nx.test", DNS_NXDOMAIN, 0, "" },
		{ DNS_TXT, "mail.test", DNS_OK, 1, "" },
		{ DNS_TLSA, "_25._tcp.mail.test", DNS_NODATA, 0, "" },
		{ DNS_CNAME, "alias.test", DNS_OK, 1, "" },
		{ DNS_CNAME, "v4.test", DNS_NODATA, 0, "" },
		{ DNS_PTR, "192.0.2.7", DNS_OK, 1, "" },
		{ DNS_PTR, "192.0.2.8", DNS_NODATA, 0, "" },
		{ DNS_PTR, "nonsense", DNS_FAILED, 0, "not an address" },
		{ DNS_MX, "a..b", DNS_FAILED, 0, "not a domain" },
		{ DNS_MX, "a\nb", DNS_FAILED, 0, "not a domain" },
	};
	size_t	i;
	int	pass;

	for (pass = 0; pass < 2; pass++) {	/* from the server, then from the cache */
		for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			forget();
			ask(7, t[i].type, t[i].name, 0);
			wait_for(1);
			if (got.last.status != t[i].status || got.last.nrec != t[i].nrec ||
			    strstr(got.last.reason, t[i].reason) == NULL)
				fail_msg("%s type %u: status %u nrec %u reason \"%s\"", t[i].name,
				    t[i].type, got.last.status, got.last.nrec, got.last.reason);
			assert_int_equal(got.last.id, 7);
			assert_int_equal(got.last.secure, 0);
		}
	}
	assert_int_equal(res.count[COUNT_LOOKUPS], 0);
	assert_int_equal(res.count[COUNT_WAITING], 0);

	forget();
	ask(1, DNS_ADDR, "both.test", 0);
	assert_int_equal(got.n, 1);		/* at once: it is in the cache */
	assert_true(got.last.ttl <= 50);
	assert_true(net_addr_is4(&got.rec[0].addr));
	assert_false(net_addr_is4(&got.rec[1].addr));
	assert_string_equal(got.last.canonical, "");
	forget();
	ask(1, DNS_ADDR, "alias.test", 0);
	assert_string_equal(got.last.canonical, "v4.test");
	forget();
	ask(1, DNS_CNAME, "alias.test", 0);
	assert_string_equal(got.rec[0].ptr.host, "v4.test");
	assert_string_equal(got.last.canonical, "");
	forget();
	ask(1, DNS_MX, "mail.test", 0);
	assert_int_equal(got.rec[0].mx.pref, 10);
	assert_string_equal(got.rec[0].mx.host, "mx1.test");
	forget();
	ask(1, DNS_TXT, "mail.test", 0);
	assert_int_equal(got.rec[0].txt.len, 11);
	assert_memory_equal(got.rec[0].txt.data, "v=spf1 -all", 11);
	forget();
	ask(1, DNS_PTR, "192.0.2.7", 0);
	assert_string_equal(got.rec[0].ptr.host, "host.test");
}

static void
sharing(void **state)
{
	uint64_t	before = res.count[COUNT_SHARED];
	uint32_t	i;

	forget();
	for (i = 0; i < 10; i++)
		ask(i, DNS_ADDR, "shared.test", 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(res.count[COUNT_LOOKUPS], 1);
	wait_for(10);
	assert_int_equal(res.count[COUNT_SHARED] - before, 9);
	/* Once, or twice with the question that QNAME minimisation asks before it. */
	assert_in_range(asked_shared, 1, 2);
	for (i = 0; i < 10; i++)
		assert_int_equal(got.status[i], DNS_OK);
}

static void
deadlines(void **state)
{
	uint64_t	start, ms;

	forget();
	uv_update_time(&loop);		/* timers begin at the loop's idea of now, which may be old */
	start = uv_hrtime();
	ask(1, DNS_MX, "mute.dead.test", 120);
	ask(2, DNS_MX, "mute.dead.test", 60);
	wait_for(1);
	assert_int_equal(got.last.id, 2);
	wait_for(2);
	ms = (uv_hrtime() - start) / 1000000;
	assert_in_range(ms, 118, 2000);
	assert_int_equal(got.status[1], DNS_TIMED_OUT);
	assert_int_equal(got.status[2], DNS_TIMED_OUT);
	/* The work goes on, and a later question joins it. */
	assert_int_equal(res.count[COUNT_LOOKUPS], 1);
	assert_int_equal(res.count[COUNT_WAITING], 0);
	ask(3, DNS_MX, "mute.dead.test", 50);
	assert_int_equal(res.count[COUNT_LOOKUPS], 1);
	wait_for(3);
	assert_int_equal(got.status[3], DNS_TIMED_OUT);
}

/* A server that never answers ends as FAILED (never NXDOMAIN) when libunbound gives it up. */
static void
dead_server_fails(void **state)
{
	forget();
	ask(1, DNS_MX, "one.dead.test", 20000);
	wait_for(1);
	assert_int_equal(got.last.status, DNS_FAILED);
	assert_string_not_equal(got.last.reason, "");
}

static void
dead_does_not_delay(void **state)
{
	char		name[64];
	uint32_t	i;
	uint64_t	start, ms;

	forget();
	for (i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "d%u.dead.test", i);
		ask(i, DNS_ADDR, name, 20000);
	}
	start = uv_hrtime();
	for (i = 1000; i < 1200; i++) {
		(void)snprintf(name, sizeof(name), "g%u.test", i);
		ask(i, DNS_ADDR, name, 5000);
	}
	for (i = 1000; i < 1200; i++) {
		while (!got.seen[i])
			(void)uv_run(&loop, UV_RUN_ONCE);
		assert_int_equal(got.status[i], DNS_OK);
	}
	ms = (uv_hrtime() - start) / 1000000;
	assert_in_range(ms, 0, 1500);
	asker_clear(&asker);		/* nobody waits for the dead ones */
	assert_int_equal(res.count[COUNT_WAITING], 0);
	assert_int_equal(asker.nlookups, 0);
}

static void
overload(void **state)
{
	char		name[64];
	uint32_t	i;
	unsigned	over = 0;
	struct asker	second, third;
	struct ipc_dns_query	q = { .type = DNS_MX, .timeout_ms = 20000 };

	/* The lookups of the test before may still be there, begun for nobody. */
	forget();
	for (i = 0; i < DNS_LOOKUPS_PEER_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "m%u.mute.dead2.test", i);
		ask(i, DNS_MX, name, 20000);
		over += got.seen[i] && got.status[i] == DNS_OVERLOAD;
		if (i < DNS_LOOKUPS_PEER_MAX && got.seen[i])
			fail_msg("question %u was answered %u", i, got.status[i]);
	}
	assert_int_equal(over, 1);
	assert_int_equal(asker.nlookups, DNS_LOOKUPS_PEER_MAX);
	/* The same question again joins, it costs no lookup: up to DNS_WAITERS_PEER_MAX. */
	for (; asker.nwaiters < DNS_WAITERS_PEER_MAX; i++)
		ask(i, DNS_MX, "m0.mute.dead2.test", 20000);
	assert_int_equal(got.n, 1);
	ask(i, DNS_MX, "m0.mute.dead2.test", 20000);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.last.status, DNS_OVERLOAD);
	/* Another peer has a share of its own; both fill the table to DNS_LOOKUPS_MAX, and a third is told so. */
	asker_init(&second, &res, on_answer);
	asker_init(&third, &res, on_answer);
	for (i = 6000; res.count[COUNT_LOOKUPS] < DNS_LOOKUPS_MAX; i++) {
		(void)snprintf(q.name, sizeof(q.name), "m%u.mute.dead2.test", i);
		q.id = i;
		asker_ask(&second, &q);
		assert_int_equal(got.n, 2);
	}
	assert_int_equal(second.nlookups, i - 6000);
	(void)snprintf(q.name, sizeof(q.name), "m%u.mute.dead2.test", i);
	q.id = i;
	asker_ask(&third, &q);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.last.status, DNS_OVERLOAD);
	assert_int_equal(res.count[COUNT_LOOKUPS], DNS_LOOKUPS_MAX);
	asker_clear(&third);
	asker_clear(&second);
	asker_clear(&asker);
	/* A peer that comes anew finds the total still counted. */
	assert_true(res.count[COUNT_LOOKUPS] >= DNS_LOOKUPS_PEER_MAX);
	assert_int_equal(got.n, 3);
}

static void
server_addresses(void **state)
{
	struct net_addr	ip;
	uint16_t	port;

	assert_int_equal(ub_server_parse(&ip, &port, "192.0.2.1"), E_OK);
	assert_int_equal(port, 53);
	assert_int_equal(ub_server_parse(&ip, &port, "2001:db8::1@5353"), E_OK);
	assert_int_equal(port, 5353);
	assert_int_equal(ub_server_parse(&ip, &port, "192.0.2.1@0"), E_SYNTAX);
	assert_int_equal(ub_server_parse(&ip, &port, "192.0.2.1@65536"), E_SYNTAX);
	assert_int_equal(ub_server_parse(&ip, &port, "host@53"), E_SYNTAX);
}

static int
setup(void **state)
{
	static char		live[32], dead[32];
	static const char	*zone[] = { "test", "2.0.192.in-addr.arpa", "dead.test", "dead2.test" };
	static const char	*at[] = { live, live, dead, dead };
	struct conf		 c;
	uint64_t		 nofile;

	siphash_seed();
	if (uv_loop_init(&loop) != 0)
		return (-1);
	(void)snprintf(live, sizeof(live), "127.0.0.1@%u", udp_open(&server));
	(void)snprintf(dead, sizeof(dead), "127.0.0.1@%u", udp_open(&silent));
	if (uv_udp_recv_start(&server, on_alloc, on_question) != 0)
		return (-1);
	memset(&c, 0, sizeof(c));
	c.resolver.nstub = 4;
	c.resolver.stub_zone = zone;
	c.resolver.stub_server = at;
	c.resolver.trust_anchor = "";
	base = event_base_new(&loop);
	ctx = ub_context_new(base, &c, ub_sockets(&nofile));
	resolver_init(&res, &loop, ctx, 20000, UB_SOCKETS_MAX);
	asker_init(&asker, &res, on_answer);
	return (0);
}

/* Everything closes: what leaks is seen by the sanitizer, a handle left open by uv_loop_close(). */
static void
close_all(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static int
teardown(void **state)
{
	asker_clear(&asker);
	resolver_clear(&res);
	ub_ctx_delete(ctx);
	if (event_base_count(base) != 0)
		return (-1);
	uv_walk(&loop, close_all, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	event_base_free(base);
	return (uv_loop_close(&loop));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses), cmocka_unit_test(sharing), cmocka_unit_test(deadlines),
		cmocka_unit_test(dead_server_fails), cmocka_unit_test(dead_does_not_delay),
		cmocka_unit_test(overload), cmocka_unit_test(server_addresses),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
