/*
 * auth_sasl_fuzz.c -- what an smtpd that was taken over can say to auth: datagrams of SASL and
 * SASL_END, of any exchange in any order.
 *
 * The input is pieces of "u8 kind, u16 length, octets".  Even kinds are payloads of SASL as they
 * are; odd ones are short forms: the mechanism, the exchange, and what the client says.  The
 * backend says yes to "right", and answers at once, later, or never.  Each message is answered once
 * or breaks the table; a login is granted only where the backend, or the table for EXTERNAL, said
 * so.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/exchange.h"
#include "auth/secure.h"
#include "common/err.h"
#include "common/log.h"
#include "common/siphash.h"

#define IDS	8

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct sasl_env		 env;
static struct auth_peer		 peer;
static uint64_t			 counters[COUNTS], now;
static struct exchange		*later[64];	/* asked of the backend, not answered */
static size_t			 nlater;
static unsigned			 answers, granted, may_grant;

static void
on_answer(struct auth_peer *p, const struct ipc_sasl_answer *m)
{
	static uint8_t		 buf[IPC_PAYLOAD_MAX];
	struct ipc_sasl_answer	 back;
	struct wr		 w;
	struct rd		 r;

	answers++;
	granted += m->status == SASL_OK;
	if (m->status == SASL_OK && (may_grant == 0 || m->login[0] == '\0'))
		abort();
	if ((m->status == SASL_FAILED) != (m->wait_ms != 0 && m->status != SASL_TEMPORARY))
		abort();
	/* smtpd understands it. */
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_sasl_answer(&w, m);
	rd_init(&r, buf, w.len);
	if (w.err != E_OK || ipc_unpack_sasl_answer(&r, &back) != E_OK || strcmp(back.login, m->login) != 0 ||
	    !slice_eq(back.data, m->data))
		abort();
}

static void
on_check(struct exchange *x, struct slice login, struct slice password)
{
	int	right = slice_eq(password, SLICE_LIT("right"));

	if (login.n == 0 || login.n > LOGIN_MAX || password.n == 0 || password.n > PASSWORD_MAX ||
	    memchr(password.p, '\0', password.n) != NULL || password.p[password.n] != '\0')
		abort();
	if (slice_eq(password, SLICE_LIT("later")) && nlater < sizeof(later) / sizeof(later[0])) {
		x->backend_arg = &env;
		later[nlater++] = x;
		return;
	}
	may_grant += (unsigned)right;
	auth_checked(x, right ? SASL_OK : SASL_FAILED, NULL, SLICE_LIT(""));
}

static void
on_cancel(struct exchange *x)
{
	size_t	i;

	for (i = 0; i < nlater && later[i] != x; i++)
		;
	if (i == nlater)
		abort();
	later[i] = later[--nlater];
	x->backend_arg = NULL;
}

static const struct backend	backend = { .name = "fuzz", .check = on_check, .cancel = on_cancel };

static uint64_t
time_now(void)
{
	return (now);
}

static int
random_octets(uint8_t *p, size_t n)
{
	memset(p, 'r', n);
	return (E_OK);
}

static int
open_env(void)
{
	static const char	 lines[] = "alice:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\ncert@example.org:!\n";
	struct table_error	 e;
	struct table		*t;
	char			*text = secure_alloc(sizeof(lines));

	if (text == NULL)
		return (0);
	siphash_seed();
	log_open("fuzz");
	log_use(LOG_TO_STDERR, -1);
	memcpy(text, lines, sizeof(lines));
	if (table_parse(&t, text, sizeof(lines) - 1, &e) != E_OK)
		abort();
	env = (struct sasl_env){ .backend = &backend, .table = t, .mechanisms = (1u << SASL_MECHANISMS) - 1,
	    .limits = { .max = 5, .window_ms = 1000 }, .secret = { 1 }, .now = time_now, .random = random_octets,
	    .counter = counters, .failures = failures_new() };
	return (env.failures != NULL);
}

/* A short form: mechanism and flags, exchange, what is said. */
static void
short_form(struct ipc_sasl *m, const uint8_t *p, size_t n)
{
	static const char	*const who[] = { "", "alice", "cert@example.org", "nobody" };

	memset(m, 0, sizeof(*m));
	if (n < 2)
		return;
	m->mechanism = (p[0] & 7) % SASL_MECHANISMS;
	m->first = p[0] >> 3 & 1;
	m->initial = m->first && (p[0] >> 4 & 1) != 0;
	m->tls = p[0] >> 5 & 1;
	m->id = p[1] % IDS;
	m->client.a[15] = p[1] / IDS;
	m->binding[BINDING_EXPORTER] = m->tls ? SLICE_LIT("exporter") : SLICE_LIT("");
	(void)slice_copy(slice_str(who[p[0] >> 6]), m->external, sizeof(m->external));
	m->data = slice_make(p + 2, n - 2 > SASL_DATA_MAX ? SASL_DATA_MAX : n - 2);
}

static void
say(const struct ipc_sasl *m)
{
	size_t		waiting = nlater, open = peer.nopen;
	unsigned	before = answers;
	int		err;

	may_grant += m->mechanism == SASL_EXTERNAL;
	err = exchange_message(&peer, m);
	if (err != E_OK) {
		if (err != E_PROTO || answers != before || nlater != waiting || peer.nopen != open)
			abort();
	} else if (answers - before + (nlater - waiting) != 1)
		abort();
	may_grant -= m->mechanism == SASL_EXTERNAL;
	if (may_grant != 0)
		may_grant = 0;
}

static void
piece(uint8_t kind, const uint8_t *p, size_t n)
{
	struct ipc_sasl		 m;
	struct ipc_sasl_end	 end;
	struct exchange		*x;
	struct rd		 r;

	switch (kind & 3) {
	case 0:
		rd_init(&r, p, n);
		if (ipc_unpack_sasl(&r, &m) == E_OK)
			say(&m);
		break;
	case 1:
	case 3:
		short_form(&m, p, n);
		say(&m);
		break;
	default:
		now += kind;
		if (n == 4) {
			rd_init(&r, p, n);
			if (ipc_unpack_sasl_end(&r, &end) == E_OK)
				exchange_end(&peer, end.id);
		} else if (n == 1)
			exchange_end(&peer, p[0] % IDS);
		else if (nlater != 0) {		/* the backend's answer comes */
			x = later[--nlater];
			x->backend_arg = NULL;
			may_grant = 1;
			auth_checked(x, (enum sasl_status)(1 + kind / 4 % 4), NULL, SLICE_LIT(""));
			may_grant = 0;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t	n;

	if (env.backend == NULL && !open_env())
		return (0);
	memset(&peer, 0, sizeof(peer));
	peer.env = &env;
	peer.answer = on_answer;
	now += 100000;		/* what failed in the last run is forgotten */
	nlater = 0;
	while (size >= 3) {
		n = (size_t)(data[1] | data[2] << 8);
		if (n > size - 3)
			n = size - 3;
		piece(data[0], data + 3, n);
		data += 3 + n;
		size -= 3 + n;
	}
	exchange_end_all(&peer);
	if (peer.nopen != 0 || nlater != 0 || counters[COUNT_OPEN] != 0)
		abort();
	return (0);
}
