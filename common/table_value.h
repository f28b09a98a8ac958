/*
 * table_value.h -- how values are packed, beside the readers of table.h.  For the compiler and for tests. Core.
 */
#ifndef COMMON_TABLE_VALUE_H
#define COMMON_TABLE_VALUE_H

#include "common/buf.h"
#include "common/table.h"

/* Each adds to a value: E_OK, E_LIMIT, E_NOMEM. */
int	 table_put_target(struct buf *, const struct target *);
int	 table_put_login(struct buf *, struct slice login);
int	 table_put_action(struct buf *, const struct action *);

#endif
