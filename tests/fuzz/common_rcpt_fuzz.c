/*
 * common_rcpt_fuzz.c -- the resolver with tables and addresses that anybody wrote.
 *
 * The input is lines as rcpt_kit.h reads them, cut down to what is safe to hand in; lines "? ADDRESS" are asked for.
 * Half of all inputs have octets of the image changed then, as a damaged one would: it may answer anything, but must
 * end and stay inside.  What is asked of a sound image:
 *	- it ends within bounds: RCPT_LOOK_MAX for a verdict, the arena for an expansion;
 *	- the verdict and the expansion say the same: an address is taken if and only if an end takes mail;
 *	- the set of ends does not depend on how the work is cut, and names nobody twice;
 *	- each end is its own end: to expand it leads to itself, or nowhere but back;
 *	- a rewritten address is not rewritten again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/rcpt.h"
#include "common/siphash.h"
#include "tests/common/rcpt_kit.h"

#define MEMORY		(8u << 20)
#define ENDS_MAX	5000
#define ASKED_MAX	64

#define REQUIRE(c)	do { if (!(c)) abort(); } while (0)

static const char *const	tables[] = { "canonical", "sender-canonical", "recipient-canonical", "virtual", "login",
	"client", "helo", "sender", "recipient", "domain", "relay-domain", "all", "catch-all", "delimiter", "hostname",
	"verify" };

/* Lines that the kit can take: it is no parser of strangers' text itself. */
struct kit_names {
	char	*name[KIT_DOMAINS];
	size_t	 n;
};

static int
is_domain(const struct kit_names *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->name[i], name) == 0)
			return (1);
	return (0);
}

static int
is_table(const char *word, size_t n)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strlen(tables[i]) == n && memcmp(tables[i], word, n) == 0)
			return (1);
	return (0);
}

/* What postern-conf lets through: canonical text of an address, "@domain", an include, /dev/null. */
static int
target_ok(const char *w)
{
	struct addr	 a;
	char		 domain[DOMAIN_MAX + 1];

	if (strcmp(w, "/dev/null") == 0 || (w[0] == ':' && w[1] >= '0' && w[1] <= '1' && w[2] == '\0'))
		return (1);
	if (w[0] == '@')
		return (domain_parse(domain, slice_str(w + 1), NULL) == E_OK && strcmp(domain, w + 1) == 0);
	return (addr_parse(&a, slice_str(w), NULL) == E_OK && strcmp(a.text, w) == 0);
}

static void
take_line(struct kit_names *names, struct buf *text, char *line, char **asked, size_t *nasked, int *includes)
{
	char	*save = NULL, *table = strtok_r(line, " ", &save), *key = strtok_r(NULL, " ", &save), *w;
	const char *at;
	size_t	 n = 0, before = text->len;
	int	 one;

	if (table == NULL || key == NULL || strlen(key) > 300 || strlen(table) > 300)
		return;
	if (strcmp(table, "?") == 0) {
		if (*nasked < ASKED_MAX)
			asked[(*nasked)++] = key;
		return;
	}
	at = strchr(table, '@');
	n = at != NULL ? (size_t)(at - table) : strlen(table);
	if (at != NULL ? !is_domain(names, at + 1) || (n != 7 || memcmp(table, "aliases", 7) != 0) : !is_table(table, n)) {
		if (at == NULL || n != 10 || memcmp(table, "recipients", 10) != 0 || !is_domain(names, at + 1))
			return;
		REQUIRE(buf_addf(text, "%s %s\n", table, key) == E_OK);
		return;
	}
	if (strcmp(table, "domain") == 0 || strcmp(table, "relay-domain") == 0) {
		char	 domain[DOMAIN_MAX + 1];

		if (names->n == KIT_DOMAINS || is_domain(names, key) ||
		    domain_parse(domain, slice_str(key), NULL) != E_OK || strcmp(domain, key) != 0)
			return;
		names->name[names->n++] = key;
		REQUIRE(buf_addf(text, "%s %s\n", table, key) == E_OK);
		return;
	}
	if (strcmp(table, "all") == 0 || strcmp(table, "verify") == 0) {
		if (is_domain(names, key))
			REQUIRE(buf_addf(text, "%s %s\n", table, key) == E_OK);
		return;
	}
	if (strcmp(table, "delimiter") == 0 || strcmp(table, "hostname") == 0) {
		char	 domain[DOMAIN_MAX + 1];

		if (table[0] == 'd' ? strlen(key) <= DELIMITERS_MAX : domain_parse(domain, slice_str(key), NULL) == E_OK)
			REQUIRE(buf_addf(text, "%s %s\n", table, table[0] == 'd' ? key : domain) == E_OK);
		return;
	}
	if (strcmp(table, "catch-all") == 0 && !is_domain(names, key))
		return;
	if (strcmp(table, "login") == 0 || strcmp(table, "client") == 0 || strcmp(table, "helo") == 0 ||
	    strcmp(table, "sender") == 0 || strcmp(table, "recipient") == 0)
		return;		/* not the resolver's */
	one = strstr(table, "canonical") != NULL || strcmp(table, "catch-all") == 0;
	for (char *p = key; *p != '\0'; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);	/* keys are folded */
	REQUIRE(buf_addf(text, "%s %s", table, key) == E_OK);
	n = 0;
	while ((w = strtok_r(NULL, " ", &save)) != NULL && n < 64) {
		if (!target_ok(w) || (one && (w[0] == '/' || w[0] == ':' || n != 0)) ||
		    (strcmp(table, "catch-all") == 0 && w[0] == '@') || (w[0] == ':' && at == NULL))
			continue;
		*includes |= w[0] == ':';
		REQUIRE(buf_addf(text, " %s", w) == E_OK);
		n++;
	}
	if (n == 0 && one)
		text->len = before;
	else
		REQUIRE(buf_adds(text, "\n") == E_OK);
}

/* The ends as one text, "kind address\n"; -1: E_LIMIT or without memory. */
static int
ends(const struct conf *conf, const char *address, uint32_t slice, struct buf *out, int *good, int sound)
{
	struct rcpt_expansion	 x = { .trace = NULL };
	struct arena		 mem;
	uint64_t		 turns = 0;
	int			 err;

	arena_init(&mem, MEMORY);
	err = rcpt_expand_begin(&x, conf, &mem, address, ENDS_MAX);
	while (err == E_OK && (err = rcpt_expand_some(&x, slice)) == E_AGAIN) {
		REQUIRE(++turns < 10u * MEMORY);
		err = E_OK;
	}
	*good = x.good != NULL;
	if (sound)
		REQUIRE(err == E_OK || err == E_LIMIT || err == E_NOMEM);
	for (const struct rcpt_end *e = x.ends; e != NULL && err == E_OK; e = e->next) {
		REQUIRE(e->kind <= TO_LOOP);
		for (const struct rcpt_end *f = x.ends; sound && f != e; f = f->next)
			REQUIRE(e->kind == TO_DISCARD || f->kind != e->kind || strcmp(f->address, e->address) != 0);
		REQUIRE(buf_addf(out, "%s %s\n", rcpt_kind_name(e->kind), e->address) == E_OK);
	}
	arena_clear(&mem);
	return (err == E_OK ? 0 : -1);
}

static void
ask(const struct conf *conf, const char *address, int sound)
{
	struct rcpt_verdict	 v;
	struct rcpt_ask		 q = { .conf = conf, .may_relay = 1 };
	char			 again[ADDRESS_MAX + 1], mailbox[LOCAL_PART_MAX + 1];
	struct arena		 scratch;
	struct buf		 a, b;
	struct addr		 addr;
	enum rcpt_kind		 kind;
	int			 good_a, good_b, whole;

	if (addr_parse(&addr, slice_str(address), NULL) != E_OK)
		return;
	q.addr = &addr;
	arena_init(&scratch, MEMORY);
	rcpt_verdict(&q, &scratch, &v);
	arena_clear(&scratch);
	REQUIRE(v.kind < TO_KINDS && (v.end[0] != '\0') <= (v.kind <= TO_REMOTE));
	memcpy(again, addr.text, sizeof(again));
	(void)rcpt_rewrite_sender(conf, again, NULL, NULL);
	(void)rcpt_mailbox(conf, v.address, mailbox);
	if (v.kind == TO_BROKEN && sound)
		abort();
	if (v.kind == TO_BROKEN || addr.literal || (v.kind == TO_LOOP && !v.aliased))
		return;
	buf_init(&a, 64u << 20);
	buf_init(&b, 64u << 20);
	whole = ends(conf, v.address, 1, &a, &good_a, sound);
	REQUIRE(ends(conf, v.address, 1000, &b, &good_b, sound) == whole || !sound);
	if (sound && whole == 0) {
		REQUIRE(slice_eq(buf_slice(&a), buf_slice(&b)) && good_a == good_b);
		/* Where the verdict has not seen all it takes. */
		REQUIRE(!good_a || v.kind <= TO_REMOTE);
		if (v.kind <= TO_REMOTE && v.end[0] != '\0')
			REQUIRE(good_a);
		REQUIRE(rcpt_look(conf, v.address, &kind) == (v.aliased ? E_AGAIN : E_OK));
		memcpy(again, v.address, sizeof(again));
		(void)rcpt_rewrite_recipient(conf, again, NULL, NULL);
		REQUIRE(strcmp(again, v.address) == 0);
	}
	buf_clear(&a);
	buf_clear(&b);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char			*text, *save = NULL, *asked[ASKED_MAX], *line;
	struct kit_names	 names = { .n = 0 };
	struct buf		 b;
	struct rcpt_kit		 k;
	size_t			 nasked = 0, lines = 0;
	uint8_t			 damage;
	int			 includes = 0;

	if (size < 2 || size > (64u << 10) || memchr(data, '\0', size) != NULL)
		return (0);
	siphash_seed();
	damage = data[0];
	REQUIRE((text = malloc(size)) != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	buf_init(&b, 1u << 20);
	for (line = strtok_r(text, "\n", &save); line != NULL && lines++ < KIT_LINES / 2; line = strtok_r(NULL, "\n", &save))
		take_line(&names, &b, line, asked, &nasked, &includes);
	/* An alias that names an include needs it to be there. */
	for (size_t i = 0; includes && i < names.n; i++)
		REQUIRE(buf_addf(&b, "include@%s 0 x@inc.test :1\ninclude@%s 1 y@inc.test :0\n", names.name[i],
		    names.name[i]) == E_OK);
	REQUIRE(buf_add(&b, "", 1) == E_OK);
	kit_open(&k, buf_slice(&b).p);
	for (size_t i = 0; i < nasked; i++)
		ask(&k.conf, asked[i], 1);
	if ((damage & 1) != 0 && k.conf.image.n != 0) {
		char	*image = (char *)(uintptr_t)k.conf.image.p;

		for (unsigned i = 0; i < 1 + (unsigned)(damage >> 4); i++)
			image[(size_t)siphash_keyed(damage, i, data, size) % k.conf.image.n] ^= (char)(1u << (i & 7));
		for (size_t i = 0; i < nasked; i++)
			ask(&k.conf, asked[i], 0);
	}
	kit_close(&k);
	buf_clear(&b);
	free(text);
	return (0);
}
