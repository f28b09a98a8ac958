/*
 * log_test.c -- lines to a log daemon that is there, full, gone and back, and to a stream (F14).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

static char	path[] = "/tmp/postern-log-XXXXXX/log";
static int	server = -1;

static struct sockaddr_un
server_address(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, path, sizeof(path));
	return (sun);
}

static void
server_start(void)
{
	struct sockaddr_un sun = server_address();

	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&sun, sizeof(sun)), 0);
}

static void
server_stop(void)
{
	close(server);
	server = -1;
	assert_int_equal(unlink(path), 0);
}

static void
use_server(void)
{
	struct sockaddr_un	sun = server_address();
	int			fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	log_use(LOG_TO_SYSLOG, fd);
}

/* The next datagram without "<22>Nov 22 00:00:00 postern-test[1]: ", or NULL. */
static const char *
server_line(int *priority)
{
	static char	buf[8192];
	char		ident[64], *p;
	ssize_t		n;

	n = recv(server, buf, sizeof(buf) - 1, 0);
	if (n == -1) {
		assert_int_equal(errno, EAGAIN);
		return (NULL);
	}
	buf[n] = '\0';
	assert_int_equal(strlen(buf), (size_t)n);
	assert_null(strchr(buf, '\n'));
	assert_int_equal(buf[0], '<');
	*priority = (int)strtol(buf + 1, &p, 10);
	assert_int_equal(*p, '>');
	/* RFC 3164 4.1.2: "Mmm dd hh:mm:ss " */
	assert_true(strlen(p) > 17 && p[4] == ' ' && p[7] == ' ' && p[10] == ':' && p[13] == ':' && p[16] == ' ');
	snprintf(ident, sizeof(ident), "postern-test[%d]: ", (int)getpid());
	assert_int_equal(strncmp(p + 17, ident, strlen(ident)), 0);
	return (p + 17 + strlen(ident));
}

static void
test_early(void **state)
{
	int	p[2], saved = dup(STDERR_FILENO);
	char	buf[256];
	ssize_t	n;

	assert_int_equal(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	log_info("before %s", "the way is known");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(p[1]);
	n = read(p[0], buf, sizeof(buf) - 1);
	close(p[0]);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_non_null(strstr(buf, "]: before the way is known\n"));
}

static void
test_syslog(void **state)
{
	const char	*line;
	int		 pri;

	server_start();
	use_server();
	log_set_debug(0);
	log_debug("not said");
	log_info("one %d", 1);
	log_warn("two\r\nthree\x1b[0m\x7f");
	assert_null(server_line(&pri));		/* nothing before the flush */
	log_flush();
	line = server_line(&pri);
	assert_non_null(line);
	assert_string_equal(line, "one 1");
	assert_int_equal(pri, (2 << 3) | 6);
	line = server_line(&pri);
	assert_non_null(line);
	assert_string_equal(line, "two??three?[0m?");
	assert_int_equal(pri, (2 << 3) | 4);
	assert_null(server_line(&pri));
	log_set_debug(1);
	log_debug("said");
	log_flush();
	line = server_line(&pri);
	assert_non_null(line);
	assert_string_equal(line, "said");
	assert_int_equal(pri, (2 << 3) | 7);
	log_set_debug(0);
	server_stop();
}

static void
test_long_line(void **state)
{
	static char	text[5000];
	const char	*line;
	int		 pri;

	server_start();
	use_server();
	memset(text, 'x', sizeof(text) - 1);
	log_info("%s", text);
	log_flush();
	line = server_line(&pri);
	assert_non_null(line);
	assert_true(strlen(line) > 4000 && strlen(line) < 4096);
	assert_string_equal(line + strlen(line) - 4, "x...");
	server_stop();
}

/* The daemon goes and comes back: nothing is lost, and a new socket is asked for, once. */
static void
test_restart(void **state)
{
	const char	*line;
	uint64_t	 dropped = log_dropped();
	int		 pri, i;

	server_start();
	use_server();
	log_info("before");
	log_flush();
	line = server_line(&pri);
	assert_non_null(line);
	assert_string_equal(line, "before");
	assert_int_equal(log_need_fd(), 0);
	server_stop();
	for (i = 0; i < 100; i++)
		log_info("while gone %d", i);
	log_flush();
	assert_int_equal(log_need_fd(), 1);
	assert_int_equal(log_need_fd(), 0);	/* not again at once */
	log_info("while gone %d", i);
	log_flush();
	server_start();
	use_server();
	assert_int_equal(log_need_fd(), 0);
	for (i = 0; i <= 100; ) {
		char want[32];

		if ((line = server_line(&pri)) == NULL) {
			log_flush();	/* the daemon's queue is shorter than ours */
			line = server_line(&pri);
		}
		assert_non_null(line);
		snprintf(want, sizeof(want), "while gone %d", i++);
		assert_string_equal(line, want);
	}
	assert_null(server_line(&pri));
	assert_int_equal(log_dropped(), dropped);
	server_stop();
}

/* The daemon does not read: we never wait, we count, and tell the count when it reads again. */
static void
test_drops(void **state)
{
	const unsigned	sent = 20000;
	const char	*line;
	uint64_t	 dropped = log_dropped();
	unsigned	 i, got = 0, last = 0, told = 0, n;
	int		 pri, idle = 0;

	server_start();
	use_server();
	for (i = 1; i <= sent; i++) {
		log_info("line %u", i);
		if (i % 100 == 0)
			log_flush();
	}
	log_flush();
	dropped = log_dropped() - dropped;
	assert_true(dropped > 0 && dropped < sent);
	assert_int_equal(log_need_fd(), 0);	/* full is not gone */
	while (idle < 3) {
		log_flush();
		idle++;
		while ((line = server_line(&pri)) != NULL) {
			idle = 0;
			if (sscanf(line, "line %u", &n) == 1) {
				assert_true(n > last);
				last = n;
				got++;
			} else {
				assert_int_equal(sscanf(line, "%u log lines lost", &n), 1);
				told += n;
			}
		}
	}
	assert_int_equal(got + told, sent);
	assert_int_equal(told, dropped);
	server_stop();
}

/* A pipe that is full takes part of a line; the rest follows, and no line is torn. */
static void
test_stream(void **state)
{
	static char	all[1 << 20];
	char		want[128], *p, *end;
	size_t		len = 0;
	ssize_t		n;
	int		fds[2], i, idle = 0;
	const int	lines = 1500;

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
	log_use(LOG_TO_STDERR, fds[1]);
	for (i = 0; i < lines; i++)
		log_info("line %d with something behind it", i);
	while (idle < 2) {
		log_flush();
		n = read(fds[0], all + len, 1000);	/* an odd size */
		idle = n > 0 ? 0 : idle + 1;
		if (n > 0)
			len += (size_t)n;
	}
	all[len] = '\0';
	for (i = 0, p = all; i < lines; i++, p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_true(strlen(p) > 22 && p[4] == '-' && p[10] == 'T' && p[19] == 'Z');
		snprintf(want, sizeof(want), "postern-test[%d]: line %d with something behind it", (int)getpid(), i);
		assert_string_equal(p + 21, want);
	}
	assert_string_equal(p, "");

	/* The reader has gone: the way is dead, not the process (SIGPIPE is ignored in a daemon). */
	close(fds[0]);
	log_info("nobody reads");
	log_flush();
	log_flush();
	server_start();
	use_server();
	server_stop();
}

static void
test_fatal(void **state)
{
	int		 status;
	pid_t		 pid;
	char		 buf[256];
	ssize_t		 n;

	server_start();
	use_server();
	if ((pid = fork()) == 0) {
		log_open("test");
		log_fatal("cannot go on: %s", "reason");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	n = recv(server, buf, sizeof(buf) - 1, 0);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_int_equal(strncmp(buf, "<18>", 4), 0);
	assert_non_null(strstr(buf, "]: cannot go on: reason"));
	server_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early),		/* the first: it needs a log that was given no way yet */
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_fatal),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	*strrchr(path, '/') = '\0';
	if (mkdtemp(path) == NULL)
		return (1);
	path[strlen(path)] = '/';
	log_open("test");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return (failed);
}
