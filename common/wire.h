/*
 * wire.h -- fixed-width, little-endian packing for channels, store records and
 * the configuration snapshot.
 *
 * The reader and the writer remember their first failure, so pack and unpack
 * functions are straight-line code with one check at the end.  After a failure
 * reads give 0 and empty strings, and writes do nothing.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

struct wr {
	uint8_t	*p;
	size_t	 len;		/* octets written */
	size_t	 size;		/* octets that fit */
	int	 err;		/* E_OK, or E_LIMIT once something did not fit */
};

struct rd {
	const uint8_t	*p;
	size_t		 len;	/* octets left */
	int		 err;	/* E_OK or E_PROTO */
};

void	wr_init(struct wr *, void *, size_t size);
void	wr_u8(struct wr *, uint8_t);
void	wr_u16(struct wr *, uint16_t);
void	wr_u32(struct wr *, uint32_t);
void	wr_u64(struct wr *, uint64_t);
void	wr_raw(struct wr *, const void *, size_t);		/* without a length */
void	wr_bytes(struct wr *, const void *, size_t);		/* u32 length, octets */
void	wr_str(struct wr *, const char *);			/* u16 length, octets; no NUL */

void	 rd_init(struct rd *, const void *, size_t);
uint8_t	 rd_u8(struct rd *);
uint16_t rd_u16(struct rd *);
uint32_t rd_u32(struct rd *);
uint64_t rd_u64(struct rd *);
void	 rd_raw(struct rd *, void *, size_t);
struct slice rd_bytes(struct rd *, size_t max);			/* borrows; longer than max fails */
/* A string without NUL, CR or LF into dst[size], NUL-terminated; anything else fails. */
void	 rd_str(struct rd *, char *dst, size_t size);
void	 rd_fail(struct rd *);
/* An enum or flag value: fails when the octet is greater than max. */
uint8_t	 rd_u8max(struct rd *, uint8_t max);
/* E_OK when everything was read and nothing failed, else E_PROTO. */
int	 rd_end(struct rd *);

#endif
