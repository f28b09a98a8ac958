/*
 * scan.h -- what libconfuse would pass over in silence or explain badly, found before it reads.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "common/slice.h"
#include "conf/errors.h"

/* NULs, a string or comment without an end, ${...} (it would be replaced from the environment), braces
 * that do not match.  Returns 0 if the text must not be read on. */
int	scan_text(struct slice, struct errors *);

#endif
