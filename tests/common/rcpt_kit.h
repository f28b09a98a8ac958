/*
 * rcpt_kit.h -- a configuration with tables from a few lines of text, for tests of what looks them up.
 *
 * Lines: "TABLE KEY VALUE..."; TABLE is canonical, sender-canonical, recipient-canonical, virtual, client, helo,
 * sender, recipient (access), login, or "aliases@DOMAIN", "recipients@DOMAIN", "include@DOMAIN"; "domain NAME",
 * "relay-domain NAME", "all NAME", "verify NAME", "catch-all NAME ADDRESS", "delimiter +".  Targets are parted by blanks:
 * addresses whole, "@domain", "/dev/null", ":0" the domain's include number 0.  An include's key is its number.
 * "~" in a key is a blank.
 */
#ifndef TESTS_COMMON_RCPT_KIT_H
#define TESTS_COMMON_RCPT_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/table_make.h"
#include "common/table_value.h"

#define KIT_DOMAINS	8
#define KIT_LINES	4096

struct kit_line {
	char	*table, *key, *value;
	int	 line;
};

struct rcpt_kit {
	struct conf		 conf;
	struct conf_domain	 domains[KIT_DOMAINS];
	struct table_maker	*make;
	char			*text;
	struct kit_line		*lines;
	size_t			 n;
};

static int
kit_domain_cmp(const void *a, const void *b)
{
	return (strcmp(((const struct conf_domain *)a)->name, ((const struct conf_domain *)b)->name));
}

static void
kit_die(const char *what, const char *name)
{
	fprintf(stderr, "rcpt_kit: %s: %s\n", what, name);
	abort();
}

static void
kit_value(struct buf *b, enum table_type type, char *value)
{
	struct target	 t;
	struct action	 a = { 0 };
	char		*save = NULL, *w;
	int		 err = E_OK;

	if (type == TABLE_ACTION) {
		if (strncmp(value, "OK", 2) == 0)
			a.kind = ACTION_OK;
		else if (strncmp(value, "DUNNO", 5) == 0)
			a.kind = ACTION_DUNNO;
		else if (strncmp(value, "HOLD", 4) == 0 || strncmp(value, "WARN", 4) == 0 ||
		    strncmp(value, "INFO", 4) == 0) {
			a.kind = value[0] == 'H' ? ACTION_HOLD : value[0] == 'W' ? ACTION_WARN : ACTION_INFO;
			a.text = slice_str(value + 4 + (value[4] == ' '));
		} else {		/* "450 4.7.1 text" */
			a.kind = ACTION_REJECT;
			a.code = (uint16_t)strtoul(value, &w, 10);
			w += *w == ' ';
			w += enhanced_parse(&a.enhanced, slice_str(w));
			a.text = slice_str(w + (*w == ' '));
		}
		if (table_put_action(b, &a) != E_OK)
			kit_die("action", value);
		return;
	}
	for (w = strtok_r(value, " ", &save); w != NULL && err == E_OK; w = strtok_r(NULL, " ", &save)) {
		if (type == TABLE_LOGINS) {
			err = table_put_login(b, slice_str(w));
			continue;
		}
		t = (struct target){ .kind = TARGET_ADDRESS, .text = slice_str(w) };
		if (strcmp(w, "/dev/null") == 0)
			t = (struct target){ .kind = TARGET_DISCARD };
		else if (w[0] == '@')
			t = (struct target){ .kind = TARGET_DOMAIN, .text = slice_str(w + 1) };
		else if (w[0] == ':')
			t = (struct target){ .kind = TARGET_INCLUDE, .text = SLICE_LIT("/list"),
			    .include = (uint32_t)strtoul(w + 1, NULL, 10) };
		err = table_put_target(b, &t);
	}
	if (err != E_OK)
		kit_die("value", value);
}

/* One table of all its lines. */
static void
kit_table(struct rcpt_kit *k, const char *name, enum table_type type, struct table *t)
{
	struct table_value	 v = { .type = type };
	char			 include[80];
	struct buf		 b;
	uint32_t		 file, id;
	size_t			 found = 0;

	buf_init(&b, 64u << 20);
	(void)snprintf(include, sizeof(include), "include%s", strchr(name, '@') != NULL ? strchr(name, '@') : "!");
	for (size_t i = 0; i < k->n; i++)
		found += strcmp(k->lines[i].table, name) == 0;
	if (found == 0)
		return;
	if (table_make_file(k->make, name, &file) != E_OK || table_make_begin(k->make, type, &id) != E_OK ||
	    table_make_hash(k->make) != E_OK)
		kit_die("table", name);
	v.file = file;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < k->n; i++) {
			struct kit_line	*l = &k->lines[i];

			if (strcmp(l->table, pass == 0 ? name : include) != 0 || (pass == 1 && strncmp(name, "aliases", 7) != 0))
				continue;
			buf_drain(&b, b.len);
			kit_value(&b, type, l->value);
			v.key = slice_str(l->key);
			v.data = buf_slice(&b);
			v.line = (uint32_t)l->line;
			if (pass == 0 && table_make_add(k->make, &v) != E_OK)
				kit_die("add", l->key);
			if (pass == 1 && table_make_include(k->make, (uint32_t)strtoul(l->key, NULL, 10), &v) != E_OK)
				kit_die("include", l->key);
		}
		if (pass == 0 && table_make_part_end(k->make, NULL, NULL) != E_OK)
			kit_die("part", name);
	}
	if (table_make_end(k->make) != E_OK)
		kit_die("end", name);
	t->id = id;
	buf_clear(&b);
}

static struct conf_domain *
kit_domain(struct rcpt_kit *k, const char *name)
{
	for (size_t i = 0; i < k->conf.ndomains; i++)
		if (strcmp(k->domains[i].name, name) == 0)
			return (&k->domains[i]);
	kit_die("no such domain", name);
	return (NULL);
}

static void
kit_line(struct rcpt_kit *k, char *line, int number)
{
	struct kit_line	*l = &k->lines[k->n];
	struct conf_domain *d;
	char		*save = NULL;

	l->table = strtok_r(line, " ", &save);
	l->key = strtok_r(NULL, " ", &save);
	l->value = save != NULL ? save : line + strlen(line);
	l->line = number;
	if (l->table == NULL || l->key == NULL)
		return;
	for (char *p = l->key; *p != '\0'; p++)
		*p = *p == '~' ? ' ' : *p;
	if (strcmp(l->table, "domain") == 0 || strcmp(l->table, "relay-domain") == 0) {
		d = &k->domains[k->conf.ndomains++];
		*d = (struct conf_domain){ .name = l->key, .relay = l->table[0] == 'r', .catch_all = "" };
		d->deliver = (struct hop){ .kind = HOP_MAILDIR, .host = "", .path = "/mail/%d/%u", .login = "" };
	} else if (strcmp(l->table, "all") == 0)
		kit_domain(k, l->key)->all = 1;
	else if (strcmp(l->table, "verify") == 0)
		kit_domain(k, l->key)->verify = 1;
	else if (strcmp(l->table, "catch-all") == 0)
		kit_domain(k, l->key)->catch_all = l->value;
	else if (strcmp(l->table, "delimiter") == 0)
		k->conf.recipient_delimiter = l->key;
	else if (strcmp(l->table, "hostname") == 0)
		k->conf.hostname = l->key;
	else if (k->n + 1 < KIT_LINES)
		k->n++;
	else
		kit_die("too many lines", line);
}

static void
kit_open(struct rcpt_kit *k, const char *text)
{
	struct conf_tables	*t = &k->conf.tables;
	char			*save = NULL, name[300];
	int			 number = 0;

	memset(k, 0, sizeof(*k));
	k->conf.hostname = "mx.test";
	k->conf.postmaster = "";
	k->conf.recipient_delimiter = "";
	k->conf.domains = k->domains;
	if ((k->text = strdup(text)) == NULL || (k->make = table_maker_new(TABLE_IMAGE_MAX)) == NULL ||
	    (k->lines = calloc(KIT_LINES, sizeof(*k->lines))) == NULL)
		abort();
	for (char *line = strtok_r(k->text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		kit_line(k, line, ++number);
	kit_table(k, "canonical", TABLE_TARGETS, &t->canonical);
	kit_table(k, "sender-canonical", TABLE_TARGETS, &t->sender_canonical);
	kit_table(k, "recipient-canonical", TABLE_TARGETS, &t->recipient_canonical);
	kit_table(k, "virtual", TABLE_TARGETS, &t->virtual);
	kit_table(k, "login", TABLE_LOGINS, &t->sender_login);
	kit_table(k, "client", TABLE_ACTION, &t->client_access);
	kit_table(k, "helo", TABLE_ACTION, &t->helo_access);
	kit_table(k, "sender", TABLE_ACTION, &t->sender_access);
	kit_table(k, "recipient", TABLE_ACTION, &t->recipient_access);
	for (size_t i = 0; i < k->conf.ndomains; i++) {
		(void)snprintf(name, sizeof(name), "aliases@%s", k->domains[i].name);
		kit_table(k, name, TABLE_TARGETS, &k->domains[i].aliases);
		(void)snprintf(name, sizeof(name), "recipients@%s", k->domains[i].name);
		kit_table(k, name, TABLE_PRESENT, &k->domains[i].recipients);
	}
	if (table_make_finish(k->make, &k->conf.image) != E_OK || table_image_check(k->conf.image) != E_OK)
		kit_die("finish", "image");
	t->canonical.image = t->sender_canonical.image = t->recipient_canonical.image = t->virtual.image =
	    t->sender_login.image = t->client_access.image = t->helo_access.image = t->sender_access.image =
	    t->recipient_access.image = k->conf.image;
	for (size_t i = 0; i < k->conf.ndomains; i++)
		k->domains[i].aliases.image = k->domains[i].recipients.image = k->conf.image;
	qsort(k->domains, k->conf.ndomains, sizeof(k->domains[0]), kit_domain_cmp);
}

static inline void
kit_close(struct rcpt_kit *k)
{
	table_maker_free(k->make);
	free((char *)(uintptr_t)k->conf.image.p);
	free(k->lines);
	free(k->text);
}

#endif
