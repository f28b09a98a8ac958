"""make --dry-run on standard input, compile_commands.json on standard output."""
import json
import os
import re
import sys

rows = []
for line in sys.stdin:
    found = re.match(r"(\S*(?:cc|gcc|clang)\b.* -c -o (\S+) (\S+\.c))$", line.strip())
    if found:
        rows.append({"directory": os.getcwd(), "command": found[1], "output": found[2], "file": found[3]})
json.dump(rows, sys.stdout, indent=1)
