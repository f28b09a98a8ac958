/* err.c -- names of the error codes.  Core. */
#include "common/err.h"

const char *
err_name(int err)
{
	static const char *const names[] = {
		"E_OK", "E_AGAIN", "E_NOMEM", "E_LIMIT", "E_SYNTAX", "E_PROTO", "E_CLOSED", "E_NOTFOUND",
		"E_EXISTS", "E_FULL", "E_IO", "E_CORRUPT", "E_DENIED", "E_TIMEOUT", "E_RANGE", "E_BUSY",
	};

	if (err > 0 || err <= -(int)(sizeof(names) / sizeof(names[0])))
		return ("E_?");
	return (names[-err]);
}
