/* defaults.c -- the host's own name, and the embedded configuration.  Core. */
#include "conf/defaults.h"

#include <stdio.h>

#include "common/addr.h"
#include "common/err.h"

static struct slice
next_word(struct slice *line)
{
	struct slice	 word;
	size_t		 i = 0;

	while (line->n != 0 && (line->p[0] == ' ' || line->p[0] == '\t')) {
		line->p++;
		line->n--;
	}
	while (i < line->n && line->p[i] != ' ' && line->p[i] != '\t')
		i++;
	word = slice_make(line->p, i);
	line->p += i;
	line->n -= i;
	return (word);
}

/* The first name in the line with a dot, if node is among its names. */
static struct slice
full_name_in(struct slice line, struct slice node)
{
	const char	*hash = line.n != 0 ? memchr(line.p, '#', line.n) : NULL;
	struct slice	 word, full = { "", 0 };
	int		 named = 0;

	if (hash != NULL)
		line.n = (size_t)(hash - line.p);
	next_word(&line);	/* the address */
	while ((word = next_word(&line)).n != 0) {
		named |= slice_caseeq(word, node);
		if (full.n == 0 && memchr(word.p, '.', word.n) != NULL)
			full = word;
	}
	return (named ? full : slice_make("", 0));
}

void
defaults_hostname(char dst[static DOMAIN_MAX + 1], struct slice node, struct slice hosts)
{
	const char	*end;
	struct slice	 line, full;

	if (node.n != 0 && memchr(node.p, '.', node.n) == NULL) {
		while (hosts.n != 0) {
			end = memchr(hosts.p, '\n', hosts.n);
			line = slice_make(hosts.p, end != NULL ? (size_t)(end - hosts.p) : hosts.n);
			hosts.p += line.n + (end != NULL);
			hosts.n -= line.n + (end != NULL);
			full = full_name_in(line, node);
			if (full.n != 0 && domain_parse(dst, full, NULL) == E_OK)
				return;
		}
	}
	if (domain_parse(dst, node, NULL) != E_OK)
		memcpy(dst, "localhost", sizeof("localhost"));
}

char *
defaults_text(const char *dir, const char *hostname, const char **why)
{
	char	*text;

	*why = NULL;
	if (dir[0] != '/')
		*why = "it is not absolute";
	for (const char *p = dir; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || strchr("\"\\%${}'", *p) != NULL)
			*why = "it holds a quote, backslash, percent, dollar sign, brace or control character";
	}
	if (*why != NULL)
		return (NULL);
	if (asprintf(&text,
	    "directory = \"%s/spool\"\n"
	    "runtime = \"%s/run\"\n"
	    "log = \"stderr\"\n"
	    "relay-from = { \"127.0.0.0/8\", \"::1\" }\n"
	    "listener \"default\" { address = \"127.0.0.1\" port = 2525 tls = \"none\" }\n"
	    "domain \"%s\" { deliver = \"maildir:%s/mail/%%d/%%u\" recipients = { \"*\" } }\n",
	    dir, dir, hostname, dir) == -1) {
		*why = "no memory";
		return (NULL);
	}
	return (text);
}
