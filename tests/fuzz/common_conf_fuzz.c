/*
 * common_conf_fuzz.c -- configuration snapshots.  Oracle: what unpacks, packs to the very same octets; and
 * look-ups of what is in it find it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/err.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf	*c;
	struct slice	 again;
	struct hop	 hop;

	if (conf_unpack(&c, slice_make(data, size), slice_make(NULL, 0)) != E_OK)
		return (0);
	MUST(conf_pack(c, &again) == E_OK);
	MUST(slice_eq(again, slice_make(data, size)));
	for (size_t i = 0; i < c->ndomains; i++) {
		MUST(conf_domain_find(c, c->domains[i].name) == &c->domains[i]);
		conf_route(c, c->domains[i].name, &hop);
	}
	for (size_t i = 0; i < c->nroutes; i++) {
		conf_route(c, c->routes[i].name, &hop);
		MUST(conf_domain_find(c, c->routes[i].name) != NULL || hop.kind == c->routes[i].via.kind);
	}
	free((void *)again.p);
	conf_free(c);
	return (0);
}
