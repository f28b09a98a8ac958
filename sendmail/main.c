/*
 * main.c -- sendmail: takes a message from a local user and hands it to the server.  Shell.
 *
 * It has no right of its own: the server knows the caller by the kernel's word.  All input is read before anything is
 * said to anybody, so that what is broken off sends nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/err.h"
#include "common/version.h"
#include "sendmail/args.h"
#include "sendmail/compose.h"
#include "sendmail/outgoing.h"

static void
say(const char *recipient, const struct submit_answer *a)
{
	char to[2048], text[4 * REPLY_TEXT_MAX + 8];

	(void)text_escape_word(to, sizeof(to), slice_str(recipient != NULL ? recipient : ""));
	(void)fprintf(stderr, "sendmail: %s%s%s%u %s\n", recipient != NULL ? "<" : "the message is refused: ", to,
	    recipient != NULL ? "> is refused: " : "", a->code,
	    text_escape(text, sizeof(text), slice_str(a->text != NULL ? a->text : "")));
}

/* To the server, or where it waits. */
static int
hand_over(struct outgoing *o, const struct places *p)
{
	char why[PLACES_PATH_MAX + 128];

	if (talk(o, p, say) == TALK_DOWN)
		outgoing_postpone(o);
	if (o->nlate != 0 && keep(o, p, why, sizeof(why)) != E_OK) {
		(void)fprintf(stderr, "sendmail: the server cannot take it now, and it cannot wait: %s\n", why);
		if (o->sent != 0)
			(void)fprintf(stderr, "sendmail: %zu recipients have it already, %zu have not\n", o->sent,
			    o->nlate);
		return (EX_TEMPFAIL);
	}
	return (o->failed);
}

static int
deliver(const struct args *a, const struct places *p)
{
	static struct outgoing o;
	int rc;

	if (p->closed) {
		(void)fprintf(stderr, "sendmail: the server takes no mail of local users (local-submission)\n");
		return (EX_UNAVAILABLE);
	}
	outgoing_init(&o);
	rc = compose(&o, a, p);
	if (rc == EX_OK)
		rc = hand_over(&o, p);
	outgoing_clear(&o);
	return (rc);
}

int
main(int argc, char **argv)
{
	struct places p;
	struct args a;
	char err[512];
	int rc;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);		/* a limit on files is an error of write(2) then */
	if ((rc = args_parse(&a, argc, argv, err, sizeof(err))) != EX_OK) {
		(void)fprintf(stderr, "sendmail: %s\n", err);
		return (rc);
	}
	if (a.mode == MODE_VERSION) {
		(void)puts("sendmail (Postern) " POSTERN_VERSION);
		return (EX_OK);
	}
	if (places_find(&p, &a) != E_OK) {
		(void)fprintf(stderr, "sendmail: a path of -O is too long\n");
		return (EX_USAGE);
	}
	switch (a.mode) {
	case MODE_DELIVER:
		return (deliver(&a, &p));
	case MODE_SMTP:
		return (talk_shuttle(&p));
	default:
		return (queue_command(&a, &p));
	}
}
