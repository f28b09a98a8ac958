/* rcpt_int.h -- between the files of rcpt.h, and table_access.c. */
#ifndef COMMON_RCPT_INT_H
#define COMMON_RCPT_INT_H

#include "common/rcpt.h"
#include "common/table.h"

struct rcpt_name {		/* an address taken apart */
	char		 text[ADDRESS_MAX + 1];		/* canonical, as addr.h writes it */
	char		 local[LOCAL_PART_MAX + 1];	/* without quotes */
	size_t		 nlocal, nbase;			/* nbase: before the extension; equal if there is none */
	const char	*domain;			/* within text; "" if there is none */
};

/* E_SYNTAX: longer than an address may be, or its quotes are wrong. */
int	 rcpt_name_set(struct rcpt_name *, const struct conf *, struct slice text);
/* local, unquoted, at domain; quoted where it must be.  E_LIMIT. */
int	 rcpt_join(char dst[ADDRESS_MAX + 1], const char *local, size_t n, const char *domain);
int	 rcpt_same(const char *a, const char *b);	/* without regard to case, as the tables do */

enum rcpt_stage { STAGE_VIRTUAL, STAGE_ALIAS, STAGE_MAILBOX };

struct rcpt_step {		/* what a stage says of a name */
	enum rcpt_stage		 stage;		/* the one that spoke */
	enum rcpt_kind		 kind;		/* an end, if !more */
	int			 more;		/* v, or the domain's catch-all, names others */
	const struct conf_domain *domain;
	const struct table	*table;		/* NULL: catch-all */
	struct table_value	 v;
	size_t			 matched;	/* octets of the local part that the key matched; 0: @domain */
	char			 mailbox[LOCAL_PART_MAX + 1];
};

/* From the given stage on.  E_OK, E_CORRUPT. */
int	 rcpt_step(const struct conf *, const struct rcpt_name *, enum rcpt_stage from, struct rcpt_step *);
/* Recipients of a domain: E_OK with its own name, E_NOTFOUND, E_CORRUPT. */
int	 rcpt_listed(const struct conf_domain *, const struct rcpt_name *, struct table_value *, size_t *matched);
/* Keys of virtual and canonical.  E_OK with matched, E_NOTFOUND, E_CORRUPT. */
int	 rcpt_table_get(const struct conf *, const struct table *, const struct rcpt_name *, struct table_value *,
	    size_t *matched);
/* A target that is an address or a domain, as an address: with the extension that was not matched, if it has none.
 * E_SYNTAX if none comes out of it. */
int	 rcpt_target(const struct conf *, const struct rcpt_name *, const struct rcpt_step *, const struct target *,
	    char dst[ADDRESS_MAX + 1]);

/* One line of a trace: "a@x -> b@y, c@z, ..." */
void	 rcpt_trace_targets(rcpt_trace *, void *, const char *, const struct table *, const struct table_value *);
void	 rcpt_trace_catch_all(rcpt_trace *, void *, const char *, const struct conf_domain *);
void	 rcpt_trace_end(rcpt_trace *, void *, const char *, const struct rcpt_step *);

#endif
