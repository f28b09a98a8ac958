/*
 * tlsa.c -- see tlsa.h.  Shell: OpenSSL.
 *
 * Which record is about which certificate is reckoned here, record by record (dane_matches()); the
 * verdict is OpenSSL's, by the code that deliver verifies with (dane_verify_chain()).
 */
#include "ctl/tlsa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/cert_text.h"
#include "common/dane_verify.h"
#include "common/err.h"
#include "ctl/json.h"

#define FILE_OCTETS_MAX	(1u << 20)	/* of a chain, of a list of records */
#define CHECK_MEMORY	(4u << 20)
#define NUMBERS		4		/* words of a record: usage, selector, matching type, data */

enum verdict { AUTHENTICATED, REFUSED, UNUSABLE, NO_RECORDS };

struct check {
	const struct ctl_args *a;
	struct arena	 mem;
	X509		*chain[DANE_CHAIN_MAX];
	size_t		 nchain;
	struct tlsa	 rec[TLSA_MAX], used[TLSA_MAX];
	const char	*why[TLSA_MAX];		/* it does not count; NULL: it does */
	size_t		 nrec, nused;
	enum verdict	 verdict;
	char		 text[DANE_TEXT_MAX];
};

static int
complain(const char *what, const char *why)
{
	(void)fprintf(stderr, "posternctl: %s: %s\n", what, why);
	return (EXIT_USAGE);
}

/* ---- what is given ---- */

static int
file_read(const char *path, struct buf *b)
{
	FILE	*f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char	 piece[8192];
	size_t	 n;
	int	 err = E_OK;

	buf_init(b, FILE_OCTETS_MAX);
	if (f == NULL)
		return (complain(path, strerror(errno)));
	while (err == E_OK && (n = fread(piece, 1, sizeof(piece), f)) != 0)
		err = buf_add(b, piece, n);
	if (ferror(f))
		err = E_IO;
	if (f != stdin)
		(void)fclose(f);
	if (err == E_OK)
		return (EXIT_DONE);
	return (complain(path,
	    err == E_IO	       ? "cannot be read" :
		err == E_LIMIT ? "too large" :
				 "out of memory"));
}

static int
chain_take(struct check *c, const char *path)
{
	struct buf	b;
	int		status = file_read(path, &b), err = E_OK;

	if (status == EXIT_DONE &&
	    (err = dane_chain_read(buf_slice(&b), c->chain, &c->nchain)) != E_OK)
		status = complain(path,
		    err == E_LIMIT     ? "too many certificates" :
			err == E_NOMEM ? "out of memory" :
					 "no certificates in PEM, or one that is broken");
	buf_clear(&b);
	return (status);
}

static int
record_take(struct check *c, struct slice s)
{
	const char	*why = "out of memory";
	char		 shown[120];
	int		 err;

	if (c->nrec == TLSA_MAX)
		return (complain("records", "more than are looked at"));
	if ((err = tlsa_parse(&c->rec[c->nrec], &c->mem, s, &why)) == E_RANGE)
		return (EXIT_DONE);
	if (err != E_OK) {
		(void)snprintf(shown, sizeof(shown), "%.*s", (int)(s.n < 100 ? s.n : 100), s.p);
		return (complain(shown, why));
	}
	c->nrec++;
	return (EXIT_DONE);
}

static int
records_from_file(struct check *c, const char *path)
{
	struct buf	b;
	struct slice	s;
	int		status = file_read(path, &b);

	for (s = buf_slice(&b); s.n != 0 && status == EXIT_DONE;) {
		const char	*lf = memchr(s.p, '\n', s.n);
		size_t		 n = lf != NULL ? (size_t)(lf - s.p) : s.n;

		status = record_take(c, slice_make(s.p, n));
		n += lf != NULL;
		s = slice_make(s.p + n, s.n - n);
	}
	buf_clear(&b);
	return (status);
}

/* A record is one operand with blanks in it, or four without. */
static int
records_from_operands(struct check *c)
{
	const struct ctl_args	*a = c->a;
	int			 status = EXIT_DONE;

	for (int i = 1; i < a->nop && status == EXIT_DONE;) {
		struct buf	b;
		int		n = strpbrk(a->op[i], " \t") != NULL ? 1 : NUMBERS;

		buf_init(&b, FILE_OCTETS_MAX);
		for (; n > 0 && i < a->nop && status == EXIT_DONE; n--, i++) {
			if (buf_add(&b, a->op[i], strlen(a->op[i])) != E_OK ||
			    buf_add(&b, " ", 1) != E_OK)
				status = complain("a record", "too long");
		}
		if (status == EXIT_DONE)
			status = record_take(c, buf_slice(&b));
		buf_clear(&b);
	}
	return (status);
}

static int
names_check(const struct ctl_args *a)
{
	char		 name[DOMAIN_MAX + 1];
	const char	*why = "not a domain";

	if (a->base != NULL && domain_parse(name, slice_str(a->base), &why) != E_OK)
		return (complain(a->base, why));
	for (size_t i = 0; i < a->nnames; i++) {
		if (domain_parse(name, slice_str(a->names[i]), &why) != E_OK)
			return (complain(a->names[i], why));
	}
	return (EXIT_DONE);
}

/* ---- the verdict ---- */

static int
judge(struct check *c)
{
	const struct ctl_args	*a = c->a;
	const char		*names[CTL_NAMES_MAX + 1], *base = a->base;
	size_t			 n = 0;
	int			 by_name = 0;

	tlsa_judge(c->rec, c->nrec, c->why);
	for (size_t i = 0; i < c->nrec; i++) {
		if (c->why[i] != NULL)
			continue;
		c->used[c->nused++] = c->rec[i];
		by_name |= c->rec[i].usage == TLSA_DANE_TA;
	}
	if (base == NULL && a->nnames != 0)
		base = a->names[0];
	if (by_name && base == NULL)
		return (
		    complain("usage 2", "needs the name of the host: -b NAME (RFC 7672 3.2.2)"));
	if (base == NULL)
		base = "invalid";		/* no name counts */
	names[n++] = base;
	for (size_t i = 0; i < a->nnames; i++)
		names[n++] = a->names[i];
	c->verdict = c->nrec == 0 ? NO_RECORDS : UNUSABLE;
	(void)snprintf(c->text, sizeof(c->text),
	    c->nrec == 0 ? "no records" : "none of the records is usable");
	if (c->nused == 0)
		return (EXIT_DONE);
	switch (
	    dane_verify_chain(c->chain, c->nchain, base, c->used, c->nused, names, n, c->text)) {
	case E_OK:
		c->verdict = AUTHENTICATED;
		break;
	case E_DENIED:
		c->verdict = REFUSED;
		break;
	case E_SYNTAX:
		c->verdict = UNUSABLE;
		break;
	default:
		(void)complain("the chain", c->text);
		return (EXIT_FAILED);
	}
	return (EXIT_DONE);
}

/* ---- telling ---- */

static const struct { const char *word, *meaning; } verdicts[] = {
	[AUTHENTICATED] = { "authenticated", "mail goes, by TLS to this host alone" },
	[REFUSED] = { "refused", "mail is not given to this host, and waits" },
	[UNUSABLE] = { "unusable", "mail goes by TLS, to whoever answers (RFC 7672 2.2)" },
	[NO_RECORDS] = { "none", "mail goes as if there were no DANE" },
};

/*
 * The record that fits a certificate best: its key for the leaf, itself for an issuer (RFC 7672
 * 3.1).
 */
static void
fitting(const struct check *c, size_t i, char *dst, size_t size)
{
	uint8_t		digest[32] = { 0 };
	struct tlsa t = { .usage = i == 0 ? TLSA_DANE_EE : TLSA_DANE_TA,
		.selector = i == 0 ? TLSA_SPKI : TLSA_CERT,
		.matching = TLSA_SHA256,
		.len = sizeof(digest),
		.data = digest };

	(void)dane_digest(c->chain[i], t.selector, digest);
	(void)tlsa_text(&t, dst, size);
}

static void
tell_chain(const struct check *c)
{
	struct cert_text	t;
	char			record[96];

	(void)printf("chain:\n");
	for (size_t i = 0; i < c->nchain; i++) {
		cert_describe(&t, c->chain[i]);
		fitting(c, i, record, sizeof(record));
		(void)printf("  %zu: %s, issued by %s\n", i,
		    t.subject[0] != '\0' ? t.subject : "(no subject)", t.issuer);
		if (t.names[0] != '\0')
			(void)printf("     names %s\n", t.names);
		(void)printf("     %s, valid %s to %s%s\n", t.key, t.from, t.until,
		    t.expired	? " (expired)" :
			t.early ? " (not yet)" :
				  "");
		(void)printf("     a record for it: %s\n", record);
	}
}

static void
tell_records(const struct check *c)
{
	char	text[96], kind[TLSA_KIND_LEN];

	(void)printf("records:\n");
	for (size_t i = 0; i < c->nrec; i++) {
		int	some = 0;

		(void)printf("  %s%s  %s\n     ", tlsa_text(&c->rec[i], text, sizeof(text)),
		    c->rec[i].len > 40 ? "..." : "", tlsa_kind(&c->rec[i], kind));
		if (c->why[i] != NULL)
			(void)printf("not used: %s", c->why[i]);
		if (tlsa_unusable(&c->rec[i]) != NULL) {
			(void)printf("\n");
			continue;
		}
		(void)printf("%s", c->why[i] != NULL ? "; " : "");
		for (size_t k = 0; k < c->nchain; k++) {
			if (dane_matches(&c->rec[i], c->chain[k]))
				(void)printf("%s %zu", some++ ? "," : "matches certificate", k);
		}
		(void)printf("%s\n", some ? "" : "matches no certificate of the chain");
	}
	(void)printf(
	    "%s: %s: %s\n", verdicts[c->verdict].word, c->text, verdicts[c->verdict].meaning);
}

static json_t *
json_chain(const struct check *c)
{
	json_t			*list = json_array();
	struct cert_text	 t;
	char			 record[96];

	for (size_t i = 0; i < c->nchain; i++) {
		cert_describe(&t, c->chain[i]);
		fitting(c, i, record, sizeof(record));
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "subject", t.subject,
			"issuer", t.issuer, "names", t.names, "key", t.key, "from", t.from, "until",
			t.until, "sha256", t.sha256, "expired", t.expired, "record", record));
	}
	return (list);
}

static json_t *
json_records(const struct check *c)
{
	static char	 text[TLSA_TEXT_MAX];
	json_t		*list = json_array(), *at;

	for (size_t i = 0; i < c->nrec; i++) {
		at = json_array();
		for (size_t k = 0; k < c->nchain; k++) {
			if (dane_matches(&c->rec[i], c->chain[k]))
				(void)json_array_append_new(at, json_integer((json_int_t)k));
		}
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:b, s:s?, s:o}", "record",
			tlsa_text(&c->rec[i], text, sizeof(text)), "used", c->why[i] == NULL, "why",
			c->why[i], "matches", at));
	}
	return (list);
}

static int
tell(const struct check *c)
{
	if (!c->a->json) {
		tell_chain(c);
		tell_records(c);
	} else if (json_print(stdout,
		       json_pack("{s:s, s:s, s:o, s:o}", "verdict", verdicts[c->verdict].word,
			   "text", c->text, "chain", json_chain(c), "records", json_records(c))) !=
	    E_OK)
		return (EXIT_FAILED);
	return (c->verdict == AUTHENTICATED ? EXIT_DONE : EXIT_FAILED);
}

int
cmd_tlsa_check(const struct ctl_args *a)
{
	static struct check	c;
	int			status;

	memset(&c, 0, sizeof(c));
	c.a = a;
	arena_init(&c.mem, CHECK_MEMORY);
	if (a->file != NULL && a->nop > 1)
		status = complain(
		    a->file, "records come from a file or from the command line, not both");
	else if ((status = names_check(a)) == EXIT_DONE &&
	    (status = chain_take(&c, a->op[0])) == EXIT_DONE)
		status =
		    a->file != NULL ? records_from_file(&c, a->file) : records_from_operands(&c);
	if (status == EXIT_DONE && (status = judge(&c)) == EXIT_DONE)
		status = tell(&c);
	for (size_t i = 0; i < c.nchain; i++)
		X509_free(c.chain[i]);
	arena_clear(&c.mem);
	return (status);
}
