/*
 * ipc_wipe_test.c -- frames with secrets leave nothing behind in this process: all of its memory is searched.
 *
 * Sender and receiver are both here, so both sides' buffers are.  That the search can find something is shown with a
 * frame whose handler has not returned yet, and with one that is no secret.
 */
#include "tests/common/ipc_end.h"

#include <stdio.h>
#include <sys/mman.h>

#define MARK_LEN	24
#define MAPPING_MAX	(256ul << 20)	/* a sanitizer's shadow is larger, and holds nothing of ours */
#define GUARD_S		120		/* what a failed test leaves open would keep the loop for ever */

/* The mark never stands in memory as it is, but where a test puts it. */
static volatile uint8_t	mask = 0x5a;
static const uint8_t	masked[MARK_LEN] = {
	0x11, 0x83, 0xc7, 0x2e, 0x9d, 0x41, 0xf0, 0x6b, 0xa8, 0x35, 0xde, 0x74,
	0x19, 0xe2, 0x5f, 0x8c, 0x03, 0xb6, 0x67, 0xd9, 0x4a, 0xfd, 0x92, 0x20,
};

static void
mark(void *dst)
{
	size_t i;

	for (i = 0; i < MARK_LEN; i++)
		((uint8_t *)dst)[i] = masked[i] ^ mask;
}

__attribute__((no_sanitize_address, no_sanitize("thread")))
static unsigned
count(const uint8_t *p, const uint8_t *end)
{
	uint8_t		m = mask;
	unsigned	n = 0;
	size_t		i;

	for (; (size_t)(end - p) >= MARK_LEN; p++) {
		for (i = 0; i < MARK_LEN && (p[i] ^ m) == masked[i]; i++)
			;
		n += i == MARK_LEN;
	}
	return (n);
}

/* The same of a mapping, but for the pages that were never touched. */
static unsigned
count_touched(uint8_t *p, uint8_t *end)
{
	static unsigned char	vec[1024];
	size_t			page = (size_t)sysconf(_SC_PAGESIZE), i, n;
	uint8_t			*from = NULL;	/* of a run of touched pages */
	unsigned		sum = 0;

	for (; p < end; p += n * page) {
		n = (size_t)(end - p) / page < sizeof(vec) ? (size_t)(end - p) / page : sizeof(vec);
		assert_int_equal(mincore(p, n * page, vec), 0);
		for (i = 0; i < n; i++) {
			if ((vec[i] & 1) != 0 && from == NULL)
				from = p + i * page;
			if ((vec[i] & 1) == 0 && from != NULL) {
				sum += count(from, p + i * page);
				from = NULL;
			}
		}
	}
	return (from != NULL ? sum + count(from, end) : sum);
}

/* How often the mark stands in memory that we may write. */
static unsigned
found(void)
{
	char		line[512], mode[8];
	unsigned long	from, to;
	unsigned	n = 0;
	FILE		*f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' &&
		    to - from <= MAPPING_MAX)
			n += count_touched((uint8_t *)from, (uint8_t *)to);
	}
	fclose(f);
	return (n);
}

/* ---- the two ends ---- */

static unsigned		while_handled;		/* what the search found before the handler returned */
static unsigned		handled;
static unsigned		search_at;		/* at this one */
static int		refuse_at, close_at;	/* this many frames were handled; 0: never */
static int		ended;

static int
wipe_message(struct ipc *ch, enum ipc_type type, struct rd *payload, int fd)
{
	if (++handled == search_at)		/* a search takes a while */
		while_handled = found();
	if (close_at != 0 && handled == (unsigned)close_at)
		ipc_close(ch, NULL);
	return (refuse_at != 0 && handled == (unsigned)refuse_at ? E_PROTO : E_OK);
}

static void
wipe_closed(struct ipc *ch, int err)
{
	ended++;
}

static const struct ipc_ops wipe_ops = { .message = wipe_message, .closed = wipe_closed };

static const struct {
	enum ipc_type	type;
	unsigned	from, to;
} rows[] = {
	{ IPC_TICKET_KEYS, ROOM_MASTER, ROOM_SMTPD }, { IPC_SASL, ROOM_SMTPD, ROOM_AUTH },
	{ IPC_SASL_ANSWER, ROOM_AUTH, ROOM_SMTPD }, { IPC_CREDENTIAL, ROOM_DELIVER, ROOM_AUTH },
	{ IPC_CREDENTIAL_ANSWER, ROOM_AUTH, ROOM_DELIVER }, { IPC_PAM_ASK, ROOM_AUTH, ROOM_PAM },
};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))

/* One frame with the mark in it; what we made it of is wiped. */
static int
send_mark(struct ipc *ch, enum ipc_type type)
{
	static union {
		struct ipc_ticket_keys	ticket_keys;
		struct ipc_sasl		sasl;
		struct ipc_sasl_answer	sasl_answer;
		struct ipc_credential	credential;
		struct ipc_credential_answer credential_answer;
		struct ipc_pam_ask	pam_ask;
		struct ipc_sign		sign;
	} m;
	static uint8_t	data[MARK_LEN];
	struct slice	s = slice_make(data, MARK_LEN);
	int		err = E_PROTO;

	memset(&m, 0, sizeof(m));
	mark(data);
	switch (type) {
	case IPC_TICKET_KEYS:
		m.ticket_keys.n = 1;
		mark(m.ticket_keys.key[0].aes);
		err = ipc_send(ch, TICKET_KEYS, ticket_keys, &m.ticket_keys);
		break;
	case IPC_SASL:
		m.sasl.first = m.sasl.initial = 1;
		m.sasl.data = s;
		err = ipc_send(ch, SASL, sasl, &m.sasl);
		break;
	case IPC_SASL_ANSWER:
		m.sasl_answer.data = s;
		err = ipc_send(ch, SASL_ANSWER, sasl_answer, &m.sasl_answer);
		break;
	case IPC_CREDENTIAL:
		m.credential.data = s;
		err = ipc_send(ch, CREDENTIAL, credential, &m.credential);
		break;
	case IPC_CREDENTIAL_ANSWER:
		m.credential_answer.has_data = 1;
		m.credential_answer.data = s;
		err = ipc_send(ch, CREDENTIAL_ANSWER, credential_answer, &m.credential_answer);
		break;
	case IPC_PAM_ASK:
		memset(m.pam_ask.password, 'x', 4);	/* not at its beginning */
		mark(m.pam_ask.password + 4);
		err = ipc_send(ch, PAM_ASK, pam_ask, &m.pam_ask);
		break;
	case IPC_SIGN:
		m.sign.tbs = s;
		err = ipc_send(ch, SIGN, sign, &m.sign);
		break;
	default:
		break;
	}
	explicit_bzero(&m, sizeof(m));
	explicit_bzero(data, sizeof(data));
	return (err);
}

struct pair { struct ipc a, b; };

static void
pair_open(struct pair *p, unsigned from, unsigned to)
{
	int	fds[2];

	handled = 0;
	while_handled = 0;
	search_at = 0;
	refuse_at = close_at = ended = 0;
	assert_int_equal(ipc_pair(fds), E_OK);
	assert_int_equal(ipc_open(&p->a, &loop, fds[0], from, to, &wipe_ops, p), E_OK);
	assert_int_equal(ipc_open(&p->b, &loop, fds[1], to, from, &wipe_ops, p), E_OK);
}

static void
pair_close(struct pair *p)
{
	ipc_close(&p->a, NULL);
	ipc_close(&p->b, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void
turn_until(const unsigned *counter, unsigned wanted)
{
	uv_timer_start(&guard, on_guard, GUARD_MS, 0);
	while (*counter < wanted) {
		ipc_flush_all();
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_timer_stop(&guard);
}

/* ---- the tests ---- */

static void
test_which(void **state)
{
	unsigned	type, n = 0;
	size_t		i;

	for (type = 0; type <= IPC_TYPES; type++)
		n += (unsigned)ipc_is_secret(type);
	assert_int_equal(n, ROWS);
	for (i = 0; i < ROWS; i++)
		assert_int_equal(ipc_is_secret(rows[i].type), 1);
}

/* The search sees what is there, and what is no secret stays where it was. */
static void
test_search(void **state)
{
	struct pair	p;
	uint8_t		here[MARK_LEN];

	assert_int_equal(found(), 0);
	mark(here);
	assert_int_equal(found(), 1);
	explicit_bzero(here, sizeof(here));
	assert_int_equal(found(), 0);
	pair_open(&p, ROOM_SMTPD, ROOM_KEYS);
	search_at = 1;
	assert_int_equal(send_mark(&p.a, IPC_SIGN), E_OK);
	turn_until(&handled, 1);
	assert_true(while_handled >= 1);
	assert_true(found() >= 2);		/* in a datagram that was sent, and in the one that came */
	/* The same buffers hold something else afterwards. */
	assert_int_equal(send_abort(&p.a, 1), E_PROTO);
	pair_close(&p);
}

static void
forget_sign(void)
{
	static char		 none[TBS_MAX];
	struct ipc_sign		 m = { .tbs = slice_make(none, sizeof(none)) };
	struct pair		 p;
	int			 i;

	pair_open(&p, ROOM_SMTPD, ROOM_KEYS);
	for (i = 0; i < 8; i++) {		/* each its own datagram, so that all that came at once are overwritten */
		assert_int_equal(ipc_send(&p.a, SIGN, sign, &m), E_OK);
		ipc_flush_all();
	}
	turn_until(&handled, 8);
	pair_close(&p);
	assert_int_equal(found(), 0);
}

static void
test_sent(void **state)
{
	static const unsigned	many[] = { 1, 2, 40, 400 };
	struct pair		p;
	size_t			i, k;
	unsigned		n;

	forget_sign();
	for (i = 0; i < ROWS; i++) {
		for (k = 0; k < sizeof(many) / sizeof(many[0]); k++) {
			pair_open(&p, rows[i].from, rows[i].to);
			search_at = many[k];
			for (n = 0; n < many[k]; n++)
				assert_int_equal(send_mark(&p.a, rows[i].type), E_OK);
			assert_true(found() == many[k]);	/* waits to be sent */
			turn_until(&handled, many[k]);
			assert_int_equal(while_handled, 1);	/* the last one, as its handler sees it */
			if (found() != 0)
				fail_msg("%s, %u frames: stands in memory", ipc_type_name(rows[i].type), many[k]);
			pair_close(&p);
		}
	}
}

/* Octets wander from one datagram to the next where a frame does not end in the first. */
static void
test_moved(void **state)
{
	struct pair	p;
	size_t		moved;
	unsigned	n = 0;

	pair_open(&p, ROOM_SMTPD, ROOM_AUTH);
	while (ipc_backlog(&p.a) < 3 * IPC_DATAGRAM_MAX) {
		moved = ipc_backlog(&p.a) / IPC_DATAGRAM_MAX;
		assert_int_equal(send_mark(&p.a, IPC_SASL), E_OK);
		n++;
		if (ipc_backlog(&p.a) / IPC_DATAGRAM_MAX != moved || n < 3)
			assert_int_equal(found(), n);
	}
	assert_int_equal(found(), n);
	turn_until(&handled, n);
	assert_int_equal(found(), 0);
	pair_close(&p);
}

/* What is never sent: the channel closes, the queue is full, the peer takes nothing, the table forbids it. */
static void
test_unsent(void **state)
{
	struct pair	p;
	unsigned	n = 0;

	pair_open(&p, ROOM_SMTPD, ROOM_AUTH);
	while (send_mark(&p.a, IPC_SASL) == E_OK)
		n++;
	assert_true(n > 16);
	assert_int_equal(found(), n);		/* and nothing of the one that had no room */
	ipc_flush(&p.a);			/* b does not read: some wait */
	ipc_close(&p.a, NULL);
	assert_int_equal(found(), 0);
	pair_close(&p);
	assert_int_equal(found(), 0);

	pair_open(&p, ROOM_SMTPD, ROOM_QUEUE);
	assert_int_equal(send_mark(&p.a, IPC_SASL), E_PROTO);
	assert_int_equal(found(), 0);
	pair_close(&p);
}

/* A handler that ends the channel: what came behind it was never looked at. */
static void
test_unread(void **state)
{
	struct pair	p;
	int		closes;
	unsigned	n;

	for (closes = 0; closes < 2; closes++) {
		pair_open(&p, ROOM_SMTPD, ROOM_AUTH);
		if (closes)
			close_at = 2;
		else
			refuse_at = 2;
		for (n = 0; n < 600; n++) {
			assert_int_equal(send_mark(&p.a, IPC_SASL), E_OK);
			if (n % 100 == 99)
				ipc_flush(&p.a);
		}
		turn_until(&handled, 2);
		if (!closes)
			turn_until((const unsigned *)&ended, 1);
		assert_int_equal(handled, 2);
		ipc_close(&p.a, NULL);
		assert_int_equal(found(), 0);
		pair_close(&p);
		assert_int_equal(found(), 0);
	}
}

static void
test_without_loop(void **state)
{
	static struct ipc_sync	s;
	struct ipc_ticket_keys	m;
	struct pair		p;
	enum ipc_type		type;
	struct rd		payload;
	int			fds[2], fd, i;

	memset(&s, 0, sizeof(s));
	assert_int_equal(ipc_pair(fds), E_OK);
	memset(&p, 0, sizeof(p));
	assert_int_equal(ipc_open(&p.a, &loop, fds[0], ROOM_MASTER, ROOM_SMTPD, &wipe_ops, &p), E_OK);
	for (i = 0; i < 3; i++)
		assert_int_equal(send_mark(&p.a, IPC_TICKET_KEYS), E_OK);
	ipc_flush_all();
	for (i = 3; i > 0; i--) {
		assert_int_equal(ipc_recv_sync(fds[1], &s, ROOM_MASTER, ROOM_SMTPD, &type, &payload, &fd), E_OK);
		assert_int_equal(type, IPC_TICKET_KEYS);
		assert_int_equal(found(), i);
		assert_int_equal(ipc_unpack_ticket_keys(&payload, &m), E_OK);
		explicit_bzero(&m, sizeof(m));
	}
	ipc_sync_done(&s);
	assert_int_equal(found(), 0);
	ipc_sync_done(&s);
	/* Nobody may send this to queue: what follows it is not kept either. */
	assert_int_equal(send_mark(&p.a, IPC_TICKET_KEYS), E_OK);
	ipc_flush_all();
	assert_int_equal(ipc_recv_sync(fds[1], &s, ROOM_MASTER, ROOM_QUEUE, &type, &payload, &fd), E_PROTO);
	assert_int_equal(found(), 0);
	ipc_close(&p.a, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_unsent),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_without_loop),
	};

	log_open("test");
	alarm(GUARD_S);
	return (cmocka_run_group_tests(tests, setup, teardown));
}
