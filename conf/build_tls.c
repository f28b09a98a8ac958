/* build_tls.c -- the sections tls: certificates, each with the path of its key.  Core. */
#include <stdlib.h>

#include "common/conf_number.h"
#include "conf/build_inner.h"
#include "conf/cert.h"
#include "conf/value.h"

void
build_open_tls(struct build *b, const struct text_section *s)
{
	struct new_tls	*n = vec_add(&b->tls, sizeof(*n));

	n->line = s->line;
	n->name = "";
	n->good = value_domain(b->errors, s->line, "tls", s->title, &b->c->mem, &n->name);
}

void
build_tls_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_tls	*n = (struct new_tls *)b->tls.p + index;
	struct new_path	*p = vec_add(strcmp(v->key, "key") == 0 ? &n->keys : &n->certs, sizeof(*p));

	p->line = v->line;
	p->good = value_path(b->errors, v, CONF_PATH_MAX, &b->c->mem, &p->path);
}

void
build_tls_level(struct build *b, const struct text_value *v)
{
	static const char *const	 names[TLS_LEVELS] = { "modern", "intermediate", "old" };

	for (unsigned i = 0; i < TLS_LEVELS; i++) {
		if (strcmp(v->text, names[i]) == 0) {
			b->c->tls_level = (enum tls_level)i;
			return;
		}
	}
	errors_add(b->errors, v->line, "tls-level: \"%s\": expected \"modern\", \"intermediate\" or \"old\"", v->text);
}

/* Whether a certificate for these names serves a client that asked for the host (RFC 6125 6.4.3). */
static int
is_for(const struct conf_cert *cert, const char *host)
{
	const char	*dot = strchr(host, '.');

	for (size_t i = 0; i < cert->nnames; i++) {
		if (strcmp(cert->names[i], host) == 0 ||
		    (cert->names[i][0] == '*' && dot != NULL && strcmp(cert->names[i] + 1, dot) == 0))
			return (1);
	}
	return (0);
}

static void
one_pair(struct build *b, const struct new_tls *n, const struct new_path *file, const struct new_path *key)
{
	struct conf_cert	*cert;
	struct cert		 read;
	char			 why[CERT_WHY_MAX];
	const char		*no_file;
	char			*pem;

	if (!file->good || !key->good)
		return;
	if ((pem = b->world->read_cert(file->path, CERT_FILE_MAX, &no_file)) == NULL) {
		errors_add(b->errors, file->line, "certificate: \"%.200s\": %s", file->path, no_file);
		return;
	}
	if (!cert_read(&read, pem, b->world->now, &b->c->mem, why))
		errors_add(b->errors, file->line, "certificate: \"%.200s\": %s", file->path, why);
	else {
		cert = vec_add(&b->certs, sizeof(*cert));
		*cert = (struct conf_cert){ .name = n->name, .certificate_path = file->path, .key_path = key->path,
		    .chain = read.chain, .nnames = read.names.n };
		memcpy(cert->spki, read.spki, sizeof(cert->spki));
		cert->names = vec_to_arena(&read.names, sizeof(char *), &b->c->mem);
		if (read.warning[0] != '\0')
			errors_warn(b->errors, file->line, "certificate: \"%.200s\": %s", file->path, read.warning);
		if (!is_for(cert, n->name))
			errors_warn(b->errors, file->line, "certificate: \"%.200s\": it is not for %s", file->path, n->name);
	}
	free(pem);
}

static void
one_section(struct build *b, struct new_tls *n)
{
	const struct new_path	*certs = n->certs.p, *keys = n->keys.p;

	if (n->certs.n == 0 || n->certs.n != n->keys.n)
		errors_add(b->errors, n->line, "tls \"%s\": %zu certificates and %zu keys; expected certificate and key, "
		    "or lists of them of the same length and order", n->name, n->certs.n, n->keys.n);
	else if (n->good) {
		for (size_t i = 0; i < n->certs.n; i++)
			one_pair(b, n, &certs[i], &keys[i]);
	}
	free(n->certs.p);
	free(n->keys.p);
}

void
build_finish_tls(struct build *b)
{
	struct new_tls		*n = b->tls.p;
	struct new_listener	*l = b->listeners.p;
	struct conf		*c = b->c;
	size_t			 total = 0;

	for (size_t i = 0; i < b->tls.n; i++) {
		total += n[i].certs.n;
		if (total > CERTS_MAX)
			errors_add(b->errors, n[i].line, "tls \"%s\": more than %d certificates in all", n[i].name, CERTS_MAX);
		if (b->world->no_tables || total > CERTS_MAX) {
			free(n[i].certs.p);
			free(n[i].keys.p);
		} else
			one_section(b, &n[i]);
	}
	for (size_t i = 0; i < c->nlisteners; i++) {
		if (c->listeners[i].tls == LISTEN_CLEAR)
			continue;
		if (b->world->no_tables)	/* as it is without certificates */
			c->listeners[i].tls = LISTEN_CLEAR;
		else if (b->tls.n == 0)
			errors_add(b->errors, l[i].tls_line, "listener \"%s\": tls needs a certificate: add a section tls \"%s\" "
			    "{ certificate = \"...\" key = \"...\" }", c->listeners[i].name, c->hostname);
	}
	c->ncerts = b->certs.n;
	c->certs = vec_to_arena(&b->certs, sizeof(*c->certs), &c->mem);
}
