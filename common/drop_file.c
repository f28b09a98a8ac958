/*
 * drop_file.c -- see drop_file.h.  Core.
 *
 * Addresses are those of sendmail's parser or smtpd's; here it is only made sure that none of them can be more
 * than an address in an SMTP command.  smtpd parses them (R1).
 */
#include "common/drop_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/units.h"

#define FIRST_LINE	"postern-drop 1\n"
#define NOTIFY_ALL	(NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)
#define LINE_MAX_OCTETS	(16 + ADDRESS_MAX + 1)
#define FNV_PRIME	UINT64_C(0x100000001b3)

uint64_t
drop_sum(uint64_t sum, struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		sum = (sum ^ (uint8_t)s.p[i]) * FNV_PRIME;
	return (sum);
}

int
drop_path_is_safe(const char *s)
{
	int quoted = 0;

	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return (0);
		if (quoted && *s == '\\') {
			if (s[1] < ' ' || s[1] == 0x7f)
				return (0);
			s++;
		} else if (*s == '"')
			quoted = !quoted;
		else if (!quoted && (*s == ' ' || *s == '<' || *s == '>' || *s == '\\'))
			return (0);
	}
	return (!quoted);
}

/* RFC 3461 4: xtext. */
static int
is_xtext(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '!' || s.p[i] > '~' || s.p[i] == '=')
			return (0);
	}
	return (1);
}

/* ---- names ---- */

void
drop_name(char dst[static DROP_NAME_LEN + 1], char kind, const uint8_t random[static 16])
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	dst[0] = kind;
	dst[1] = '-';
	for (i = 0; i < 16; i++) {
		dst[2 + 2 * i] = hex[random[i] >> 4];
		dst[3 + 2 * i] = hex[random[i] & 15];
	}
	dst[DROP_NAME_LEN] = '\0';
}

int
drop_name_kind(const char *name)
{
	if (strlen(name) != DROP_NAME_LEN || (name[0] != 'm' && name[0] != 't') || name[1] != '-' ||
	    strspn(name + 2, "0123456789abcdef") != DROP_NAME_LEN - 2)
		return (0);
	return (name[0]);
}

/* ---- the last line ---- */

void
drop_trailer_write(char dst[static DROP_TRAILER_LEN + 1], uint64_t len, uint64_t sum)
{
	(void)snprintf(dst, DROP_TRAILER_LEN + 1, "postern-end %020" PRIu64 " %016" PRIx64 "\n", len, sum);
}

int
drop_trailer_read(struct slice s, uint64_t *len, uint64_t *sum)
{
	const char *digit, *hex = "0123456789abcdef";
	size_t i;

	*len = *sum = 0;
	if (s.n != DROP_TRAILER_LEN || memcmp(s.p, "postern-end ", 12) != 0 || s.p[32] != ' ' ||
	    s.p[DROP_TRAILER_LEN - 1] != '\n')
		return (E_SYNTAX);
	for (i = 12; i < 32; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(*len, 10, len) ||
		    __builtin_add_overflow(*len, (uint64_t)(s.p[i] - '0'), len))
			return (E_SYNTAX);
	}
	for (i = 33; i < DROP_TRAILER_LEN - 1; i++) {
		if (s.p[i] == '\0' || (digit = strchr(hex, s.p[i])) == NULL)
			return (E_SYNTAX);
		*sum = *sum << 4 | (uint64_t)(digit - hex);
	}
	return (E_OK);
}

/* ---- writing ---- */

int
drop_head_write(struct buf *out, const struct drop_head *h)
{
	const struct submit_mail *m = &h->mail;
	size_t i;
	int err;

	if (m->nrcpt == 0 || m->nrcpt > DROP_RCPT_MAX)
		return (E_RANGE);
	if (!drop_path_is_safe(m->sender) || !is_xtext(slice_str(m->envid)))
		return (E_SYNTAX);
	err = buf_adds(out, FIRST_LINE);
	if (err == E_OK && h->has_uid)
		err = buf_addf(out, "uid %" PRIu32 "\n", h->uid);
	if (err == E_OK)
		err = buf_addf(out, "from %s\n", m->sender);
	if (err == E_OK && m->ret != 0)
		err = buf_addf(out, "ret %s\n", m->ret == 'F' ? "full" : "hdrs");
	if (err == E_OK && m->envid[0] != '\0')
		err = buf_addf(out, "envid %s\n", m->envid);
	if (err == E_OK && m->body8)
		err = buf_adds(out, "body 8bit\n");
	if (err == E_OK && m->utf8)
		err = buf_adds(out, "utf8\n");
	for (i = 0; i < m->nrcpt && err == E_OK; i++) {
		if (m->rcpt[i].address[0] == '\0' || !drop_path_is_safe(m->rcpt[i].address))
			return (E_SYNTAX);
		err = buf_addf(out, "to %u %s\n", m->rcpt[i].notify, m->rcpt[i].address);
	}
	return (err == E_OK ? buf_adds(out, "data\n") : err);
}

/* ---- reading ---- */

struct reader {
	struct slice	 rest;
	size_t		 line;		/* octets of the present line with its LF */
	const char	*why;
};

enum { ORDER_FIRST, ORDER_UID, ORDER_FROM, ORDER_RET, ORDER_ENVID, ORDER_BODY, ORDER_UTF8, ORDER_TO, ORDER_DATA };

static const struct { const char *word; int order; } words[] = {
	{ "uid ", ORDER_UID }, { "from ", ORDER_FROM }, { "ret ", ORDER_RET }, { "envid ", ORDER_ENVID },
	{ "body 8bit", ORDER_BODY }, { "utf8", ORDER_UTF8 }, { "to ", ORDER_TO }, { "data", ORDER_DATA },
};

static int
fail(const char **why, const char *text)
{
	*why = text;
	return (E_SYNTAX);
}

/* A line's word and what stands behind it; -1: none of ours. */
static int
line_word(struct slice *line)
{
	size_t i, n;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		n = strlen(words[i].word);
		if (line->n < n || memcmp(line->p, words[i].word, n) != 0 ||
		    (words[i].word[n - 1] != ' ' && line->n != n))
			continue;
		*line = slice_make(line->p + n, line->n - n);
		return (words[i].order);
	}
	return (-1);
}

static int
take_path(const char **dst, struct arena *mem, struct slice s, const char **why)
{
	char *copy;

	if (s.n > ADDRESS_MAX || memchr(s.p, '\0', s.n) != NULL)
		return (fail(why, "an address is too long or holds a NUL"));
	if ((copy = arena_strdup(mem, s)) == NULL)
		return (E_NOMEM);
	if (!drop_path_is_safe(copy))
		return (fail(why, "an address holds what none may"));
	*dst = copy;
	return (E_OK);
}

static int
take_to(struct drop_head *h, struct arena *mem, struct slice s, const char **why)
{
	struct submit_rcpt *r = &h->mail.rcpt[h->mail.nrcpt];
	const char *blank = memchr(s.p, ' ', s.n);
	uint64_t notify;
	int err;

	if (blank == NULL || number_parse(&notify, slice_make(s.p, (size_t)(blank - s.p)), NOTIFY_ALL) != E_OK ||
	    ((notify & NOTIFY_NEVER) != 0 && notify != NOTIFY_NEVER))
		return (fail(why, "a recipient's line is none"));
	s = slice_make(blank + 1, s.n - (size_t)(blank + 1 - s.p));
	if (s.n == 0)
		return (fail(why, "a recipient is empty"));
	if ((err = take_path(&r->address, mem, s, why)) != E_OK)
		return (err);
	r->notify = (uint8_t)notify;
	h->mail.nrcpt++;
	return (E_OK);
}

static int
take_line(struct drop_head *h, struct arena *mem, int order, struct slice s, const char **why)
{
	uint64_t n;

	switch (order) {
	case ORDER_UID:
		if (number_parse(&n, s, UINT32_MAX) != E_OK)
			return (fail(why, "uid is no number"));
		h->has_uid = 1;
		h->uid = (uint32_t)n;
		return (E_OK);
	case ORDER_FROM:
		return (take_path(&h->mail.sender, mem, s, why));
	case ORDER_RET:
		if (!slice_eq(s, SLICE_LIT("full")) && !slice_eq(s, SLICE_LIT("hdrs")))
			return (fail(why, "ret is neither full nor hdrs"));
		h->mail.ret = s.p[0] == 'f' ? 'F' : 'H';
		return (E_OK);
	case ORDER_ENVID:
		if (s.n == 0 || s.n > DROP_ENVID_MAX || !is_xtext(s))
			return (fail(why, "envid is no xtext"));
		return ((h->mail.envid = arena_strdup(mem, s)) == NULL ? E_NOMEM : E_OK);
	case ORDER_BODY:
		h->mail.body8 = 1;
		return (E_OK);
	case ORDER_UTF8:
		h->mail.utf8 = 1;
		return (E_OK);
	case ORDER_TO:
		return (take_to(h, mem, s, why));
	default:
		return (E_OK);
	}
}

/* How many recipients there will be room for: the lines that begin as theirs do. */
static int
make_room(struct drop_head *h, struct arena *mem, struct slice in)
{
	const char *p = in.p, *end = in.p + in.n, *lf;
	size_t n = 0;

	for (; p < end; p = lf + 1) {
		n += end - p >= 3 && memcmp(p, "to ", 3) == 0;
		if ((end - p >= 5 && memcmp(p, "data\n", 5) == 0) ||
		    (lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			break;
	}
	if (n > DROP_RCPT_MAX)
		return (E_LIMIT);
	h->mail.rcpt = arena_alloc(mem, (n + 1) * sizeof(*h->mail.rcpt));
	return (h->mail.rcpt == NULL ? E_NOMEM : E_OK);
}

/* The whole head must be there before any of it is taken: so a second call begins anew at no loss. */
static int
is_whole(struct slice in, const char **why)
{
	if (in.n < sizeof(FIRST_LINE) - 1)
		return (memcmp(in.p, FIRST_LINE, in.n) == 0 ? E_AGAIN : fail(why, "not a message of ours"));
	if (memcmp(in.p, FIRST_LINE, sizeof(FIRST_LINE) - 1) != 0)
		return (fail(why, "not a message of ours"));
	if (memmem(in.p, in.n < DROP_HEAD_MAX ? in.n : DROP_HEAD_MAX, "\ndata\n", 6) != NULL)
		return (E_OK);
	return (in.n >= DROP_HEAD_MAX ? E_LIMIT : E_AGAIN);
}

int
drop_head_read(struct drop_head *h, struct arena *mem, struct slice in, const char **why)
{
	const char *p, *lf;
	struct slice line;
	int err, order, last = ORDER_FIRST;

	*why = "";
	memset(h, 0, sizeof(*h));
	h->mail.envid = "";
	if (in.n == 0)
		return (E_AGAIN);
	if ((err = is_whole(in, why)) != E_OK || (err = make_room(h, mem, in)) != E_OK)
		return (err);
	for (p = in.p + sizeof(FIRST_LINE) - 1; last != ORDER_DATA; p = lf + 1) {
		if ((lf = memchr(p, '\n', in.n - (size_t)(p - in.p))) == NULL || lf - p > LINE_MAX_OCTETS)
			return (fail(why, "a line is too long"));
		line = slice_make(p, (size_t)(lf - p));
		if ((order = line_word(&line)) == -1)
			return (fail(why, "a line is none of the format"));
		if (order < last || (order == last && order != ORDER_TO))
			return (fail(why, "lines are out of order"));
		last = order;
		if ((err = take_line(h, mem, order, line, why)) != E_OK)
			return (err);
	}
	if (h->mail.sender == NULL || h->mail.nrcpt == 0)
		return (fail(why, "sender or recipients are missing"));
	h->len = (size_t)(p - in.p);
	return (E_OK);
}
