/*
 * common_units_fuzz.c -- numbers, durations, queue IDs, addresses and prefixes.  Oracle: what parses can be
 * written, and the written form parses to the same value.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/net.h"
#include "common/units.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice		 in = slice_make(data, size);
	struct net_addr		 ip, ip2;
	struct net_prefix	 prefix;
	struct arena		 mem;
	struct hop		 hop, hop2;
	char			 text[64], ip_text[NET_ADDR_STRLEN], hop_text[1400];
	uint64_t		 v, w;
	uint32_t		 s, t;

	if (number_parse(&v, in, UINT64_MAX) == E_OK) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
		MUST(size_parse(&w, slice_str(text)) == E_OK && w == v);
	}
	size_parse(&v, in);
	if (duration_parse(&s, in) == E_OK) {
		duration_str(s, text);
		MUST(duration_parse(&t, slice_str(text)) == E_OK && t <= s);
		MUST(s - t < 86400 && (s >= 86400 || s - t < 3600));	/* at most two units */
	}
	if (msgid_parse(&v, in) == E_OK) {
		MUST(slice_caseeq(slice_str(msgid_str(v, text)), in));
		MUST(msgid_parse(&w, slice_str(text)) == E_OK && w == v);
	}
	if (net_addr_parse(&ip, in) == E_OK) {
		MUST(net_addr_parse(&ip2, slice_str(net_addr_str(&ip, ip_text))) == E_OK);
		MUST(net_addr_cmp(&ip, &ip2) == 0);
	}
	if (net_prefix_parse(&prefix, in) == E_OK && (prefix.len >= 96 || !net_addr_is4(&prefix.addr)))
		MUST(net_prefix_has(&prefix, &prefix.addr));
	arena_init(&mem, 1 << 20);
	if (hop_parse(&hop, &mem, in, NULL) == E_OK) {
		hop_str(&hop, hop_text, sizeof(hop_text));
		MUST(hop_parse(&hop2, &mem, slice_str(hop_text), NULL) == E_OK);
		MUST(hop.kind == hop2.kind && hop.port == hop2.port && strcmp(hop.host, hop2.host) == 0);
		MUST(strcmp(hop.path, hop2.path) == 0);
	}
	arena_clear(&mem);
	if (size >= sizeof(v)) {
		memcpy(&v, data, sizeof(v));
		MUST(msgid_parse(&w, slice_str(msgid_str(v, text))) == E_OK && w == v);
		MUST(strlen(date_str((int64_t)v, text)) < DATE_STRLEN);
		MUST(strlen(date_rfc3339((int64_t)v, text)) == 20);
	}
	return (0);
}
