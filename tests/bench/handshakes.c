/*
 * handshakes.c -- a client that makes TLS handshakes, one after the other, for tests/bench/tls.
 *
 *	handshakes PORT COUNT VERSION SIGALGS resume|full|clear [hold]
 *
 * clear: without TLS.  Each reads the greeting and says QUIT.  resume: with the ticket of the one before.  hold: keeps all open, prints "held",
 * and waits for the end of its input.  Prints how many were resumed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
dial(unsigned port)
{
	struct sockaddr_in	a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		die("connect");
	return (fd);
}

static void
clear_session(unsigned port)
{
	char	buf[4096];
	int	fd = dial(port);

	if (recv(fd, buf, sizeof(buf), 0) <= 0 || send(fd, "QUIT\r\n", 6, 0) != 6 || recv(fd, buf, sizeof(buf), 0) <= 0)
		die("session");
	close(fd);
}

int
main(int argc, char **argv)
{
	SSL_CTX		*ctx = SSL_CTX_new(TLS_client_method());
	SSL_SESSION	*ticket = NULL;
	SSL		*ssl;
	char		 buf[4096];
	unsigned long	 port, count, i, resumed = 0;
	int		 version, hold = argc == 7, resume, fd;

	if (argc < 6 || ctx == NULL)
		return (2);
	port = strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	version = strcmp(argv[3], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	resume = strcmp(argv[5], "resume") == 0;
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (SSL_CTX_set1_sigalgs_list(ctx, argv[4]) != 1)
		return (2);
	for (i = 0; i < count; i++) {
		if (strcmp(argv[5], "clear") == 0) {
			clear_session((unsigned)port);
			continue;
		}
		fd = dial((unsigned)port);
		ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		if (ticket != NULL)
			SSL_set_session(ssl, ticket);
		if (SSL_connect(ssl) != 1 || SSL_read(ssl, buf, sizeof(buf)) <= 0)
			die("handshake");
		resumed += SSL_session_reused(ssl) != 0;
		if (hold)
			continue;
		if (SSL_write(ssl, "QUIT\r\n", 6) != 6 || SSL_read(ssl, buf, sizeof(buf)) <= 0)
			die("QUIT");
		if (resume) {
			SSL_SESSION_free(ticket);
			ticket = SSL_get1_session(ssl);
		}
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	printf("%lu\n", resumed);
	if (hold) {
		fflush(stdout);
		if (read(0, buf, 1) == -1)
			return (1);
	}
	return (0);
}
