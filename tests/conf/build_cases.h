/* build_cases.h -- a text, and all that is said of it. */
{ "hostname = \"a..b\"\nlog = file\n",
  "c:1: hostname \"a..b\": empty label in the domain (expected a domain name)\n"
  "c:2: log: \"file\": expected \"syslog\" or \"stderr\"\n" },
{ "bogus = 3\nlog = file\n",
  "c:1: unknown key \"bogus\"\nc:2: log: \"file\": expected \"syslog\" or \"stderr\"\n" },
{ "queue {\n bogus = 3\n}\n", "c:2: unknown key \"bogus\" in section queue\n" },
{ "bogus = { a, \"}\" }\n# x = 1\nlog = stderr\nmore = 'x = 1'\nqueue {\n paused = true\n third = 3 }\nlistener \"a\" { port = 26\n"
  "address =\n 127.0.0.1 // no = 1\n fourth { fifth = 5 }\n}\nsixth = 6\nlog { }\n",
  "c:1: unknown key \"bogus\"\nc:4: unknown key \"more\"\nc:7: unknown key \"third\" in section queue\n"
  "c:11: unknown key \"fourth\" in section listener\nc:13: unknown key \"sixth\"\n" },
{ "domain \"-a\" { }\ndomain \"-b\" { }\nvirtual = { \"a@b.test c\", \"x.y z\" }\n",
  "c:1: domain \"-a\": domain label starts with a hyphen (expected a domain name)\n"
  "c:2: domain \"-b\": domain label starts with a hyphen (expected a domain name)\n"
  "c:3: virtual: \"c\": which domain is meant? write c@example.org (there is no section domain for the host's own "
  "name, nor only one)\n"
  "c:3: virtual: \"z\": which domain is meant? write z@example.org (there is no section domain for the host's own "
  "name, nor only one)\n" },
{ "bogus = 1\nlog\nmore = 2\n", "c:1: unknown key \"bogus\"\n" },
{ "bogus { x = 1 }\nlog = x\n",
  "c:1: unknown key \"bogus\"\n" },	/* libconfuse passes over too much behind an unknown section */
{ "log = syslog\nlog = stderr\n", "c:2: log is given twice, first on line 1\n" },
{ "relay-from = { \"::1\" }\nrelay-from = { \"::2\" }\n", "c:2: relay-from is given twice, first on line 1\n" },
{ "domain a { }\ndomain a { }\n", "c:2: found duplicate title 'a'\n" },
{ "domain a { }\ndomain A. { }\n", "c:2: domain \"a\" is given twice, first on line 1\n" },
{ "domain a { }\nrelay-domain a { }\n", "c:2: relay-domain \"a\" is given twice, first on line 1\n" },
{ "route A { via = mx }\nroute a { via = mx }\n", "c:2: route \"a\" is given twice, first on line 1\n" },
{ "route a {\n}\n", "c:1: route \"a\" has no via\n" },
{ "queue {\n lifetime = 5d\n", "c:1: the brace that is opened here is never closed\n" },
{ "relay-from = { \"::1\"\n", "c:1: the brace that is opened here is never closed\n" },
{ "queue { }\n}\n", "c:2: this closing brace has no opening brace\n" },
{ "log = \"x\n", "c:1: the string that starts here does not end on its line\n" },
{ "\nlog = 'x", "c:2: the string that starts here has no closing '\n" },
{ "/* x", "c:1: the comment that starts here has no closing */\n" },
{ "{{{{{{{{{{{{{{{{{", "c:1: braces are nested too deep\n" },
{ "log = ${X}\n", "c:1: ${...} is not replaced here; write the value itself\n" },
{ "hostname = \"a${X}\"\n", "c:1: ${...} is not replaced here; write the value itself\n" },
{ "log =", "c: the file ends where the value of log was expected\n" },
{ "log\n", "c:2: missing equal sign after option 'log'\n" },
{ "domain { }\n", "c:1: missing title for section 'domain'\n" },
{ "__end = x\n", "c:1: unknown key \"__end\"\nc:2: unknown key \"__end\"\n" },
{ "__begin = x\n", "c:1: unknown key \"__begin\"\n" },
{ "directory = \"x\"\nruntime = \"/a/../b\"\n",
  "c:1: directory: \"x\": the path is not absolute (expected an absolute path of at most 1000 octets)\n"
  "c:2: runtime: \"/a/../b\": the path has a component . or .. (expected an absolute path of at most 90 octets)\n" },
{ "user-prefix = \"Abc\"\n", "c:1: user-prefix: \"Abc\": expected at most 16 lower-case letters, digits, "
  "underscores and hyphens, a letter first\n" },
{ "relay-from = {\n \"10.0.0.1/8\",\n \"::/129\",\n \"x\" }\n",
  "c:2: relay-from: \"10.0.0.1/8\": expected a prefix length of the address's size, and no bits set behind it\n"
  "c:3: relay-from: \"::/129\": expected a prefix length of the address's size, and no bits set behind it\n"
  "c:4: relay-from: \"x\": expected an address or a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\"\n" },
{ "message-size-limit = 50MB\n",
  "c:1: message-size-limit: \"50MB\": expected a size such as \"4096\", \"10K\", \"50M\" or \"2G\"\n" },
{ "message-size-limit = 1\n", "c:1: message-size-limit: \"1\": expected a size from 1K to 1T\n" },
{ "postmaster = bob\n",
  "c:1: postmaster: \"bob\": domain is missing (expected an address such as \"postmaster@example.org\")\n" },
{ "listener \"a b\" {\n port = 0\n address = x\n tls = starttls\n auth = true\n connections = -1\n}\n",
  "c:1: listener \"a b\": expected a name of at most 63 letters, digits, dots, underscores and hyphens\n"
  "c:2: port: \"0\": expected a number from 1 to 65535\n"
  "c:3: address: \"x\": expected an IP address such as \"192.0.2.1\" or \"2001:db8::1\"\n"
  "c:4: listener \"a b\": tls needs a certificate: add a section tls \"host.test\" { certificate = \"...\" key = \"...\" }\n"
  "c:5: listener \"a b\": auth needs a source of passwords: add a section auth { passwd = \"/etc/postern/passwd\" } (or "
  "dovecot, or pam)\n"
  "c:6: connections: \"-1\": expected a number from 1 to 1000000\n" },
{ "listener a { }\nlog = stderr listener b {\n }\n",
  "c:2: listener \"b\" has the address and port of listener \"a\"\n" },
{ "listener a {\n protocol = lmtp\n}\nlistener b { address = \"::1\"\n port = 25 protocol = lmtp }\n"
  "listener c { address = \"unix:/x/y\" protocol = lmtp }\nlistener d { port = 24 protocol = lmtp }\n",
  "c:1: listener \"a\": port 25 is SMTP's and never LMTP's (RFC 2033 5); give another port or a unix: address\n"
  "c:5: listener \"b\": port 25 is SMTP's and never LMTP's (RFC 2033 5); give another port or a unix: address\n" },
{ "listener a {\n address = \"unix:x\"\n port = 26\n protocol = x\n xclient-from = { y } }\n",
  "c:2: address: \"x\": the path is not absolute (expected an absolute path of at most 107 octets)\n"
  "c:3: port: a unix: address has none\n"
  "c:4: protocol: \"x\": expected \"smtp\" or \"lmtp\"\n"
  "c:5: xclient-from: \"y\": expected an address or a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\"\n" },
{ "listener submit { }\n", "c:1: listener \"submit\": this name and this path are local-submission's; choose others or "
  "set local-submission = false\n" },
{ "runtime = /r\nlistener s { address = \"unix:/r/submit\" }\n", "c:2: listener \"s\": this name and this path are "
  "local-submission's; choose others or set local-submission = false\n" },
{ "listener a { address = \"unix:/r/x\" }\nlistener b { address = \"unix:/r/x\" }\n", "c:2: listener \"b\" has the "
  "address and port of listener \"a\"\n" },
{ "recipient-delimiter = \"a\"\nsmtpd { line-max = 999 }\n",
  "c:1: recipient-delimiter: \"a\": expected at most 8 different characters of !#$%&'*+-/=?^_`{|}~\n"
  "c:2: line-max: expected 0, which is no limit, or at least 1000 (RFC 5321 4.5.3.1.6)\n" },
{ "tls \"x\" { key = y }\n", "c:1: key: \"y\": the path is not absolute (expected an absolute path of at most 1000 octets)\n"
  "c:1: tls \"x\": 0 certificates and 1 keys; expected certificate and key, or lists of them of the same length and order\n" },
{ "tls \"x\" { certificate = { \"/a\", \"/b\" } key = \"/k\" }\ntls \"..\" {\n certificate = \"/a\" key = \"/b\" }\ntls \"x\" { }\n",
  "c:1: tls \"x\": 2 certificates and 1 keys; expected certificate and key, or lists of them of the same length and order\n"
  "c:2: tls \"..\": empty label in the domain (expected a domain name)\nc:4: found duplicate title 'x'\n" },
{ "tls-level = \"best\"\nlistener \"a\" { tls = \"yes\" }\n",
  "c:1: tls-level: \"best\": expected \"modern\", \"intermediate\" or \"old\"\n"
  "c:2: tls: \"yes\": expected \"none\", \"starttls\", \"require\" or \"implicit\"\n" },
{ "domain \"-a\" { }\n", "c:1: domain \"-a\": domain label starts with a hyphen (expected a domain name)\n" },
{ "domain a {\n deliver = \"lmtp:x\"\n recipients = { \"b@c\", \"d..e\" }\n aliases-file = x\n}\n",
  "c:2: deliver: \"lmtp:x\": this version has no LMTP\n"
  "c:3: recipients: \"b@c\": the domain stands in the section's title (expected the part of an address before the @)\n"
  "c:3: recipients: \"d..e\": dot at an end of the local part, or two in a row (expected the part of an address "
  "before the @)\n"
  "c:4: aliases-file: \"x\": the path is not absolute\n" },
{ "domain a { deliver = mx }\n", "c:1: deliver: \"mx\": a domain is a final stop and cannot be delivered by its "
  "own MX; expected \"maildir:...\" or \"smtp:...\", or a relay-domain\n" },
{ "queue { retry = { } }\n", "c: retry: expected at least one duration\n" },
{ "queue { retry = { 5, 8d }\n lifetime = 90 reserve = 64G paused = yes }\n",
  "c:1: retry: \"5\": expected a duration such as \"90s\", \"5m\", \"1h30m\" or \"5d\"\n"
  "c:1: retry: \"8d\": expected a duration from 1s to 7d\n"
  "c:2: lifetime: \"90\": expected a duration such as \"90s\", \"5m\", \"1h30m\" or \"5d\"\n"
  "c:2: paused: \"yes\": expected true or false\n"
  "c:2: queue: reserve is not smaller than store-max\n" },
{ "deliver { bind4 = \"::1\" bind6 = \"1.2.3.4\" }\n",
  "c:1: bind4: \"::1\": expected an IPv4 address of this machine\n"
  "c:1: bind6: \"1.2.3.4\": expected an IPv6 address of this machine\n" },
{ "resolver {\n forward = { \"x\", \"1.2.3.4@0\" }\n trust-anchor = /none\n stub \"a b\" { server = \"1.2.3.4\" } }\n",
  "c:2: forward: \"x\": expected an address and port such as \"192.0.2.1@53\"\n"
  "c:2: forward: \"1.2.3.4@0\": expected an address and port such as \"192.0.2.1@53\"\n"
  "c:3: trust-anchor: \"/none\": No such file or directory (expected a file of DS or DNSKEY records, or \"\" to "
  "turn validation off)\n"
  "c:4: stub \"a b\": unexpected character in the domain (expected a domain name)\n" },
{ "resolver { trust-anchor = /binary }\n", "c:1: trust-anchor: \"/binary\": the file is not ASCII text (expected a "
  "file of DS or DNSKEY records, or \"\" to turn validation off)\n" },
