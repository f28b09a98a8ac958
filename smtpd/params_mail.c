/*
 * params_mail.c -- the parameters of MAIL; see params.h.  Core.
 */
#include "smtpd/params.h"

#include "common/addr.h"
#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/units.h"
#include "common/xtext.h"

#define SIZE_DIGITS_MAX	20		/* RFC 1870 5: size-value */
#define BY_DIGITS_MAX	9		/* RFC 2852 4 */
#define HOLD_DIGITS_MAX	9		/* RFC 4865 3 */

struct take {
	struct mail_params		*mp;
	const struct param_rules	*rules;
	struct param_fault		*f;
	struct slice			 v;
};

static int
take_size(struct take *t)
{
	uint64_t	limit = t->rules->size_limit;
	int		err;

	if (t->v.n == 0 || t->v.n > SIZE_DIGITS_MAX)
		return (param_bad(t->f, 501, "5.5.4", "SIZE needs a number of up to %d digits", SIZE_DIGITS_MAX));
	err = number_parse(&t->mp->size, t->v, limit != 0 ? limit : MESSAGE_SIZE_MAX);
	if (err == E_SYNTAX)
		return (param_bad(t->f, 501, "5.5.4", "SIZE needs a number"));
	if (err != E_OK)
		return (param_bad(t->f, 552, "5.3.4", "message size exceeds the limit of %llu octets",
		    (unsigned long long)(limit != 0 ? limit : MESSAGE_SIZE_MAX)));
	return (E_OK);
}

static int
take_body(struct take *t)
{
	static const char *const	 words[BODY_KINDS] = {
		[BODY_7BIT] = "7BIT", [BODY_8BIT] = "8BITMIME", [BODY_BINARY] = "BINARYMIME",
	};
	unsigned	i;

	for (i = 0; i < BODY_KINDS; i++) {
		if (slice_caseeq(t->v, slice_str(words[i]))) {
			t->mp->body = (uint8_t)i;
			return (E_OK);
		}
	}
	return (param_bad(t->f, 501, "5.5.4", "BODY is 7BIT, 8BITMIME or BINARYMIME"));
}

static int
take_utf8(struct take *t)
{
	if (t->v.p != NULL)
		return (param_bad(t->f, 501, "5.5.4", "SMTPUTF8 takes no value"));
	t->mp->utf8 = 1;
	return (E_OK);
}

static int
take_ret(struct take *t)
{
	if (slice_caseeq(t->v, SLICE_LIT("FULL")))
		t->mp->ret = RET_FULL;
	else if (slice_caseeq(t->v, SLICE_LIT("HDRS")))
		t->mp->ret = RET_HDRS;
	else
		return (param_bad(t->f, 501, "5.5.4", "RET is FULL or HDRS"));
	return (E_OK);
}

static int
take_envid(struct take *t)
{
	int	err = xtext_decode(t->v, t->mp->envid, sizeof(t->mp->envid));

	if (err == E_LIMIT)
		return (param_bad(t->f, 501, "5.5.4", "ENVID is longer than %d octets", ENVID_MAX));
	if (err != E_OK || t->v.n == 0 || !xtext_is_printable(t->mp->envid))
		return (param_bad(t->f, 501, "5.5.4", "ENVID needs xtext of printable characters"));
	return (E_OK);
}

/* by-value = ["-" / "+"] 1*9DIGIT ";" ("N" / "R") ["T"] */
static int
take_by(struct take *t)
{
	const char	*semi = t->v.n != 0 ? memchr(t->v.p, ';', t->v.n) : NULL;
	struct slice	 num, mode;
	uint64_t	 s;
	int		 minus;

	if (semi == NULL)
		return (param_bad(t->f, 501, "5.5.4", "BY needs seconds;mode"));
	num = slice_make(t->v.p, (size_t)(semi - t->v.p));
	mode = slice_make(semi + 1, t->v.n - num.n - 1);
	minus = num.n != 0 && num.p[0] == '-';
	if (minus || (num.n != 0 && num.p[0] == '+'))
		num = slice_make(num.p + 1, num.n - 1);
	if (num.n == 0 || num.n > BY_DIGITS_MAX || number_parse(&s, num, BY_MAX_S) != E_OK)
		return (param_bad(t->f, 501, "5.5.4", "BY needs seconds of up to %d digits", BY_DIGITS_MAX));
	t->mp->by_s = minus ? -(int32_t)s : (int32_t)s;
	if (mode.n == 2 && (mode.p[1] == 'T' || mode.p[1] == 't')) {
		t->mp->by_trace = 1;
		mode.n = 1;
	}
	if (slice_caseeq(mode, SLICE_LIT("N")))
		t->mp->by_mode = BY_NOTIFY;
	else if (slice_caseeq(mode, SLICE_LIT("R")))
		t->mp->by_mode = BY_RETURN;
	else
		return (param_bad(t->f, 501, "5.5.4", "BY needs a mode: N, R, NT or RT"));
	if (t->mp->by_mode == BY_RETURN && t->mp->by_s <= 0)
		return (param_bad(t->f, 501, "5.5.4", "BY with mode R needs a time to come"));
	return (E_OK);
}

/* future-release-integer = %x31-39 *8DIGIT */
static int
take_hold_for(struct take *t)
{
	uint64_t	s;

	if (t->v.n == 0 || t->v.n > HOLD_DIGITS_MAX || t->v.p[0] == '0' ||
	    number_parse(&s, t->v, 999999999) != E_OK)
		return (param_bad(t->f, 501, "5.5.4", "HOLDFOR needs seconds, 1 to 999999999"));
	if (s > HOLD_MAX_S)
		return (param_bad(t->f, 501, "5.5.4", "HOLDFOR exceeds the limit of %u seconds", HOLD_MAX_S));
	t->mp->hold_until = t->rules->now + (int64_t)s;
	return (E_OK);
}

static int
take_hold_until(struct take *t)
{
	int64_t	at;

	if (date_time_parse(&at, t->v) != E_OK)
		return (param_bad(t->f, 501, "5.5.4", "HOLDUNTIL needs a date and time of RFC 3339"));
	if (at > t->rules->now + HOLD_MAX_S)
		return (param_bad(t->f, 501, "5.5.4", "HOLDUNTIL is more than %u seconds away", HOLD_MAX_S));
	/* A time that has come already is kept: nothing waits for it, but the notice tells what was asked. */
	t->mp->hold_until = at > 0 ? at : 1;
	return (E_OK);
}

/* priority-value = (["-"] NZDIGIT) / "0"; RFC 6710 4.1 (1) names 5.5.2. */
static int
take_priority(struct take *t)
{
	int	minus = t->v.n == 2 && t->v.p[0] == '-';
	char	c = t->v.n == (minus ? 2 : 1) ? t->v.p[minus] : '\0';

	if (c < (minus ? '1' : '0') || c > '9')
		return (param_bad(t->f, 501, "5.5.2", "MT-PRIORITY is -%d to %d", PRIORITY_MAX, PRIORITY_MAX));
	t->mp->priority = (int8_t)(minus ? -(c - '0') : c - '0');
	t->mp->prioritized = 1;
	return (E_OK);
}

/* xtext of a mailbox or <> (RFC 4954 5, 8). */
static int
take_auth(struct take *t)
{
	char		text[ADDRESS_MAX + 1];
	struct addr	a;

	if (t->v.n > AUTH_PARAM_MAX)
		return (param_bad(t->f, 501, "5.5.4", "AUTH is longer than %d octets", AUTH_PARAM_MAX));
	if (t->v.n == 0 || xtext_decode(t->v, text, sizeof(text)) != E_OK ||
	    (strcmp(text, "<>") != 0 && (addr_parse(&a, slice_str(text), NULL) != E_OK || a.domain_off == 0)))
		return (param_bad(t->f, 501, "5.5.4", "AUTH needs an address or <>, as xtext"));
	t->mp->auth = t->v;
	return (E_OK);
}

#define ONE_HOLD	64		/* HOLDFOR and HOLDUNTIL exclude each other, RFC 4865 4.2 (9) */

enum { OF_TRUSTED = 1, OF_AUTH = 2 };

static const struct {
	const char	*word;
	int		(*take)(struct take *);
	unsigned	 bit;		/* at most one of each */
	int		 whose;		/* 0: everybody's */
	const char	*twice;		/* the enhanced code of a second one */
} keywords[] = {
	{ "SIZE",	 take_size,	  1,	    0, "5.5.4" },
	{ "BODY",	 take_body,	  2,	    0, "5.5.4" },
	{ "SMTPUTF8",	 take_utf8,	  4,	    0, "5.5.4" },
	{ "RET",	 take_ret,	  8,	    0, "5.5.4" },
	{ "ENVID",	 take_envid,	  16,	    0, "5.5.4" },
	{ "BY",		 take_by,	  32,	    OF_TRUSTED, "5.5.4" },
	{ "HOLDFOR",	 take_hold_for,	  ONE_HOLD, OF_TRUSTED, "5.5.4" },
	{ "HOLDUNTIL",	 take_hold_until, ONE_HOLD, OF_TRUSTED, "5.5.4" },
	{ "MT-PRIORITY", take_priority,	  128,	    OF_TRUSTED, "5.5.2" },	/* RFC 6710 4.1 (1) */
	{ "AUTH",	 take_auth,	  256,	    OF_AUTH, "5.5.4" },
};

int
mail_params(struct mail_params *mp, struct slice rest, const struct param_rules *rules, struct param_fault *f)
{
	struct take	t = { mp, rules, f, { NULL, 0 } };
	struct param	pa;
	unsigned	seen = 0;
	size_t		i;
	int		err;

	memset(mp, 0, sizeof(*mp));
	while ((err = param_next(&rest, &pa)) == E_OK) {
		if (!rules->esmtp)
			return (param_bad(f, 555, "5.5.4", "MAIL: parameters need EHLO"));
		for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
			if (slice_caseeq(pa.keyword, slice_str(keywords[i].word)))
				break;
		if (i == sizeof(keywords) / sizeof(keywords[0]) || (keywords[i].whose == OF_TRUSTED && !rules->trusted) ||
		    (keywords[i].whose == OF_AUTH && !rules->auth))
			return (param_bad(f, 555, "5.5.4", "MAIL: unknown parameter"));
		if ((seen & keywords[i].bit) != 0)
			return (param_bad(f, 501, keywords[i].twice, keywords[i].bit == ONE_HOLD ?
			    "%s: a time to hold was given already" : "%s given twice", keywords[i].word));
		seen |= keywords[i].bit;
		t.v = pa.value;
		if ((err = keywords[i].take(&t)) != E_OK)
			return (err);
	}
	if (err == E_SYNTAX)
		return (param_bad(f, 501, "5.5.4", "MAIL: malformed parameter"));
	/* RFC 4865 5.2.2. */
	if (mp->by_mode != BY_NONE && mp->hold_until > rules->now + mp->by_s)
		return (param_bad(f, 501, "5.5.4", "the message is to be held longer than BY allows"));
	return (E_OK);
}
