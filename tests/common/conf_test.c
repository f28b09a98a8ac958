/* conf_test.c -- the snapshot: look-ups, routes, hops, and what unpack refuses. */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/common/conf_kit.h"

static struct conf_domain domains[] = {
	{ .name = "all.test", .deliver = { HOP_SMTP, "::1", 24, "", "", 0 }, .all = 1, .catch_all = "" },
	{ .name = "final.test", .deliver = { HOP_MAILDIR, "", 0, "/mail/%d/%u", "", 0 }, .catch_all = "x@y.test" },
	{ .name = "relay.test", .relay = 1, .catch_all = "", .verify = 1, .deliver = { HOP_MX, "", 25, "", "", 0 } },
};
static struct conf_route routes[] = {
	{ "mx.test", { HOP_MX, "", 25, "", "", 0 } }, { "relay.test", { HOP_SMTP, "10.0.0.1", 26, "", "", 0 } },
	{ "*", { HOP_SMTP, "smart.test", 25, "", "", 0 } },
};
static struct conf_listener listeners[] = {
	{ .name = "mx", .path = "", .port = 25, .connections = 10, .per_address = 5, .per_prefix = 6 },
};
static char der[] = "\x30\x02\x05\x00\x30\x81\x01\x00";	/* two sequences */
static const char *cert_names[] = { "mx.test", "*.mx.test" };
static struct conf_cert certs[] = {
	{ .name = "mx.test", .certificate_path = "/rsa.pem", .key_path = "/rsa.key", .chain = { der, 8 },
	  .spki = { 1, 2 }, .nnames = 2, .names = cert_names },
	{ .name = "mx.test", .certificate_path = "/ec.pem", .key_path = "/ec.key", .chain = { der, 4 } },
};
static uint32_t retry[] = { 60, 300 };
static const char *forward[] = { "127.0.0.1@53" }, *zone[] = { "z.test" }, *server[] = { "::1@5353" };
static struct net_prefix	relay_from;

static struct conf
sample(void)
{
	struct conf	 c = {
		.hostname = "mx.test", .directory = "/var/lib/postern", .runtime = "/run/postern",
		.user_prefix = "postern-", .log = LOG_TO_STDERR, .postmaster = "root@final.test",
		.recipient_delimiter = "+-",
		.nrelay_from = 1, .relay_from = &relay_from, .nlisteners = 1, .listeners = listeners,
		.ncerts = 2, .certs = certs, .tls_level = TLS_OLD,
		.ndomains = 3, .domains = domains, .nroutes = 3, .routes = routes,
		.queue = { .nretry = 2, .retry = retry }, .deliver = { .bind4 = "192.0.2.1", .bind6 = "" },
		.resolver = { .nforward = 1, .forward = forward, .nstub = 1, .stub_zone = zone,
		    .stub_server = server, .trust_anchor = ". IN DS 1 2 3 AB\n" },
		.auth = { .passwd_path = "", .dovecot_path = "", .pam_service = "" },
	};

	kit_numbers(&c);
	net_prefix_parse(&relay_from, SLICE_LIT("10.0.0.0/8"));
	return (c);
}

static void
test_round_trip(void **state)
{
	struct conf	 c = sample(), *back = kit_round_trip(&c);

	(void)state;
	assert_string_equal(back->domains[1].catch_all, "x@y.test");
	assert_int_equal(back->deliver.timeouts.data_end, 600);
	assert_int_equal(back->deliver.port, 25);
	assert_int_equal(back->queue.store_max, 64ull << 30);
	assert_string_equal(back->resolver.trust_anchor, ". IN DS 1 2 3 AB\n");
	assert_int_equal(back->tls_level, TLS_OLD);
	assert_int_equal(back->ncerts, 2);
	assert_true(slice_eq(back->certs[0].chain, certs[0].chain));
	assert_memory_equal(back->certs[0].spki, certs[0].spki, SPKI_HASH_LEN);
	assert_string_equal(back->certs[0].names[1], "*.mx.test");
	assert_string_equal(back->certs[1].key_path, "/ec.key");
	conf_free(back);
}

static void
test_refused(void **state)
{
	struct conf	 c = sample();
	const char	*keep;

	(void)state;
	assert_int_equal(unpacks(&c), E_OK);
	REFUSED(c.hostname, "MX.test");
	REFUSED(c.hostname, "");
	REFUSED(c.hostname, "mx.test.");
	REFUSED(c.directory, "var");
	REFUSED(c.directory, "/a/../b");
	REFUSED(c.runtime, "/a\nb");
	REFUSED(c.user_prefix, "Postern-");
	REFUSED(c.log, (enum log_kind)2);
	REFUSED(c.postmaster, "nobody");
	REFUSED(c.postmaster, "a@B.test");
	REFUSED(relay_from.addr.a[15], 1);
	REFUSED(relay_from.len, 129);
	REFUSED(c.queue.retry[1], 0);
	REFUSED(c.queue.nretry, 0);
	REFUSED(c.queue.reserve, c.queue.store_max);
	REFUSED(c.deliver.bind4, "::1");
	REFUSED(c.deliver.bind6, "1.2.3.4");
	REFUSED(c.resolver.trust_anchor, "\r");
	REFUSED(forward[0], "127.0.0.1");
	REFUSED(forward[0], "127.0.0.1@0");
	REFUSED(forward[0], "127.0.0.1@65536");
	REFUSED(zone[0], "-z");
	REFUSED(c.recipient_delimiter, "++");
	REFUSED(c.recipient_delimiter, "@");
	REFUSED(c.smtpd.line_max, SMTPD_LINE_LEAST - 1);
	REFUSED(domains[1].catch_all, "x");
	REFUSED(domains[1].verify, 1);
	REFUSED(domains[2].catch_all, "x@y.test");
	REFUSED(domains[2].aliases.id, 1);
	REFUSED(domains[0].recipients.id, 1);
	REFUSED(domains[1].name, "all.test");
	REFUSED(domains[1].deliver.path, "/%u");
	REFUSED(domains[1].deliver.path, "/mail/x%u");
	REFUSED(domains[1].deliver.port, 1);
	REFUSED(domains[0].deliver.host, "0::1");
	REFUSED(domains[0].deliver.kind, HOP_MX);
	REFUSED(domains[2].relay, 0);
	REFUSED(domains[2].relay, 2);
	REFUSED(domains[2].verify, 2);
	REFUSED(routes[0].name, "*");
	REFUSED(routes[0].via.port, 24);
	REFUSED(routes[2].via.kind, HOP_KINDS);
	REFUSED(listeners[0].name, "a b");
	REFUSED(listeners[0].port, 0);
	REFUSED(listeners[0].path, "/x");
	REFUSED(listeners[0].kind, LISTEN_UNIX);
	REFUSED(listeners[0].everybody, 1);
	REFUSED(listeners[0].lmtp, 2);
	REFUSED(listeners[0].tls, LISTEN_TLS_KINDS);
	REFUSED(c.tls_level, TLS_LEVELS);
	REFUSED(certs[0].name, "mx..test");
	REFUSED(certs[1].certificate_path, "rsa.pem");
	REFUSED(certs[0].key_path, "");
	REFUSED(cert_names[0], "Mx.test");
	REFUSED(cert_names[1], "*.*.test");
	REFUSED(cert_names[1], "*");
	REFUSED(certs[0].chain.n, 0);
	REFUSED(certs[0].chain.n, 7);	/* the last sequence is cut */
	REFUSED(der[0], 0x31);
	REFUSED(der[1], '\x80');		/* a length that is not told */
	REFUSED(der[1], '\x84');
	REFUSED(der[1], 3);		/* the next is no sequence */
	REFUSED(der[5], '\x85');
	listeners[0].tls = LISTEN_REQUIRE;
	REFUSED(c.ncerts, 0);		/* TLS without a certificate */
	listeners[0].tls = LISTEN_CLEAR;
	REFUSED(listeners[0].connections, 0);
	REFUSED(listeners[0].connections, LISTENER_CONNECTIONS_MAX + 1);
	keep = routes[1].name;	/* out of order */
	REFUSED(routes[1].name, "a.test");
	assert_ptr_equal(routes[1].name, keep);
}

/* How many there may be, at limit - 1, limit and limit + 1; what a daemon is handed is checked again there. */
static void
test_counts(void **state)
{
	static struct conf_listener	 many_listeners[LISTENERS_MAX + 1];
	static struct net_prefix	 many_prefixes[RELAY_FROM_MAX + 1];
	static uint32_t			 steps[RETRY_STEPS_MAX + 1];
	static const char		*servers[FORWARDS_MAX + 1], *zones[FORWARDS_MAX + 1];
	static char			 anchor[TRUST_ANCHOR_MAX + 2], names[LISTENERS_MAX + 1][24];
	struct conf			 c = sample();

	(void)state;
	for (size_t i = 0; i < LISTENERS_MAX + 1; i++) {
		many_listeners[i] = listeners[0];
		snprintf(names[i], sizeof(names[i]), "l%zu", i);
		many_listeners[i].name = names[i];
	}
	for (size_t i = 0; i < RELAY_FROM_MAX + 1; i++)
		many_prefixes[i] = relay_from;
	for (size_t i = 0; i < RETRY_STEPS_MAX + 1; i++)
		steps[i] = RETRY_STEP_MAX;
	for (size_t i = 0; i < FORWARDS_MAX + 1; i++) {
		servers[i] = server[0];
		zones[i] = zone[0];
	}
	c.listeners = many_listeners;
	c.relay_from = many_prefixes;
	c.queue.retry = steps;
	c.resolver.forward = servers;
	c.resolver.stub_zone = zones;
	c.resolver.stub_server = servers;
	COUNTED(c.nlisteners, LISTENERS_MAX);
	COUNTED(c.nrelay_from, RELAY_FROM_MAX);
	COUNTED(c.queue.nretry, RETRY_STEPS_MAX);
	COUNTED(c.resolver.nforward, FORWARDS_MAX);
	COUNTED(c.resolver.nstub, FORWARDS_MAX);
	COUNTED(many_listeners[0].connections, LISTENER_CONNECTIONS_MAX);
	COUNTED(many_listeners[0].per_address, LISTENER_CONNECTIONS_MAX);
	COUNTED(many_listeners[0].per_prefix, LISTENER_CONNECTIONS_MAX);
	COUNTED(steps[0], RETRY_STEP_MAX);
	for (size_t n = TRUST_ANCHOR_MAX - 1; n <= TRUST_ANCHOR_MAX + 1; n++) {
		memset(anchor, '\n', n);
		anchor[n] = '\0';
		c.resolver.trust_anchor = anchor;
		assert_int_equal(unpacks(&c), n <= TRUST_ANCHOR_MAX ? E_OK : E_PROTO);
	}
}

static void
test_tls_counts(void **state)
{
	static struct conf_cert	 many[CERTS_MAX + 1];
	static const char	*names[CERT_NAMES_MAX + 1];
	static char		 chain[CHAIN_MAX + 1];
	struct conf		 c = sample();

	(void)state;
	for (size_t i = 0; i < CERTS_MAX + 1; i++)
		many[i] = certs[1];
	for (size_t i = 0; i < CERT_NAMES_MAX + 1; i++)
		names[i] = "mx.test";
	c.certs = many;
	c.ncerts = 1;
	COUNTED(c.ncerts, CERTS_MAX);
	many[0].names = names;
	COUNTED(many[0].nnames, CERT_NAMES_MAX);
	many[0].chain = slice_make(chain, 0);
	for (size_t n = CHAIN_CERTS_MAX - 1; n <= CHAIN_CERTS_MAX + 1; n++) {
		for (size_t i = 0; i < n; i++)
			memcpy(chain + 3 * i, "\x30\x01\x05", 3);
		many[0].chain.n = 3 * n;
		assert_int_equal(unpacks(&c), n <= CHAIN_CERTS_MAX ? E_OK : E_PROTO);
	}
	for (size_t n = CHAIN_MAX - 1; n <= CHAIN_MAX + 1; n++) {
		memcpy(chain, (unsigned char[]){ 0x30, 0x83, (n - 5) >> 16 & 0xff, (n - 5) >> 8 & 0xff, (n - 5) & 0xff }, 5);
		many[0].chain.n = n;
		assert_int_equal(unpacks(&c), n <= CHAIN_MAX ? E_OK : E_PROTO);
	}
}

/* Each number of the table at min-1, min, max and max+1. */
static void
test_ranges(void **state)
{
	struct conf	 c;

	(void)state;
	for (size_t i = 0; i < conf_nnumbers; i++) {
		const struct conf_number	*n = &conf_numbers[i];
		int				 other = strcmp(n->key, "reserve") == 0;

		c = sample();
		if (other)
			c.queue.store_max = 1ull << 46;
		if (strcmp(n->key, "store-max") == 0)
			c.queue.reserve = 64 << 10;
		conf_number_set(&c, n, n->min);
		assert_int_equal(conf_number_get(&c, n), n->min);
		assert_int_equal(unpacks(&c), E_OK);
		conf_number_set(&c, n, n->max);
		assert_int_equal(unpacks(&c), E_OK);
		assert_true(n->def >= n->min && n->def <= n->max);
		assert_ptr_equal(conf_number_find(n->section, n->key), n);
		if (n->min > 0) {
			conf_number_set(&c, n, n->min - 1);
			assert_int_equal(unpacks(&c), E_PROTO);
		}
		if (n->width == 2 && n->max == UINT16_MAX)
			continue;
		conf_number_set(&c, n, n->max + 1);
		assert_int_equal(unpacks(&c), E_PROTO);
	}
}

static void
test_lookups(void **state)
{
	static const struct { const char *domain, *hop; } cases[] = {
		{ "all.test", "smtp:[::1]:24" }, { "final.test", "maildir:/mail/%d/%u" }, { "mx.test", "mx" },
		{ "relay.test", "smtp:[10.0.0.1]:26" }, { "other.test", "smtp:[smart.test]:25" },
		{ "[192.0.2.1]", "smtp:[smart.test]:25" }, { "*", "smtp:[smart.test]:25" },
	};
	struct conf	 c = sample();
	struct net_addr	 ip;
	struct hop	 hop;
	char		 text[128];

	(void)state;
	c.deliver.port = 2526;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf_route(&c, cases[i].domain, &hop);
		assert_string_equal(hop_str(&hop, text, sizeof(text)), cases[i].hop);
		if (hop.kind == HOP_MX)
			assert_int_equal(hop.port, 2526);
	}
	c.nroutes = 0;
	conf_route(&c, "[IPv6:2001:db8::1]", &hop);
	assert_string_equal(hop_str(&hop, text, sizeof(text)), "smtp:[2001:db8::1]:2526");
	conf_route(&c, "relay.test", &hop);
	assert_int_equal(hop.kind, HOP_MX);
	assert_null(conf_domain_find(&c, "zz"));
	assert_null(conf_domain_find(&c, ""));
	net_addr_parse(&ip, SLICE_LIT("10.9.9.9"));
	assert_true(conf_may_relay(&c, &ip));
	net_addr_parse(&ip, SLICE_LIT("11.0.0.0"));
	assert_false(conf_may_relay(&c, &ip));
}

static void
test_hops(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "mx", "mx" }, { "smtp:[Host.Test]:26", "smtp:[host.test]:26" }, { "smtp:host", "smtp:[host]:25" },
		{ "smtp:[10.0.0.2]", "smtp:[10.0.0.2]:25" }, { "smtp:10.0.0.2:2525", "smtp:[10.0.0.2]:2525" },
		{ "smtp:[2001:DB8::1]:65535", "smtp:[2001:db8::1]:65535" }, { "smtp:[IPv6:::1]", "smtp:[::1]:25" },
		{ "maildir:/m/%u", "maildir:/m/%u" }, { "maildir:/m", "maildir:/m" },
		{ "", NULL }, { "MX", NULL }, { "smtp:", NULL }, { "smtp:[]", NULL }, { "smtp:[a", NULL },
		{ "smtp:[a]b", NULL }, { "smtp:a:0", NULL }, { "smtp:a:65536", NULL }, { "smtp:a:", NULL },
		{ "smtp:2001:db8::1", NULL }, { "smtp:a_b.-c", NULL }, { "lmtp:127.0.0.1:24", NULL },
		{ "maildir:m", NULL }, { "maildir:/", NULL }, { "maildir:/m//u", NULL }, { "maildir:/m/", NULL },
		{ "maildir:/%d/%u", NULL }, { "maildir:/m/%x", NULL }, { "maildir:/m/%u.d", NULL },
		{ "maildir:/m/../n", NULL }, { "maildir:/m/\x01", NULL },
	};
	struct arena	 mem;
	struct hop	 h;
	const char	*why;
	char		 text[128];

	(void)state;
	arena_init(&mem, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		why = NULL;
		if ((hop_parse(&h, &mem, slice_str(cases[i].in), &why) == E_OK) != (cases[i].out != NULL))
			fail_msg("%s: %s", cases[i].in, why != NULL ? why : "was taken");
		if (cases[i].out == NULL) {
			assert_non_null(why);
			continue;
		}
		assert_string_equal(hop_str(&h, text, sizeof(text)), cases[i].out);
		assert_true(conf_hop_ok(&h));
	}
	arena_clear(&mem);
}

static void
test_path_limit(void **state)
{
	char	 path[CONF_PATH_MAX + 2];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	for (size_t n = CONF_PATH_MAX - 1; n <= CONF_PATH_MAX + 1; n++) {
		path[n] = '\0';
		assert_true((conf_path_why(path, CONF_PATH_MAX, 0) == NULL) == (n <= CONF_PATH_MAX));
		path[n] = 'x';
	}
}

static void
test_memfd(void **state)
{
	struct conf	 c = sample(), *back;
	struct slice	 packed;
	int		 fd, bare;

	(void)state;
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	assert_int_equal(conf_from_memfd(&back, fd), E_OK);
	assert_string_equal(back->hostname, "mx.test");
	conf_free(back);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	bare = memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(bare, packed.p, packed.n), packed.n);
	assert_int_equal(conf_from_memfd(&back, bare), E_PROTO);	/* no seals */
	assert_int_equal(fcntl(bare, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	assert_int_equal(conf_from_memfd(&back, bare), E_PROTO);	/* not all */
	close(bare);
	assert_int_equal(conf_from_memfd(&back, -1), E_PROTO);
	fd = conf_to_memfd(slice_make("", 0));
	assert_int_equal(conf_from_memfd(&back, fd), E_PROTO);
	close(fd);
	free((void *)packed.p);
}

/* The memory file's size, with nothing in it: master refuses it at the seal, a daemon before it maps it. */
static void
test_memfd_limit(void **state)
{
	struct conf	*back;
	int		 fd;

	(void)state;
	for (off_t n = CONF_MEMFD_MAX - 1; n <= (off_t)CONF_MEMFD_MAX + 1; n++) {
		assert_true((fd = conf_memfd_new()) >= 0);
		assert_int_equal(ftruncate(fd, n), 0);
		assert_int_equal(conf_memfd_seal(fd), n <= (off_t)CONF_MEMFD_MAX ? E_OK : E_LIMIT);
		assert_int_equal(conf_from_memfd(&back, fd), E_PROTO);
		close(fd);
	}
	assert_int_equal(conf_memfd_write(-1, slice_make("", CONF_BLOB_MAX + 1), slice_make("", 0)), E_LIMIT);
	assert_int_equal(conf_memfd_write(-1, slice_make("", 0), slice_make("", TABLE_IMAGE_MAX + 1)), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused), cmocka_unit_test(test_counts), cmocka_unit_test(test_tls_counts), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_lookups), cmocka_unit_test(test_hops), cmocka_unit_test(test_path_limit),
		cmocka_unit_test(test_memfd), cmocka_unit_test(test_memfd_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
