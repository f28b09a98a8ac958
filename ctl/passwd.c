/*
 * passwd.c -- posternctl passwd: asks for a password, makes the entry (passwd.h).  Shell.
 *
 * An entry is SCRAM-SHA-256's by default (RFC 5802, 7677): it serves SCRAM, PLAIN and LOGIN, and
 * what it holds is of no use to log in by SCRAM elsewhere.  Its SCRAM_ITERATIONS cost about as much
 * as crypt(3)'s own default, yescrypt: 14 ms on a machine of today, which is what each PLAIN login
 * costs auth, and each guess who stole the table.  RFC 7677 4 asks for 4096 at least.
 */
#include <crypt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "common/err.h"
#include "common/scram.h"
#include "ctl/json.h"
#include "ctl/passwd.h"

#define DEFAULT_FILE	SYSCONFDIR "/postern/passwd"
#define CRYPT_PREFIX	"$y$"		/* yescrypt */

static struct {				/* locked, and wiped at the end */
	char			typed[2][PASSWORD_MAX + 2];
	char			prepared[PASSWORD_MAX + 1];
	struct crypt_data	crypt;
} secret;

static volatile sig_atomic_t	caught;

static void
on_signal(int sig)
{
	caught = sig;
}

/* ---- asking ---- */

/* A line of standard input without its end; E_CLOSED: there is none, E_LIMIT, E_IO. */
static int
read_line(char dst[PASSWORD_MAX + 2], size_t *len, const sigset_t *open)
{
	struct pollfd	p = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t		n;
	char		c;

	*len = 0;
	for (;;) {
		/*
		 * open: only here do the signals that end us come, so that none is missed just
		 * before the wait.
		 */
		if (open != NULL && ppoll(&p, 1, NULL, open) == -1)
			return (E_IO);
		if ((n = read(STDIN_FILENO, &c, 1)) == -1)
			return (E_IO);
		if (n == 0 && *len == 0)
			return (E_CLOSED);
		if (n == 0 || c == '\n')
			break;
		if (*len == PASSWORD_MAX + 1)
			return (E_LIMIT);
		dst[(*len)++] = c;
	}
	if (*len != 0 && dst[*len - 1] == '\r')
		(*len)--;
	dst[*len] = '\0';
	return (*len > PASSWORD_MAX ? E_LIMIT : E_OK);
}

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define NSIGNALS	(sizeof(signals) / sizeof(signals[0]))

/* Twice, without echo; whatever ends us, the terminal is as it was before. */
static int
ask_terminal(const char *login, size_t *len)
{
	struct sigaction	act = { .sa_handler = on_signal }, old[NSIGNALS];
	struct termios		before, quiet;
	sigset_t		shut, open;
	size_t			again = 0;
	int			err;

	if (tcgetattr(STDIN_FILENO, &before) == -1)
		return (E_IO);
	sigemptyset(&act.sa_mask);
	sigemptyset(&shut);
	for (size_t i = 0; i < NSIGNALS; i++)
		sigaddset(&shut, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &shut, &open);
	for (size_t i = 0; i < NSIGNALS; i++)
		(void)sigaction(signals[i], &act, &old[i]);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	if ((err = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == -1 ? E_IO : E_OK) == E_OK) {
		(void)fprintf(stderr, "Password for %s: ", login);
		err = read_line(secret.typed[0], len, &open);
		if (err == E_OK) {
			(void)fprintf(stderr, "\nOnce more: ");
			err = read_line(secret.typed[1], &again, &open);
		}
		(void)fprintf(stderr, "\n");
		while (tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) == -1 && errno == EINTR)
			;
	}
	for (size_t i = 0; i < NSIGNALS; i++)
		(void)sigaction(signals[i], &old[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &open, NULL);
	if (caught != 0) {
		explicit_bzero(&secret, sizeof(secret));
		(void)raise(caught == SIGTSTP ? SIGINT : caught);
	}
	if (err == E_OK && (again != *len || memcmp(secret.typed[0], secret.typed[1], again) != 0))
		err = E_DENIED;
	return (err);
}

static int
ask(const char *login, size_t *len)
{
	int	err = isatty(STDIN_FILENO) ? ask_terminal(login, len) : read_line(secret.typed[0], len, NULL);

	if (err != E_OK)
		(void)fprintf(stderr, "posternctl: %s\n", err == E_LIMIT ? "the password is too long" :
		    err == E_DENIED ? "the two passwords differ" : err == E_CLOSED ? "no password was given" :
		    "the password cannot be read");
	return (err);
}

/* ---- the entry ---- */

static int
make_scram(char entry[PASSWD_ENTRY_MAX], size_t len)
{
	struct scram_entry	e = { .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_LEN };
	int			err = E_IO;

	_Static_assert(SCRAM_TEXT_MAX < PASSWD_ENTRY_MAX, "an entry of SCRAM fits");
	if (getrandom(e.salt, SCRAM_SALT_LEN, 0) == SCRAM_SALT_LEN &&
	    (err = scram_derive(&e, slice_make(secret.prepared, len))) == E_OK)
		(void)scram_entry_text(&e, entry);
	explicit_bzero(&e, sizeof(e));
	return (err);
}

static int
make_crypt(char entry[PASSWD_ENTRY_MAX])
{
	char		 salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char	*hash;

	if (crypt_gensalt_rn(CRYPT_PREFIX, 0, NULL, 0, salt, sizeof(salt)) == NULL)
		return (E_IO);
	hash = crypt_r(secret.prepared, salt, &secret.crypt);
	if (hash == NULL || hash[0] == '*' || strlen(hash) >= PASSWD_ENTRY_MAX)
		return (E_IO);
	memcpy(entry, hash, strlen(hash) + 1);
	return (E_OK);
}

static int
make_entry(const struct ctl_args *a, const char *login, char entry[PASSWD_ENTRY_MAX])
{
	const char	*why = "";
	size_t		 len = 0;
	int		 err;

	if (ask(login, &len) != E_OK)
		return (EXIT_FAILED);
	if (passwd_password(secret.prepared, slice_make(secret.typed[0], len), a->crypt, &why) != E_OK) {
		(void)fprintf(stderr, "posternctl: %s\n", why);
		return (EXIT_FAILED);
	}
	err = a->crypt ? make_crypt(entry) : make_scram(entry, strlen(secret.prepared));
	if (err != E_OK)
		(void)fprintf(stderr, "posternctl: the entry cannot be made: %s\n", err_name(err));
	return (err == E_OK ? EXIT_DONE : EXIT_FAILED);
}

static void
report(const struct ctl_args *a, const char *path, const char *login, enum passwd_did did)
{
	static const char *const	words[] = { "added", "changed", "removed", "not found" };

	if (a->json)
		(void)json_print(stdout, json_pack("{s:b, s:s, s:o, s:o}", "ok", did != PASSWD_NONE, "did", words[did],
		    "login", json_text(slice_str(login)), "file", json_text(slice_str(path))));
	else if (did == PASSWD_NONE)
		(void)fprintf(stderr, "posternctl: %s: has no login %s\n", path, login);
	else
		(void)printf("%s: %s %s\n", path, login, words[did]);
}

int
cmd_passwd(const struct ctl_args *a)
{
	const char	*path = a->file != NULL ? a->file : DEFAULT_FILE, *why = "";
	char		 login[LOGIN_MAX + 1], entry[PASSWD_ENTRY_MAX];
	enum passwd_did	 did = PASSWD_NONE;
	int		 status = EXIT_DONE;

	if (passwd_login(login, a->op[0], &why) != E_OK) {
		(void)fprintf(stderr, "posternctl: this is no login: %s\n", why);
		return (EXIT_USAGE);
	}
	(void)mlock(&secret, sizeof(secret));	/* where the limit allows it */
	if (!a->delete)
		status = make_entry(a, login, entry);
	explicit_bzero(&secret, sizeof(secret));
	if (status != EXIT_DONE)
		return (status);
	if ((status = passwd_change(path, login, a->delete ? NULL : entry, &did)) == EXIT_DONE) {
		report(a, path, login, did);
		status = did == PASSWD_NONE ? EXIT_FAILED : EXIT_DONE;
	}
	explicit_bzero(entry, sizeof(entry));
	return (status);
}
