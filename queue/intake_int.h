/* intake_int.h -- between the files of intake.h alone. */
#ifndef QUEUE_INTAKE_INT_H
#define QUEUE_INTAKE_INT_H

#include "queue/intake.h"

/* The answer; smtpd's number is free then.  Nothing is sent if it has gone. */
void	txn_answer(struct txn *, enum txn_status);
/* Nobody waits for it any more; it may be freed. */
void	txn_drop(struct txn *);
/* Its recipients are known: t->rcpt, t->m.nrcpt of them, or t->put.rcpt_at. */
void	txn_put(struct txn *);

/* intake_expand.c: the commit was seen; leads to txn_put(), or to an answer. */
void	txn_expand(struct txn *);
void	txn_expand_free(struct txn *);

#endif
