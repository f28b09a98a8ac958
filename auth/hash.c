/* hash.c -- see hash.h.  hash_parse() core; hash_check() shell (crypt(3), OpenSSL). */
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/hash.h"
#include "auth/workers.h"
#include "common/err.h"

#define BCRYPT_COST_MIN		4
#define BCRYPT_COST_MAX		14
#define SHA_ROUNDS_MIN		1000
#define SHA_ROUNDS_MAX		5000000
#define YESCRYPT_MEMORY_MAX	(64u << 20)

_Static_assert(WORK_SCRATCH >= sizeof(struct crypt_data), "crypt(3) has room");

static int
fail(const char **why, const char *text)
{
	*why = text;
	return (E_SYNTAX);
}

/* 0..63 as crypt(3) writes digits, or -1. */
static int
digit(char c)
{
	static const char	 digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char		*p = c == '\0' ? NULL : strchr(digits, c);

	return (p == NULL ? -1 : (int)(p - digits));
}

static int
all_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (digit(s.p[i]) < 0)
			return (0);
	}
	return (1);
}

static int
starts(struct slice s, const char *prefix)
{
	return (s.n >= strlen(prefix) && memcmp(s.p, prefix, strlen(prefix)) == 0);
}

static struct slice
behind(struct slice s, size_t n)
{
	return (slice_make(s.p + n, s.n - n));
}

/* "salt$hash": salt of least..most characters, hash of len. */
static int
salt_and_hash(struct slice s, size_t least, size_t most, size_t len, const char **why)
{
	const char	*dollar = s.n == 0 ? NULL : memchr(s.p, '$', s.n);
	size_t		 n;

	if (dollar == NULL)
		return (fail(why, "the hash is cut off"));
	n = (size_t)(dollar - s.p);
	if (n < least || n > most || !all_digits(slice_make(s.p, n)))
		return (fail(why, "the salt of the hash is malformed"));
	s = behind(s, n + 1);
	if (s.n < len)
		return (fail(why, "the hash is cut off"));
	if (s.n > len || !all_digits(s))
		return (fail(why, "something stands behind the hash, or it is damaged"));
	return (E_OK);
}

static int
parse_bcrypt(struct hash *h, struct slice s, const char **why)
{
	unsigned	cost;

	if (s.n < 7 || s.p[4] < '0' || s.p[4] > '9' || s.p[5] < '0' || s.p[5] > '9' || s.p[6] != '$')
		return (fail(why, "the cost of the bcrypt hash is malformed"));
	cost = (unsigned)(s.p[4] - '0') * 10 + (unsigned)(s.p[5] - '0');
	if (cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX)
		return (fail(why, "the cost of the bcrypt hash is not 4 to 14"));
	h->cost_len = 7;
	s = behind(s, 7);
	if (s.n < 53)
		return (fail(why, "the hash is cut off"));
	if (s.n > 53 || !all_digits(s))
		return (fail(why, "something stands behind the hash, or it is damaged"));
	return (E_OK);
}

static int
parse_sha(struct hash *h, struct slice s, size_t len, const char **why)
{
	static const char	 rounds[] = "rounds=";
	uint32_t		 n = 0;
	size_t			 i;

	h->cost_len = 3;
	s = behind(s, 3);
	if (starts(s, rounds)) {
		for (i = sizeof(rounds) - 1; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' &&
		    n <= SHA_ROUNDS_MAX; i++)
			n = n * 10 + (uint32_t)(s.p[i] - '0');
		if (i == s.n || s.p[i] != '$' || s.p[sizeof(rounds) - 1] == '0' ||
		    n < SHA_ROUNDS_MIN || n > SHA_ROUNDS_MAX)
			return (fail(why, "the rounds of the SHA-crypt hash are not 1000 to 5000000"));
		h->cost_len = (uint8_t)(h->cost_len + i + 1);
		s = behind(s, i + 1);
	}
	return (salt_and_hash(s, 1, 16, len, why));
}

/* "j" and one digit each for log2(N) and r, as crypt_gensalt(3) makes them; N * r * 128 octets of
 * memory. */
static int
parse_yescrypt(struct hash *h, struct slice s, size_t prefix, const char **why)
{
	int	n, r;

	s = behind(s, prefix);
	if (s.n < 4 || s.p[0] != 'j' || s.p[3] != '$' || (n = digit(s.p[1])) < 0 || (r = digit(s.p[2])) < 0)
		return (fail(why, "the parameters of the yescrypt hash are none that crypt_gensalt(3) makes"));
	if (n + 1 < 10 || n + 1 > 18 || ((uint64_t)(r + 1) << (n + 1)) * 128 > YESCRYPT_MEMORY_MAX)
		return (fail(why, "the yescrypt hash wants too much memory, or too little"));
	h->cost_len = (uint8_t)(prefix + 4);
	return (salt_and_hash(behind(s, 4), 1, 86, 43, why));
}

static int
parse_crypt(struct hash *h, struct slice s, const char **why)
{
	if (starts(s, "$y$"))
		return (parse_yescrypt(h, s, 3, why));
	if (starts(s, "$gy$"))
		return (parse_yescrypt(h, s, 4, why));
	if (starts(s, "$2a$") || starts(s, "$2b$") || starts(s, "$2y$"))
		return (parse_bcrypt(h, s, why));
	if (starts(s, "$6$"))
		return (parse_sha(h, s, 86, why));
	if (starts(s, "$5$"))
		return (parse_sha(h, s, 43, why));
	if (starts(s, "$1$")) {
		h->cost_len = 3;
		return (salt_and_hash(behind(s, 3), 0, 8, 22, why));
	}
	if (starts(s, "$argon2"))
		return (fail(why, "argon2: crypt(3) of this system cannot verify it"));
	if (starts(s, "{"))
		return (fail(why, "a scheme in braces that is not {SCRAM-SHA-256}"));
	return (fail(why, "neither a hash that crypt(3) makes today ($y$, $2b$, $6$, $5$ and the like), "
	    "nor {SCRAM-SHA-256}, nor \"!\""));
}

int
hash_parse(struct hash *h, struct slice s, const char **why)
{
	int	err;

	memset(h, 0, sizeof(*h));
	if (slice_eq(s, SLICE_LIT("!")))
		return (E_OK);		/* HASH_NONE */
	if (starts(s, SCRAM_PREFIX)) {
		h->kind = HASH_SCRAM;
		if ((err = scram_entry_parse(&h->scram, s)) == E_OK)
			return (E_OK);
		return (fail(why, err == E_RANGE ?
		    "the iterations of SCRAM are not 4096 to 10000000, or its salt not 1 to 64 octets" :
		    "not {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey with the last three in base64"));
	}
	if (s.n == 0)
		return (fail(why, "no hash behind the login; for one without a password it is \"!\""));
	if (s.n > HASH_TEXT_MAX)
		return (fail(why, "longer than any hash"));
	h->kind = HASH_CRYPT;
	if ((err = parse_crypt(h, s, why)) != E_OK)
		return (err);
	memcpy(h->text, s.p, s.n);
	if (crypt_checksalt(h->text) != CRYPT_SALT_OK && crypt_checksalt(h->text) != CRYPT_SALT_METHOD_LEGACY)
		return (fail(why, "crypt(3) of this system does not verify this kind of hash"));
	return (E_OK);
}

void
hash_cost(const struct hash *h, char dst[static HASH_COST_MAX + 1])
{
	switch (h->kind) {
	case HASH_CRYPT:
		(void)snprintf(dst, HASH_COST_MAX + 1, "%.*s", (int)h->cost_len, h->text);
		break;
	case HASH_SCRAM:
		(void)snprintf(dst, HASH_COST_MAX + 1, "{SCRAM-SHA-256}%u", (unsigned)h->scram.iterations);
		break;
	default:
		dst[0] = '\0';
	}
}

static int
check_crypt(const char *text, const char *password, void *scratch)
{
	struct crypt_data	*data = scratch;
	const char		*got;

	memset(data, 0, sizeof(*data));
	errno = 0;
	if ((got = crypt_r(password, text, data)) == NULL || got[0] == '*')
		return (errno == ENOMEM ? E_IO : E_DENIED);
	return (strlen(got) == strlen(text) && scram_same(got, text, strlen(text)) ? E_OK : E_DENIED);
}

int
hash_check(const struct hash *h, struct slice password, void *scratch)
{
	switch (h->kind) {
	case HASH_CRYPT:
		return (check_crypt(h->text, password.p, scratch));
	case HASH_SCRAM:
		return (scram_check_password(&h->scram, password));
	default:
		return (E_DENIED);
	}
}
