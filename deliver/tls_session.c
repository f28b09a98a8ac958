/*
 * tls_session.c -- sessions to resume, by peer and policy.  Shell (OpenSSL).
 *
 * A key stands for an address, a port and all that was asked of the peer, so what a session proves
 * is what its user wants. A TLS 1.3 session is given out once (RFC 8446 C.4), and no session
 * outlives its certificate.
 */
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "common/siphash.h"
#include "deliver/deliver_limits.h"
#include "deliver/tls.h"

#define BUCKETS	1024

struct kept {
	struct kept	*next;		/* in its bucket */
	TAILQ_ENTRY(kept) age;
	SSL_SESSION	*session;
	uint8_t		 key[TLS_KEY_LEN];
};

TAILQ_HEAD(kept_list, kept);

static struct kept	*bucket[BUCKETS];
static struct kept_list	 ages = TAILQ_HEAD_INITIALIZER(ages);	/* oldest first */
static size_t		 nkept;

static struct kept **
slot(const uint8_t key[TLS_KEY_LEN])
{
	struct kept	**k = &bucket[siphash(key, TLS_KEY_LEN) % BUCKETS];

	while (*k != NULL && memcmp((*k)->key, key, TLS_KEY_LEN) != 0)
		k = &(*k)->next;
	return (k);
}

/* Out of the lists; its session is the caller's. */
static SSL_SESSION *
take(struct kept **at)
{
	struct kept	*k = *at;
	SSL_SESSION	*s = k->session;

	*at = k->next;
	TAILQ_REMOVE(&ages, k, age);
	nkept--;
	free(k);
	return (s);
}

void
tls_session_forget(const uint8_t key[TLS_KEY_LEN])
{
	struct kept	**k = slot(key);

	if (*k != NULL)
		SSL_SESSION_free(take(k));
}

void
tls_session_forget_all(void)
{
	struct kept	*k;

	while ((k = TAILQ_FIRST(&ages)) != NULL)
		SSL_SESSION_free(take(slot(k->key)));
}

size_t
tls_session_count(void)
{
	return (nkept);
}

void
tls_session_put(const uint8_t key[TLS_KEY_LEN], SSL_SESSION *s)
{
	struct kept	**at, *k;

	tls_session_forget(key);
	if (nkept >= TLS_SESSIONS_MAX) {
		k = TAILQ_FIRST(&ages);
		SSL_SESSION_free(take(slot(k->key)));
	}
	at = slot(key);
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		SSL_SESSION_free(s);
		return;
	}
	memcpy(k->key, key, TLS_KEY_LEN);
	k->session = s;
	k->next = *at;
	*at = k;
	TAILQ_INSERT_TAIL(&ages, k, age);
	nkept++;
}

static int
is_good(const SSL_SESSION *s)
{
	X509	*cert = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)s);
	long	 age = (long)time(NULL) - SSL_SESSION_get_time(s);

	return (SSL_SESSION_is_resumable(s) == 1 && age >= 0 && age < TLS_SESSION_AGE_S &&
	    cert != NULL && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0);
}

SSL_SESSION *
tls_session_get(const uint8_t key[TLS_KEY_LEN])
{
	struct kept	**at = slot(key);
	SSL_SESSION	*s;

	if (*at == NULL)
		return (NULL);
	if (!is_good((*at)->session)) {
		SSL_SESSION_free(take(at));
		return (NULL);
	}
	s = (*at)->session;
	if (SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION)
		return (take(at));
	return (SSL_SESSION_up_ref(s) == 1 ? s : NULL);
}
