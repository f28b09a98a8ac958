/*
 * text.c -- libconfuse reads the file; its callbacks note every value with its line.  Core.
 *
 * All keys are "pointer" options with our own value callback: libconfuse checks the form, we check the
 * meaning afterwards, so that one bad value does not hide the next.  Two tricks, both from its own features:
 * a hidden option with a default, BEGIN, makes it call us when a section is opened, which is the only way to
 * learn the line of a title; and an option after the end of the text, END, shows a brace that was not closed.
 */
#include "conf/text.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "conf/scan.h"
#include "conf/unknown.h"

#define BEGIN		"__begin"
#define END		"__end"

static struct {
	struct text	*text;
	struct errors	*errors;
	struct vec	 owners;	/* cfg_t * of each section */
	int		 unknown;	/* a key was not known */
	int		 told;		/* all such keys were told before */
} reading;

static int	on_value(cfg_t *, cfg_opt_t *, const char *, void *);
static void	on_error(cfg_t *, const char *, va_list) __attribute__((format(printf, 2, 0)));
static char	begin_default[] = "opened";

#define KEY(name)	CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, on_value, NULL)
#define LIST(name)	CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value, NULL)
#define MAP(name)	LIST(name), LIST(name "-file")
#define OPENED		CFG_PTR_CB(BEGIN, begin_default, 0, on_value, NULL)
#define SECTION(name, opts)	CFG_SEC(name, opts, CFGF_NONE)
#define TITLED(name, opts)	CFG_SEC(name, opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

static cfg_opt_t listener_keys[] = {
	OPENED, KEY("address"), KEY("port"), KEY("tls"), KEY("auth"), KEY("client-certificates"),
	KEY("any-sender"), KEY("protocol"), KEY("connections"),
	KEY("per-address"), KEY("per-prefix"), LIST("proxy-from"), LIST("xclient-from"), LIST("xforward-from"),
	CFG_END()
};
static cfg_opt_t tls_keys[] = {
	OPENED, LIST("certificate"), LIST("key"), CFG_END()
};
static cfg_opt_t tls_policy_keys[] = {
	OPENED, KEY("level"), LIST("names"), LIST("fingerprints"), KEY("resume"), CFG_END()
};
static cfg_opt_t login_keys[] = {
	OPENED, KEY("user"), KEY("password-file"), CFG_END()
};
static cfg_opt_t auth_keys[] = {
	OPENED, KEY("passwd"), KEY("dovecot"), KEY("pam"), LIST("mechanisms"), KEY("workers"), KEY("failures-max"),
	KEY("failure-window"), CFG_END()
};
static cfg_opt_t domain_keys[] = {
	OPENED, KEY("deliver"), LIST("recipients"), LIST("recipients-file"), LIST("aliases"), LIST("aliases-file"),
	KEY("catch-all"), CFG_END()
};
static cfg_opt_t relay_domain_keys[] = {
	OPENED, LIST("recipients"), LIST("recipients-file"), KEY("verify"), LIST("etrn-from"), CFG_END()
};
static cfg_opt_t route_keys[] = {
	OPENED, KEY("via"), CFG_END()
};
static cfg_opt_t smtpd_keys[] = {
	OPENED, KEY("processes"), KEY("submission-processes"), KEY("command-timeout"), KEY("data-timeout"), KEY("min-rate"),
	KEY("errors-max"), KEY("commands-max"), KEY("rcpt-max"), KEY("client-names"),
	KEY("header-size-max"), KEY("header-count-max"), KEY("line-max"), LIST("vrfy-from"), LIST("expn-from"),
	CFG_END()
};
static cfg_opt_t queue_keys[] = {
	OPENED, LIST("retry"), KEY("lifetime"), KEY("bounce-lifetime"), KEY("delay-notice"), KEY("paused"),
	KEY("store-max"), KEY("reserve"), KEY("verify-positive"), KEY("verify-negative"), CFG_END()
};
static cfg_opt_t deliver_keys[] = {
	OPENED, KEY("processes"), KEY("concurrency"), KEY("connections"), KEY("idle"), KEY("bind4"),
	KEY("bind6"), KEY("port"), KEY("connect-timeout"), KEY("greeting-timeout"), KEY("helo-timeout"),
	KEY("mail-timeout"), KEY("rcpt-timeout"), KEY("data-timeout"), KEY("block-timeout"),
	KEY("end-timeout"), KEY("quit-timeout"), KEY("total-timeout"), CFG_END()
};
static cfg_opt_t stub_keys[] = {
	OPENED, LIST("server"), CFG_END()
};
static cfg_opt_t resolver_keys[] = {
	OPENED, LIST("forward"), KEY("trust-anchor"), KEY("timeout"), TITLED("stub", stub_keys), CFG_END()
};
static cfg_opt_t top_keys[] = {
	OPENED, KEY(END), KEY("hostname"), KEY("directory"), KEY("runtime"), KEY("user-prefix"), KEY("log"),
	KEY("postmaster"), LIST("relay-from"), KEY("message-size-limit"), KEY("local-submission"),
	KEY("recipient-delimiter"), KEY("tls-level"), KEY("tls-ca"), KEY("client-ca"), MAP("canonical"), MAP("sender-canonical"), MAP("recipient-canonical"),
	MAP("virtual"), MAP("sender-login"), MAP("client-access"), MAP("helo-access"), MAP("sender-access"),
	MAP("recipient-access"),
	TITLED("listener", listener_keys), TITLED("tls", tls_keys),
	TITLED("tls-policy", tls_policy_keys), TITLED("login", login_keys), TITLED("domain", domain_keys),
	TITLED("relay-domain", relay_domain_keys), TITLED("route", route_keys),
	SECTION("smtpd", smtpd_keys), SECTION("queue", queue_keys), SECTION("deliver", deliver_keys),
	SECTION("auth", auth_keys), SECTION("resolver", resolver_keys), CFG_END()
};

static void
note_section(cfg_t *cfg)
{
	struct text_section	*s;
	int			 top = strcmp(cfg->name, "root") == 0;

	s = vec_add(&reading.text->sections, sizeof(*s));
	s->name = top ? "" : mem_strdup(&reading.text->mem, cfg->name);
	s->title = cfg->title != NULL ? mem_strdup(&reading.text->mem, cfg->title) : "";
	s->line = cfg->line;
	*(cfg_t **)vec_add(&reading.owners, sizeof(cfg_t *)) = cfg;
}

static size_t
section_of(const cfg_t *cfg)
{
	cfg_t	*const *owners = reading.owners.p;
	size_t	 i = reading.owners.n;

	while (i-- > 1) {	/* the one that was opened last, nearly always */
		if (owners[i] == cfg)
			return (i);
	}
	return (0);
}

/* Told of each value: the key's first line is kept in def.number, which pointer options do not use. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct text_value	*v;
	int			 list = (opt->flags & CFGF_LIST) != 0;

	*(void **)result = NULL;
	if (strcmp(opt->name, BEGIN) == 0 && opt->def.number == 0) {
		opt->def.number = 1;
		note_section(cfg);
		return (0);
	}
	if (strcmp(opt->name, BEGIN) == 0) {
		errors_add(reading.errors, cfg->line, "unknown key \"%s\"", opt->name);
		return (0);
	}
	if (strcmp(opt->name, END) == 0) {
		if (reading.text->whole || strcmp(text, END) != 0)
			errors_add(reading.errors, cfg->line, "unknown key \"%s\"", opt->name);
		reading.text->whole = 1;
		return (0);
	}
	if (strcmp(text, END) == 0) {
		errors_add(reading.errors, 0, "the file ends where the value of %s was expected", opt->name);
		return (1);
	}
	if (opt->def.number != 0 && (!list || opt->nvalues == 1))
		errors_add(reading.errors, cfg->line, "%s is given twice, first on line %ld", opt->name,
		    opt->def.number);
	else if (opt->def.number == 0)
		opt->def.number = cfg->line;
	v = vec_add(&reading.text->values, sizeof(*v));
	v->section = section_of(cfg);
	v->key = mem_strdup(&reading.text->mem, opt->name);
	v->text = mem_strdup(&reading.text->mem, text);
	v->line = cfg->line;
	return (0);
}

/* libconfuse's words, where they are good enough; the first ends its reading. */
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char	 text[256];

	if (reading.unknown)
		return;	/* told already; this is the second reading */
	vsnprintf(text, sizeof(text), fmt, ap);
	if (strcmp(text, "no such option '" END "'") == 0)
		errors_add(reading.errors, 0, "the end of the file stands inside a section");
	else if (strncmp(text, "no such option '", 16) == 0) {
		reading.unknown = 1;
		if (reading.told)
			return;
		text[strlen(text) - 1] = '\0';
		if (strcmp(cfg->name, "root") == 0)
			errors_add(reading.errors, cfg->line, "unknown key \"%s\"", text + 16);
		else
			errors_add(reading.errors, cfg->line, "unknown key \"%s\" in section %s", text + 16,
			    cfg->name);
	} else if (strcmp(text, "premature end of file") == 0)
		errors_add(reading.errors, 0, "the file ends where a value was expected");
	else
		errors_add(reading.errors, cfg->line, "%s", text);
}

static int
given(cfg_t *cfg, const char *key)
{
	const cfg_opt_t	*opt = cfg != NULL ? cfg_getopt(cfg, key) : NULL;

	return (opt != NULL && (opt->flags & CFGF_MODIFIED) != 0);
}

static void
read_once(struct text *t, const char *in, cfg_flag_t flags)
{
	cfg_t	*cfg;

	t->sections.n = t->values.n = reading.owners.n = 0;
	t->whole = 0;
	if ((cfg = cfg_init(top_keys, flags)) == NULL) {
		errors_add(reading.errors, 0, "out of memory");
		return;
	}
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, in) != CFG_SUCCESS)
		t->whole = 0;
	t->relay_from_given = given(cfg, "relay-from");
	t->retry_given = given(cfg_getsec(cfg, "queue"), "retry");
	t->mechanisms_given = given(cfg_getsec(cfg, "auth"), "mechanisms");
	cfg_free(cfg);
}

void
text_read(struct text *t, struct slice in, struct errors *errors)
{
	static const char	 last[] = END " = " END "\n";
	char			*copy;
	size_t			 n = in.n;

	*t = (struct text){ .whole = 0 };
	arena_init(&t->mem, SIZE_MAX);
	if (!scan_text(in, errors))
		return;
	copy = mem_array(NULL, in.n + 1 + sizeof(last), 1);
	if (n != 0)
		memcpy(copy, in.p, n);
	if (n != 0 && copy[n - 1] != '\n')
		copy[n++] = '\n';	/* the last line may be a comment */
	memcpy(copy + n, last, sizeof(last));
	reading.text = t;
	reading.errors = errors;
	reading.unknown = 0;
	reading.told = unknown_keys(in, top_keys, errors) != 0;
	read_once(t, copy, CFGF_NONE);
	if (reading.unknown) {
		/* Again without minding unknown keys, so that the values behind the first are checked too. */
		read_once(t, copy, CFGF_IGNORE_UNKNOWN);
	}
	free(reading.owners.p);
	reading.owners = (struct vec){ 0 };
	free(copy);
}

void
text_clear(struct text *t)
{
	free(t->sections.p);
	free(t->values.p);
	arena_clear(&t->mem);
	*t = (struct text){ .whole = 0 };
}
