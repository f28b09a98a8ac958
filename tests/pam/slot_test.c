/*
 * slot_test.c -- a slot's life with a PAM that does the worst: hangs, crashes, ends the process, leaves children.
 *
 * pam_ask() is this file's own; the login says what it does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pam/pam.h"

#define SECONDS	1		/* the slot's patience here */

static int	left[2];	/* a pipe that what a module leaves behind keeps open */

int
pam_ask(const struct slot_ask *ask)
{
	const char	*what = ask->login;

	if (strcmp(what, "ok") == 0)
		return (strcmp(ask->password, "sesame") == 0 && strcmp(ask->service, "postern") == 0 ? 0 : 7);
	if (strcmp(what, "code") == 0)
		return (atoi(ask->password));
	if (strcmp(what, "hang") == 0) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	if (strcmp(what, "abort") == 0)
		abort();
	if (strcmp(what, "exit") == 0)
		exit(0);
	if (strcmp(what, "kill") == 0)	/* somebody else's process */
		return (kill(getppid(), SIGKILL) == -1 && errno == EPERM ? 0 : 9);
	if (strcmp(what, "leave") == 0 || strcmp(what, "daemon") == 0) {
		if (fork() == 0) {
			if (what[0] == 'd' && (setsid() == -1 || fork() != 0))
				_exit(0);
			for (;;)
				pause();
		}
		usleep(50000);
		return (0);
	}
	return (4);
}

static int	fd = -1;
static pid_t	slot;

static int
setup(void **state)
{
	int	pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(left), 0);
	assert_int_not_equal(slot = fork(), -1);
	if (slot == 0) {
		close(pair[0]);
		close(left[0]);
		slot_serve(pair[1], SECONDS);
		_exit(0);
	}
	close(pair[1]);
	close(left[1]);
	fd = pair[0];
	return (0);
}

/* The other end closed: it ends by itself, and all it had started with it. */
static int
teardown(void **state)
{
	int	status;

	if (fd != -1)
		close(fd);
	fd = -1;
	assert_int_equal(waitpid(slot, &status, 0), slot);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(left[0]);
	return (0);
}

static struct slot_answer
ask(const char *login, const char *password)
{
	struct slot_ask		q;
	struct slot_answer	a;

	memset(&q, 0, sizeof(q));
	(void)snprintf(q.service, sizeof(q.service), "postern");
	(void)snprintf(q.login, sizeof(q.login), "%s", login);
	(void)snprintf(q.password, sizeof(q.password), "%s", password);
	assert_int_equal(send(fd, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(recv(fd, &a, sizeof(a), 0), sizeof(a));
	return (a);
}

static void
answers(void **state)
{
	static const char *const	codes[] = { "0", "1", "9", "31", "255" };

	assert_int_equal(ask("ok", "sesame").end, SLOT_ANSWERED);
	assert_int_equal(ask("ok", "sesame").code, 0);
	assert_int_equal(ask("ok", "wrong").code, 7);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct slot_answer	a = ask("code", codes[i]);

		assert_int_equal(a.end, SLOT_ANSWERED);
		assert_int_equal(a.code, atoi(codes[i]));
	}
	assert_int_equal(ask("code", "256").end, SLOT_CRASHED);
	assert_int_equal(ask("code", "-1").end, SLOT_CRASHED);
}

/* Whatever one question does, the next is answered. */
static void
worst(void **state)
{
	struct timespec	a, b;

	assert_int_equal(ask("abort", "").end, SLOT_CRASHED);
	assert_int_equal(ask("exit", "").end, SLOT_CRASHED);	/* status 0, and no answer */
	assert_int_equal(ask("ok", "sesame").code, 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(ask("hang", "").end, SLOT_TIMED_OUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec >= SECONDS && b.tv_sec - a.tv_sec <= SECONDS + 5);
	assert_int_equal(ask("ok", "sesame").end, SLOT_ANSWERED);
#if !SANDBOX_SANITIZER
	assert_int_equal(ask("kill", "").code, 0);
#endif
	assert_int_equal(ask("ok", "wrong").code, 7);
}

/* A program that a module started and left goes with the question; its end of the pipe says so. */
static void
orphans(void **state)
{
	char	c;

	struct pollfd	p = { .fd = left[0], .events = POLLIN };

	assert_int_equal(ask("leave", "").code, 0);
	assert_int_equal(ask("daemon", "").code, 0);
	assert_int_equal(ask("ok", "sesame").code, 0);
	close(fd);
	fd = -1;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(read(left[0], &c, 1), 0);	/* the slot and all of it have gone */
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(worst, setup, teardown),
		cmocka_unit_test_setup_teardown(orphans, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
