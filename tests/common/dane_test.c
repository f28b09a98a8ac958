/*
 * dane_test.c -- tables for common/tlsa.c and common/dane.c: which records count, what is asked for and in which order, what
 * follows from each answer (RFC 7672 2.1.2, 2.2, 3.2.2; RFC 7671 9).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/dane.h"
#include "common/err.h"
#include "common/ipc_msg.h"

static uint8_t	octets[TLSA_DATA_MAX];

/* ---- records ---- */

static struct tlsa
record(unsigned usage, unsigned selector, unsigned matching, unsigned len)
{
	return ((struct tlsa){ .usage = (uint8_t)usage, .selector = (uint8_t)selector, .matching = (uint8_t)matching,
	    .len = (uint16_t)len, .data = octets });
}

static void
usable(void **state)
{
	static const struct {
		unsigned	usage, selector, matching, len;
		int		usable;
	} t[] = {
		{ 3, 1, 1, 32, 1 }, { 3, 0, 1, 32, 1 }, { 3, 1, 2, 64, 1 }, { 2, 0, 1, 32, 1 }, { 2, 1, 2, 64, 1 },
		{ 3, 1, 1, 31, 0 }, { 3, 1, 1, 33, 0 }, { 3, 1, 1, 0, 0 }, { 3, 1, 2, 63, 0 }, { 3, 1, 2, 65, 0 },
		{ 3, 1, 2, 32, 0 }, { 3, 1, 1, 64, 0 },
		{ 0, 0, 1, 32, 0 }, { 1, 1, 1, 32, 0 }, { 4, 1, 1, 32, 0 }, { 255, 1, 1, 32, 0 },
		{ 3, 2, 1, 32, 0 }, { 3, 255, 1, 32, 0 }, { 3, 1, 3, 32, 0 }, { 3, 1, 255, 32, 0 },
		/* Whole ones: octets[] is a SEQUENCE of 0x0102 octets. */
		{ 3, 0, 0, 4 + 0x102, 1 }, { 3, 0, 0, 4 + 0x101, 0 }, { 3, 0, 0, 4 + 0x103, 0 }, { 2, 1, 0, 4 + 0x102, 1 },
		{ 3, 0, 0, 1, 0 }, { 3, 0, 0, 3, 0 }, { 3, 0, 0, 0, 0 }, { 1, 0, 0, 4 + 0x102, 0 },
	};

	memcpy(octets, "\x30\x82\x01\x02", 4);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct tlsa	r = record(t[i].usage, t[i].selector, t[i].matching, t[i].len);

		if ((tlsa_unusable(&r) == NULL) != t[i].usable)
			fail_msg("row %zu: %s", i, tlsa_unusable(&r) != NULL ? tlsa_unusable(&r) : "usable");
	}
	/* The other forms of a length. */
	memcpy(octets, "\x30\x7f", 2);
	assert_null(tlsa_unusable(&(struct tlsa){ 3, 1, 0, 2 + 0x7f, octets }));
	memcpy(octets, "\x30\x81\x80", 3);
	assert_null(tlsa_unusable(&(struct tlsa){ 3, 1, 0, 3 + 0x80, octets }));
	memcpy(octets, "\x30\x80", 2);		/* indefinite: not DER */
	assert_non_null(tlsa_unusable(&(struct tlsa){ 3, 1, 0, 2, octets }));
	memcpy(octets, "\x30\x83\x00\x00\x01", 5);
	assert_non_null(tlsa_unusable(&(struct tlsa){ 3, 1, 0, 6, octets }));
	memcpy(octets, "\x31\x01", 2);
	assert_non_null(tlsa_unusable(&(struct tlsa){ 3, 1, 0, 3, octets }));
}

/* RFC 7671 9, its own example first. */
static void
agility(void **state)
{
	static const struct {
		const char	*set;		/* "311 312 310" */
		const char	*used;		/* a letter each: y, n */
	} t[] = {
		{ "311 312 310", "nyy" }, { "311", "y" }, { "312 311", "yn" }, { "301 312", "yy" }, { "211 312", "yy" },
		{ "311 311 312 312", "nnyy" }, { "112 311", "ny" }, { "311 31x", "yn" }, { "201 202 200", "nyy" },
		{ "310 311", "yy" },
	};
	struct tlsa	r[8];
	const char	*why[8], *p;
	size_t		n;

	memcpy(octets, "\x30\x1e", 2);		/* of 32 octets */
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (n = 0, p = t[i].set; *p != '\0'; p += p[3] == ' ' ? 4 : 3, n++) {
			unsigned m = p[2] == 'x' ? 2 : (unsigned)(p[2] - '0');

			/* x: a SHA2-512 of the wrong length sets nothing aside. */
			r[n] = record((unsigned)(p[0] - '0'), (unsigned)(p[1] - '0'), m, m == 2 && p[2] != 'x' ? 64 : 32);
		}
		assert_int_equal(n, strlen(t[i].used));
		tlsa_judge(r, n, why);
		for (size_t k = 0; k < n; k++)
			if ((why[k] == NULL) != (t[i].used[k] == 'y'))
				fail_msg("%s record %zu: %s", t[i].set, k, why[k] != NULL ? why[k] : "used");
	}
}

static void
as_text(void **state)
{
	static const struct {
		const char	*in;
		int		 err;
		const char	*out;
	} t[] = {
		{ "3 1 1 00ffAB", E_OK, "3 1 1 00ffab" },
		{ " 3\t1 1  00 ff ab ", E_OK, "3 1 1 00ffab" },
		{ "_25._tcp.mx.example. 3600 IN TLSA 3 1 1 ( 00ff\n\tab )", E_OK, "3 1 1 00ffab" },
		{ "_25._tcp.mx.example. tlsa 2 0 1 0a ; a comment", E_OK, "2 0 1 0a" },
		{ "255 255 255 00", E_OK, "255 255 255 00" },
		{ "", E_RANGE, NULL }, { "   ; only", E_RANGE, NULL },
		{ "3 1 1", E_SYNTAX, NULL }, { "3 1 1 0", E_SYNTAX, NULL }, { "3 1 1 0g", E_SYNTAX, NULL },
		{ "3 1 00", E_SYNTAX, NULL }, { "256 1 1 00", E_SYNTAX, NULL }, { "3 -1 1 00", E_SYNTAX, NULL },
		{ "3 1 0001 00", E_SYNTAX, NULL }, { "TLSA", E_SYNTAX, NULL }, { "hello", E_SYNTAX, NULL },
	};
	struct arena	 mem;
	struct tlsa	 r;
	const char	*why;
	char		 text[TLSA_TEXT_MAX], kind[TLSA_KIND_LEN], *big;

	arena_init(&mem, 1 << 20);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int	err = tlsa_parse(&r, &mem, slice_str(t[i].in), &why);

		if (err != t[i].err)
			fail_msg("\"%s\": %s", t[i].in, err_name(err));
		if (err == E_OK)
			assert_string_equal(tlsa_text(&r, text, sizeof(text)), t[i].out);
	}
	/* The limit of its data. */
	big = malloc(6 + 2 * (TLSA_DATA_MAX + 1) + 1);
	assert_non_null(big);
	for (size_t n = TLSA_DATA_MAX - 1; n <= TLSA_DATA_MAX + 1; n++) {
		memcpy(big, "3 0 0 ", 6);
		memset(big + 6, 'a', 2 * n);
		big[6 + 2 * n] = '\0';
		assert_int_equal(tlsa_parse(&r, &mem, slice_str(big), &why), n <= TLSA_DATA_MAX ? E_OK : E_SYNTAX);
		if (n <= TLSA_DATA_MAX)
			assert_string_equal(tlsa_text(&r, text, sizeof(text)), big);
	}
	free(big);
	/* Cut, never past its room. */
	r = record(3, 1, 1, 32);
	for (size_t n = 1; n < 20; n++) {
		memset(text, 'X', sizeof(text));
		(void)tlsa_text(&r, text, n);
		assert_true(strlen(text) < n);
		assert_int_equal(text[n], 'X');
	}
	assert_string_equal(tlsa_kind(&r, kind), "DANE-EE(3) SPKI(1) SHA2-256(1)");
	r = record(9, 8, 7, 32);
	assert_string_equal(tlsa_kind(&r, kind), "?(9) ?(8) ?(7)");
	arena_clear(&mem);
}

/* ---- the search ---- */

/* An answer of DNS as a word: "ok+" secure, "ok" insecure, "no+" "no", "nx+" "nx", "bogus", "fail", "late"; behind "ok"
 * records of TLSA: "ok+3 1 1,1 0 1". */
static struct dns_record	rec[DNS_RECORDS_MAX];

static struct ipc_dns_answer
answer(const char *word, const char *end)
{
	static const struct { const char *word; uint8_t status; } words[] = {
		{ "ok", DNS_OK }, { "no", DNS_NODATA }, { "nx", DNS_NXDOMAIN }, { "bogus", DNS_BOGUS },
		{ "fail", DNS_FAILED }, { "late", DNS_TIMED_OUT }, { "full", DNS_OVERLOAD },
	};
	struct ipc_dns_answer	a = { .status = 255, .ttl = 100, .rec = rec };
	unsigned		u, s, m;
	int			n;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(word, words[i].word, strlen(words[i].word)) == 0) {
			a.status = words[i].status;
			word += strlen(words[i].word);
			break;
		}
	}
	assert_int_not_equal(a.status, 255);
	if (*word == '+') {
		a.secure = 1;
		word++;
	}
	memset(rec[0].tlsa.data, 7, 64);
	while (sscanf(word, "%u %u %u%n", &u, &s, &m, &n) == 3) {
		rec[a.nrec].tlsa.usage = (uint8_t)u;
		rec[a.nrec].tlsa.selector = (uint8_t)s;
		rec[a.nrec].tlsa.matching = (uint8_t)m;
		rec[a.nrec].tlsa.len = m == 2 ? 64 : 32;
		memset(rec[a.nrec].tlsa.data, a.nrec, 64);
		a.nrec++;
		word += n;
		word += *word == ',';
	}
	if (a.status == DNS_OK && a.nrec == 0)
		a.nrec = 1;
	snprintf(a.canonical, sizeof(a.canonical), "%s", end);
	if (a.status == DNS_BOGUS)
		snprintf(a.reason, sizeof(a.reason), "a broken signature");
	return (a);
}

static void
search(void **state)
{
	static const struct {
		const char	*addrs, *end;		/* answer about addresses; where the alias ends */
		const char	*cname;			/* answer to CNAME; NULL: must not be asked for */
		const char	*tlsa[2];		/* answers at the expanded name and the host; NULL likewise */
		enum dane_status status;
		const char	*base;
		size_t		 ntlsa;
		const char	*why;			/* a part of it */
	} t[] = {
		/* Non-CNAME. */
		{ "ok", "", NULL, { NULL, NULL }, DANE_NONE, "", 0, "addresses of mx.example.net are not signed" },
		{ "ok+", "", NULL, { NULL, "no+" }, DANE_NONE, "", 0, "_25._tcp.mx.example.net has no" },
		{ "ok+", "", NULL, { NULL, "nx+" }, DANE_NONE, "", 0, "no signed" },
		{ "ok+", "", NULL, { NULL, "nx" }, DANE_NONE, "", 0, "no signed" },
		{ "ok+", "", NULL, { NULL, "ok3 1 1" }, DANE_NONE, "", 0, "no signed" },
		{ "ok+", "", NULL, { NULL, "ok+3 1 1" }, DANE_USABLE, "mx.example.net", 1, "1 TLSA record at _25._tcp.mx.example.net" },
		{ "ok+", "", NULL, { NULL, "ok+3 1 1,2 0 1,3 1 2" }, DANE_USABLE, "mx.example.net", 2, "2 TLSA records" },
		{ "ok+", "", NULL, { NULL, "ok+1 0 1" }, DANE_UNUSABLE, "mx.example.net", 0, "none of which is usable" },
		{ "ok+", "", NULL, { NULL, "ok+0 0 1,9 9 9" }, DANE_UNUSABLE, "mx.example.net", 0, "2 TLSA records" },
		{ "ok+", "", NULL, { NULL, "bogus" }, DANE_FAILED, "", 0, "bogus: a broken signature" },
		{ "ok+", "", NULL, { NULL, "fail" }, DANE_FAILED, "", 0, "TLSA of _25._tcp.mx.example.net" },
		{ "ok+", "", NULL, { NULL, "late" }, DANE_FAILED, "", 0, "TLSA" },
		{ "ok+", "", NULL, { NULL, "full" }, DANE_FAILED, "", 0, "TLSA" },
		/* Secure CNAME: the expanded name, then the host. */
		{ "ok+", "a.example.org", NULL, { "ok+3 1 1", NULL }, DANE_USABLE, "a.example.org", 1, "_25._tcp.a.example.org" },
		{ "ok+", "a.example.org", NULL, { "no+", "ok+3 1 1" }, DANE_USABLE, "mx.example.net", 1, "_25._tcp.mx.example.net" },
		{ "ok+", "a.example.org", NULL, { "ok3 1 1", "ok+2 0 1" }, DANE_USABLE, "mx.example.net", 1, "" },
		{ "ok+", "a.example.org", NULL, { "no+", "nx+" }, DANE_NONE, "", 0, "neither _25._tcp.a.example.org nor _25._tcp.mx" },
		{ "ok+", "a.example.org", NULL, { "bogus", NULL }, DANE_FAILED, "", 0, "_25._tcp.a.example.org" },
		{ "ok+", "a.example.org", NULL, { "no+", "late" }, DANE_FAILED, "", 0, "_25._tcp.mx.example.net" },
		{ "ok+", "a.example.org", NULL, { "ok+1 1 1", NULL }, DANE_UNUSABLE, "a.example.org", 0, "" },
		{ "ok+", "mx.example.net", NULL, { NULL, "ok+3 1 1" }, DANE_USABLE, "mx.example.net", 1, "" },
		/* Insecure CNAME: if the alias itself is signed, the host. */
		{ "ok", "a.example.org", "ok", { NULL, NULL }, DANE_NONE, "", 0, "neither the alias" },
		{ "ok", "a.example.org", "no", { NULL, NULL }, DANE_NONE, "", 0, "neither the alias" },
		{ "ok", "a.example.org", "ok+", { NULL, "ok+3 1 1" }, DANE_USABLE, "mx.example.net", 1, "" },
		{ "ok", "a.example.org", "ok+", { NULL, "no+" }, DANE_NONE, "", 0, "no signed" },
		{ "ok", "a.example.org", "ok+", { NULL, "fail" }, DANE_FAILED, "", 0, "" },
		{ "ok", "a.example.org", "bogus", { NULL, NULL }, DANE_FAILED, "", 0, "CNAME of mx.example.net: bogus" },
		{ "ok", "a.example.org", "late", { NULL, NULL }, DANE_FAILED, "", 0, "CNAME" },
		{ "ok", "a.example.org", "no+", { NULL, NULL }, DANE_FAILED, "", 0, "contradict" },
		{ "ok", "a.example.org", "nx+", { NULL, NULL }, DANE_FAILED, "", 0, "contradict" },
		/* No address: nothing to protect. */
		{ "no+", "", NULL, { NULL, NULL }, DANE_NONE, "", 0, "no address" },
	};
	struct dane_host	 h = { .host = "mx.example.net", .port = 25, .by_mx = 1, .mx_secure = 1,
	    .nexthop = "example.net", .nexthop_end = "" };
	struct ipc_dns_answer	 a;
	struct dane_search	 s;
	struct arena		 mem;
	char			 name[DOMAIN_MAX + 1];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int	asked = 0, first, seen_cname = 0, seen[2] = { 0, 0 };

		arena_init(&mem, 1 << 20);
		a = answer(t[i].addrs, t[i].end);
		dane_begin(&s, &mem, &h, &a);
		while (s.step != DANE_DONE) {
			assert_true(++asked <= 3);
			if (s.step == DANE_ASK_CNAME) {
				assert_string_equal(s.question, "mx.example.net");
				assert_non_null(t[i].cname);
				a = answer(t[i].cname, "");
				seen_cname = 1;
			} else {
				snprintf(name, sizeof(name), "_25._tcp.%s", t[i].end);
				first = strcmp(s.question, name) == 0 && strcmp(t[i].end, "mx.example.net") != 0;
				if (!first)
					assert_string_equal(s.question, "_25._tcp.mx.example.net");
				if (t[i].tlsa[!first] == NULL)
					fail_msg("row %zu: asks for TLSA of %s", i, s.question);
				a = answer(t[i].tlsa[!first], "");
				seen[!first] = 1;
			}
			dane_answer(&s, &a);
		}
		if (s.found.status != t[i].status || strcmp(s.found.base, t[i].base) != 0 || s.found.ntlsa != t[i].ntlsa ||
		    strstr(s.found.why, t[i].why) == NULL || seen_cname != (t[i].cname != NULL) ||
		    seen[0] != (t[i].tlsa[0] != NULL) || seen[1] != (t[i].tlsa[1] != NULL))
			fail_msg("row %zu: status %d base \"%s\" ntlsa %zu why \"%s\"", i, (int)s.found.status, s.found.base,
			    s.found.ntlsa, s.found.why);
		dane_answer(&s, &a);		/* one too many changes nothing */
		assert_int_equal(s.found.status, t[i].status);
		arena_clear(&mem);
	}
}

/* RFC 7672 3.2.2 and its example. */
static void
names(void **state)
{
	static const struct {
		const char	*host, *end, *nexthop, *nexthop_end;
		int		 by_mx, mx_secure, at_end;
		const char	*names;
	} t[] = {
		{ "mx10.example.com", "", "exchange.example.org", "example.com", 1, 1, 0,
		    "mx10.example.com exchange.example.org example.com" },
		{ "mx15.example.com", "mxbackup.example.com", "exchange.example.org", "example.com", 1, 1, 0,
		    "mx15.example.com exchange.example.org example.com" },
		{ "mx20.example.com", "mxbackup.example.net", "exchange.example.org", "example.com", 1, 1, 1,
		    "mxbackup.example.net exchange.example.org example.com" },
		{ "mx.example.com", "", "example.com", "", 1, 1, 0, "mx.example.com example.com" },
		{ "mx.example.com", "", "example.com", "example.com", 1, 1, 0, "mx.example.com example.com" },
		{ "mx.example.com", "", "example.com", "mx.example.com", 1, 1, 0, "mx.example.com example.com" },
		{ "mx.example.com", "", "example.com", "", 1, 0, 0, "mx.example.com" },
		{ "relay.example.com", "", "relay.example.com", "", 0, 0, 0, "relay.example.com" },
		{ "relay.example.com", "r.example.org", "relay.example.com", "", 0, 0, 1, "r.example.org relay.example.com" },
	};
	struct ipc_dns_answer	 a;
	struct dane_search	 s;
	struct arena		 mem;
	char			 got[1024];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct dane_host	h = { .host = t[i].host, .port = 25, .by_mx = t[i].by_mx, .mx_secure = t[i].mx_secure,
		    .nexthop = t[i].nexthop, .nexthop_end = t[i].nexthop_end };

		arena_init(&mem, 1 << 20);
		a = answer("ok+", t[i].end);
		dane_begin(&s, &mem, &h, &a);
		if (t[i].end[0] != '\0' && !t[i].at_end) {
			a = answer("no+", "");
			dane_answer(&s, &a);
		}
		a = answer("ok+2 0 1", "elsewhere.example");	/* TLSA by an alias: the base is the same (2.2.3) */
		dane_answer(&s, &a);
		assert_int_equal(s.found.status, DANE_USABLE);
		got[0] = '\0';
		for (size_t k = 0; k < s.found.nnames; k++) {
			strncat(got, k != 0 ? " " : "", sizeof(got) - strlen(got) - 1);
			strncat(got, s.found.names[k], sizeof(got) - strlen(got) - 1);
		}
		assert_string_equal(got, t[i].names);
		arena_clear(&mem);
	}
}

/* Ports, names that grow too long, the least TTL, and memory that ends at any place. */
static void
bounds(void **state)
{
	struct dane_host	 h = { .host = "mx.example.net", .port = 65535, .nexthop = "mx.example.net", .nexthop_end = "" };
	struct ipc_dns_answer	 a;
	struct dane_search	 s;
	struct arena		 mem;
	char			 name[DOMAIN_MAX + 1];

	arena_init(&mem, 1 << 20);
	a = answer("ok+", "");
	a.ttl = 50;
	dane_begin(&s, &mem, &h, &a);
	assert_string_equal(s.question, "_65535._tcp.mx.example.net");
	a = answer("ok+3 1 1,1 1 1,3 1 1", "");
	a.ttl = 7;
	dane_answer(&s, &a);
	assert_int_equal(s.found.ttl, 7);
	assert_int_equal(s.found.nall, 3);
	assert_null(s.found.unusable[0]);
	assert_non_null(s.found.unusable[1]);
	assert_int_equal(s.found.tlsa[1].data[0], 2);		/* the third one's */
	assert_int_equal(s.found.nsteps, 2);
	/* DOMAIN_MAX is the longest name that can be asked for. */
	for (size_t n = DOMAIN_MAX - 9 - 1; n <= DOMAIN_MAX - 9 + 1; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		h = (struct dane_host){ .host = name, .port = 25, .nexthop = name, .nexthop_end = "" };
		a = answer("ok+", "");
		dane_begin(&s, &mem, &h, &a);
		assert_int_equal(s.step, n <= DOMAIN_MAX - 9 ? DANE_ASK_TLSA : DANE_DONE);
		assert_int_equal(s.found.status, DANE_NONE);
	}
	arena_clear(&mem);
	h = (struct dane_host){ .host = "mx.example.net", .port = 25, .nexthop = "example.net", .nexthop_end = "" };
	for (size_t room = 0; room < 4000; room += 40) {
		arena_init(&mem, room);
		a = answer("ok+", "end.example");
		dane_begin(&s, &mem, &h, &a);
		while (s.step != DANE_DONE) {
			a = answer("ok+3 1 1,3 1 2", "");
			dane_answer(&s, &a);
		}
		assert_true(s.found.status == DANE_FAILED || s.found.status == DANE_USABLE);
		if (room == 0)
			assert_int_equal(s.found.status, DANE_FAILED);
		arena_clear(&mem);
	}
	assert_int_equal(s.found.status, DANE_USABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable), cmocka_unit_test(agility), cmocka_unit_test(as_text), cmocka_unit_test(search),
		cmocka_unit_test(names), cmocka_unit_test(bounds),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
