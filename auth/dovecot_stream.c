/*
 * dovecot_stream.c -- Dovecot's auth service as a backend (auth.h): the stream that master
 * connected.  Shell over dovecot.h.
 *
 * One stream serves all exchanges.  Without one, or while its handshake lasts, they get
 * SASL_TEMPORARY at once; what was under way when it died gets the same, and master is asked for
 * another, again and again with growing waits.  An answer that does not come is waited for
 * DOVECOT_ANSWER_MS.  Passwords that wait to be written are wiped when they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/dovecot.h"
#include "common/err.h"
#include "common/log.h"

#define BUCKETS		1024		/* of exchanges by number */
#define READ_SIZE	16384
#define LOOK_MS		1000		/* how often time limits are looked at */

struct request {			/* an exchange that Dovecot knows */
	struct exchange	*x;
	uint32_t	 id;		/* on the stream */
	uint8_t		 waiting;	/* for an answer; else for the client */
	uint64_t	 since;
	struct request	*chain;		/* of its bucket */
	struct request	*next, *prev;	/* those that wait, the longest first */
};

struct stream {
	uv_pipe_t	 pipe;
	struct dovecot	 core;
};

struct sending {
	uv_write_t	 req;
	size_t		 n;
	char		 text[];
};

static struct {
	struct room	*room;
	int		 used;		/* this backend is in force */
	struct stream	*stream;	/* NULL: none */
	char		 path[CONF_SOCKET_MAX + 1];	/* for which it was */
	struct request	*bucket[BUCKETS];
	struct request	*first, *last;	/* that wait */
	uint32_t	 last_id;
	uv_timer_t	 look, again, hello;
	uint64_t	 again_ms;
	int		 timers;
	char		 read[READ_SIZE];
} dove;

static void	stream_end(const char *why);
static int	send_line(char *line, size_t n);

/* ---- exchanges ---- */

static struct request *
find(uint32_t id)
{
	struct request	*r;

	for (r = dove.bucket[id % BUCKETS]; r != NULL && r->id != id; r = r->chain)
		;
	return (r);
}

static void
wait_end(struct request *r)
{
	if (!r->waiting)
		return;
	r->waiting = 0;
	*(r->prev != NULL ? &r->prev->next : &dove.first) = r->next;
	*(r->next != NULL ? &r->next->prev : &dove.last) = r->prev;
}

static void
wait_begin(struct request *r)
{
	r->waiting = 1;
	r->since = uv_now(&dove.room->loop);
	r->next = NULL;
	r->prev = dove.last;
	*(dove.last != NULL ? &dove.last->next : &dove.first) = r;
	dove.last = r;
}

static struct exchange *
forget(struct request *r)
{
	struct request	**at;
	struct exchange	*x = r->x;

	wait_end(r);
	for (at = &dove.bucket[r->id % BUCKETS]; *at != r; at = &(*at)->chain)
		;
	*at = r->chain;
	x->backend_arg = NULL;
	free(r);
	return (x);
}

static struct request *
request_new(struct exchange *x)
{
	struct request	*r = calloc(1, sizeof(*r));

	if (r == NULL)
		return (NULL);
	do {
		r->id = ++dove.last_id;
	} while (r->id == 0 || find(r->id) != NULL);
	r->x = x;
	r->chain = dove.bucket[r->id % BUCKETS];
	dove.bucket[r->id % BUCKETS] = r;
	x->backend_arg = r;
	return (r);
}

static void
end(struct exchange *x, enum sasl_status status, const char *login)
{
	auth_checked(x, status, login, slice_make(NULL, 0));
}

static void
end_all(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (dove.bucket[i] != NULL)
			end(forget(dove.bucket[i]), SASL_TEMPORARY, NULL);
	}
}

/* ---- the stream ---- */

static void
on_again(uv_timer_t *t)
{
	struct ipc_empty	m = { 0 };

	if (!dove.used || dove.stream != NULL)
		return;
	if (ipc_send(&dove.room->master, NEED_DOVECOT, empty, &m) != E_OK)
		log_warn("to master: NEED_DOVECOT failed");
	uv_timer_start(&dove.again, on_again, dove.again_ms, 0);
	dove.again_ms = dove.again_ms * 2 < DOVECOT_AGAIN_MAX_MS ? dove.again_ms * 2 : DOVECOT_AGAIN_MAX_MS;
}

static void
ask_again(void)
{
	if (dove.used && dove.stream == NULL && !uv_is_active((uv_handle_t *)&dove.again)) {
		dove.again_ms = DOVECOT_AGAIN_MS;
		uv_timer_start(&dove.again, on_again, 0, 0);
	}
}

static void
on_look(uv_timer_t *t)
{
	uint64_t	 now = uv_now(&dove.room->loop);
	struct request	*r;
	char		 line[DOVECOT_SEND_MAX + 1];

	while ((r = dove.first) != NULL && now - r->since >= DOVECOT_ANSWER_MS) {
		log_warn("dovecot did not answer within %u s", DOVECOT_ANSWER_MS / 1000);
		if (dove.stream != NULL)
			(void)send_line(line, dovecot_cancel(line, r->id));
		end(forget(r), SASL_TEMPORARY, NULL);
	}
}

static void
on_hello(uv_timer_t *t)
{
	stream_end("its handshake takes too long");
}

static void
timers_open(struct room *room)
{
	if (dove.timers)
		return;
	dove.room = room;
	if (uv_timer_init(&room->loop, &dove.look) != 0 || uv_timer_init(&room->loop, &dove.again) != 0 ||
	    uv_timer_init(&room->loop, &dove.hello) != 0)
		log_fatal("no memory for handles");
	uv_timer_start(&dove.look, on_look, LOOK_MS, LOOK_MS);
	dove.timers = 1;
}

static void
on_written(uv_write_t *req, int status)
{
	struct sending	*s = (struct sending *)req;

	explicit_bzero(s->text, s->n);
	free(s);	/* what failed is seen by the reader too */
}

/* line is wiped. */
static int
send_line(char *line, size_t n)
{
	struct sending	*s = NULL;
	uv_buf_t	 b;
	int		 err = E_OK;

	if (n == 0)
		return (E_LIMIT);
	if (uv_stream_get_write_queue_size((uv_stream_t *)&dove.stream->pipe) + n > DOVECOT_BACKLOG_MAX ||
	    (s = malloc(sizeof(*s) + n)) == NULL)
		err = E_BUSY;
	else {
		s->n = n;
		memcpy(s->text, line, n);
		b = uv_buf_init(s->text, (unsigned)n);
		if (uv_write(&s->req, (uv_stream_t *)&dove.stream->pipe, &b, 1, on_written) != 0) {
			on_written(&s->req, 0);
			err = E_IO;
		}
	}
	explicit_bzero(line, n);
	return (err);
}

static void
stream_free(uv_handle_t *h)
{
	struct stream	*s = (struct stream *)h;

	explicit_bzero(&s->core, sizeof(s->core));
	free(s);
}

/* why: NULL for an end that we want. */
static void
stream_end(const char *why)
{
	struct stream	*s = dove.stream;

	if (s == NULL)
		return;
	if (why != NULL)
		log_warn("dovecot at %s: %s", dove.path, why);
	dove.stream = NULL;
	uv_timer_stop(&dove.hello);
	uv_close((uv_handle_t *)&s->pipe, stream_free);
	end_all();
	ask_again();
}

static void
on_ready(struct dovecot *d, unsigned mechanisms)
{
	uv_timer_stop(&dove.hello);
	uv_timer_stop(&dove.again);
	log_info("dovecot at %s is ready: plain=%s scram-sha-256=%s", dove.path,
	    mechanisms & 1u << SASL_PLAIN ? "yes" : "no", mechanisms & 1u << SASL_SCRAM_SHA_256 ? "yes" : "no");
}

static void
on_answer(struct dovecot *d, uint32_t id, enum dovecot_answer what, const char *login, struct slice data)
{
	struct request	*r = find(id);

	if (r == NULL || !r->waiting)	/* cancelled meanwhile; or nothing was asked */
		return;
	wait_end(r);
	switch (what) {
	case DOVECOT_CONT:
		auth_challenge(r->x, data);
		break;
	case DOVECOT_OK:
		end(forget(r), SASL_OK, login);
		break;
	case DOVECOT_FAIL:
		end(forget(r), SASL_FAILED, login[0] != '\0' ? login : NULL);
		break;
	default:
		end(forget(r), SASL_TEMPORARY, NULL);
	}
}

static const struct dovecot_ops core_ops = { .ready = on_ready, .answer = on_answer };

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	*b = uv_buf_init(dove.read, sizeof(dove.read));
}

static void
on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
	struct stream	*s = (struct stream *)h;

	if (s != dove.stream)
		return;
	if (n < 0) {
		stream_end(s->core.ready ? "it closed the connection" : "it closed the connection in the handshake");
		return;
	}
	if (dovecot_feed(&s->core, b->base, (size_t)n) != E_OK && s == dove.stream)
		stream_end(s->core.why != NULL ? s->core.why : "it does not speak the protocol");
	explicit_bzero(b->base, (size_t)n);
}

void
dovecot_stream(struct room *room, int fd)
{
	char		 line[DOVECOT_SEND_MAX + 1];
	struct stream	*s;

	timers_open(room);
	stream_end(NULL);
	if ((s = calloc(1, sizeof(*s))) == NULL || uv_pipe_init(&room->loop, &s->pipe, 0) != 0) {
		free(s);
		close(fd);
		return;
	}
	dovecot_init(&s->core, &core_ops, s);
	dove.stream = s;
	uv_timer_stop(&dove.again);
	if (room->conf != NULL)
		(void)snprintf(dove.path, sizeof(dove.path), "%s", room->conf->auth.dovecot_path);
	if (uv_pipe_open(&s->pipe, fd) != 0) {
		close(fd);
		stream_end("the stream cannot be used");
		return;
	}
	uv_timer_start(&dove.hello, on_hello, DOVECOT_HELLO_MS, 0);
	if (send_line(line, dovecot_hello(line, (uint32_t)getpid())) != E_OK ||
	    uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read) != 0)
		stream_end("the stream cannot be used");
}

/* ---- the backend ---- */

/* Whether a request can be made at all; else x has its answer. */
static struct request *
begin(struct exchange *x, enum sasl_mechanism mechanism)
{
	struct request	*r = NULL;

	if (dove.stream == NULL)
		ask_again();
	if (dove.stream == NULL || !dove.stream->core.ready ||
	    (dove.stream->core.mechanisms & 1u << mechanism) == 0 || (r = request_new(x)) == NULL)
		end(x, SASL_TEMPORARY, NULL);
	return (r);
}

static void
sent(struct request *r, int err)
{
	if (err == E_OK)
		wait_begin(r);
	else		/* longer than Dovecot reads: no password of ours is */
		end(forget(r), err == E_LIMIT ? SASL_BAD : SASL_TEMPORARY, NULL);
}

static void
start(struct exchange *x, enum sasl_mechanism mechanism, struct slice data)
{
	struct request	*r = begin(x, mechanism);
	struct ipc_sasl	 m = { .mechanism = (uint8_t)mechanism, .initial = 1, .tls = x->tls, .client = x->client,
			       .own = x->own, .client_port = x->client_port, .own_port = x->own_port, .data = data };
	char		 line[DOVECOT_SEND_MAX + 1];

	if (r != NULL)
		sent(r, send_line(line, dovecot_auth(line, r->id, &m)));
}

/* PLAIN and LOGIN alike: what the client said is understood already. */
static void
dove_check(struct exchange *x, struct slice login, struct slice password)
{
	char	text[LOGIN_MAX + PASSWORD_MAX + 2];
	size_t	n = 0;

	if (login.n > LOGIN_MAX || password.n > PASSWORD_MAX) {
		end(x, SASL_FAILED, NULL);
		return;
	}
	text[n++] = '\0';
	memcpy(text + n, login.p, login.n);
	n += login.n;
	text[n++] = '\0';
	memcpy(text + n, password.p, password.n);
	n += password.n;
	start(x, SASL_PLAIN, slice_make(text, n));
	explicit_bzero(text, n);
}

static void
dove_step(struct exchange *x, struct slice data)
{
	struct request	*r = x->backend_arg;
	char		 line[DOVECOT_SEND_MAX + 1];

	if (r == NULL)
		start(x, (enum sasl_mechanism)x->mechanism, data);
	else if (r->waiting)		/* the client cannot answer what it was not asked */
		end(forget(r), SASL_BAD, NULL);
	else
		sent(r, send_line(line, dovecot_cont(line, r->id, data)));
}

static void
dove_cancel(struct exchange *x)
{
	struct request	*r = x->backend_arg;
	char		 line[DOVECOT_SEND_MAX + 1];

	if (r == NULL)
		return;
	if (dove.stream != NULL)
		(void)send_line(line, dovecot_cancel(line, r->id));
	(void)forget(r);
}

static void
dove_use(struct room *room)
{
	timers_open(room);
	dove.used = 1;
	/* Another socket: master sends the stream to it by itself; what it replaces is over. */
	if (strcmp(dove.path, room->conf->auth.dovecot_path) != 0) {
		if (dove.path[0] != '\0')
			stream_end(NULL);
		(void)snprintf(dove.path, sizeof(dove.path), "%s", room->conf->auth.dovecot_path);
	}
	ask_again();
}

static void
dove_leave(struct room *room)
{
	dove.used = 0;
	uv_timer_stop(&dove.again);
	stream_end(NULL);
	end_all();
}

const struct backend dovecot_backend = {
	.name = "dovecot",
	.check = dove_check,
	.step = dove_step,
	.cancel = dove_cancel,
	.use = dove_use,
	.leave = dove_leave,
};
