/*
 * client_ehlo.c -- what a host offers, from the lines of its reply to EHLO.  Core.
 * RFC 5321 4.1.1.1; what is unknown or unreadable is passed over.
 */
#include "common/err.h"
#include "common/units.h"
#include "deliver/client_int.h"

static const struct {
	const char	*name;
	unsigned	 offer;
} keywords[] = {
	{ "PIPELINING",		 OFFER_PIPELINING },		/* RFC 2920 */
	{ "SIZE",		 OFFER_SIZE },			/* RFC 1870 */
	{ "8BITMIME",		 OFFER_8BITMIME },		/* RFC 6152 */
	{ "ENHANCEDSTATUSCODES", OFFER_ENHANCED },		/* RFC 2034 */
	{ "CHUNKING",		 OFFER_CHUNKING },		/* RFC 3030 */
	{ "BINARYMIME",		 OFFER_BINARYMIME },
	{ "SMTPUTF8",		 OFFER_SMTPUTF8 },		/* RFC 6531 */
	{ "DSN",		 OFFER_DSN },			/* RFC 3461 */
	{ "DELIVERBY",		 OFFER_DELIVERBY },		/* RFC 2852 */
	{ "MT-PRIORITY",	 OFFER_MT_PRIORITY },		/* RFC 6710 */
	{ "STARTTLS",		 OFFER_STARTTLS },		/* RFC 3207 */
	{ "AUTH",		 OFFER_AUTH },			/* RFC 4954 */
};

void
client_ehlo_forget(struct client *c)
{
	c->offers = 0;
	c->auth.mechanisms = 0;
	c->size_max = 0;
	c->rcpt_max = c->mail_max = c->by_min = 0;
}

/* RFC 2852 2: the least by-time, then what may come to be. */
static void
ehlo_deliverby(struct client *c, struct slice args)
{
	uint64_t v;

	for (size_t i = 0; i < args.n; i++) {
		if (args.p[i] == ',')
			args.n = i;
	}
	if (number_parse(&v, args, BY_MAX_S) == E_OK)
		c->by_min = (uint32_t)v;
}

/* LIMITS: "NAME=value" pairs; what is unknown or unreadable is passed over (RFC 9422). */
static void
ehlo_limits(struct client *c, struct slice args)
{
	struct slice word;
	uint64_t v;

	while (args.n != 0) {
		word = args;
		word.n = 0;
		while (word.n < args.n && args.p[word.n] != ' ')
			word.n++;
		args = slice_make(
		    args.p + word.n + (word.n < args.n), args.n - word.n - (word.n < args.n));
		if (word.n > 8 && slice_caseeq(slice_make(word.p, 8), SLICE_LIT("RCPTMAX=")) &&
		    number_parse(&v, slice_make(word.p + 8, word.n - 8), 999999) == E_OK && v != 0)
			c->rcpt_max = (uint32_t)v;
		if (word.n > 8 && slice_caseeq(slice_make(word.p, 8), SLICE_LIT("MAILMAX=")) &&
		    number_parse(&v, slice_make(word.p + 8, word.n - 8), 999999) == E_OK && v != 0)
			c->mail_max = (uint32_t)v;
	}
}

void
client_ehlo_line(void *arg, struct slice line)
{
	struct client *c = arg;
	struct slice word, args;
	uint64_t v;

	if (c->state == CS_AUTH)
		auth_line(c, line);
	if (c->state != CS_EHLO)
		return;
	if (c->ehlo_line++ == 0) {		/* the host's name */
		client_ehlo_forget(c);
		return;
	}
	if (line.n < 4)
		return;
	word = slice_make(line.p + 4, line.n - 4);
	args = slice_make(word.p + word.n, 0);
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == ' ') {
			args = slice_make(word.p + i + 1, word.n - i - 1);
			word.n = i;
			break;
		}
	}
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (slice_caseeq(word, slice_str(keywords[i].name)))
			c->offers |= keywords[i].offer;
	}
	if (slice_caseeq(word, SLICE_LIT("SIZE")) &&
	    number_parse(&v, args, UINT64_MAX) == E_OK)
		c->size_max = v;
	else if (slice_caseeq(word, SLICE_LIT("DELIVERBY")))
		ehlo_deliverby(c, args);
	else if (slice_caseeq(word, SLICE_LIT("LIMITS")))
		ehlo_limits(c, args);
	else if (slice_caseeq(word, SLICE_LIT("AUTH")))
		client_auth_ehlo(c, args);
}
