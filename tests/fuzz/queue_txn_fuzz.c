/*
 * queue_txn_fuzz.c -- a hostile smtpd and a failing store, step by step.
 *
 * Each input octet is a step: a well-formed frame for one of eight transactions, right or wrong for its state,
 * the store's next answer, good or bad, a turn of the expansions, the peer's death, or the rest of the input as a
 * raw payload.  Recipients are plain, or aliases: of some, of thousands, of nobody, of /dev/null.
 * Kept throughout: at most one result a transaction, 250 only after a put that succeeded, credit never above
 * what was sent, and at the end no octet of memory and no chunk in the store without its message.
 */
#include "tests/common/rcpt_kit.h"
#include "tests/queue/intake_kit.h"

#define BIG	(2 * EXPAND_SLICE + 7)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct kit k;
static unsigned	durable_puts;
static uint64_t	taken;

static struct rcpt_kit tables;

static void
open_tables(void)
{
	struct buf b;
	unsigned i;

	buf_init(&b, 1u << 20);
	KIT_CHECK(buf_adds(&b, "domain d.test\nrecipients@d.test alice\naliases@d.test two alice@d.test x@e.test\n"
	    "aliases@d.test owner-two alice@d.test\naliases@d.test null /dev/null\naliases@d.test ping ping2@d.test\n"
	    "aliases@d.test ping2 ping@d.test\naliases@d.test gone nosuch@d.test\naliases@d.test big") == E_OK);
	for (i = 0; i < BIG; i++)
		KIT_CHECK(buf_addf(&b, " m%u@e.test", i) == E_OK);
	KIT_CHECK(buf_add(&b, "\n", 2) == E_OK);
	kit_open(&tables, buf_slice(&b).p);
	buf_clear(&b);
}

static void
complete(int err)
{
	struct store_op *op = k.head;
	unsigned was = k.accepted, put;

	if (op == NULL)
		return;
	put = op->kind == STORE_PUT;
	if (put && err == E_OK)
		durable_puts++;
	(void)kit_complete(&k, err);
	KIT_CHECK(k.accepted == was + (put && err == E_OK));
}

static int
raw(const uint8_t *p, size_t n)
{
	struct rd r;

	if (n < 1)
		return (E_OK);
	rd_init(&r, p + 1, n - 1);
	return (intake_frame(&k.in, (enum ipc_type)(p[0] % IPC_TYPES), &r));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int errs[] = { E_OK, E_OK, E_FULL, E_IO, E_NOMEM, E_OK, E_OK, E_CORRUPT };
	static const char *const names[] = { "b@example.net", "alice@d.test", "two@d.test", "null@d.test", "ping@d.test",
	    "gone@d.test", "big@d.test", "ALICE@d.test" };
	static const uint8_t notify[] = { 0, NOTIFY_NEVER, NOTIFY_SUCCESS, NOTIFY_SUCCESS | NOTIFY_FAILURE };
	static const size_t sizes[] = { 1, 14, 4064, 4072, 4080, 16000, 31999, IPC_CHUNK_MAX };
	static struct txn *t;
	uint32_t number, begun = 0;
	size_t i, size;
	unsigned good = 0, j;
	int err = E_OK;

	if (tables.make == NULL)
		open_tables();
	kit_init(&k);
	k.in.conf = &tables.conf;
	body_set_budget(4u << 20);
	durable_puts = 0;
	taken = 0;
	for (i = 0; i < n && err == E_OK; i++) {
		number = (p[i] >> 4) & 7;
		switch (p[i] & 15) {
		case 0:
			if ((err = kit_begin(&k, number)) == E_OK)
				begun++;
			break;
		case 1:
			err = kit_rcpt_to(&k, number, names[i + 1 < n ? p[i + 1] & 7 : 0],
			    notify[i + 1 < n ? (p[i + 1] >> 3) & 3 : 0]);
			break;
		case 2:
		case 3:
		case 4:
		case 5:
			size = sizes[i + 1 < n ? p[i + 1] & 7 : 0];
			if ((err = kit_chunk(&k, number, size)) == E_OK)
				taken += size;
			KIT_CHECK(k.credit <= taken);
			break;
		case 6:
		case 7:
		case 8:
			/* The counts are right, or nearly. */
			HASH_FIND(hh, k.in.txns, &number, sizeof(number), t);
			err = kit_commit(&k, number, t != NULL && t->nrcpt != 0 ? t->nrcpt : 1,
			    (t != NULL ? t->received : 0) + ((p[i] & 15) == 8));
			break;
		case 9:
			err = kit_abort(&k, number);
			break;
		case 10:
			intake_clear(&k.in);
			break;
		case 11:
			err = raw(p + i + 1, n - i - 1);
			i = n;
			break;
		case 13:
			(void)intake_expand(&k.in, number == 0);
			break;
		default:
			complete(errs[number]);
			break;
		}
		KIT_CHECK(k.memory <= TXN_RCPT_MEMORY_MAX);
		KIT_CHECK(body_memory() <= 4u << 20);
		KIT_CHECK(k.in.ntxn == HASH_COUNT(k.in.txns));
	}
	intake_clear(&k.in);		/* as the daemon does with a peer that broke the rules */
	while (k.head != NULL)
		complete(E_OK);
	for (j = 0; j < k.nresult && j < KIT_RESULTS; j++)
		good += k.result[j].status == TXN_DURABLE;
	KIT_CHECK(k.nresult <= begun || i >= n);
	KIT_CHECK(k.in.expanding == NULL);
	KIT_CHECK(good <= durable_puts + k.discards / 100 && k.accepted == durable_puts);
	KIT_CHECK(k.memory == 0);
	KIT_CHECK(body_memory() == 0);
	return (0);
}
