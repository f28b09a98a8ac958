/* conf_tls.c -- see conf_tls.h.  Core. */
#include <string.h>

#include "deliver/conf_tls.h"

static int
policy_differs(const struct conf_tls_policy *a, const struct conf_tls_policy *b)
{
	if (strcmp(a->name, b->name) != 0 || a->want != b->want || a->resume != b->resume || a->nnames != b->nnames ||
	    a->nfingerprints != b->nfingerprints)
		return (1);
	for (size_t i = 0; i < a->nnames; i++) {
		if (strcmp(a->names[i], b->names[i]) != 0)
			return (1);
	}
	return (a->nfingerprints != 0 &&
	    memcmp(a->fingerprints, b->fingerprints, a->nfingerprints * sizeof(a->fingerprints[0])) != 0);
}

int
conf_tls_differs(const struct conf *a, const struct conf *b)
{
	if (a->tls_level != b->tls_level || !slice_eq(a->ca, b->ca) || a->npolicies != b->npolicies || a->nlogins != b->nlogins)
		return (1);
	for (size_t i = 0; i < a->npolicies; i++) {
		if (policy_differs(&a->policies[i], &b->policies[i]))
			return (1);
	}
	for (size_t i = 0; i < a->nlogins; i++) {
		if (strcmp(a->logins[i].name, b->logins[i].name) != 0 || strcmp(a->logins[i].user, b->logins[i].user) != 0)
			return (1);
	}
	return (0);
}
