/* auth_cases.h -- a text, and all that is said of it. */
{ "listener a { auth = true address = \"192.0.2.1\" }\n"
  "auth { passwd = \"/p\" }\n",
  "c:1: listener \"a\": auth needs tls = \"starttls\", \"require\" or \"implicit\": a password may go in clear "
  "only to a loopback address or a unix: address\n" },
{ "listener a { auth = true }\n",
  "c:1: listener \"a\": auth needs a source of passwords: add a section auth { passwd = \"/etc/postern/passwd\" "
  "} (or dovecot, or pam)\n" },
{ "listener a { auth = 1 client-certificates = 2 any-sender = 3 }\n",
  "c:1: auth: \"1\": expected true or false\n"
  "c:1: client-certificates: \"2\": expected true or false\n"
  "c:1: any-sender: \"3\": expected true or false\n" },
{ "listener a { port = 24 protocol = lmtp auth = true client-certificates = true }\n"
  "auth { pam = x }\n",
  "c:1: listener \"a\": auth is not for LMTP, which takes mail for final delivery alone\n"
  "c:1: listener \"a\": client-certificates are for AUTH, which LMTP has not\n" },
{ "listener a { client-certificates = true any-sender = true }\n",
  "c:1: listener \"a\": client-certificates need tls = \"starttls\", \"require\" or \"implicit\"\n"
  "c:1: listener \"a\": client-certificates need those who may sign them: client-ca = \"...\"\n"
  "c:1: listener \"a\": any-sender is about logins: it needs auth = true\n" },
{ "auth { passwd = p dovecot = d pam = \"a/b\" }\n",
  "c:1: passwd: \"p\": the path is not absolute (expected an absolute path of at most 1000 octets)\n"
  "c:1: dovecot: \"d\": the path is not absolute (expected an absolute path of at most 107 octets)\n"
  "c:1: pam: \"a/b\": expected the name of a file in /etc/pam.d: at most 63 letters, digits, dots, underscores "
  "and hyphens\n"
  "c:1: dovecot: auth has passwd on line 1 already; expected one of passwd, dovecot and pam\n"
  "c:1: pam: auth has passwd on line 1 already; expected one of passwd, dovecot and pam\n" },
{ "auth { passwd = \"/p\"\n"
  " dovecot = \"/d\"\n"
  " pam = x }\n",
  "c:2: dovecot: auth has passwd on line 1 already; expected one of passwd, dovecot and pam\n"
  "c:3: pam: auth has passwd on line 1 already; expected one of passwd, dovecot and pam\n" },
{ "auth { passwd = \"/p\"\n"
  " mechanisms = { \"plain\" } workers = 0 failures-max = 0 failure-window = 2d }\n",
  "c:2: mechanisms: \"plain\": expected \"PLAIN\", \"LOGIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-256-PLUS\" or "
  "\"EXTERNAL\"\n"
  "c:2: workers: \"0\": expected a number from 1 to 16\n"
  "c:2: failures-max: \"0\": expected a number from 1 to 100000\n"
  "c:2: failure-window: \"2d\": expected a duration from 1s to 1d\n" },
{ "auth { passwd = \"/p\"\n"
  " mechanisms = { PLAIN, \"PLAIN\", EXTERNAL } }\n",
  "c:2: mechanisms: \"PLAIN\": it is given twice\n"
  "c:2: mechanisms: \"EXTERNAL\": no listener has both auth = true and client-certificates = true\n" },
{ "auth { dovecot = \"/d\"\n"
  " mechanisms = { SCRAM-SHA-256, SCRAM-SHA-256-PLUS, EXTERNAL } }\n",
  "c:2: mechanisms: \"SCRAM-SHA-256-PLUS\": channel binding works with passwd alone\n"
  "c:2: mechanisms: \"EXTERNAL\": only passwd knows which certificates' logins there are\n" },
{ "auth { pam = x\n"
  " mechanisms = { SCRAM-SHA-256, PLAIN } }\n",
  "c:2: mechanisms: \"SCRAM-SHA-256\": PAM must be told the password itself, which only PLAIN and LOGIN do\n" },
{ "auth { pam = x mechanisms = { } }\n",
  "c: mechanisms: expected at least one\n" },
{ "auth { pam = \".x\" users = 3 }\n",
  "c:1: unknown key \"users\" in section auth\n"
  "c:1: pam: \".x\": expected the name of a file in /etc/pam.d: at most 63 letters, digits, dots, underscores "
  "and hyphens\n" },
{ "smtpd { submission-processes = 17 }\n",
  "c:1: submission-processes: \"17\": expected a number from 1 to 16\n" },
{ "client-ca = \"/ca.pem\"\n",
  "c:1: warning: client-ca: no listener has client-certificates = true\n" },
{ "client-ca = \"/leaf.pem\"\n"
  "tls-ca = ca\n",
  "c:1: warning: client-ca: \"/leaf.pem\": certificate 1 of the file is not that of a certification authority\n"
  "c:1: warning: client-ca: no listener has client-certificates = true\n"
  "c:2: tls-ca: \"ca\": the path is not absolute (expected an absolute path of at most 1000 octets)\n" },
{ "client-ca = \"/none.pem\"\n"
  "tls-ca = \"/words.pem\"\n",
  "c:1: client-ca: \"/none.pem\": No such file or directory\n"
  "c:2: tls-ca: \"/words.pem\": no certificate in PEM (-----BEGIN CERTIFICATE-----)\n" },
{ "tls-ca = \"/own2.pem\"\n"
  "tls-policy a.test { level = verify }\n",
  "c:1: tls-ca: \"/own2.pem\": No such file or directory\n" },
{ "tls-policy \"a..b\" { }\n"
  "tls-policy \".-x\" { }\n"
  "tls-policy \"[a.test]:25\" { }\n",
  "c:1: tls-policy \"a..b\": empty label in the domain (expected a domain name)\n"
  "c:2: tls-policy \"-x\": domain label starts with a hyphen (expected a domain name)\n"
  "c:3: tls-policy \"[a.test]:25\": unexpected character in the domain (expected a domain name)\n" },
{ "tls-policy A.test { }\n"
  "tls-policy \"a.test.\" { }\n",
  "c:2: tls-policy \"a.test\" is given twice, first on line 1\n" },
{ "tls-policy a.test { level = secure }\n",
  "c:1: level: \"secure\": expected \"none\", \"may\", \"encrypt\", \"verify\", \"fingerprint\", \"dane\" or "
  "\"dane-only\"\n" },
{ "tls-policy a.test {\n"
  " names = \"b.test\"\n"
  " fingerprints = { \"abababababababababababababababababababababababababababababababab\" } }\n",
  "c:2: tls-policy \"a.test\": names are looked at by level \"verify\" alone, but its level is \"dane\"\n"
  "c:3: tls-policy \"a.test\": fingerprints are looked at by level \"fingerprint\" alone, but its level is "
  "\"dane\"\n" },
{ "tls-policy a.test { level = fingerprint }\n",
  "c:1: tls-policy \"a.test\": level \"fingerprint\" needs fingerprints\n" },
{ "tls-policy a.test { level = fingerprint\n"
  " fingerprints = { \"ab\", \"AA:bb:010101010101010101010101010101010101010101010101010101010101\", "
  "\"abababababababababababababababababababababababababababababababag\", "
  "\"ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab\" } resume = "
  "no }\n",
  "c:2: fingerprints: \"ab\": expected SHA-256 of a certificate or of its public key: 64 hexadecimal digits, "
  "with colons between every two or without\n"
  "c:2: fingerprints: \"AA:bb:010101010101010101010101010101010101010101010101010101010101\": expected SHA-256 "
  "of a certificate or of its public key: 64 hexadecimal digits, with colons between every two or without\n"
  "c:2: fingerprints: \"abababababababababababababababababababababababababababababababag\": expected SHA-256 of "
  "a certificate or of its public key: 64 hexadecimal digits, with colons between every two or without\n"
  "c:2: fingerprints: "
  "\"ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab\": expected "
  "SHA-256 of a certificate or of its public key: 64 hexadecimal digits, with colons between every two or "
  "without\n"
  "c:2: resume: \"no\": expected true or false\n" },
{ "tls-policy a.test { level = verify names = { \"*\", \"b..c\" } }\n",
  "c:1: names: \"*\": unexpected character in the domain (expected a domain name)\n"
  "c:1: names: \"b..c\": empty label in the domain (expected a domain name)\n" },
{ "tls-policy \"192.0.2.1\" { level = dane-only }\n",
  "c:1: tls-policy \"192.0.2.1\": an address has no TLSA records: with level \"dane-only\" no mail would ever "
  "leave\n" },
{ "login \"a b\" { user = \"\" password-file = f }\n",
  "c:1: login \"a b\": expected a name of at most 63 letters, digits, dots, underscores and hyphens\n"
  "c:1: user: \"\": expected 1 to 255 octets without control characters\n"
  "c:1: password-file: \"f\": the path is not absolute (expected an absolute path of at most 1000 octets)\n" },
{ "login a {\n"
  "}\n",
  "c:1: login \"a\" has no user\n"
  "c:1: login \"a\" has no password-file\n"
  "c:1: warning: login \"a\": no next hop uses it; one does that is written as \"smtp:a@[host]:587\" or "
  "\"smtps:a@[host]:465\"\n" },
{ "login a { user = \"x\\x01\" password-file = \"/f\" }\n"
  "route \"*\" { via = \"smtps:a@h.test\" }\n",
  "c:1: user: \"x?\": expected 1 to 255 octets without control characters\n" },
{ "route \"*\" {\n"
  " via = \"smtp:b@h.test:587\" }\n"
  "login a { user = u password-file = \"/f\" }\n",
  "c:2: via: \"smtp:b@[h.test]:587\": there is no section login \"b\"\n"
  "c:3: warning: login \"a\": no next hop uses it; one does that is written as \"smtp:a@[host]:587\" or "
  "\"smtps:a@[host]:465\"\n" },
{ "login a { user = u password-file = \"/f\" }\n"
  "route x.test {\n"
  " via = \"smtp:a@h.test\" }\n"
  "tls-policy h.test { level = encrypt }\n"
  "route y.test { via = \"smtp:a@g.Test\" }\n"
  "tls-policy \".test\" { level = none }\n"
  "route z.test { via = \"smtp:a@x.test\" }\n"
  "tls-policy x.test { level = may }\n"
  "route w.test { via = \"smtp:a@w.test\" }\n"
  "tls-policy w.test { }\n"
  "route v.test { via = \"smtp:a@[127.0.0.1]\" }\n"
  "tls-policy \"127.0.0.1\" { level = none }\n",
  "c:3: via: \"smtp:a@[h.test]:25\": a password goes only to a host that is known by its certificate, but "
  "tls-policy \"h.test\" has level \"encrypt\"; expected \"verify\", \"fingerprint\" or \"dane-only\"\n"
  "c:5: via: \"smtp:a@[g.test]:25\": a password goes only to a host that is known by its certificate, but "
  "tls-policy \".test\" has level \"none\"; expected \"verify\", \"fingerprint\" or \"dane-only\"\n"
  "c:7: via: \"smtp:a@[x.test]:25\": a password goes only to a host that is known by its certificate, but "
  "tls-policy \"x.test\" has level \"may\"; expected \"verify\", \"fingerprint\" or \"dane-only\"\n"
  "c:9: via: \"smtp:a@[w.test]:25\": a password goes only to a host that is known by its certificate, but "
  "tls-policy \"w.test\" has level \"dane\"; expected \"verify\", \"fingerprint\" or \"dane-only\"\n" },
{ "domain x.test {\n"
  " deliver = \"smtps:h.test\" }\n"
  "tls-policy h.test { level = none }\n",
  "c:2: deliver: \"smtps:[h.test]:465\": smtps: begins with TLS, and tls-policy \"h.test\" has level \"none\"\n" },
{ "tls-policy \"*\" { level = none }\n"
  "route \"*\" { via = \"smtps:h.test\" }\n",
  "" },
{ "domain x.test { deliver = \"smtps:a b@h.test\" }\n"
  "route \"*\" { via = \"smtp:@h.test\" }\n",
  "c:1: deliver: \"smtps:a b@h.test\": before @ stands the title of a login section: letters, digits, dots, "
  "underscores and hyphens\n"
  "c:2: via: \"smtp:@h.test\": before @ stands the title of a login section: letters, digits, dots, underscores "
  "and hyphens\n" },
