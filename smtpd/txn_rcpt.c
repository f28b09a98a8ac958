/*
 * txn_rcpt.c -- the recipients of a transaction, packed one behind the other.  Core.
 *
 * A record is one octet of NOTIFY, the address and its NUL, the ORCPT and its NUL: a message to a
 * thousand recipients costs what their addresses cost, and one allocation.
 */
#include <string.h>

#include "common/err.h"
#include "smtpd/session.h"

int
txn_rcpt_add(struct smtp_txn *t, const struct txn_rcpt *r)
{
	size_t	 na = strlen(r->address), no = strlen(r->orcpt), n = 1 + na + 1 + no + 1;
	char	*p;

	if (na > ADDRESS_MAX || no > ORCPT_MAX)
		return (E_LIMIT);
	if ((p = buf_reserve(&t->rcpts, n)) == NULL)
		return (E_NOMEM);
	p[0] = (char)r->notify;
	memcpy(p + 1, r->address, na + 1);
	memcpy(p + 1 + na + 1, r->orcpt, no + 1);
	buf_commit(&t->rcpts, n);
	return (E_OK);
}

int
txn_rcpt_next(struct slice *rest, struct txn_rcpt *r)
{
	const char	*p = rest->p;
	size_t		 n;

	if (rest->n == 0)
		return (E_NOTFOUND);
	r->notify = (uint8_t)*p++;
	r->address = p;
	p += strlen(p) + 1;
	r->orcpt = p;
	p += strlen(p) + 1;
	n = (size_t)(p - rest->p);
	*rest = slice_make(p, rest->n - n);
	return (E_OK);
}
