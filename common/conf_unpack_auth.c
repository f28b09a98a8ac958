/*
 * conf_unpack_auth.c -- who may log in here, and as whom we log in elsewhere.  Core.
 */
#include "common/conf_number.h"
#include "common/conf_unpack.h"
#include "common/err.h"
#include "common/limits.h"

#define LOGIN_LEAST	(3u + 3 + 3)	/* octets when packed */

static void
take_logins(struct unpacker *u, struct conf *c)
{
	size_t			 n = unpack_count(u, LOGINS_MAX, LOGIN_LEAST);
	struct conf_login	*l;

	if (n == 0 || (c->logins = unpack_memory(u, n, sizeof(*c->logins))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		l = &c->logins[i];
		l->name = unpack_string(u);
		l->user = unpack_string(u);
		l->password_path = unpack_string(u);
		unpack_expect(u, conf_is_login_name(l->name));
		unpack_expect(u, l->user[0] != '\0' && strlen(l->user) <= LOGIN_MAX);
		unpack_expect(u, conf_path_why(l->password_path, CONF_PATH_MAX, 0) == NULL);
		for (size_t j = 0; j < i && u->r.err == E_OK; j++)
			unpack_expect(u, strcmp(c->logins[j].name, l->name) != 0);
	}
	c->nlogins = n;
}

/* A password goes only where its next hop is known by more than its address (conf_login_policy()). */
static void
expect_login(struct unpacker *u, const struct conf *c, const struct hop *h)
{
	if (h->login[0] == '\0')
		return;
	unpack_expect(u, conf_login_find(c, h->login) != NULL);
	unpack_expect(u, conf_login_policy_ok(c, h->host));
}

/* One source of passwords, and the mechanisms that it can serve. */
static void
expect_source(struct unpacker *u, const struct conf *c)
{
	unsigned	 n = (c->auth.passwd_path[0] != '\0') + (c->auth.dovecot_path[0] != '\0') +
			     (c->auth.pam_service[0] != '\0');

	unpack_expect(u, n <= 1);
	unpack_expect(u, (n != 0) == (c->auth.mechanisms != 0));
	if (c->auth.passwd_path[0] != '\0')
		unpack_expect(u, conf_path_why(c->auth.passwd_path, CONF_PATH_MAX, 0) == NULL);
	if (c->auth.dovecot_path[0] != '\0')
		unpack_expect(u, conf_path_why(c->auth.dovecot_path, CONF_SOCKET_MAX, 0) == NULL);
	if (c->auth.pam_service[0] != '\0')
		unpack_expect(u, conf_is_service_name(c->auth.pam_service));
	unpack_expect(u, (c->auth.mechanisms & ~conf_mechanisms(c)) == 0);
}

void
conf_unpack_auth(struct unpacker *u, struct conf *c)
{
	const struct conf_listener	*l;
	int				 needed;

	take_logins(u, c);
	c->auth.needed = rd_u8max(&u->r, 1);
	c->auth.passwd_path = unpack_string(u);
	c->auth.dovecot_path = unpack_string(u);
	c->auth.pam_service = unpack_string(u);
	c->auth.mechanisms = rd_u8(&u->r);
	if (u->r.err != E_OK)
		return;
	expect_source(u, c);
	needed = c->nlogins != 0;
	for (size_t i = 0; i < c->nlisteners; i++) {
		l = &c->listeners[i];
		unpack_expect(u, !l->any_sender || l->auth);
		if (!l->auth)
			continue;
		needed = 1;
		unpack_expect(u, !l->lmtp && c->auth.mechanisms != 0);
		unpack_expect(u, l->tls != LISTEN_CLEAR || conf_listener_is_near(l));
	}
	unpack_expect(u, c->auth.needed == needed);
	for (size_t i = 0; i < c->ndomains && u->r.err == E_OK; i++)
		expect_login(u, c, &c->domains[i].deliver);
	for (size_t i = 0; i < c->nroutes && u->r.err == E_OK; i++)
		expect_login(u, c, &c->routes[i].via);
}
