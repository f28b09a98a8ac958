/*
 * notify.h -- the service manager's notification protocol, sd_notify(3), in our own few lines.
 *
 * libsystemd would link liblzma and more into every process.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; the caller then empties the environment. */
void	 notify_init(void);
/* How often WATCHDOG=1 is wanted, milliseconds; 0 is never. */
uint64_t notify_watchdog_ms(void);
/* Lines of NAME=VALUE, the last without LF.  Without a service manager nothing happens. */
void	 notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
