/*
 * mailpath.c -- see mailpath.h.  Core.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/units.h"
#include "deliver/mailpath.h"

/* One component, safe as a name: not hidden, no way up or down, nothing a terminal would obey. */
static const char *
component_check(const char *s, size_t n)
{
	if (n == 0)
		return ("an empty mailbox name");
	if (n > FILE_NAME_MAX)
		return ("a mailbox name longer than 255 octets");
	if (s[0] == '.')
		return ("a mailbox name that begins with a dot");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '/')
			return ("a mailbox name with a slash");
		if (c < 0x20 || c == 0x7f)
			return ("a mailbox name with a control character");
	}
	return (NULL);
}

static void
lower(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] - 'A' + 'a');
	}
}

/* path without root; NULL if it does not lie beneath. */
static const char *
beneath(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return (NULL);
	path += n;
	while (*path == '/')
		path++;
	return (*path != '\0' ? path : NULL);
}

int
mailpath_expand(char dst[static MAILPATH_MAX], const char *path, const char *root,
    const char *address, const char *mailbox, const char *domain, const char **why)
{
	char local[LOCAL_PART_MAX + 1];
	const char *part, *end, *use;
	struct addr a;
	size_t n, len = 0, local_len;

	if ((path = beneath(path, root)) == NULL) {
		*why = "the maildir lies outside of the directory this process was started for";
		return (E_DENIED);
	}
	if (strchr(address, '@') == NULL) {	/* <postmaster> */
		n = strlen(address);
		if (n > LOCAL_PART_MAX) {
			*why = "local part longer than 64 octets";
			return (E_SYNTAX);
		}
		memcpy(local, address, n + 1);
		local_len = n;
	} else {
		if (addr_parse(&a, slice_str(address), why) != E_OK)
			return (E_SYNTAX);
		local_len = addr_local_unquoted(&a, local);
		domain = addr_domain(&a);
	}
	if (mailbox != NULL && (n = strlen(mailbox)) <= LOCAL_PART_MAX) {
		memcpy(local, mailbox, n + 1);
		local_len = n;
	}
	lower(local, local_len);
	for (part = path; *part != '\0'; part = *end == '/' ? end + 1 : end) {
		end = strchr(part, '/');
		if (end == NULL)
			end = part + strlen(part);
		n = (size_t)(end - part);
		if (n == 0)
			continue;
		use = part;
		if (n == 2 && part[0] == '%') {
			use = part[1] == 'u' ? local : domain;
			n = part[1] == 'u' ? local_len : strlen(domain);
			if ((*why = component_check(use, n)) != NULL)
				return (E_SYNTAX);
		} else if (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))) {
			*why = "a maildir path that goes up";
			return (E_DENIED);
		}
		if (len + n + 2 > MAILPATH_MAX) {
			*why = "a mailbox path too long";
			return (E_SYNTAX);
		}
		if (len != 0)
			dst[len++] = '/';
		memcpy(dst + len, use, n);
		len += n;
	}
	dst[len] = '\0';
	return (E_OK);
}

int
mailpath_file(char dst[static FILE_NAME_MAX + 1], int64_t arrival, uint64_t msgid, uint32_t index,
    const char *host)
{
	char id[MSGID_STRLEN];
	size_t len;
	int n;

	n = snprintf(dst, FILE_NAME_MAX + 1, "%" PRId64 ".Q%sR%" PRIu32 ".", arrival,
	    msgid_str(msgid, id), index);
	if (n < 0 || n > FILE_NAME_MAX)
		return (E_LIMIT);
	len = (size_t)n;
	for (; *host != '\0'; host++) {
		unsigned char c = (unsigned char)*host;

		if (len + 4 > FILE_NAME_MAX)
			break;		/* the rest of a long host name makes nothing more unique */
		if (c == '/' || c == ':' || c == '\\' || c <= 0x20 || c >= 0x7f)
			len += (size_t)snprintf(dst + len, 5, "\\%03o", c);
		else
			dst[len++] = (char)c;
	}
	dst[len] = '\0';
	return (E_OK);
}

size_t
mailpath_lines(char *dst, struct slice in, int *cr)
{
	const char *p = in.p, *end = in.p + in.n, *at;
	size_t n = 0, k;

	if (in.n == 0)
		return (0);
	if (*cr && *p != '\n')
		dst[n++] = '\r';
	*cr = 0;
	while (p < end) {
		at = memchr(p, '\r', (size_t)(end - p));
		k = (size_t)((at != NULL ? at : end) - p);
		memcpy(dst + n, p, k);
		n += k;
		if (at == NULL)
			break;
		p = at + 1;
		if (p == end)
			*cr = 1;	/* whether a line feed follows is not known yet */
		else if (*p != '\n')
			dst[n++] = '\r';
	}
	return (n);
}
