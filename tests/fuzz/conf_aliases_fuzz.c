/*
 * conf_aliases_fuzz.c -- aliases(5); the file includes itself where it says :include:/t.  Oracle: as in
 * conf_table_oracle.h.
 */
#include "tests/fuzz/conf_table_oracle.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	table_oracle("domain d.test { recipients = { \"*\" } aliases-file = /t }\n", data, size);
	return (0);
}
