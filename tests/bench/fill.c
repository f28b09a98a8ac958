/*
 * fill.c -- puts many messages into a server: several connections, each with one message's body and the next
 * one's commands in one write (RFC 2920), so that the filler is not what is measured.
 *
 *	fill PORT COUNT CONNECTIONS OCTETS DOMAIN=SHARE...
 *
 * Recipients are spread over the domains by their shares.  A %u in a domain becomes the number of the
 * message.  What is refused for now (4xx) is sent again; anything else ends the program.  Prints one line:
 * messages, seconds, messages a second, how many were sent again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX	256
#define DOMAINS_MAX	64
#define IN_MAX		8192
#define PATIENCE_MS	30000
#define BODY_MAX	(1 << 20)
#define REFUSED_US	2000
#define SPREAD		7919u		/* a prime: messages of a domain do not come in a row */

struct domain {
	const char	*name;
	unsigned	 share;
};

struct conn {
	int		 fd;
	int		 step;		/* the reply that comes next */
	int		 refused;	/* a reply of this group was no success */
	int		 active;	/* a message is under way */
	size_t		 nin;
	char		 in[IN_MAX];
};

enum { ST_GREETING, ST_EHLO, ST_MAIL, ST_RCPT, ST_DATA, ST_DOT };

static struct domain	 domains[DOMAINS_MAX];
static int		 ndomain;
static unsigned		 shares;
static unsigned long	 count, left, given, taken, again;
static char		 body[BODY_MAX];
static size_t		 body_len;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "fill: %s: %s\n", what, detail);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
say(struct conn *c, const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		w = send(c->fd, p, n, MSG_NOSIGNAL);
		if (w == -1)
			die("send", strerror(errno));
		p += w;
		n -= (size_t)w;
	}
}

/* The envelope of the next message behind what is in text; 0 if all were given out. */
static size_t
next_envelope(struct conn *c, char *text, size_t size)
{
	char name[300];
	unsigned long number;
	unsigned pick;
	int i, n;

	c->active = left != 0;
	if (!c->active)
		return (0);
	left--;
	number = given++;
	pick = (unsigned)(number * SPREAD % shares);
	for (i = 0; pick >= domains[i].share; i++)
		pick -= domains[i].share;
	if (strstr(domains[i].name, "%u") != NULL) {
		const char *at = strstr(domains[i].name, "%u");

		snprintf(name, sizeof(name), "%.*s%lu%s", (int)(at - domains[i].name), domains[i].name, number, at + 2);
	} else {
		snprintf(name, sizeof(name), "%s", domains[i].name);
	}
	n = snprintf(text, size, "MAIL FROM:<from@client.example>\r\nRCPT TO:<u%lu@%s>\r\nDATA\r\n", number, name);
	return ((size_t)n);
}

/* The commands of the next message, alone or behind the body of the one before, in one write. */
static void
send_group(struct conn *c, int with_body)
{
	static char text[BODY_MAX + 1024];
	size_t n = 0;

	if (with_body) {
		memcpy(text, body, body_len);
		n = body_len;
	}
	n += next_envelope(c, text + n, sizeof(text) - n);
	say(c, text, n);
}

/* Replies come in this order: (greeting, EHLO) MAIL RCPT DATA, then dot MAIL RCPT DATA again and again. */
static void
answer(struct conn *c, const char *line)
{
	if (line[0] > '3' && !c->refused && (line[0] != '4' || strncmp(line, "421", 3) == 0))
		die("server", line);
	switch (c->step++) {
	case ST_GREETING:
		say(c, "EHLO client.example\r\n", 21);
		break;
	case ST_EHLO:
		send_group(c, 0);
		break;
	case ST_DATA:
		if (line[0] == '3') {
			send_group(c, 1);
			break;
		}
		again++;			/* refused before the body: the same again, a little later */
		left++;
		usleep(REFUSED_US);
		send_group(c, 0);
		c->step = ST_MAIL;
		break;
	case ST_DOT:
		if (line[0] == '2') {
			taken++;
		} else {
			again++;
			left++;
			if (!c->active)
				send_group(c, 0);
		}
		c->step = ST_MAIL;
		break;
	default:
		if (line[0] != '2')
			c->refused = 1;		/* what follows in this group fails too */
		break;
	}
	if (c->step == ST_MAIL)
		c->refused = 0;
}

static void
on_input(struct conn *c)
{
	char *end;
	ssize_t r;

	r = recv(c->fd, c->in + c->nin, sizeof(c->in) - 1 - c->nin, 0);
	if (r <= 0)
		die("connection lost", r == 0 ? "end of file" : strerror(errno));
	c->nin += (size_t)r;
	c->in[c->nin] = '\0';
	while ((end = strstr(c->in, "\r\n")) != NULL) {
		*end = '\0';
		if (end - c->in < 4 || c->in[3] != '-')
			answer(c, c->in);
		c->nin -= (size_t)(end + 2 - c->in);
		memmove(c->in, end + 2, c->nin + 1);
	}
	if (c->nin == sizeof(c->in) - 1)
		die("reply", "too long");
}

static void
make_body(size_t octets)
{
	size_t n;

	if (octets + 128 > sizeof(body))
		die("size", "too large");
	body_len = (size_t)snprintf(body, sizeof(body), "Subject: filler\r\n\r\n");
	while (body_len < octets) {
		n = octets - body_len < 78 ? octets - body_len : 78;
		memset(body + body_len, 'x', n);
		body_len += n;
		memcpy(body + body_len, "\r\n", 2);
		body_len += 2;
	}
	memcpy(body + body_len, ".\r\n", 3);
	body_len += 3;
}

int
main(int argc, char **argv)
{
	static struct conn conns[CONNECTIONS_MAX];
	struct pollfd fds[CONNECTIONS_MAX];
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int i, n, one = 1;
	double start;
	char *eq;

	if (argc < 6)
		die("usage", "fill PORT COUNT CONNECTIONS OCTETS DOMAIN=SHARE...");
	sin.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	count = left = strtoul(argv[2], NULL, 10);
	n = (int)strtoul(argv[3], NULL, 10);
	if (n < 1 || n > CONNECTIONS_MAX)
		die("connections", argv[3]);
	make_body(strtoul(argv[4], NULL, 10));
	for (i = 5; i < argc && ndomain < DOMAINS_MAX; i++) {
		if ((eq = strchr(argv[i], '=')) == NULL)
			die("no share", argv[i]);
		*eq = '\0';
		domains[ndomain].name = argv[i];
		domains[ndomain].share = (unsigned)strtoul(eq + 1, NULL, 10);
		shares += domains[ndomain++].share;
	}
	if (shares == 0)
		die("shares", "none");
	start = now();
	for (i = 0; i < n; i++) {
		conns[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(conns[i].fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
			die("connect", strerror(errno));
		setsockopt(conns[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		fds[i].fd = conns[i].fd;
		fds[i].events = POLLIN;
	}
	while (taken < count) {
		if (poll(fds, (nfds_t)n, PATIENCE_MS) < 1)
			die("server", "silent");
		for (i = 0; i < n; i++)
			if (fds[i].revents != 0)
				on_input(&conns[i]);
	}
	printf("%lu messages %.3f s %.0f a second, %lu sent again\n", taken, now() - start,
	    (double)taken / (now() - start), again);
	return (0);
}
