/*
 * params.c -- parameters apart, and those of RCPT; see params.h.  Core.
 */
#include "smtpd/params.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/utf8.h"
#include "common/xtext.h"

static int
is_alnum(char c)
{
	return ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

int
param_next(struct slice *rest, struct param *pa)
{
	const char	*p = rest->p, *end = rest->p + rest->n, *start;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end)
		return (E_NOTFOUND);
	if (!is_alnum(*p))
		return (E_SYNTAX);
	for (start = p; p < end && (is_alnum(*p) || *p == '-'); p++)
		;
	pa->keyword = slice_make(start, (size_t)(p - start));
	pa->value = slice_make(NULL, 0);
	if (p < end && *p == '=') {
		start = ++p;
		while (p < end && (unsigned char)*p > ' ' && *p != '=' && *p != 127)
			p++;
		if (p == start || !utf8_is_text(slice_make(start, (size_t)(p - start))))
			return (E_SYNTAX);
		pa->value = slice_make(start, (size_t)(p - start));
	}
	if (p < end && *p != ' ' && *p != '\t')
		return (E_SYNTAX);
	*rest = slice_make(p, (size_t)(end - p));
	return (E_OK);
}

int
param_bad(struct param_fault *f, unsigned code, const char *enhanced, const char *fmt, ...)
{
	va_list	ap;

	f->code = code;
	f->enhanced = enhanced;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return (E_SYNTAX);
}

/* NOTIFY=NEVER, or a list (RFC 3461 4.1); the list of RFC 822 2.7 may have empty elements beside others. */
static int
take_notify(uint8_t *notify, struct slice v, struct param_fault *f)
{
	static const struct { const char *word; uint8_t bit; } words[] = {
		{ "SUCCESS", NOTIFY_SUCCESS }, { "FAILURE", NOTIFY_FAILURE }, { "DELAY", NOTIFY_DELAY },
	};
	const char	*comma;
	struct slice	 word;
	size_t		 i;
	int		 bad = 0;

	if (slice_caseeq(v, SLICE_LIT("NEVER"))) {
		*notify = NOTIFY_NEVER;
		return (E_OK);
	}
	while (v.n != 0 && !bad) {
		comma = memchr(v.p, ',', v.n);
		word = slice_make(v.p, comma != NULL ? (size_t)(comma - v.p) : v.n);
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (slice_caseeq(word, slice_str(words[i].word)))
				break;
		if (i < sizeof(words) / sizeof(words[0]))
			*notify |= words[i].bit;
		else
			bad = word.n != 0;
		v = comma != NULL ? slice_make(comma + 1, v.n - word.n - 1) : slice_make(v.p, 0);
	}
	if (bad || *notify == 0)
		return (param_bad(f, 501, "5.5.4", "NOTIFY is NEVER, or of SUCCESS, FAILURE, DELAY"));
	return (E_OK);
}

static int
take_orcpt(char orcpt[static ORCPT_MAX + 1], struct slice v, const struct param_rules *rules,
    struct param_fault *f)
{
	if (utf8_has_8bit(v) && !rules->utf8)
		return (param_bad(f, 553, "5.6.7", "ORCPT is not ASCII, and SMTPUTF8 was not declared"));
	switch (orcpt_decode(v, orcpt, ORCPT_MAX + 1)) {
	case E_OK:
		return (E_OK);
	case E_LIMIT:
		return (param_bad(f, 501, "5.5.4", "ORCPT is longer than %d octets", ORCPT_MAX));
	default:
		return (param_bad(f, 501, "5.5.4", "ORCPT needs type;xtext"));
	}
}

int
rcpt_params(struct rcpt_params *rp, struct slice rest, const struct param_rules *rules, struct param_fault *f)
{
	struct param	pa;
	int		err, seen_notify = 0, seen_orcpt = 0;

	rp->notify = 0;
	rp->orcpt[0] = '\0';
	while ((err = param_next(&rest, &pa)) == E_OK) {
		if (!rules->esmtp)
			return (param_bad(f, 555, "5.5.4", "RCPT: parameters need EHLO"));
		if (slice_caseeq(pa.keyword, SLICE_LIT("NOTIFY"))) {
			if (seen_notify++)
				return (param_bad(f, 501, "5.5.4", "NOTIFY given twice"));
			err = take_notify(&rp->notify, pa.value, f);
		} else if (slice_caseeq(pa.keyword, SLICE_LIT("ORCPT"))) {
			if (seen_orcpt++)
				return (param_bad(f, 501, "5.5.4", "ORCPT given twice"));
			err = take_orcpt(rp->orcpt, pa.value, rules, f);
		} else
			return (param_bad(f, 555, "5.5.4", "RCPT: unknown parameter"));
		if (err != E_OK)
			return (err);
	}
	if (err == E_SYNTAX)
		return (param_bad(f, 501, "5.5.4", "RCPT: malformed parameter"));
	return (E_OK);
}
