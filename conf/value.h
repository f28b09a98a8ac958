/*
 * value.h -- one value of postern.conf to one typed value; what is wrong goes to the errors, with the key,
 * what was found and what was expected.  Each returns 1 if the value is good.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdint.h>

#include "common/conf_number.h"
#include "conf/errors.h"
#include "conf/text.h"

int	value_number(struct errors *, const struct text_value *, const struct conf_number *, uint64_t *);
int	value_count(struct errors *, const struct text_value *, uint64_t min, uint64_t max, uint64_t *);
int	value_seconds(struct errors *, const struct text_value *, uint64_t min, uint64_t max, uint64_t *);
int	value_bool(struct errors *, const struct text_value *, int *);
int	value_address(struct errors *, const struct text_value *, struct net_addr *);
int	value_bind(struct errors *, const struct text_value *, int is4, struct arena *, const char **);
int	value_prefix(struct errors *, const struct text_value *, struct net_prefix *);
int	value_server(struct errors *, const struct text_value *, struct arena *, const char **);
int	value_hop(struct errors *, const struct text_value *, struct arena *, struct hop *);
int	value_path(struct errors *, const struct text_value *, size_t max, struct arena *, const char **);
int	value_mailbox(struct errors *, const struct text_value *, struct arena *, const char **);
/* A recipient's local part, without its quotes and in lower case. */
int	value_local(struct errors *, const struct text_value *, struct arena *, const char **);
/* what: "hostname", or the kind of section whose title it is. */
int	value_domain(struct errors *, int line, const char *what, const char *text, struct arena *, const char **);

#endif
