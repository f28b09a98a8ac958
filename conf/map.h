/*
 * map.h -- one table from its text to the image: what its lines mean.
 *
 * A map is a kind (what its keys and values are), lines of postern.conf, and files.  Each form is what
 * administrators of Postfix have: postmap(1), aliases(5), virtual(5), canonical(5), access(5), cidr_table(5).
 * Nothing is left to be parsed at mail time: addresses, actions and networks are values of table.h then.
 */
#ifndef CONF_MAP_H
#define CONF_MAP_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/table_make.h"
#include "conf/build.h"
#include "conf/errors.h"
#include "conf/mem.h"

enum map_kind { MAP_RECIPIENTS, MAP_ALIASES, MAP_VIRTUAL, MAP_CANONICAL, MAP_LOGINS, MAP_ACCESS };

/* What all maps of one configuration share. */
struct maps {
	struct table_maker	*make;
	struct errors		*errors;
	const struct conf_world	*world;
	const struct conf	*conf;		/* its domains, sorted; and its hostname */
	const char		*origin;	/* the domain of names without one; NULL if there is no telling */
	struct vec		 files;		/* const char *: names by their number in the image */
	struct arena		 mem;
	int			 failed;	/* no more room in the image: told */
};

struct map_line { const char *text; int line; };	/* of postern.conf */

struct map {
	struct maps	*all;
	enum map_kind	 kind;
	const char	*key;		/* of postern.conf: "virtual" */
	const char	*domain;	/* MAP_RECIPIENTS, MAP_ALIASES: of the section */
	const struct map_line *lines;
	size_t		 nlines;
	const struct map_line *paths;	/* with their prefixes */
	size_t		 npaths;
	int		 everybody;	/* MAP_RECIPIENTS: an entry was for the whole domain */

	/* map.c and its parts alone: */
	uint32_t	 file;		/* what is read now */
	int		 line;
	struct buf	 value;
	struct vec	 includes;	/* struct map_include */
	struct vec	 dotted;	/* struct map_dotted: keys of virtual that may be domains */
};

/* Fills the table (its id).  What is wrong goes to the errors. */
void	 map_compile(struct map *, struct table *);

void	 maps_begin(struct maps *, const struct conf *, const struct conf_world *, struct errors *);
/* The image, malloc'd; 0 if there is none. */
int	 maps_end(struct maps *, struct slice *image);
void	 maps_clear(struct maps *);

#endif
