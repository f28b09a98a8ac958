/*
 * cells.h -- values as short text for tables.  Core.
 *
 * Each function writes into dst and returns it.  Strangers' text comes out as
 * printable ASCII only (R9); unlike in logs, quotes stay as they are, so that an address can be copied.
 */
#ifndef CTL_CELLS_H
#define CTL_CELLS_H

#include <stddef.h>
#include <stdint.h>

#define CELL_LEN	40
#define CELL_NOTIFY_LEN	32

/* "0", "999", "4.8K", "12M", "1.1G": powers of 1024, four characters where possible. */
char	*cell_size(uint64_t octets, char dst[static CELL_LEN]);
/* The time from then to now, "2h5m"; "0s" if then lies ahead; "-" for then 0. */
char	*cell_age(int64_t then, int64_t now, char dst[static CELL_LEN]);
/* The time until then: "now" when it is past, "-" for 0. */
char	*cell_until(int64_t then, int64_t now, char dst[static CELL_LEN]);
/* "2026-11-21T23:45:25Z", "-" for 0. */
char	*cell_time(int64_t t, char dst[static CELL_LEN]);
/* Printable ASCII as it is, all else \xNN.  What does not fit is left out. */
char	*cell_plain(char *dst, size_t size, const char *p, size_t n);
/* An address in angle brackets, escaped; "<>" for the null sender. */
char	*cell_path(const char *address, char *dst, size_t size);
/* NOTIFY's value as RFC 3461 4.1 writes it, "SUCCESS,FAILURE"; "-" if it was not given. */
char	*cell_notify(unsigned notify, char dst[static CELL_NOTIFY_LEN]);
/* By whom a message is held: "the operator". */
const char *held_by_name(unsigned);

#endif
