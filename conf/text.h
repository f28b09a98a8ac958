/*
 * text.h -- postern.conf as sections and values, each with its line.  What the values mean is build.c's.
 */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include "common/arena.h"
#include "common/slice.h"
#include "conf/errors.h"
#include "conf/mem.h"

struct text_section {
	const char	*name;		/* "" for the top level */
	const char	*title;		/* "" if it has none */
	int		 line;		/* of its opening brace; 0 for the top level and for sections not given */
};

struct text_value {
	size_t		 section;	/* index into sections */
	const char	*key;
	const char	*text;
	int		 line;
};

struct text {
	struct arena	 mem;		/* the strings */
	struct vec	 sections;	/* struct text_section */
	struct vec	 values;	/* struct text_value, in the order of the file; one for each item of a list */
	int		 whole;		/* the file was read to its end */
	int		 relay_from_given;	/* lists whose defaults are not empty: an empty one leaves no value */
	int		 retry_given;
	int		 mechanisms_given;
};

/* Reads all it can; errors tell what was wrong.  Not re-entrant: libconfuse's callbacks carry no context. */
void	text_read(struct text *, struct slice in, struct errors *);
void	text_clear(struct text *);

#endif
