/*
 * process_memory_test.c -- the whole daemon's memory: locked, closed to others, and without passwords (R10).
 */
#include "tests/auth/process_kit.h"

/* R10: locked, and no other process of its user may look at it. */
static void
memory(void **state)
{
	daemon_start();
	expect_closed_memory(SANDBOX_SANITIZER ? 0 : 1024);	/* a sanitizer takes mlock() away */
	daemon_stop();
}

/* Where text stands in the daemon's memory: how often.  Root may look. */
static size_t
found(const char *text)
{
	char		path[64], line[512], perm[8], *chunk;
	unsigned long	from, to;
	size_t		n = 0, len = strlen(text);
	FILE		*maps;
	int		mem;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	assert_non_null(maps = fopen(path, "r"));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	assert_true((mem = open(path, O_RDONLY | O_CLOEXEC)) != -1);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || perm[0] != 'r' || to - from > (256ul << 20))
			continue;
		assert_non_null(chunk = malloc(to - from));
		if (pread(mem, chunk, to - from, (off_t)from) == (ssize_t)(to - from)) {
			for (const char *p = chunk; (p = memmem(p, to - from - (size_t)(p - chunk), text, len)) != NULL; p++) {
				print_message("%s at +%lx of %s", text, (unsigned long)(p - chunk), line);
				n++;
			}
		}
		free(chunk);
	}
	close(mem);
	fclose(maps);
	return (n);
}

/* R10: when it has been answered, no password of a client is left.  They are drawn here, after the
 * daemon was forked. */
static void
wiped(void **state)
{
	static const char *const	who[] = { "alice", "bob", "slow", "nobody", "cert@example.org" };
	char				password[5][41];
	struct peer			p;
	struct ipc_sasl_answer		m;
	uint8_t				octets[20];
	uint32_t			id;
	FILE				*f;

	if (geteuid() != 0 || SANDBOX_SANITIZER)
		skip();
	how.failures_max = 1000;
	daemon_start();
	peer_open(&p, 0);
	assert_non_null(f = fopen("/dev/urandom", "r"));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(fread(octets, sizeof(octets), 1, f), 1);
		for (size_t j = 0; j < sizeof(octets); j++)
			(void)snprintf(password[i] + 2 * j, 3, "%02x", octets[j]);
	}
	fclose(f);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(asked(&p, "192.0.2.1", who[i], password[i], &m), SASL_FAILED);
		id = begin(&p, "192.0.2.1", SASL_LOGIN, slice_str("bob"));
		assert_int_equal(answer(&p, &m), E_OK);
		go_on(&p, id, SASL_LOGIN, slice_str(password[0]));
		assert_int_equal(answer(&p, &m), E_OK);
	}
	/* While one waits for its hash it is there: the search finds what there is. */
	for (int i = 0; i < 4; i++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", password[4]));
	counters((uint64_t [8]){ 0 });
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_true(found(password[4]) > 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "nothing", &m), SASL_FAILED);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(found(password[i]), 0);
	close(p.fd);
	daemon_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory), TEST(wiped),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
