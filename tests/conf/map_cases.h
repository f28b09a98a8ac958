/* map_cases.h -- a text, its table file /f, and all that is said of them. */
{ DOMAIN "virtual-file = { \"ldap:/f\", \"pcre:/f\", \"x\", \"cidr:/f\", \"/none\" }\n", "",
  "c:2: virtual-file: \"ldap:/f\": tables of type ldap are not read; the text files of hash:, texthash:, lmdb:, btree:, "
  "dbm:, cdb: and, for access rules, cidr: are\n"
  "c:2: virtual-file: \"pcre:/f\": tables of type pcre are not read; the text files of hash:, texthash:, lmdb:, btree:, "
  "dbm:, cdb: and, for access rules, cidr: are\n"
  "c:2: virtual-file: \"x\": the path is not absolute\n"
  "c:2: virtual-file: \"cidr:/f\": cidr: is for access rules alone\n"
  "c:2: virtual-file: /none: No such file or directory\n" },
{ DOMAIN "virtual-file = \"/f\"\n", "  a@b.test c\n",
  "/f:1: the line starts with a blank, but there is no line before that it could continue\n" },
{ DOMAIN "virtual-file = \"/f\"\nlog = x\n",
  "a@b.test\n# c\na@b..test c\na@b.test c@\nx@y.test c\nx@y.test d\nx@y.test c\n@-x.test z\n@x.test @-z\n\n"
  "z@y.test <c\nq@y.test |prog arg, ok@x.test\nr@y.test /var/mail/x\ns@y.test o@x.test <p@x.test>\n",
  "c:3: log: \"x\": expected \"syslog\" or \"stderr\"\n"
  "/f:1: expected a key and, behind a blank, its value\n"
  "/f:3: \"a@b..test\": empty label in the domain\n"
  "/f:4: \"c@\": domain is missing\n"
  "/f:6: \"x@y.test\" is given twice, first on line 5\n"
  "/f:8: \"@-x.test\": domain label starts with a hyphen\n"
  "/f:9: \"@-z\": domain label starts with a hyphen\n"
  "/f:11: \"<c\": the angle bracket is not closed\n"
  "/f:12: \"|prog\": mail is not piped to commands; deliver to a mailbox or an address\n"
  "/f:13: \"/var/mail/x\": mail is not appended to files; deliver to a mailbox or an address (/dev/null discards)\n"
  "/f:14: \"o@x.test\": a comma is missing behind this address\n" },
{ DOMAIN "virtual-file = \"/f\"\n", "old.example anything\njane@old.example jane\nother.example x\n",
  "/f:1: \"old.example\" is a virtual alias domain here: add domain \"old.example\" { } to postern.conf, or "
  "take the line out\n" },
{ D "aliases-file = /f }\n", "a b\n: c\nroot@x.test: b\nx:\nb: c\nb: c\n\"|p\": x\ny: \"|/bin/x -y z\", w\nz: :include:rel, "
  ":include:/none\nq: :include:\n",
  "/f:1: expected \"name: address, address\"\n"
  "/f:2: expected \"name: address, address\"\n"
  "/f:3: \"root@x.test\": an alias is a name without a domain; addresses belong into virtual\n"
  "/f:4: there is no address behind the colon\n"
  "/f:6: \"b\" is given twice, first on line 5\n"
  "/f:8: \"|/bin/x -y z\": mail is not piped to commands; deliver to a mailbox or an address\n"
  "/f:9: :include:rel: the path is not absolute\n"
  "/f:9: :include:/none: No such file or directory\n"
  "/f:10: :include:: the path is not absolute\n" },
{ D "aliases = { \"a: b\", \"a: c\" } }\n", NULL, "c:1: aliases: \"a\" is given twice, first on line 1\n" },
{ DOMAIN "canonical-file = /f\n", "a@b.test c d\na c,d\nb /dev/null\nd :include:/x\n",
  "/f:1: expected one address, found 2\n"
  "/f:2: expected one address, found 2\n"
  "/f:3: \"/dev/null\": mail is not appended to files; deliver to a mailbox or an address (/dev/null discards)\n"
  "/f:4: \":include:/x\": one address was expected\n" },
{ DOMAIN "sender-login-file = /f\n", "a@b.test ,\nb@b.test uid:x\nc@b.test uid:4294967295\n",
  "/f:1: expected logins, separated by commas\n"
  "/f:2: \"uid:x\": expected uid: and a number\n"
  "/f:3: \"uid:4294967295\": expected uid: and a number\n" },
{ DOMAIN "sender-access-file = /f\n",
  "@x.test REJECT\n10.0.0.0/8 REJECT\n1.2.3.4.5 REJECT\n2001:dbx OK\na.test FILTER smtp:x\nb.test discard\n"
  "c.test permit_mynetworks\nd.test 600 x\ne.test REJECT \xc3\xa4\n",
  "/f:1: \"@x.test\": write the domain without the @\n"
  "/f:2: \"10.0.0.0/8\": networks with a length stand in a file of their own, named with the prefix cidr:\n"
  "/f:4: \"2001:dbx\": expected an IPv6 address or the first groups of one\n"
  "/f:5: action FILTER is not done here: there are no content filters; use a route\n"
  "/f:6: action DISCARD is not done here: nothing is accepted and then dropped: use REJECT, or HOLD\n"
  "/f:7: \"permit_mynetworks\": expected OK, DUNNO, REJECT, DEFER, HOLD, WARN, INFO or a code 4NN or 5NN; names of "
  "restrictions are not taken\n"
  "/f:8: \"600\": expected OK, DUNNO, REJECT, DEFER, HOLD, WARN, INFO or a code 4NN or 5NN; names of restrictions are "
  "not taken\n"
  "/f:9: the text of a rule becomes a reply: it must be printable ASCII\n" },
{ DOMAIN "client-access-file = \"cidr:/f\"\n",
  "10.0.0.1/8 REJECT\n10.0.0.0/33 OK\nx OK\n10.0.0.0/8\n10.0.0.0/8 x\nendif\nif 10.0.0.0/8\n!1.2.3.4 OK\n",
  "/f:1: \"10.0.0.1/8\": bits are set behind the prefix, or its length is too great\n"
  "/f:2: \"10.0.0.0/33\": bits are set behind the prefix, or its length is too great\n"
  "/f:3: \"x\": expected a network such as 192.0.2.0/24 or 2001:db8::/32\n"
  "/f:4: expected a network and an action\n"
  "/f:5: \"x\": expected OK, DUNNO, REJECT, DEFER, HOLD, WARN, INFO or a code 4NN or 5NN; names of restrictions are not "
  "taken\n"
  "/f:6: endif without if\n"
  "/f:7: this if has no endif\n" },
{ "domain \"d.test\" { recipients-file = /f }\n", "a..b\nc@d..test\n\"x @y\"\n",
  "/f:1: \"a..b\": dot at an end of the local part, or two in a row\n"
  "/f:2: \"c@d..test\": empty label in the domain\n"
  "/f:3: \"x @y\": a local part with an @ in its quotes cannot be a key without its domain\n" },
