/*
 * errors.h -- what is wrong with a configuration and its tables: lines of text, told in the order of the files.
 */
#ifndef CONF_ERRORS_H
#define CONF_ERRORS_H

#include <stddef.h>
#include <stdio.h>

#define ERRORS_SHOWN	100	/* the rest is only counted */
#define WARNINGS_SHOWN	20
#define ERRORS_OCTETS	12288u	/* what of them is printed: master takes CONFIG_ERRORS_MAX */

struct error;

struct errors {
	struct error	*list;
	size_t		 n;		/* all errors */
	size_t		 warnings;	/* all warnings */
	size_t		 kept;		/* of both, in list */
	size_t		 kept_warnings;
	const char	*file;		/* the table file that errors are in; NULL: the configuration itself */
	size_t		 files, file_seq;	/* files are told in the order they were read */
};

/* What follows is about that table file, NULL: about the configuration again.  The name is borrowed. */
void	errors_in(struct errors *, const char *file);
/* line 0 is the file as a whole.  What cannot be kept for want of memory ends the program. */
void	errors_add(struct errors *, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same of what does not refuse the configuration. */
void	errors_warn(struct errors *, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "NAME:LINE: text" or "NAME:LINE: warning: text" a line, sorted by line. */
void	errors_print(struct errors *, const char *name, FILE *);
void	errors_clear(struct errors *);

#endif
