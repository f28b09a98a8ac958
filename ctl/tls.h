/*
 * tls.h -- `posternctl tls DOMAIN': the server's report on TLS towards a domain.  Shell.
 */
#ifndef CTL_TLS_H
#define CTL_TLS_H

#include <jansson.h>

#include "common/buf.h"
#include "common/ipc_msg.h"

struct tls_view {
	FILE	*out;
	json_t	*lines;		/* with --json; else NULL */
	struct buf line;	/* one that is not complete */
};

int	tls_view_init(struct tls_view *, FILE *, int json);	/* E_NOMEM */
void	tls_view_clear(struct tls_view *);
int	tls_view_take(void *, enum ipc_type, struct rd *);	/* conn_row_fn */
/* The answer is complete; with --json the object is printed. */
int	tls_view_end(struct tls_view *, const char *domain, int ok, const char *text);

#endif
