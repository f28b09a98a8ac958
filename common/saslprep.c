/* saslprep.c -- see saslprep.h.  Shell (libidn). */
#include <stringprep.h>
#include <string.h>

#include "common/err.h"
#include "common/saslprep.h"
#include "common/utf8.h"

int
saslprep(char *dst, size_t size, size_t *len, struct slice s, int stored)
{
	if (size != 0)
		dst[0] = '\0';
	if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL)
		return (E_SYNTAX);
	if (s.n >= size)
		return (E_LIMIT);
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	*len = s.n;
	if (!utf8_has_8bit(s))
		return (E_OK);
	if (!utf8_is_valid(s))		/* overlong forms and the like, which libidn should not see */
		return (E_SYNTAX);
	switch (stringprep(dst, size, stored ? STRINGPREP_NO_UNASSIGNED : 0, stringprep_saslprep)) {
	case STRINGPREP_OK:
		*len = strlen(dst);
		return (*len == 0 ? E_SYNTAX : E_OK);
	case STRINGPREP_TOO_SMALL_BUFFER:
		return (E_LIMIT);
	case STRINGPREP_MALLOC_ERROR:
		return (E_NOMEM);
	default:
		return (E_SYNTAX);
	}
}
