/*
 * map_action.c -- the right sides of access tables (access(5)).  Core.
 *
 * What Postern has no like of is refused by its name: a rule that is passed over would let in what it was
 * written to keep out.
 */
#include "common/err.h"
#include "common/table_value.h"
#include "common/units.h"
#include "conf/map_inner.h"

#define REJECT_CODE	554	/* Postfix's access_map_reject_code, access_map_defer_code */
#define DEFER_CODE	450

static const struct { const char *word, *instead; } refused[] = {
	{ "DISCARD", "nothing is accepted and then dropped: use REJECT, or HOLD" },
	{ "FILTER", "there are no content filters; use a route" },
	{ "PREPEND", "headers are not added by rules" },
	{ "REDIRECT", "use recipient-canonical, virtual or an alias" },
	{ "BCC", "there are no such copies" },
	{ "DELAY", "use DEFER, or HOLD" },
	{ "DEFER_IF_REJECT", "use DEFER" },
	{ "DEFER_IF_PERMIT", "use DEFER" },
	{ "HANGUP", "use a 421 code" },
};

/* "5.7.1 text": the code if it is of this class. */
static void
split_enhanced(struct action *a, struct slice text)
{
	struct enhanced	 e;
	size_t		 n = enhanced_parse(&e, text);

	if (n != 0 && e.cls == a->code / 100 && (n == text.n || text.p[n] == ' ' || text.p[n] == '\t')) {
		a->enhanced = e;
		text.p += n;
		text.n -= n;
	}
	while (text.n != 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
		text.p++;
		text.n--;
	}
	a->text = text;
}

static int
reject(struct action *a, unsigned code, struct slice text)
{
	a->kind = ACTION_REJECT;
	a->code = (uint16_t)code;
	a->enhanced = (struct enhanced){ .cls = (uint8_t)(code / 100), .subject = 7, .detail = 1 };
	split_enhanced(a, text);
	return (1);
}

static int
is_digits(struct slice w)
{
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return (0);
	}
	return (w.n != 0);
}

/* REJECT may be followed by a code of its own: "REJECT 550 5.1.1 text". */
static int
reject_word(struct action *a, unsigned code, struct slice rest)
{
	struct slice	 text = rest, w = map_first_word(&text);
	uint64_t	 n;

	if (w.n == 3 && is_digits(w) && number_parse(&n, w, 599) == E_OK && n / 100 == code / 100) {
		code = (unsigned)n;
		rest = text;
	}
	return (reject(a, code, rest));
}

static int
action_word(struct map *m, struct action *a, struct slice w, struct slice rest)
{
	uint64_t	 code;

	*a = (struct action){ .text = rest };
	if (slice_caseeq(w, SLICE_LIT("REJECT")))
		return (reject_word(a, REJECT_CODE, rest));
	if (slice_caseeq(w, SLICE_LIT("DEFER")))
		return (reject_word(a, DEFER_CODE, rest));
	if (slice_caseeq(w, SLICE_LIT("HOLD"))) {
		a->kind = ACTION_HOLD;
		return (1);
	}
	if (slice_caseeq(w, SLICE_LIT("WARN"))) {
		a->kind = ACTION_WARN;
		return (1);
	}
	if (slice_caseeq(w, SLICE_LIT("INFO"))) {
		a->kind = ACTION_INFO;
		return (1);
	}
	a->text = slice_make("", 0);
	if (slice_caseeq(w, SLICE_LIT("OK")) || slice_caseeq(w, SLICE_LIT("DUNNO"))) {
		a->kind = slice_caseeq(w, SLICE_LIT("OK")) ? ACTION_OK : ACTION_DUNNO;
		return (1);	/* what follows is a remark, as in Postfix */
	}
	if (is_digits(w) && rest.n == 0 && (w.n != 3 || (w.p[0] != '4' && w.p[0] != '5'))) {
		a->kind = ACTION_OK;	/* access(5): all-numerical */
		return (1);
	}
	if (w.n == 3 && is_digits(w) && number_parse(&code, w, 599) == E_OK && code >= 400)
		return (reject(a, (unsigned)code, rest));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (slice_caseeq(w, slice_str(refused[i].word))) {
			map_error(m, "action %s is not done here: %s", refused[i].word, refused[i].instead);
			return (0);
		}
	}
	map_error(m, "\"%.*s\": expected OK, DUNNO, REJECT, DEFER, HOLD, WARN, INFO or a code 4NN or 5NN; names of "
	    "restrictions are not taken", (int)(w.n < 100 ? w.n : 100), w.p);
	return (0);
}

int
map_action(struct map *m, struct slice text)
{
	struct slice	 w = map_first_word(&text);
	struct action	 a;

	if (!action_word(m, &a, w, text))
		return (0);
	for (size_t i = 0; i < a.text.n; i++) {
		if ((unsigned char)a.text.p[i] < 0x20 || (unsigned char)a.text.p[i] > 0x7e) {
			map_error(m, "the text of a rule becomes a reply: it must be printable ASCII");
			return (0);
		}
	}
	if (table_put_action(&m->value, &a) != E_OK) {
		map_error(m, "the text of a rule has at most %d octets", ACCESS_TEXT_MAX);
		return (0);
	}
	return (1);
}
