/*
 * conf_pack.c -- the snapshot as octets.  Core.
 *
 * pack_all() here and unpack_all() of conf_unpack.c stand field for field.  There is one form for each snapshot:
 * what unpacks, packs to the same octets.
 */
#include <stdlib.h>

#include "common/conf_form.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/wire.h"

#define PACK_FIRST	8192		/* octets of the first attempt */

static void
pack_hop(struct wr *w, const struct hop *h)
{
	wr_u8(w, (uint8_t)h->kind);
	wr_str(w, h->host);
	wr_u16(w, h->port);
	wr_u8(w, h->implicit);
	wr_str(w, h->login);
	wr_str(w, h->path);
}

static void
pack_strings(struct wr *w, const char *const *list, size_t n)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wr_str(w, list[i]);
}

static void
pack_prefixes(struct wr *w, const struct conf_prefixes *p)
{
	wr_u32(w, (uint32_t)p->n);
	for (size_t i = 0; i < p->n; i++) {
		wr_raw(w, p->v[i].addr.a, sizeof(p->v[i].addr.a));
		wr_u8(w, p->v[i].len);
	}
}

static void
pack_listener(struct wr *w, const struct conf_listener *l)
{
	wr_str(w, l->name);
	wr_u8(w, (uint8_t)l->kind);
	wr_str(w, l->path);
	wr_u8(w, (uint8_t)l->everybody);
	wr_u8(w, (uint8_t)l->lmtp);
	wr_u8(w, (uint8_t)l->tls);
	wr_u8(w, (uint8_t)l->auth);
	wr_u8(w, (uint8_t)l->client_certs);
	wr_u8(w, (uint8_t)l->any_sender);
	pack_prefixes(w, &l->proxy_from);
	pack_prefixes(w, &l->xclient_from);
	pack_prefixes(w, &l->xforward_from);
	wr_raw(w, l->addr.a, sizeof(l->addr.a));
	wr_u16(w, l->port);
	wr_u32(w, l->connections);
	wr_u32(w, l->per_address);
	wr_u32(w, l->per_prefix);
}

static void
pack_domain(struct wr *w, const struct conf_domain *d)
{
	wr_str(w, d->name);
	wr_u8(w, (uint8_t)d->relay);
	pack_hop(w, &d->deliver);
	wr_u8(w, (uint8_t)d->all);
	wr_u32(w, d->recipients.id);
	wr_u32(w, d->aliases.id);
	wr_str(w, d->catch_all);
	wr_u8(w, (uint8_t)d->verify);
	pack_prefixes(w, &d->etrn_from);
}

static void
pack_cert(struct wr *w, const struct conf_cert *cert)
{
	wr_str(w, cert->name);
	wr_str(w, cert->certificate_path);
	wr_str(w, cert->key_path);
	wr_bytes(w, cert->chain.p, cert->chain.n);
	wr_raw(w, cert->spki, sizeof(cert->spki));
	pack_strings(w, cert->names, cert->nnames);
}

static void
pack_policy(struct wr *w, const struct conf_tls_policy *p)
{
	wr_str(w, p->name);
	wr_u8(w, (uint8_t)p->want);
	pack_strings(w, p->names, p->nnames);
	wr_u32(w, (uint32_t)p->nfingerprints);
	for (size_t i = 0; i < p->nfingerprints; i++)
		wr_raw(w, p->fingerprints[i], SPKI_HASH_LEN);
	wr_u8(w, (uint8_t)p->resume);
}

static void
pack_tls(struct wr *w, const struct conf *c)
{
	wr_u8(w, (uint8_t)c->tls_level);
	wr_u32(w, (uint32_t)c->ncerts);
	for (size_t i = 0; i < c->ncerts; i++)
		pack_cert(w, &c->certs[i]);
	wr_bytes(w, c->ca.p, c->ca.n);
	wr_bytes(w, c->client_ca.p, c->client_ca.n);
	wr_u32(w, (uint32_t)c->npolicies);
	for (size_t i = 0; i < c->npolicies; i++)
		pack_policy(w, &c->policies[i]);
}

static void
pack_auth(struct wr *w, const struct conf *c)
{
	wr_u32(w, (uint32_t)c->nlogins);
	for (size_t i = 0; i < c->nlogins; i++) {
		wr_str(w, c->logins[i].name);
		wr_str(w, c->logins[i].user);
		wr_str(w, c->logins[i].password_path);
	}
	wr_u8(w, (uint8_t)c->auth.needed);
	wr_str(w, c->auth.passwd_path);
	wr_str(w, c->auth.dovecot_path);
	wr_str(w, c->auth.pam_service);
	wr_u8(w, (uint8_t)c->auth.mechanisms);
}

static void
pack_all(struct wr *w, const struct conf *c)
{
	struct conf_prefixes	 relay_from;

	wr_u32(w, CONF_MAGIC);
	wr_u16(w, CONF_VERSION);
	wr_str(w, c->hostname);
	wr_str(w, c->directory);
	wr_str(w, c->runtime);
	wr_str(w, c->user_prefix);
	wr_u8(w, (uint8_t)c->log);
	wr_str(w, c->postmaster);
	for (size_t i = 0; i < conf_nnumbers; i++)
		wr_u64(w, conf_number_get(c, &conf_numbers[i]));
	wr_str(w, c->recipient_delimiter);
	for (size_t i = 0; i < conf_nmaps; i++)
		wr_u32(w, conf_map_table((struct conf *)c, &conf_maps[i])->id);
	relay_from = (struct conf_prefixes){ c->nrelay_from, c->relay_from };
	pack_prefixes(w, &relay_from);
	pack_prefixes(w, &c->smtpd.vrfy_from);
	pack_prefixes(w, &c->smtpd.expn_from);
	wr_u32(w, (uint32_t)c->nlisteners);
	for (size_t i = 0; i < c->nlisteners; i++)
		pack_listener(w, &c->listeners[i]);
	wr_u32(w, (uint32_t)c->ndomains);
	for (size_t i = 0; i < c->ndomains; i++)
		pack_domain(w, &c->domains[i]);
	pack_tls(w, c);
	wr_u32(w, (uint32_t)c->nroutes);
	for (size_t i = 0; i < c->nroutes; i++) {
		wr_str(w, c->routes[i].name);
		pack_hop(w, &c->routes[i].via);
	}
	pack_auth(w, c);
	wr_u32(w, (uint32_t)c->queue.nretry);
	for (size_t i = 0; i < c->queue.nretry; i++)
		wr_u32(w, c->queue.retry[i]);
	wr_str(w, c->deliver.bind4);
	wr_str(w, c->deliver.bind6);
	pack_strings(w, c->resolver.forward, c->resolver.nforward);
	wr_u32(w, (uint32_t)c->resolver.nstub);
	for (size_t i = 0; i < c->resolver.nstub; i++) {
		wr_str(w, c->resolver.stub_zone[i]);
		wr_str(w, c->resolver.stub_server[i]);
	}
	wr_bytes(w, c->resolver.trust_anchor, strlen(c->resolver.trust_anchor));
}

int
conf_pack(const struct conf *c, struct slice *out)
{
	struct wr	 w;
	uint8_t		*p;

	for (size_t size = PACK_FIRST; size <= CONF_BLOB_MAX; size *= 2) {
		if ((p = malloc(size)) == NULL)
			return (E_NOMEM);
		wr_init(&w, p, size);
		pack_all(&w, c);
		if (w.err == E_OK) {
			*out = slice_make(p, w.len);
			return (E_OK);
		}
		free(p);
	}
	return (E_LIMIT);
}

