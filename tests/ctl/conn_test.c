/*
 * conn_test.c -- the conversation with a scripted server on a SEQPACKET pair, and what is shown of its rows.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "ctl/conn.h"
#include "ctl/rows.h"

#define NOW		1795305600	/* 2026-11-22T00:00:00Z */
#define MANY		100000

/* ---- the server ---- */

static int	sfd;
static uint32_t	sseq;

static void
expect_request(uint8_t verb)
{
	static struct ipc_sync	 s;
	struct ipc_ctl_request	 q;
	enum ipc_type		 type;
	struct rd		 rd;
	int			 fd;

	memset(&s, 0, sizeof(s));
	if (ipc_recv_sync(sfd, &s, ROOM_CTL, ROOM_QUEUE, &type, &rd, &fd) != E_OK ||
	    type != IPC_CTL_REQUEST || ipc_unpack_ctl_request(&rd, &q) != E_OK || q.verb != verb)
		_exit(11);
}

#define SEND(NAME, name, m) do { \
	uint8_t		room[IPC_PAYLOAD_MAX]; \
	struct wr	w; \
	wr_init(&w, room, sizeof(room)); \
	ipc_pack_##name(&w, (m)); \
	if (w.err != E_OK || \
	    ipc_send_sync(sfd, &sseq, IPC_##NAME, room, w.len, -1) != E_OK) \
		_exit(12); \
} while (0)

static void
send_end(unsigned status, uint64_t count, const char *text)
{
	static struct ipc_ctl_end	e;

	e.status = (uint8_t)status;
	e.count = count;
	(void)snprintf(e.text, sizeof(e.text), "%s", text);
	SEND(CTL_END, ctl_end, &e);
}

static void
send_message(uint64_t id)
{
	struct ipc_ctl_message m = {
		.msgid = id, .arrival = NOW - 7500, .size = 4900, .state = MSG_DEFERRED, .nrcpt = 2,
		.ndone = 1, .next = NOW + 60, .expires = NOW + 86400, .helo = "h\xff", .sender = "a@b.example",
	};

	memcpy(m.client.a, "\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\7", 16);
	SEND(CTL_MESSAGE, ctl_message, &m);
}

static void
send_rcpt(uint64_t id)
{
	struct ipc_ctl_rcpt r = {
		.msgid = id, .state = RCPT_DEFERRED, .attempts = 3, .last = NOW - 60, .next = NOW + 60,
		.code = 451, .enhanced = { 4, 7, 1 }, .stage = STAGE_RCPT, .address = "c@d.example",
		.hop = "mx", .relay = "mx.d.example[192.0.2.9]:25", .text = "later\033[2J",
	};

	SEND(CTL_RCPT, ctl_rcpt, &r);
}

static void
pass_on(uint8_t verb)
{
	expect_request(verb);
	send_end(CTL_PASSED, 0, "");
	sseq = 0;
	expect_request(verb);
}

static void
serve_list(void)
{
	pass_on(CTL_LIST);
	send_message(1);
	send_message(1 << 20);
	send_end(CTL_OK, 2, "");
}

static void
serve_show(void)
{
	struct ipc_ctl_text t = { .text = SLICE_LIT(">>> EHLO\n<<< 250 \"x\"\n") };

	pass_on(CTL_LIST);
	send_message(7);
	send_rcpt(7);
	SEND(CTL_TEXT, ctl_text, &t);
	send_end(CTL_OK, 1, "");
}

static void
serve_wishes(void)
{
	struct ipc_ctl_message m = {
		.msgid = 9, .arrival = NOW - 60, .size = 100, .state = MSG_HELD, .nrcpt = 1, .sender = "a@b.example",
		.held = HELD_RULE, .by_mode = BY_RETURN, .by_time = NOW + 3600, .prioritized = 1, .priority = -3, .local = 1,
		.uid = 1000, .hold_until = NOW + 600, .envid = "QQ\033", .login = "alice",
	};
	struct ipc_ctl_rcpt r = {
		.msgid = 9, .state = RCPT_PENDING, .address = "c@d.example", .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
		.owned = 1, .orcpt = "rfc822;team@d.example", .alias = "team@d.example", .sender = "owner@d.example",
	};

	pass_on(CTL_LIST);
	SEND(CTL_MESSAGE, ctl_message, &m);
	SEND(CTL_RCPT, ctl_rcpt, &r);
	send_end(CTL_OK, 1, "");
}

static void
serve_empty(void)
{
	pass_on(CTL_LIST);
	send_end(CTL_NOT_FOUND, 0, "");
}

static void
serve_many(void)
{
	uint64_t	i;

	pass_on(CTL_LIST);
	for (i = 1; i <= MANY; i++)
		send_message(i);
	send_end(CTL_OK, MANY, "");
}

static void
serve_early_end(void)
{
	pass_on(CTL_LIST);
	send_message(1);
}

static void
serve_nothing(void)
{
}

static void
serve_denied_at_once(void)
{
	send_end(CTL_DENIED, 0, "not a member of postern-admin");
}

static void
serve_passed_twice(void)
{
	pass_on(CTL_LIST);
	send_end(CTL_PASSED, 0, "");
}

static void
serve_wrong_row(void)
{
	struct ipc_ctl_daemon d = { .room = ROOM_SMTPD, .state = "running" };

	expect_request(CTL_LIST);
	SEND(CTL_DAEMON, ctl_daemon, &d);	/* a daemon is no answer to list */
	(void)pause();
}

static void
serve_garbage(void)
{
	expect_request(CTL_LIST);
	(void)send(sfd, "garbage", 7, MSG_NOSIGNAL);
	(void)pause();
}

static void
serve_silence(void)
{
	expect_request(CTL_LIST);
	(void)pause();
}

static void
serve_stop(void)
{
	expect_request(CTL_LIST);
	send_end(CTL_OK, 0, "");
	(void)send(sfd, "more", 4, MSG_NOSIGNAL);	/* nobody reads what follows the end */
}

static void
serve_stop_hangs(void)
{
	expect_request(CTL_LIST);
	send_end(CTL_OK, 0, "");
	(void)pause();
}

/* ---- */

struct run {
	int			err;
	struct ipc_ctl_end	end;
	char			*text;
	size_t			size;
	uint64_t		nmessages;
};

static void
run_with(struct run *r, void (*serve)(void), int json, enum rows_style style, int until_gone, int wait_ms,
    FILE *to)
{
	struct ipc_ctl_request	q = { .verb = CTL_LIST };
	struct rows		rows;
	FILE			*f;
	int			 pair[2], status;
	pid_t			 pid;

	memset(r, 0, sizeof(*r));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pair[0]);
		sfd = pair[1];
		sseq = 0;
		serve();
		_exit(0);
	}
	(void)close(pair[1]);
	f = to != NULL ? to : open_memstream(&r->text, &r->size);
	assert_non_null(f);
	rows_init(&rows, f, style, json, 1, NOW);
	r->err = conn_ask_fd(pair[0], &q, rows_take, &rows, &r->end, until_gone, wait_ms);
	(void)rows_end(&rows);
	rows_clear(&rows);
	r->nmessages = rows.nmessages;
	if (to == NULL)
		assert_int_equal(fclose(f), 0);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && r->err != E_IO)	/* we left a server in the middle */
		assert_int_equal(WEXITSTATUS(status), 0);
}

static void
endings(void **state)
{
	static const struct {
		const char	*what;
		void		(*serve)(void);
		int		 until_gone, err;
		unsigned	 status;
		uint64_t	 nmessages;
		const char	*json;		/* exactly, or NULL */
	} t[] = {
		{ "list", serve_list, 0, E_OK, CTL_OK, 2, NULL },
		{ "empty", serve_empty, 0, E_OK, CTL_NOT_FOUND, 0, "[]\n" },
		{ "early end", serve_early_end, 0, E_CLOSED, 0, 1, NULL },
		{ "nothing", serve_nothing, 0, E_CLOSED, 0, 0, "[]\n" },
		{ "denied", serve_denied_at_once, 0, E_OK, CTL_DENIED, 0, "[]\n" },
		{ "passed twice", serve_passed_twice, 0, E_PROTO, 0, 0, "[]\n" },
		{ "wrong row", serve_wrong_row, 0, E_PROTO, 0, 0, "[]\n" },
		{ "garbage", serve_garbage, 0, E_PROTO, 0, 0, "[]\n" },
		{ "silence", serve_silence, 0, E_TIMEOUT, 0, 0, "[]\n" },
		{ "stop", serve_stop, 1, E_OK, CTL_OK, 0, "[]\n" },
		{ "stop hangs", serve_stop_hangs, 1, E_TIMEOUT, CTL_OK, 0, "[]\n" },
	};
	struct run	r;
	json_t		*j;
	size_t		 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		run_with(&r, t[i].serve, 1, ROWS_TABLE, t[i].until_gone,
		    t[i].err == E_TIMEOUT ? 100 : 20000, NULL);
		if (r.err != t[i].err)
			fail_msg("%s: %s, expected %s", t[i].what, err_name(r.err), err_name(t[i].err));
		if (r.err == E_OK)
			assert_int_equal(r.end.status, t[i].status);
		assert_int_equal(r.nmessages, t[i].nmessages);
		if (t[i].json != NULL)
			assert_string_equal(r.text, t[i].json);
		/* However it ends, the JSON is a whole array. */
		j = json_loads(r.text, 0, NULL);
		assert_true(json_is_array(j));
		assert_int_equal(json_array_size(j), t[i].nmessages);
		json_decref(j);
		free(r.text);
	}
}

static void
columns(void **state)
{
	struct run	r;

	run_with(&r, serve_list, 0, ROWS_TABLE, 0, 20000, NULL);
	assert_string_equal(r.text,
	    "ID            STATE     SIZE     AGE    NEXT      DONE  SENDER\n"
	    "1             deferred  4.7K    2h5m      1m       1/2  <a@b.example>\n"
	    "10000         deferred  4.7K    2h5m      1m       1/2  <a@b.example>\n");
	free(r.text);

	run_with(&r, serve_show, 0, ROWS_STORY, 0, 20000, NULL);
	assert_string_equal(r.text,
	    "7  deferred  4.7K from <a@b.example>\n"
	    "  arrived   2026-11-21T21:55:00Z (2h5m ago), client 192.0.2.7, helo h\\xff\n"
	    "  expires   2026-11-23T00:00:00Z (in 1d)\n"
	    "  done      1 of 2 recipients\n"
	    "  <c@d.example>  deferred\n"
	    "    route     mx\n"
	    "    attempts  3, the last one 2026-11-21T23:59:00Z (1m ago)\n"
	    "    relay     mx.d.example[192.0.2.9]:25\n"
	    "    at rcpt     451 later\\x1b[2J\n"
	    "    next      2026-11-22T00:01:00Z (in 1m)\n"
	    "  | >>> EHLO\n"
	    "  | <<< 250 \"x\"\n");
	free(r.text);
}

static void
objects(void **state)
{
	struct run	 r;
	json_t		*j, *m, *c;

	run_with(&r, serve_show, 1, ROWS_STORY, 0, 20000, NULL);
	j = json_loads(r.text, 0, NULL);
	m = json_array_get(j, 0);
	c = json_array_get(json_object_get(m, "recipients"), 0);
	assert_string_equal(json_string_value(json_object_get(m, "id")), "7");
	assert_string_equal(json_string_value(json_object_get(m, "state")), "deferred");
	assert_string_equal(json_string_value(json_object_get(m, "helo")), "h\xef\xbf\xbd");
	assert_int_equal(json_integer_value(json_object_get(m, "size")), 4900);
	assert_string_equal(json_string_value(json_object_get(c, "address")), "c@d.example");
	assert_string_equal(json_string_value(json_object_get(c, "enhanced")), "4.7.1");
	assert_string_equal(json_string_value(json_object_get(c, "stage")), "rcpt");
	assert_int_equal(json_array_size(json_object_get(m, "remarks")), 1);
	json_decref(j);
	free(r.text);
}

/* What came with a message beside its addresses, in both forms. */
static void
wishes(void **state)
{
	struct run	 r;
	json_t		*j, *m, *c;

	run_with(&r, serve_wishes, 0, ROWS_STORY, 0, 20000, NULL);
	assert_string_equal(r.text,
	    "9  held  100 from <a@b.example>\n"
	    "  arrived   2026-11-21T23:59:00Z (1m ago), client local, helo \n"
	    "  from      local user 1000 alice\n"
	    "  held      by an access rule\n"
	    "  released  2026-11-22T00:10:00Z (in 10m), as its sender asked\n"
	    "  deadline  2026-11-22T01:00:00Z (in 1h), then returned\n"
	    "  priority  -3\n"
	    "  envid     QQ\\x1b\n"
	    "  done      0 of 1 recipients\n"
	    "  <c@d.example>  pending\n"
	    "    for       <team@d.example>\n"
	    "    owner     <owner@d.example>\n"
	    "    notify    SUCCESS,DELAY\n"
	    "    original  rfc822;team@d.example\n");
	free(r.text);
	run_with(&r, serve_wishes, 1, ROWS_STORY, 0, 20000, NULL);
	j = json_loads(r.text, 0, NULL);
	m = json_array_get(j, 0);
	c = json_array_get(json_object_get(m, "recipients"), 0);
	assert_string_equal(json_string_value(json_object_get(m, "held_by")), "an access rule");
	assert_non_null(json_object_get(m, "held_until"));
	assert_string_equal(json_string_value(json_object_get(m, "deliver_by_mode")), "return");
	assert_int_equal(json_integer_value(json_object_get(m, "priority")), -3);
	assert_int_equal(json_integer_value(json_object_get(m, "uid")), 1000);
	assert_string_equal(json_string_value(json_object_get(m, "login")), "alice");
	assert_string_equal(json_string_value(json_object_get(c, "notify")), "SUCCESS,DELAY");
	assert_string_equal(json_string_value(json_object_get(c, "alias")), "team@d.example");
	assert_string_equal(json_string_value(json_object_get(c, "owner")), "owner@d.example");
	assert_string_equal(json_string_value(json_object_get(c, "original_recipient")), "rfc822;team@d.example");
	json_decref(j);
	free(r.text);
}

/* A long list costs no memory (F17): the peak does not grow by a tenth of what the rows hold. */
static void
long_lists(void **state)
{
	struct rusage	before, after;
	struct run	r;
	FILE		*null = fopen("/dev/null", "w");
	int		json;

	assert_non_null(null);
	for (json = 0; json <= 1; json++) {
		assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
		run_with(&r, serve_many, json, ROWS_TABLE, 0, 20000, null);
		assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
		assert_int_equal(r.err, E_OK);
		assert_int_equal(r.nmessages, MANY);
		assert_int_equal(r.end.count, MANY);
#ifndef __SANITIZE_ADDRESS__	/* its freed memory stays in quarantine */
		assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 2048);
#endif
	}
	(void)fclose(null);
}

/* Whoever reads us has gone: the conversation ends, quietly. */
static void
closed_output(void **state)
{
	struct run	r;
	int		pair[2];
	FILE		*f;

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(pair), 0);
	(void)close(pair[0]);
	f = fdopen(pair[1], "w");
	assert_non_null(f);
	run_with(&r, serve_many, 0, ROWS_TABLE, 0, 20000, f);
	assert_int_equal(r.err, E_IO);
	assert_true(r.nmessages < MANY);
	(void)fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endings), cmocka_unit_test(columns), cmocka_unit_test(objects), cmocka_unit_test(wishes),
		cmocka_unit_test(long_lists), cmocka_unit_test(closed_output),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
