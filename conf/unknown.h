/*
 * unknown.h -- keys that postern.conf may not have, all of them: libconfuse stops at the first.
 */
#ifndef CONF_UNKNOWN_H
#define CONF_UNKNOWN_H

#include <confuse.h>

#include "common/slice.h"
#include "conf/errors.h"

/* Tells each key that is not among the options of its section; their number.  What follows a mistake in the form of
 * the text is not looked at: that one is libconfuse's to tell. */
size_t	unknown_keys(struct slice, cfg_opt_t *top, struct errors *);

#endif
