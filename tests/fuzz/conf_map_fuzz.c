/*
 * conf_map_fuzz.c -- table files in the map forms of Postfix.  The first octet says which key they are given to.
 *
 * Oracle: a snapshot or errors, never both nor neither; the image passes its own check; each entry of its tables is
 * found by its own key, and its value reads to its end; a good file stays good with a comment behind it.
 */
#include "tests/fuzz/conf_table_oracle.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const	 confs[] = {
		"domain d.test { recipients = { \"*\" } }\nvirtual-file = /t\n",
		"domain d.test { recipients = { \"*\" } }\ncanonical-file = \"hash:/t\"\n",
		"domain d.test { recipients = { \"*\" } }\nsender-login-file = /t\n",
		"sender-access-file = /t\nclient-access-file = /t\n",
		"domain d.test { recipients-file = /t }\n",
	};

	if (size == 0)
		return (0);
	table_oracle(confs[data[0] % (sizeof(confs) / sizeof(confs[0]))], data + 1, size - 1);
	return (0);
}
