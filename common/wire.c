/* wire.c -- fixed-width, little-endian packing.  Core.  Every length is checked against what is left. */
#include "common/wire.h"

#include "common/err.h"

void
wr_init(struct wr *w, void *p, size_t size)
{
	*w = (struct wr){ .p = p, .size = size };
}

/* Where n octets go, or NULL after a failure. */
static uint8_t *
wr_take(struct wr *w, size_t n)
{
	uint8_t	*p;

	if (w->err != E_OK || n > w->size - w->len) {
		w->err = E_LIMIT;
		return (NULL);
	}
	p = w->p + w->len;
	w->len += n;
	return (p);
}

static void
wr_uint(struct wr *w, uint64_t v, size_t n)
{
	uint8_t	*p = wr_take(w, n);

	if (p == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void
wr_u8(struct wr *w, uint8_t v)
{
	wr_uint(w, v, sizeof(v));
}

void
wr_u16(struct wr *w, uint16_t v)
{
	wr_uint(w, v, sizeof(v));
}

void
wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, sizeof(v));
}

void
wr_u64(struct wr *w, uint64_t v)
{
	wr_uint(w, v, sizeof(v));
}

void
wr_raw(struct wr *w, const void *data, size_t n)
{
	uint8_t	*p;

	if (n != 0 && (p = wr_take(w, n)) != NULL)
		memcpy(p, data, n);
}

void
wr_bytes(struct wr *w, const void *data, size_t n)
{
	if (n > UINT32_MAX) {
		w->err = E_LIMIT;
		return;
	}
	wr_u32(w, (uint32_t)n);
	wr_raw(w, data, n);
}

void
wr_str(struct wr *w, const char *s)
{
	size_t	 n = strlen(s);

	if (n > UINT16_MAX) {
		w->err = E_LIMIT;
		return;
	}
	wr_u16(w, (uint16_t)n);
	wr_raw(w, s, n);
}

void
rd_init(struct rd *r, const void *p, size_t n)
{
	*r = (struct rd){ .p = p, .len = n };
}

void
rd_fail(struct rd *r)
{
	r->err = E_PROTO;
	r->len = 0;
}

static const uint8_t *
rd_take(struct rd *r, size_t n)
{
	const uint8_t	*p = r->p;

	if (r->err != E_OK || n > r->len) {
		rd_fail(r);
		return (NULL);
	}
	r->len -= n;
	if (n != 0)
		r->p += n;
	return (p);
}

static uint64_t
rd_uint(struct rd *r, size_t n)
{
	const uint8_t	*p = rd_take(r, n);
	uint64_t	 v = 0;

	if (p == NULL)
		return (0);
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return (v);
}

uint8_t
rd_u8(struct rd *r)
{
	return ((uint8_t)rd_uint(r, 1));
}

uint16_t
rd_u16(struct rd *r)
{
	return ((uint16_t)rd_uint(r, 2));
}

uint32_t
rd_u32(struct rd *r)
{
	return ((uint32_t)rd_uint(r, 4));
}

uint64_t
rd_u64(struct rd *r)
{
	return (rd_uint(r, 8));
}

uint8_t
rd_u8max(struct rd *r, uint8_t max)
{
	uint8_t	 v = rd_u8(r);

	if (v > max) {
		rd_fail(r);
		return (0);
	}
	return (v);
}

void
rd_raw(struct rd *r, void *dst, size_t n)
{
	const uint8_t	*p;

	if (n == 0)
		return;
	if ((p = rd_take(r, n)) != NULL)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

struct slice
rd_bytes(struct rd *r, size_t max)
{
	uint32_t	 n = rd_u32(r);
	const uint8_t	*p;

	if (n > max)
		rd_fail(r);
	if (r->err != E_OK || (p = rd_take(r, n)) == NULL)
		return (slice_make(NULL, 0));
	return (slice_make(p, n));
}

void
rd_str(struct rd *r, char *dst, size_t size)
{
	uint16_t	 n = rd_u16(r);
	const uint8_t	*p;

	dst[0] = '\0';
	if (n >= size)
		rd_fail(r);
	if (r->err != E_OK || (p = rd_take(r, n)) == NULL || n == 0)
		return;
	if (memchr(p, '\0', n) != NULL || memchr(p, '\r', n) != NULL || memchr(p, '\n', n) != NULL) {
		rd_fail(r);
		return;
	}
	memcpy(dst, p, n);
	dst[n] = '\0';
}

int
rd_end(struct rd *r)
{
	if (r->err == E_OK && r->len != 0)
		rd_fail(r);
	return (r->err);
}
