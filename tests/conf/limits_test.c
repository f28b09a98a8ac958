/* limits_test.c -- what postern.conf may hold, at limit - 1, limit and limit + 1 (threat-model.md R3). */
#include <sys/mman.h>

#include <unistd.h>

#include "common/conf.h"
#include "common/limits.h"
#include "conf/file.h"
#include "tests/conf/build_kit.h"

#define DIRECTORY_OCTETS	100	/* components of a long path, its slash included */
#define LABEL_OCTETS		50	/* labels of a long domain, its dot included */

static char *
any_anchor(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	(void)why;
	return (strdup(". IN DS 1 2 3 AB\n"));
}

/* What every table file holds. */
static const char	*file_text = "";
static size_t		 file_n;

static int
given_file(const char *path, const char **why)
{
	int	 fd = memfd_create("table", MFD_CLOEXEC);

	(void)path;
	(void)why;
	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write_fd(fd, slice_make(file_text, file_n)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return (fd);
}

static const struct conf_world	 world = { .name = "c", .hostname = "host.test", .read_file = any_anchor, .read_cert = any_anchor,
				     .open_file = given_file };

/* In the texts below n is what the limit is about: a number of things, of octets, or a value. */
static void
put_letters(FILE *f, int n)
{
	while (n-- > 0)
		fputc('a', f);
}

/* n octets in parts: sep begins each of them if first, else it stands between them. */
static void
put_parts(FILE *f, int n, int part, char sep, int first)
{
	for (int i = first ? 0 : 1; i < n + !first; i++)
		fputc(i % part == 0 && i + 1 < n + !first ? sep : 'a', f);
}

static void
put_path(FILE *f, int n)
{
	put_parts(f, n, DIRECTORY_OCTETS, '/', 1);
}

static void
put_domain(FILE *f, int n)
{
	put_parts(f, n, LABEL_OCTETS, '.', 0);
}

static void
listeners(FILE *f, int n)
{
	fputs("local-submission = false\n", f);
	for (int i = 1; i <= n; i++)
		fprintf(f, "listener l%d { port = %d }\n", i, i);
}

static void
listener_name(FILE *f, int n)
{
	fputs("listener \"", f);
	put_letters(f, n);
	fputs("\" { }\n", f);
}

static void
connections(FILE *f, int n)
{
	fprintf(f, "listener a { connections = %d }\n", n);
}

static void
per_address(FILE *f, int n)
{
	fprintf(f, "listener a { per-address = %d }\n", n);
}

static void
per_prefix(FILE *f, int n)
{
	fprintf(f, "listener a { per-prefix = %d }\n", n);
}

static void
directory(FILE *f, int n)
{
	fputs("directory = \"", f);
	put_path(f, n);
	fputs("\"\n", f);
}

static void
runtime(FILE *f, int n)
{
	fputs("runtime = \"", f);
	put_path(f, n);
	fputs("\"\n", f);
}

static void
anchor_path(FILE *f, int n)
{
	fputs("resolver { trust-anchor = \"", f);
	put_path(f, n);
	fputs("\" }\n", f);
}

static void
maildir(FILE *f, int n)
{
	fputs("domain a.test { deliver = \"maildir:", f);
	put_path(f, n);
	fputs("\" }\n", f);
}

static void
user_prefix(FILE *f, int n)
{
	fputs("user-prefix = ", f);
	put_letters(f, n);
	fputc('\n', f);
}

static void
hostname(FILE *f, int n)
{
	fputs("hostname = ", f);
	put_domain(f, n);
	fputc('\n', f);
}

static void
domain_label(FILE *f, int n)
{
	fputs("domain x.", f);
	put_letters(f, n);
	fputs(".test { }\n", f);
}

static void
recipient(FILE *f, int n)
{
	fputs("domain a.test { recipients = { ", f);
	put_letters(f, n);
	fputs(" } }\n", f);
}

static void
relay_from(FILE *f, int n)
{
	fputs("relay-from = { \"::1\"", f);
	for (int i = 2; i <= n; i++)
		fprintf(f, ", \"::%x\"", (unsigned)i);
	fputs(" }\n", f);
}

static void
retry_steps(FILE *f, int n)
{
	fputs("queue { retry = { 1s", f);
	for (int i = 2; i <= n; i++)
		fprintf(f, ", %ds", i);
	fputs(" } }\n", f);
}

static void
retry_step(FILE *f, int n)
{
	fprintf(f, "queue { retry = { %ds } }\n", n);
}

static void
forwards(FILE *f, int n)
{
	fputs("resolver { forward = { \"::1@1\"", f);
	for (int i = 2; i <= n; i++)
		fprintf(f, ", \"::1@%d\"", i);
	fputs(" } }\n", f);
}

static void
stubs(FILE *f, int n)
{
	fputs("resolver {", f);
	for (int i = 1; i <= n; i++)
		fprintf(f, " stub s%d.test { server = { \"::1@%d\" } }\n", i, i);
	fputs("}\n", f);
}

static void
listeners_beside(FILE *f, int n)
{
	for (int i = 1; i <= n; i++)
		fprintf(f, "listener l%d { port = %d }\n", i, i);
}

static void
socket_path(FILE *f, int n)
{
	fputs("listener a { address = \"unix:", f);
	put_path(f, n);
	fputs("\" }\n", f);
}

static void
prefixes(FILE *f, const char *before, int n, const char *after)
{
	fprintf(f, "%s = { \"::1\"", before);
	for (int i = 2; i <= n; i++)
		fprintf(f, ", \"::%x\"", (unsigned)i);
	fprintf(f, " }%s\n", after);
}

static void
proxy_from(FILE *f, int n)
{
	prefixes(f, "listener a { proxy-from", n, " }");
}

static void
etrn_from(FILE *f, int n)
{
	prefixes(f, "relay-domain a.test { etrn-from", n, " }");
}

static void
vrfy_from(FILE *f, int n)
{
	prefixes(f, "smtpd { vrfy-from", n, " }");
}

static void
delimiters(FILE *f, int n)
{
	fprintf(f, "recipient-delimiter = \"%.*s\"\n", n, "+-=_/!#%&*");
}

static void
table_files(FILE *f, int n)
{
	fputs("virtual-file = { \"/f0\"", f);
	for (int i = 1; i < n; i++)
		fprintf(f, ", \"/f%d\"", i);
	fputs(" }\n", f);
}

static void
includes(FILE *f, int n)
{
	fputs("domain a.test { aliases = { \"l: :include:/0", f);
	for (int i = 1; i < n; i++)
		fprintf(f, ", :include:/%d", i);
	fputs("\" } }\n", f);
}

static void
include_path(FILE *f, int n)
{
	fputs("domain a.test { aliases = { \"l: :include:", f);
	put_path(f, n);
	fputs("\" } }\n", f);
}

static void
access_text(FILE *f, int n)
{
	fputs("helo-access = { \"a.test REJECT ", f);
	put_letters(f, n);
	fputs("\" }\n", f);
}

static void
login(FILE *f, int n)
{
	fputs("sender-login = { \"a@b.test ", f);
	put_letters(f, n);
	fputs("\" }\n", f);
}

static void
test_text(void **state)
{
	static const struct build_limit cases[] = {
		{ listeners, LISTENERS_MAX, "c: more than 64 listeners\n" },
		{ listener_name, LISTENER_NAME_MAX, "expected a name of at most 63 letters" },
		{ connections, LISTENER_CONNECTIONS_MAX, "expected a number from 1 to 1000000" },
		{ per_address, LISTENER_CONNECTIONS_MAX, "expected a number from 1 to 1000000" },
		{ per_prefix, LISTENER_CONNECTIONS_MAX, "expected a number from 1 to 1000000" },
		{ directory, CONF_PATH_MAX, "expected an absolute path of at most 1000 octets" },
		{ runtime, CONF_RUNTIME_MAX, "expected an absolute path of at most 90 octets" },
		{ anchor_path, CONF_PATH_MAX, "c:1: trust-anchor: " },
		{ maildir, CONF_PATH_MAX, "c:1: deliver: " },
		{ user_prefix, USER_PREFIX_MAX, "expected at most 16 lower-case letters" },
		{ hostname, DOMAIN_MAX, "domain longer than 255 octets" },
		{ domain_label, DOMAIN_LABEL_MAX, "domain label longer than 63 octets" },
		{ recipient, LOCAL_PART_MAX, "local part longer than 64 octets" },
		{ relay_from, RELAY_FROM_MAX, "c:1: relay-from: more than 4096 prefixes\n" },
		{ retry_steps, RETRY_STEPS_MAX, "c:1: retry: more than 64 steps\n" },
		{ retry_step, RETRY_STEP_MAX, "expected a duration from 1s to 7d" },
		{ forwards, FORWARDS_MAX, "c:1: forward: more than 64 servers\n" },
		{ stubs, FORWARDS_MAX, "stub: more than 64 servers in all\n" },
		{ listeners_beside, LISTENERS_MAX - 1, "c: more than 63 listeners beside that of local-submission\n" },
		{ socket_path, CONF_SOCKET_MAX, "expected an absolute path of at most 107 octets" },
		{ proxy_from, PREFIXES_MAX, "c:1: proxy-from: more than 4096 prefixes\n" },
		{ etrn_from, PREFIXES_MAX, "c:1: etrn-from: more than 4096 prefixes\n" },
		{ vrfy_from, PREFIXES_MAX, "c:1: vrfy-from: more than 4096 prefixes\n" },
		{ delimiters, DELIMITERS_MAX, "expected at most 8 different characters" },
		{ table_files, TABLE_FILES_MAX, "c:1: virtual-file: more than 64 files\n" },
		{ includes, TABLE_INCLUDES_MAX, "more than 10000 different :include: lists" },
		{ include_path, CONF_PATH_MAX, "the path is too long" },
		{ access_text, ACCESS_TEXT_MAX, "the text of a rule has at most 400 octets" },
		{ login, LOGIN_MAX, "a login has at most 255 octets" },
	};

	(void)state;
	build_limits(&world, cases, sizeof(cases) / sizeof(cases[0]));
}

/* The file itself, read as the checker reads it. */
static void
test_file(void **state)
{
	const char	*why;
	size_t		 n, got;
	char		*text;
	int		 fd;

	(void)state;
	for (n = CONF_FILE_MAX - 1; n <= CONF_FILE_MAX + 1; n++) {
		assert_int_not_equal(fd = memfd_create("conf", MFD_CLOEXEC), -1);
		assert_int_equal(ftruncate(fd, (off_t)n), 0);
		text = file_read_fd(fd, CONF_FILE_MAX, &got, &why);
		if (n <= CONF_FILE_MAX) {
			assert_non_null(text);
			assert_int_equal(got, n);
		} else {
			assert_null(text);
			assert_string_equal(why, "the file is too large");
		}
		free(text);
		close(fd);
	}
}

static void
test_trust_anchor(void **state)
{
	static const struct conf_world	 real = { .name = "c", .hostname = "host.test", .read_file = file_read, .read_cert = file_read,
					     .open_file = given_file };
	static char	 octets[TRUST_ANCHOR_MAX + 1], said[4096];
	char		 in[64];
	struct conf	*c;
	int		 fd;

	(void)state;
	memset(octets, '\n', sizeof(octets));
	memcpy(octets, ". IN DS 1 2 3 AB", 16);
	for (size_t n = TRUST_ANCHOR_MAX - 1; n <= TRUST_ANCHOR_MAX + 1; n++) {
		assert_int_not_equal(fd = memfd_create("anchor", MFD_CLOEXEC), -1);
		assert_int_equal(file_write_fd(fd, slice_make(octets, n)), 0);
		snprintf(in, sizeof(in), "resolver { trust-anchor = /proc/self/fd/%d }\n", fd);
		c = build_in(&real, slice_str(in), said, sizeof(said));
		if (n <= TRUST_ANCHOR_MAX) {
			assert_non_null(c);
			assert_int_equal(strlen(c->resolver.trust_anchor), n);
		} else {
			assert_null(c);
			assert_non_null(strstr(said, "the file is too large"));
		}
		conf_free(c);
		close(fd);
	}
}

/* if within if, and the least that line-max may be but for 0. */
static void
test_cidr_nesting(void **state)
{
	static const char	 conf[] = "client-access-file = \"cidr:/f\"\n";
	char			 said[4096], *text;
	struct conf		*c;
	FILE			*f;

	(void)state;
	for (int n = TABLE_NESTED_MAX - 1; n <= TABLE_NESTED_MAX + 1; n++) {
		f = open_memstream(&text, &file_n);
		assert_non_null(f);
		for (int i = 0; i < n; i++)
			fprintf(f, "if !10.0.%d.0/24\n", 2 * i);
		fputs("0.0.0.0/0 OK\n", f);
		for (int i = 0; i < n && i < TABLE_NESTED_MAX; i++)
			fputs("endif\n", f);
		fclose(f);
		file_text = text;
		c = build_in(&world, slice_str(conf), said, sizeof(said));
		assert_int_equal(c != NULL, n <= TABLE_NESTED_MAX);
		if (c == NULL)
			assert_string_equal(said, "/f:33: if is nested more than 32 deep\n");
		conf_free(c);
		free(text);
	}
	file_n = 0;
}

/* The targets of one list, packed: each takes three octets and its text. */
static void
test_value(void **state)
{
	enum { EACH = 3 + 64 + 1 + 185 };	/* one that fills a domain of 185 octets */
	static const char	 conf[] = "domain a.test { aliases = { \"l: :include:/f\" } }\n";
	size_t			 whole = TABLE_VALUE_MAX / EACH - 1, left, size;
	char			 said[4096], *text, line[EACH - 3 + 1];
	struct conf		*c;
	FILE			*f;

	(void)state;
	for (size_t max = TABLE_VALUE_MAX - 1; max <= TABLE_VALUE_MAX + 1; max++) {
		f = open_memstream(&text, &size);
		assert_non_null(f);
		put_letters(f, LOCAL_PART_MAX);
		fputc('@', f);
		put_parts(f, 185, LABEL_OCTETS, '.', 0);
		fputc('\n', f);
		fflush(f);
		memcpy(line, text, sizeof(line));
		for (size_t i = 1; i < whole; i++)
			fwrite(line, sizeof(line), 1, f);
		/* Two more of such lengths that all is exactly max. */
		left = max - whole * EACH;
		for (size_t i = 0; i < 2; i++) {
			size_t	 n = i == 0 ? left / 2 : left - left / 2;

			put_letters(f, (int)(n - 3 - 2 > LOCAL_PART_MAX ? LOCAL_PART_MAX : n - 3 - 2));
			fputc('@', f);
			put_parts(f, (int)(n - 3 - 2 > LOCAL_PART_MAX ? n - 3 - 1 - LOCAL_PART_MAX : 1), LABEL_OCTETS, '.', 0);
			fputc('\n', f);
		}
		fclose(f);
		file_text = text;
		file_n = size;
		c = build_in(&world, slice_str(conf), said, sizeof(said));
		assert_int_equal(c != NULL, max <= TABLE_VALUE_MAX);
		if (c == NULL)
			assert_non_null(strstr(said, "the list of addresses is too long"));
		conf_free(c);
		free(text);
	}
	file_n = 0;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_file), cmocka_unit_test(test_trust_anchor),
		cmocka_unit_test(test_cidr_nesting), cmocka_unit_test(test_value),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
