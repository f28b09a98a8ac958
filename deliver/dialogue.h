/*
 * dialogue.h -- the record of an SMTP dialogue: commands and replies with their times, no body.  Core.
 *
 * Printable ASCII and LF only, at most DIALOGUE_MAX octets.  Where it grows longer, the beginning
 * (connection and greeting) and the latest lines stay; a line says how many were left out.
 * Lines: "+0.012 > MAIL FROM:<a@example.org>", "+0.034 < 250 2.1.0 Ok", "+0.000 * connected to ...".
 */
#ifndef DELIVER_DIALOGUE_H
#define DELIVER_DIALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"

struct dialogue {
	uint64_t	start_ms;	/* time 0 of the record */
	size_t		len;
	size_t		head;		/* octets at the front that stay */
	uint32_t	left_out;
	char		text[DIALOGUE_MAX];
};

void	dialogue_init(struct dialogue *, uint64_t now_ms);
/* how is '>', '<', '*', or '=' for what TLS agreed on; code 0 is left out.  The text is escaped here (R9). */
void	dialogue_add(struct dialogue *, uint64_t now_ms, char how, unsigned code, struct slice text);
/* Into dst[DIALOGUE_MAX]; the length. */
size_t	dialogue_text(const struct dialogue *, char *dst);

#endif
