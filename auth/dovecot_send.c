/*
 * dovecot_send.c -- what is said to Dovecot's auth server (see dovecot.h).  Core.
 *
 * Nothing of a client's goes out but as base64 or escaped; "resp" is the last parameter, as the
 * protocol wants it.
 */
#include <stdio.h>
#include <string.h>

#include "auth/dovecot.h"
#include "common/base64.h"
#include "common/net.h"

struct out {
	char	*p;
	size_t	 n;
	int	 full;
};

static void
put(struct out *o, const char *p, size_t n)
{
	if (o->full || n > DOVECOT_SEND_MAX - o->n) {
		o->full = 1;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void
puts_out(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

static void
put_number(struct out *o, uint32_t v)
{
	char	text[16];

	(void)snprintf(text, sizeof(text), "%u", v);
	puts_out(o, text);
}

static void
put_escaped(struct out *o, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\001' || *s == '\t' || *s == '\n' || *s == '\r') {
			put(o, "\001", 1);
			put(o, *s == '\001' ? "1" : *s == '\t' ? "t" : *s == '\n' ? "n" : "r", 1);
		} else
			put(o, s, 1);
	}
}

static void
put_base64(struct out *o, struct slice s)
{
	if (o->full || s.n > SASL_DATA_MAX || BASE64_LEN(s.n) > DOVECOT_SEND_MAX - o->n)
		o->full = 1;
	else
		o->n += base64_encode(o->p + o->n, s);
}

static size_t
finish(struct out *o)
{
	put(o, "\n", 1);
	if (o->full) {
		explicit_bzero(o->p, o->n);
		return (0);
	}
	o->p[o->n] = '\0';
	return (o->n);
}

size_t
dovecot_hello(char *dst, uint32_t pid)
{
	struct out	o = { .p = dst };

	puts_out(&o, "VERSION\t1\t1\nCPID\t");
	put_number(&o, pid);
	return (finish(&o));
}

size_t
dovecot_auth(char *dst, uint32_t id, const struct ipc_sasl *first)
{
	struct out	o = { .p = dst };
	char		ip[NET_ADDR_STRLEN];

	puts_out(&o, "AUTH\t");
	put_number(&o, id);
	puts_out(&o, "\t");
	puts_out(&o, sasl_mechanism_name(first->mechanism));
	puts_out(&o, "\tservice=smtp\tnologin\tlip=");	/* nologin: no other process asks the server about this login */
	puts_out(&o, net_addr_str(&first->own, ip));
	puts_out(&o, "\trip=");
	puts_out(&o, net_addr_str(&first->client, ip));
	puts_out(&o, "\tlport=");
	put_number(&o, first->own_port);
	puts_out(&o, "\trport=");
	put_number(&o, first->client_port);
	if (first->tls)
		puts_out(&o, "\tsecured");
	if (first->mechanism == SASL_EXTERNAL && first->external[0] != '\0') {
		puts_out(&o, "\tvalid-client-cert\tcert_username=");
		put_escaped(&o, first->external);
	}
	if (first->initial) {
		puts_out(&o, "\tresp=");
		put_base64(&o, first->data);
	}
	return (finish(&o));
}

size_t
dovecot_cont(char *dst, uint32_t id, struct slice data)
{
	struct out	o = { .p = dst };

	puts_out(&o, "CONT\t");
	put_number(&o, id);
	puts_out(&o, "\t");
	put_base64(&o, data);
	return (finish(&o));
}

size_t
dovecot_cancel(char *dst, uint32_t id)
{
	struct out	o = { .p = dst };

	puts_out(&o, "CANCEL\t");
	put_number(&o, id);
	return (finish(&o));
}
