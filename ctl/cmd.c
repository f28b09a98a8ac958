/*
 * cmd.c -- see cmd.h.  Shell.
 */
#include "ctl/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/units.h"
#include "ctl/cells.h"
#include "ctl/checker.h"
#include "ctl/conn.h"
#include "ctl/json.h"
#include "ctl/lookup.h"
#include "ctl/mailq.h"
#include "ctl/passwd.h"
#include "ctl/rows.h"
#include "ctl/tls.h"
#include "ctl/tlsa.h"

int
exit_status(int err, unsigned ctl_status)
{
	switch (err) {
	case E_OK:
		break;
	case E_NOTFOUND:
	case E_CLOSED:
	case E_TIMEOUT:
		return (EXIT_UNREACHABLE);
	case E_DENIED:
		return (EXIT_DENIED);
	default:
		return (EXIT_FAILED);
	}
	if (ctl_status == CTL_OK)
		return (EXIT_DONE);
	return (ctl_status == CTL_DENIED ? EXIT_DENIED : EXIT_FAILED);
}

int
request_make(struct ipc_ctl_request *q, const struct ctl_args *a, const char *operand)
{
	memset(q, 0, sizeof(*q));
	q->verb = (uint8_t)a->cmd->verb;
	q->all = (uint8_t)a->all;
	q->state = a->states;
	if (operand == NULL)
		return (E_OK);
	/* Domains have a dot or come with a command that takes domains only; an ID has neither. */
	if (a->cmd->action != ACT_SIMPLE && a->cmd->action != ACT_LIST && !a->all &&
	    msgid_parse(&q->msgid, slice_str(operand)) == E_OK)
		return (E_OK);
	if (a->cmd->action == ACT_SHOW || (a->cmd->action == ACT_CHANGE && !a->all))
		return (E_SYNTAX);
	return (slice_copy(slice_str(operand), q->text, sizeof(q->text)) == E_OK ? E_OK : E_LIMIT);
}

/* A conversation that did not come to its end. */
static void
complain(const char *path, int err)
{
	/* Whoever read our output has had enough (a closed pipe): no reason for noise. */
	if (ferror(stdout))
		return;
	(void)fprintf(stderr, "posternctl: %s: %s\n", path,
	    err == E_NOTFOUND ? "no server listens there" :
	    err == E_DENIED ? "permission denied (members of postern-admin may)" :
	    err == E_CLOSED ? "the server closed the connection before its answer was complete" :
	    err == E_TIMEOUT ? "the server does not answer" :
	    err == E_PROTO ? "the answer is not one of this version's" :
	    err == E_NOMEM ? "out of memory" : "input or output failed");
}

/* The server's or the checker's own text, line by line. */
static void
print_lines(FILE *f, const char *prefix, const char *text)
{
	char	line[4096 * 4];
	size_t	n;

	while (*text != '\0') {
		n = strcspn(text, "\n");
		(void)fprintf(f, "%s%s\n", prefix, cell_plain(line, sizeof(line), text, n));
		text += n + (text[n] == '\n');
	}
}

static const char *
status_text(unsigned status)
{
	switch (status) {
	case CTL_NOT_FOUND:
		return ("nothing found");
	case CTL_DENIED:
		return ("permission denied");
	case CTL_BAD:
		return ("the server does not understand the request");
	default:
		return ("failed");
	}
}

/* Errors of a reload stand as they are, FILE:LINE: text; others say what they are about. */
static void
print_refusal(const char *operand, const struct ipc_ctl_end *end)
{
	char	prefix[512];

	(void)snprintf(prefix, sizeof(prefix), "posternctl: %.400s%s", operand != NULL ? operand : "",
	    operand != NULL ? ": " : "");
	if (end->text[0] == '\0')
		print_lines(stderr, prefix, status_text(end->status));
	else
		print_lines(stderr, strchr(end->text, '\n') != NULL ? "" : prefix, end->text);
}

/* The end of an answer that changed something, or of one that failed. */
static void
print_end(const struct ctl_args *a, const char *operand, int status, const struct ipc_ctl_end *end,
    json_t *remarks)
{
	json_t	*o;

	if (a->json) {
		o = json_pack("{s:b, s:I, s:o, s:o?, s:O}", "ok", status == EXIT_DONE, "count",
		    (json_int_t)end->count, "text", json_text(slice_str(end->text)), "operand",
		    operand != NULL ? json_text(slice_str(operand)) : NULL, "remarks", remarks);
		(void)json_print(stdout, o);
		return;
	}
	if (status != EXIT_DONE) {
		print_refusal(operand, end);
		return;
	}
	print_lines(stdout, "", end->text);
	if (end->text[0] == '\0' && (a->cmd->action == ACT_CHANGE || a->cmd->verb == CTL_FLUSH))
		(void)printf("%" PRIu64 " message%s\n", end->count, end->count == 1 ? "" : "s");
}

/* Remarks are all that an answer to a change may hold beside its end. */
static int
remark_row(void *arg, enum ipc_type type, struct rd *rd)
{
	json_t			**remarks = arg;
	struct ipc_ctl_text	 t;
	char			 text[4096];
	size_t			 n;

	if (type != IPC_CTL_TEXT || ipc_unpack_ctl_text(rd, &t) != E_OK)
		return (E_PROTO);
	if (t.text.n == 0)
		return (E_OK);		/* the server only says that it goes on */
	if (*remarks != NULL)
		return (json_array_append_new(*remarks, json_text(t.text)) == 0 ? E_OK : E_NOMEM);
	for (; t.text.n != 0; t.text = slice_make(t.text.p + n, t.text.n - n)) {
		n = t.text.n < sizeof(text) ? t.text.n : sizeof(text) - 1;
		memcpy(text, t.text.p, n);
		text[n] = '\0';
		print_lines(stdout, "", text);
	}
	return (E_OK);
}

/* hold, release, retry, delete, undo: each operand by itself, or one request with --all. */
static int
cmd_change(const struct ctl_args *a, const char *path)
{
	struct ipc_ctl_request	q;
	struct ipc_ctl_end	end;
	const char		*operand;
	json_t			*remarks;
	int			i = 0, err, status, worst = EXIT_DONE;

	do {
		operand = a->nop > 0 ? a->op[i] : NULL;
		if ((err = request_make(&q, a, operand)) != E_OK) {
			(void)fprintf(stderr, "posternctl: %s: %s\n", operand, err == E_SYNTAX ?
			    "not a queue ID (an address or domain needs --all)" : "too long");
			worst = EXIT_USAGE;
			continue;
		}
		memset(&end, 0, sizeof(end));
		remarks = a->json ? json_array() : NULL;
		err = conn_ask(path, &q, remark_row, &remarks, &end, a->cmd->action == ACT_STOP);
		status = exit_status(err, end.status);
		if (err == E_OK)
			print_end(a, operand, status, &end, remarks);
		json_decref(remarks);
		if (err != E_OK) {
			complain(path, err);
			return (status);
		}
		if (status > worst)
			worst = status;
	} while (++i < a->nop && a->cmd->action == ACT_CHANGE);
	return (worst);
}

/* list, show, why: rows. */
static int
cmd_rows(const struct ctl_args *a, const char *path)
{
	struct ipc_ctl_request	q;
	struct ipc_ctl_end	end;
	struct rows		r;
	int			i = 0, err, status, worst = EXIT_DONE;

	rows_init(&r, stdout, a->cmd->action == ACT_LIST ? ROWS_TABLE : ROWS_STORY, a->json,
	    !a->no_header, time(NULL));
	do {
		const char *operand = a->nop > 0 ? a->op[i] : NULL;

		if ((err = request_make(&q, a, operand)) != E_OK) {
			(void)fprintf(stderr, "posternctl: %s: %s\n", operand,
			    err == E_SYNTAX ? "not a queue ID" : "too long");
			worst = EXIT_USAGE;
			continue;
		}
		memset(&end, 0, sizeof(end));
		err = conn_ask(path, &q, rows_take, &r, &end, 0);
		status = exit_status(err, end.status);
		if (err != E_OK)
			complain(path, err);
		else if (status != EXIT_DONE)
			print_refusal(operand, &end);
		if (status > worst)
			worst = status;
		if (err != E_OK)
			break;
	} while (++i < a->nop);
	/* Whatever came is closed properly: what reads the JSON sees a whole array. */
	err = rows_end(&r);
	rows_clear(&r);
	return (err != E_OK && worst == EXIT_DONE && !ferror(stdout) ? EXIT_FAILED : worst);
}

/* For sendmail's users; each message with its recipients. */
static int
cmd_mailq(const struct ctl_args *a, const char *path)
{
	struct ipc_ctl_request	q;
	struct ipc_ctl_end	end;
	struct mailq		m;
	int			err, status;

	(void)request_make(&q, a, NULL);
	q.all = 1;
	memset(&end, 0, sizeof(end));
	mailq_init(&m, stdout);
	err = conn_ask(path, &q, mailq_take, &m, &end, 0);
	status = exit_status(err, end.status);
	if (err != E_OK)
		complain(path, err);
	else if (status != EXIT_DONE)
		print_refusal(NULL, &end);
	else if (mailq_end(&m) != E_OK)
		status = EXIT_FAILED;
	return (status);
}

/* Two answers: master's daemons, queue's figures.  The first is worth showing without the second. */
static int
cmd_status(const struct ctl_args *a, const char *path)
{
	static const enum ctl_verb	verbs[] = { CTL_STATUS_MASTER, CTL_STATUS_QUEUE };
	struct ipc_ctl_request		q;
	struct ipc_ctl_end		end;
	struct rows			r;
	int				err, status, worst = EXIT_DONE;
	size_t				i;

	rows_init(&r, stdout, ROWS_STATUS, a->json, 1, time(NULL));
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && worst == EXIT_DONE; i++) {
		(void)request_make(&q, a, NULL);
		q.verb = (uint8_t)verbs[i];
		memset(&end, 0, sizeof(end));
		err = conn_ask(path, &q, rows_take, &r, &end, 0);
		status = exit_status(err, end.status);
		if (err != E_OK)
			complain(path, err);
		else if (status != EXIT_DONE)
			print_lines(stderr, "posternctl: ",
			    end.text[0] != '\0' ? end.text : status_text(end.status));
		worst = status;
	}
	/* An unreachable server has no status; one without its queue has half of it. */
	if (i > 1 || worst == EXIT_DONE)
		(void)rows_end(&r);
	rows_clear(&r);
	return (worst);
}

static int
check_json(const char *file, const struct check *c)
{
	struct check_error	 e;
	struct slice		 rest = slice_make(c->text, c->text_len);
	json_t			*list = json_array();
	size_t			 n;

	while (rest.n != 0) {
		const char *lf = memchr(rest.p, '\n', rest.n);

		n = lf != NULL ? (size_t)(lf - rest.p) : rest.n;
		check_error_split(&e, slice_make(rest.p, n));
		if (n != 0)
			(void)json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "file",
			    json_text(e.file.n != 0 ? e.file : slice_str(file)), "line", (json_int_t)e.line,
			    "text", json_text(e.text)));
		n += lf != NULL;
		rest = slice_make(rest.p + n, rest.n - n);
	}
	return (json_print(stdout, json_pack("{s:s, s:b, s:o}", "file", file, "ok", c->conf != NULL,
	    "errors", list)) == E_OK ? EXIT_DONE : EXIT_FAILED);
}

static int
cmd_check(const struct ctl_args *a)
{
	const char	*file = a->conf != NULL ? a->conf : CONF_DEFAULT;
	char		 why[2048];
	struct check	 c;
	int		 status;

	if (check_run(&c, file, 1, why, sizeof(why)) != E_OK) {
		(void)fprintf(stderr, "posternctl: %s\n", why);
		return (EXIT_FAILED);
	}
	status = c.conf != NULL ? EXIT_DONE : EXIT_FAILED;
	if (a->json) {
		if (check_json(file, &c) != EXIT_DONE)
			status = EXIT_FAILED;
	} else {
		print_lines(stderr, "", c.text);
		if (c.conf != NULL)
			(void)printf("%s: ok\n", file);
	}
	check_clear(&c);
	return (status);
}

static int
cmd_lookup(const struct ctl_args *a, const char *path)
{
	struct ipc_ctl_request	q = { .verb = CTL_LOOKUP };
	struct ipc_ctl_end	end = { 0 };
	struct lookup_view	v;
	const char		*why = "";
	int			err, status;

	if (address_parse(a->op[0], q.text, &why) != E_OK || q.text[0] == '\0') {
		(void)fprintf(stderr, "posternctl: %s: not an address%s%s\n", a->op[0], why[0] != '\0' ? ": " : "", why);
		return (EXIT_USAGE);
	}
	q.has_client = (uint8_t)a->from_set;
	q.client = a->from;
	q.has_sender = (uint8_t)a->sender_set;
	memcpy(q.sender, a->sender, sizeof(q.sender));
	err = lookup_init(&v, stdout, q.text, a->json);
	if (err == E_OK && !a->json)
		(void)printf("%s\n", q.text);
	if (err == E_OK)
		err = conn_ask(path, &q, lookup_take, &v, &end, 0);
	status = exit_status(err, end.status);
	if (err != E_OK)
		complain(path, err);
	else if (status != EXIT_DONE)
		print_refusal(a->op[0], &end);
	else if (lookup_end(&v) != E_OK)
		status = EXIT_FAILED;
	lookup_clear(&v);
	return (status);
}

/* The report itself says what mail would do; the exit status says it again. */
static int
cmd_tls(const struct ctl_args *a, const char *path)
{
	struct ipc_ctl_request	q = { .verb = CTL_TLS };
	struct ipc_ctl_end	end = { 0 };
	struct tls_view		v;
	const char		*at = strrchr(a->op[0], '@'), *why = "not a domain";
	char			domain[DOMAIN_MAX + 1];
	int			err, status;

	if (domain_parse_utf8(domain, slice_str(at != NULL ? at + 1 : a->op[0]), &why) != E_OK || domain[0] == '\0') {
		(void)fprintf(stderr, "posternctl: %s: %s\n", a->op[0], why);
		return (EXIT_USAGE);
	}
	memcpy(q.text, domain, sizeof(domain));
	if ((err = tls_view_init(&v, stdout, a->json)) == E_OK)
		err = conn_ask(path, &q, tls_view_take, &v, &end, 0);
	status = exit_status(err, end.status);
	if (err != E_OK)
		complain(path, err);
	else if (tls_view_end(&v, q.text, end.status == CTL_OK, end.text) != E_OK)
		status = EXIT_FAILED;
	else if (status != EXIT_DONE && end.text[0] != '\0')
		print_refusal(a->op[0], &end);
	tls_view_clear(&v);
	return (status);
}

int
cmd_run(const struct ctl_args *a)
{
	char	path[SOCKET_PATH_MAX];
	int	status;

	if (a->cmd->action == ACT_CHECK)
		return (cmd_check(a));
	if (a->cmd->action == ACT_TLSA)
		return (cmd_tlsa_check(a));
	if (a->cmd->action == ACT_PASSWD)
		return (cmd_passwd(a));
	if (a->cmd->action == ACT_HELP) {
		help_print(stdout, a->op, a->nop);
		return (EXIT_DONE);
	}
	if ((status = socket_find(a, path, sizeof(path))) != EXIT_DONE)
		return (status);
	switch (a->cmd->action) {
	case ACT_STATUS:
		return (cmd_status(a, path));
	case ACT_MAILQ:
		return (cmd_mailq(a, path));
	case ACT_LIST:
	case ACT_SHOW:
	case ACT_WHY:
		return (cmd_rows(a, path));
	case ACT_LOOKUP:
		return (cmd_lookup(a, path));
	case ACT_TLS:
		return (cmd_tls(a, path));
	default:
		return (cmd_change(a, path));
	}
}
