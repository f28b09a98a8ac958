/*
 * logs.h -- sockets and streams for log lines, for master and its daemons (F14).
 */
#ifndef MASTER_LOGS_H
#define MASTER_LOGS_H

#include "common/conf.h"

/* A descriptor for lines of this kind, of its own open file where the kernel allows; -1: not now. */
int	logs_open(enum log_kind);

#endif
