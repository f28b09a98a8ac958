/*
 * storm.c -- strangers who mean no good, or are only many: what an SMTP port on the Internet has to live with.
 *
 *	storm KIND PORT CONNECTIONS RATE
 *
 * KIND	idle		CONNECTIONS open, greeted, silent
 *	active		CONNECTIONS open, RATE messages a second in turn over all of them
 *	closing		RATE times a second connect and close
 *	drip		CONNECTIONS open, RATE octets a second in turn, one octet at a time
 *	garbage tls http line	RATE times a second connect and send 4 KB at random, a TLS handshake, an HTTP
 *			request, a line of 64 MB; until the server closes
 *
 * Prints "ready" once CONNECTIONS are open (at once where none stay open), runs until its standard input ends, then prints
 * one line of what it did.  Connections come from 127.x.y.1, so that limits per network do not hide the load.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX	20000
#define EVENTS		512
#define READ_SIZE	4096
#define LINE_OCTETS	(64u << 20)
#define WRITE_SIZE	65536
#define GARBAGE_OCTETS	4096
#define BURST_MAX	64		/* actions in one turn: a late turn does not become a burst */
#define OPENING_MAX	256		/* connections of those that stay open that are begun at once */

enum kind { IDLE, ACTIVE, CLOSING, DRIP, GARBAGE, TLS, HTTP, LINE, KINDS };
enum step { FREE, GREETING, EHLO, READY, DATA, DOT, SENDING };

static const char *const kinds[KINDS] = { "idle", "active", "closing", "drip", "garbage", "tls", "http", "line" };

struct conn {
	int		 fd;
	enum step	 step;
	size_t		 sent;
};

static struct conn	 conns[CONNECTIONS_MAX];
static unsigned		 nconn, nopen, nready, next_slot, next_source;
static int		 ep;
static uint16_t		 port;
static enum kind	 kind;
static struct { unsigned long opened, failed, ended, messages, refused, octets; } did;
static char		 block[WRITE_SIZE];

static const char	 mail[] = "MAIL FROM:<s@client.example>\r\nRCPT TO:<bob@local.example>\r\nDATA\r\n";
static const char	 text[] = "Subject: hello\r\n\r\nOne of many.\r\n.\r\n";
static const char	 request[] = "GET / HTTP/1.1\r\nHost: mx.example\r\n\r\n";
static const unsigned char hello[] = { 0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03 };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

static void
drop(struct conn *c)
{
	if (c->step == READY && nready > 0)
		nready--;
	close(c->fd);
	c->step = FREE;
	nopen--;
	did.ended++;
}

/* 1 if a connection was begun. */
static int
dial(struct conn *c)
{
	struct sockaddr_in	 to = { .sin_family = AF_INET, .sin_port = htons(port) }, from = { .sin_family = AF_INET };
	struct epoll_event	 ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	struct linger		 hard = { 1, 0 };
	int			 one = 1;

	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		die("socket");
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (kind != IDLE && kind != ACTIVE)	/* no port waits in TIME_WAIT behind a storm */
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
#ifdef IP_BIND_ADDRESS_NO_PORT
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
#endif
	next_source = (next_source + 1) % 20000;
	from.sin_addr.s_addr = htonl(0x7f010001u + (next_source << 8));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS)) {
		close(c->fd);
		did.failed++;
		return (0);
	}
	did.opened++;
	nopen++;
	c->sent = 0;
	c->step = kind <= ACTIVE || kind == DRIP ? GREETING : SENDING;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		die("epoll_ctl");
	return (1);
}

static struct conn *
free_slot(void)
{
	for (unsigned i = 0; i < nconn; i++) {
		next_slot = (next_slot + 1) % nconn;
		if (conns[next_slot].step == FREE)
			return (&conns[next_slot]);
	}
	return (NULL);
}

static int
say(struct conn *c, const void *p, size_t n)
{
	ssize_t	w = send(c->fd, p, n, MSG_NOSIGNAL);

	if (w > 0)
		did.octets += (unsigned long)w;
	if (w == -1 && errno != EAGAIN) {
		drop(c);
		return (-1);
	}
	return (w == (ssize_t)n ? 0 : 1);
}

/* What the connection of a storm has to say, as far as the socket takes it. */
static void
pour(struct conn *c)
{
	size_t		total, n, off;
	ssize_t		w;
	const void	*p;

	for (;;) {
		switch (kind) {
		case TLS:
			total = sizeof(hello);
			p = hello;
			break;
		case HTTP:
			total = sizeof(request) - 1;
			p = request;
			break;
		default:
			total = kind == LINE ? LINE_OCTETS : GARBAGE_OCTETS;
			p = block;
		}
		if (c->sent >= total)
			return;
		n = total - c->sent;
		off = kind == LINE ? 0 : c->sent;
		if (n > WRITE_SIZE)
			n = WRITE_SIZE;
		if ((w = send(c->fd, (const char *)p + off, n, MSG_NOSIGNAL)) == -1) {
			if (errno != EAGAIN)
				drop(c);
			return;
		}
		c->sent += (size_t)w;
		did.octets += (unsigned long)w;
	}
}

static void
become_ready(struct conn *c)
{
	c->step = READY;
	nready++;
}

static void
hear(struct conn *c, const char *p, size_t n)
{
	if (c->step == SENDING || n < 4)
		return;
	switch (c->step) {
	case GREETING:
		if (kind == DRIP)
			become_ready(c);
		else if (say(c, "EHLO many.example\r\n", 19) == 0)
			c->step = EHLO;
		break;
	case EHLO:
		become_ready(c);
		break;
	case DATA:
		if (n >= 5 && memmem(p, n, "354 ", 4) != NULL) {
			c->step = DOT;
			say(c, text, sizeof(text) - 1);
		} else if (memmem(p, n, "\r\n4", 3) != NULL || p[0] == '4') {
			did.refused++;
			say(c, "RSET\r\n", 6);
			become_ready(c);
		}
		break;
	case DOT:
		if (p[0] == '2')
			did.messages++;
		else
			did.refused++;
		become_ready(c);
		break;
	default:
		break;
	}
}

static void
on_event(struct conn *c, uint32_t events)
{
	char	buf[READ_SIZE];
	ssize_t	n;

	if (c->step == FREE)
		return;
	for (;;) {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n == 0 || (n == -1 && errno != EAGAIN)) {
			drop(c);
			return;
		}
		if (n == -1)
			break;
		hear(c, buf, (size_t)n);
		if (c->step == FREE)
			return;
	}
	if (c->step == SENDING && (events & EPOLLOUT) != 0) {
		if (kind == CLOSING)
			drop(c);
		else
			pour(c);
	}
}

/* The next connection that is ready, in turn. */
static struct conn *
next_ready(void)
{
	for (unsigned i = 0; i < nconn; i++) {
		next_slot = (next_slot + 1) % nconn;
		if (conns[next_slot].step == READY)
			return (&conns[next_slot]);
	}
	return (NULL);
}

/* One action; 0 if there was nothing to act with. */
static int
act(void)
{
	static const char	 slow[] = "EHLO slow.example\r\nNOOP\r\n";
	struct conn		*c;

	if (kind == ACTIVE) {
		if ((c = next_ready()) == NULL)
			return (0);
		nready--;
		c->step = DATA;
		say(c, mail, sizeof(mail) - 1);
		return (1);
	}
	if (kind == DRIP) {
		if ((c = next_ready()) == NULL)
			return (0);
		say(c, slow + c->sent++ % (sizeof(slow) - 1), 1);
		return (1);
	}
	return ((c = free_slot()) != NULL && dial(c));
}

static void
refill(void)
{
	struct conn	*c;
	unsigned	 opening = nopen - nready;

	while (nopen < nconn && opening++ < OPENING_MAX && (c = free_slot()) != NULL && dial(c))
		;
}

int
main(int argc, char **argv)
{
	struct epoll_event	 ev[EVENTS], in = { .events = EPOLLIN, .data.ptr = NULL };
	struct rlimit		 rl;
	uint64_t		 start, done = 0, due;
	double			 rate;
	int			 i, n, told = 0, over = 0, stays;

	if (argc != 5) {
		fprintf(stderr, "usage: storm kind port connections rate\n");
		return (2);
	}
	for (kind = 0; kind < KINDS && strcmp(kinds[kind], argv[1]) != 0; kind++)
		;
	port = (uint16_t)strtoul(argv[2], NULL, 10);
	nconn = (unsigned)strtoul(argv[3], NULL, 10);
	rate = strtod(argv[4], NULL);
	if (kind == KINDS || nconn == 0 || nconn > CONNECTIONS_MAX) {
		fprintf(stderr, "storm: an unknown kind, or more than %d connections\n", CONNECTIONS_MAX);
		return (2);
	}
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	srandom(1);
	for (i = 0; i < WRITE_SIZE; i++)
		block[i] = kind == LINE ? 'A' : (char)random();
	if (kind == GARBAGE)
		block[0] = 'A';		/* no TLS record */
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, 0, &in) == -1)
		die("standard input");
	stays = kind <= ACTIVE || kind == DRIP;
	start = now_us();
	while (!over) {
		if (stays)
			refill();
		if (!told && (!stays || nready >= nconn)) {
			puts("ready");
			fflush(stdout);
			told = 1;
			start = now_us();
			done = 0;
		}
		n = epoll_wait(ep, ev, EVENTS, told && rate > 0 ? 1 : 20);
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr == NULL)
				over = read(0, block, 1) <= 0;
			else
				on_event(ev[i].data.ptr, ev[i].events);
		}
		if (!told)
			continue;
		due = (uint64_t)((double)(now_us() - start) * rate / 1e6);
		for (i = 0; done < due && i < BURST_MAX; i++) {
			done++;
			if (!act())
				break;
		}
	}
	printf("opened=%lu failed=%lu ended=%lu messages=%lu refused=%lu octets=%lu actions=%.0f/s\n", did.opened,
	    did.failed, did.ended, did.messages, did.refused, did.octets,
	    (double)done * 1e6 / (double)(now_us() - start));
	return (0);
}
