/*
 * confine.h -- what postern-conf gives up before it reads the text: ids, capabilities, the network, writing.
 */
#ifndef CONF_CONFINE_H
#define CONF_CONFINE_H

#include <stdint.h>

struct confine {
	int		 change_ids;	/* to uid and gid; else stay who we are */
	uint32_t	 uid, gid;
};

/*
 * Each step is read back.  What stays possible: reading files (the trust anchor and the tables are named in the text), and
 * writing to descriptors that are open.  Returns 0, or -1 with one line on stderr.
 */
int	confine_enter(const struct confine *);

#endif
