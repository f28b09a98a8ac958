/*
 * table_value.c -- the typed values of tables, packed and read.  Core.
 *
 *	target	u8 kind, u16 length, text, and for TARGET_INCLUDE u32 number
 *	login	u16 length, text
 *	action	u8 kind, u16 code, u8 class, u16 subject, u16 detail, text to the end
 */
#include "common/table_value.h"

#include "common/err.h"
#include "common/wire.h"

#define ITEM_MAX	16	/* octets of an item beside its text */

static int
put(struct buf *b, struct wr *w, struct slice text)
{
	int	 err;

	if (w->err != E_OK)
		return (w->err);
	if ((err = buf_add(b, w->p, w->len)) != E_OK || text.n == 0)
		return (err);
	return (buf_add(b, text.p, text.n));
}

static struct slice
take(struct rd *r, size_t n)
{
	struct slice	 s = { (const char *)r->p, n };

	if (r->err != E_OK || n > r->len) {
		rd_fail(r);
		return (slice_make("", 0));
	}
	r->p += n;
	r->len -= n;
	return (s);
}

/* ---- targets ---- */

int
table_put_target(struct buf *b, const struct target *t)
{
	uint8_t		 tmp[ITEM_MAX];
	struct wr	 w;
	int		 err;

	if (t->text.n > UINT16_MAX)
		return (E_LIMIT);
	wr_init(&w, tmp, sizeof(tmp));
	wr_u8(&w, (uint8_t)t->kind);
	wr_u16(&w, (uint16_t)t->text.n);
	if ((err = put(b, &w, t->text)) != E_OK || t->kind != TARGET_INCLUDE)
		return (err);
	wr_init(&w, tmp, sizeof(tmp));
	wr_u32(&w, t->include);
	return (put(b, &w, slice_make("", 0)));
}

void
table_targets(struct table_iter *it, const struct table_value *v)
{
	it->left = v->data;
}

int
table_target_next(struct table_iter *it, struct target *t)
{
	struct rd	 r;

	if (it->left.n == 0)
		return (E_NOTFOUND);
	rd_init(&r, it->left.p, it->left.n);
	t->kind = (enum target_kind)rd_u8max(&r, TARGET_KINDS - 1);
	t->text = take(&r, rd_u16(&r));
	t->include = t->kind == TARGET_INCLUDE ? rd_u32(&r) : 0;
	if (r.err != E_OK || (t->text.n == 0) != (t->kind == TARGET_DISCARD))
		return (E_CORRUPT);
	it->left = slice_make(r.p, r.len);
	return (E_OK);
}

/* ---- logins ---- */

int
table_put_login(struct buf *b, struct slice login)
{
	uint8_t		 tmp[ITEM_MAX];
	struct wr	 w;

	if (login.n == 0 || login.n > LOGIN_MAX)
		return (E_LIMIT);
	wr_init(&w, tmp, sizeof(tmp));
	wr_u16(&w, (uint16_t)login.n);
	return (put(b, &w, login));
}

void
table_logins(struct table_iter *it, const struct table_value *v)
{
	it->left = v->data;
}

int
table_login_next(struct table_iter *it, struct slice *login)
{
	struct rd	 r;

	if (it->left.n == 0)
		return (E_NOTFOUND);
	rd_init(&r, it->left.p, it->left.n);
	*login = take(&r, rd_u16(&r));
	if (r.err != E_OK || login->n == 0 || login->n > LOGIN_MAX)
		return (E_CORRUPT);
	it->left = slice_make(r.p, r.len);
	return (E_OK);
}

int
table_login_has(const struct table_value *v, struct slice login)
{
	struct table_iter	 it;
	struct slice		 one;
	int			 err;

	table_logins(&it, v);
	while ((err = table_login_next(&it, &one)) == E_OK) {
		if (slice_eq(one, login))
			return (E_OK);
	}
	return (err);
}

/* ---- actions ---- */

int
table_put_action(struct buf *b, const struct action *a)
{
	uint8_t		 tmp[ITEM_MAX];
	struct wr	 w;

	if (a->text.n > ACCESS_TEXT_MAX)
		return (E_LIMIT);
	wr_init(&w, tmp, sizeof(tmp));
	wr_u8(&w, (uint8_t)a->kind);
	wr_u16(&w, a->code);
	wr_u8(&w, a->enhanced.cls);
	wr_u16(&w, a->enhanced.subject);
	wr_u16(&w, a->enhanced.detail);
	return (put(b, &w, a->text));
}

static int
action_ok(const struct action *a)
{
	const struct enhanced	*e = &a->enhanced;

	for (size_t i = 0; i < a->text.n; i++) {
		if ((unsigned char)a->text.p[i] < 0x20 || (unsigned char)a->text.p[i] > 0x7e)
			return (0);	/* it becomes a reply */
	}
	if (a->text.n > ACCESS_TEXT_MAX)
		return (0);
	if (a->kind == ACTION_REJECT)
		return (a->code >= 400 && a->code <= 599 && e->cls == a->code / 100 && e->subject <= 999 &&
		    e->detail <= 999);
	return (a->code == 0 && e->cls == 0 && e->subject == 0 && e->detail == 0);
}

int
table_action(const struct table_value *v, struct action *a)
{
	struct rd	 r;

	rd_init(&r, v->data.p, v->data.n);
	a->kind = (enum action_kind)rd_u8max(&r, ACTION_KINDS - 1);
	a->code = rd_u16(&r);
	a->enhanced.cls = rd_u8(&r);
	a->enhanced.subject = rd_u16(&r);
	a->enhanced.detail = rd_u16(&r);
	a->text = take(&r, r.len);
	return (r.err == E_OK && v->type == TABLE_ACTION && action_ok(a) ? E_OK : E_CORRUPT);
}
