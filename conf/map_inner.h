/* map_inner.h -- what map.c, map_key.c, map_list.c, map_action.c and map_cidr.c share. */
#ifndef CONF_MAP_INNER_H
#define CONF_MAP_INNER_H

#include "conf/lines.h"
#include "conf/map.h"

struct map_include {
	const char	*path;
	uint32_t	 file;		/* who named it first */
	int		 line;
};

struct map_dotted {
	const char	*key;
	uint32_t	 file;
	int		 line;
};

/* An error at the line that is read now. */
void	map_error(const struct map *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first word of the line, with quotes and what they hold; the rest without blanks before it. */
struct slice	map_first_word(struct slice *rest);

/* A key as it is asked for; 1, 0 if the line is passed over, -1 after an error. */
int	map_key(struct map *, struct slice word, char dst[static TABLE_KEY_MAX + 1]);

/* Targets into m->value: 1, or 0 after errors.  single: canonical's one address. */
int	map_targets(struct map *, struct slice text, int single);
int	map_logins(struct map *, struct slice text);
int	map_action(struct map *, struct slice text);

/* Two parts of a key line that aliases(5) separates by a colon: 1, or 0 after an error. */
int	map_alias_split(struct map *, struct slice line, struct slice *name, struct slice *rest);

/* The lines of a cidr: file into the part of nets that is open. */
void	map_cidr_read(struct map *, struct lines *);
/* One inline network: 1, or 0 after an error. */
int	map_cidr_line(struct map *, struct slice pattern, struct slice action);

#endif
