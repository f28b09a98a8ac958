/*
 * file.h -- whole small files in, whole snapshot out.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stddef.h>

#include "common/slice.h"

/* All of a descriptor, at most max octets, as malloc'd octets with NUL behind.  NULL, and why. */
char	*file_read_fd(int fd, size_t max, size_t *n, const char **why);
/* A regular file for reading, opened without waiting: a descriptor, or -1 and why. */
int	 file_open(const char *path, const char **why);
/* The same of a regular file; what it points to is opened without waiting. */
char	*file_read(const char *path, size_t max, const char **why);
/* As file_read(); why tells who must be able to read a certificate. */
char	*file_read_cert(const char *path, size_t max, const char **why);
/* 0, or -1 with errno. */
int	 file_write_fd(int fd, struct slice);

#endif
