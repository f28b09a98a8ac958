/*
 * verdict.c -- see verdict.h.  Core.
 */
#include "common/verdict.h"

#include "common/ipc_msg.h"

static enum verdict
by_code(const struct submit_answer *a)
{
	if (a->code / 100 == 2)
		return (VERDICT_SENT);
	return (a->code / 100 == 5 ? VERDICT_FAILED : VERDICT_LATER);	/* no answer at all: later */
}

enum verdict
verdict_envelope(const struct submit *s, const struct submit_mail *m)
{
	size_t i;

	if (s->mail.code / 100 != 2)
		return (by_code(&s->mail));
	if (s->accepted != 0)
		return (VERDICT_SEND);
	for (i = 0; i < m->nrcpt; i++) {
		if (by_code(&m->rcpt[i].answer) != VERDICT_FAILED)
			return (VERDICT_LATER);
	}
	return (VERDICT_FAILED);
}

enum verdict
verdict_message(const struct submit *s)
{
	return (by_code(&s->answer));
}

const struct submit_answer *
verdict_answer(const struct submit *s, const struct submit_rcpt *r)
{
	if (s->mail.code / 100 != 2)
		return (&s->mail);
	return (r->answer.code / 100 != 2 ? &r->answer : &s->answer);
}

enum fate
verdict_fate(const struct submit *s, const struct submit_rcpt *r, enum verdict v)
{
	if (v == VERDICT_FAILED)
		return (FATE_FAILED);
	if (v != VERDICT_SENT)
		return (FATE_LATER);
	switch (by_code(&r->answer)) {
	case VERDICT_SENT:
		return (FATE_SENT);
	case VERDICT_FAILED:
		return (FATE_FAILED);
	default:
		return (FATE_LATER);
	}
}

size_t
verdict_count(const struct submit *s, const struct submit_mail *m, enum verdict v, enum fate fate)
{
	size_t i, n = 0;

	for (i = 0; i < m->nrcpt; i++)
		n += verdict_fate(s, &m->rcpt[i], v) == fate;
	return (n);
}

int
verdict_wants_notice(const struct submit_rcpt *r)
{
	return (r->notify == 0 || (r->notify & NOTIFY_FAILURE) != 0);
}
