/* file.c -- reading and writing whole files.  Shell. */
#include "conf/file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_FIRST	65536	/* octets of the first attempt; doubled as needed */

char *
file_read_fd(int fd, size_t max, size_t *len, const char **why)
{
	size_t	 size = READ_FIRST, got = 0;
	char	*p = malloc(size), *bigger;
	ssize_t	 n = 1;

	*why = p == NULL ? "no memory" : NULL;
	while (*why == NULL && n != 0) {
		if (got == size - 1) {	/* one octet is kept for the NUL */
			size *= 2;
			if ((bigger = realloc(p, size)) == NULL) {
				*why = "no memory";
				break;
			}
			p = bigger;
		}
		n = read(fd, p + got, size - 1 - got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			*why = strerror(errno);
			break;
		}
		got += (size_t)n;
		if (got > max)
			*why = "the file is too large";
	}
	if (*why != NULL) {
		free(p);
		return (NULL);
	}
	p[got] = '\0';
	*len = got;
	return (p);
}

int
file_open(const char *path, const char **why)
{
	struct stat	 st;
	int		 fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1) {
		*why = errno != EACCES ? strerror(errno) : "permission denied: tables are read by the user "
		    "postern-conf, never by root, who must be able to read this file and to enter its directories";
		return (-1);
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		*why = "it is not a regular file";
		close(fd);	/* nothing was read */
		return (-1);
	}
	return (fd);
}

char *
file_read(const char *path, size_t max, const char **why)
{
	struct stat	 st;
	char		*p = NULL;
	size_t		 n;
	int		 fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1) {
		*why = strerror(errno);
		return (NULL);
	}
	if (fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "it is not a regular file";
	else if ((p = file_read_fd(fd, max, &n, why)) != NULL && strlen(p) != n) {
		*why = "the file is not ASCII text";
		free(p);
		p = NULL;
	}
	close(fd);	/* it was only read */
	return (p);
}

char *
file_read_cert(const char *path, size_t max, const char **why)
{
	char	*p;

	errno = 0;
	if ((p = file_read(path, max, why)) == NULL && errno == EACCES)
		*why = "permission denied: certificates are read by the user postern-conf, never by root, who must be able "
		    "to read this file and to enter its directories; the key stays for root alone";
	return (p);
}

int
file_write_fd(int fd, struct slice s)
{
	ssize_t	 n;

	while (s.n != 0) {
		n = write(fd, s.p, s.n);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		s.p += n;
		s.n -= (size_t)n;
	}
	return (0);
}
