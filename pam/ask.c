/*
 * ask.c -- one question to PAM, in the process that was made for it (pam.h).  Shell.
 *
 * Authentication, then account management (has it expired? may it come from there?).  No session
 * and no credentials: nobody gets a process of his own here.  Whatever a module asks without echo
 * is answered with the password; what it asks otherwise cannot be answered, since SASL has no place
 * for it.
 */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "pam/pam.h"

#define QUESTIONS_MAX	32		/* of one call, as PAM_MAX_NUM_MSG */

const char	*pam_confdir;

static void
answers_free(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++) {
		if (r[i].resp != NULL)
			explicit_bzero(r[i].resp, strlen(r[i].resp));
		free(r[i].resp);
	}
	free(r);
}

static int
converse(int n, const struct pam_message **m, struct pam_response **out, void *arg)
{
	const struct slot_ask	*ask = arg;
	struct pam_response	*r;

	*out = NULL;
	if (n <= 0 || n > QUESTIONS_MAX)
		return (PAM_CONV_ERR);
	if ((r = calloc((size_t)n, sizeof(*r))) == NULL)
		return (PAM_BUF_ERR);
	for (int i = 0; i < n; i++) {
		switch (m[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
			if ((r[i].resp = strdup(ask->password)) == NULL) {
				answers_free(r, n);
				return (PAM_BUF_ERR);
			}
			break;
		case PAM_TEXT_INFO:
		case PAM_ERROR_MSG:
			break;
		default:
			answers_free(r, n);
			return (PAM_CONV_ERR);
		}
	}
	*out = r;
	return (PAM_SUCCESS);
}

/* PAM would sleep here after a failure; auth has its own delays, in which no slot is taken. */
static void
no_delay(int status, unsigned usec, void *arg)
{
}

int
pam_ask(const struct slot_ask *ask)
{
	struct pam_conv	 conv = { .conv = converse, .appdata_ptr = (void *)(uintptr_t)ask };
	union { void (*f)(int, unsigned, void *); const void *p; } delay = { .f = no_delay };
	pam_handle_t	*h = NULL;
	int		 code;

	code = pam_confdir == NULL ? pam_start(ask->service, ask->login, &conv, &h) :
	    pam_start_confdir(ask->service, ask->login, &conv, pam_confdir, &h);
	if (code != PAM_SUCCESS)
		return (code);
	if ((code = pam_set_item(h, PAM_FAIL_DELAY, delay.p)) == PAM_SUCCESS &&
	    (ask->client[0] == '\0' || (code = pam_set_item(h, PAM_RHOST, ask->client)) == PAM_SUCCESS) &&
	    (code = pam_set_item(h, PAM_TTY, "smtp")) == PAM_SUCCESS &&	/* pam_access, pam_time and others want one */
	    (code = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK)) == PAM_SUCCESS)
		code = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	(void)pam_end(h, code);
	return (code);
}

enum sasl_status
pam_meaning(int code)
{
	switch (code) {
	case PAM_SUCCESS:
		return (SASL_OK);
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_PERM_DENIED:
	case PAM_MAXTRIES:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:	/* it must be changed first, and not here */
	case PAM_AUTHTOK_EXPIRED:
		return (SASL_FAILED);
	default:			/* what it could not find out is not a wrong password (R12) */
		return (SASL_TEMPORARY);
	}
}

const char *
pam_words(int code)
{
	return (pam_strerror(NULL, code));
}
