/*
 * log.h -- log lines that never block a loop (design.md 3, F14).
 *
 * Lines collect in memory and go out once per turn of the loop: to the log daemon as one
 * datagram a line (RFC 3164 form, facility mail, many per system call), or to a stderr of our
 * own open file.  What does not fit, or is refused, is counted and reported when the way is free again.
 * When the log daemon restarts, log_need_fd() becomes true and the room asks master for
 * a new socket.  Strangers' text goes through text_escape() first (R9).
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>

#include "common/conf.h"

enum log_level { LV_DEBUG, LV_INFO, LV_WARN, LV_FATAL };

void	 log_open(const char *program);		/* first call of main(); lines go to stderr, unbuffered, until log_use() */
void	 log_use(enum log_kind, int fd);	/* takes fd */
void	 log_set_debug(int on);
void	 log_flush(void);			/* once per turn of the loop, and before exit */
int	 log_need_fd(void);			/* true after the socket died, once a second until log_use() */
uint64_t log_dropped(void);			/* since start */

void	 log_at(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...)	log_at(LV_DEBUG, __VA_ARGS__)
#define log_info(...)	log_at(LV_INFO, __VA_ARGS__)
#define log_warn(...)	log_at(LV_WARN, __VA_ARGS__)
/* One line, flushed; exit status 1. */
void	 log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
