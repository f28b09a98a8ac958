"""Signed zones with TLSA records, the hosts that they are about, and a server that asks NSD."""
import subprocess

import certs
import lib
from hop import Hop
from tls_hop import TlsHop

HOST, CA_HOST, NEXTHOP_HOST, CLEAR_HOST, OLD_HOST = (f"127.0.0.{n}" for n in range(31, 36))

# P is the port, LEAF the key of HOST's certificate, CA the authority of the others, NO what nobody has.
SIGNED = {
    "match.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "nomatch.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 3 1 1 NO\n",
    "rollover.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 3 1 1 NO\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "bogus.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "servfail.test": "@ MX 10 mx\nmx A 127.0.0.31\n",
    "unusable.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 1 0 1 NO\n_P._tcp.mx TLSA 3 1 1 abcd\n",
    "unusableclear.test": "@ MX 10 mx\nmx A 127.0.0.34\n_P._tcp.mx TLSA 1 0 1 NO\n",
    "notls.test": "@ MX 10 mx\nmx A 127.0.0.34\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "none.test": "@ MX 10 mx\nmx A 127.0.0.31\n",
    "noneclear.test": "@ MX 10 mx\nmx A 127.0.0.34\n",
    "alias.test": "@ MX 10 mx\nmx CNAME mx.match.test.\n",
    "aliasown.test": "@ MX 10 mx\nmx CNAME mx.none.test.\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "aliasout.test": "@ MX 10 mx\nmx CNAME mx.plain.example.\n_P._tcp.mx TLSA 3 1 1 LEAF\n",
    "aliasbad.test": "@ MX 10 mx\nmx CNAME mx.plain.example.\n_P._tcp.mx TLSA 3 1 1 NO\n",
    "tlsaalias.test": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx CNAME _P._tcp.mx.match.test.\n",
    "ta.test": "@ MX 10 mx\nmx A 127.0.0.32\n_P._tcp.mx TLSA 2 0 1 CA\n",
    "takey.test": "@ MX 10 mx.ta.test.\n",
    "tadomain.test": "@ MX 10 mx\nmx A 127.0.0.33\n_P._tcp.mx TLSA 2 0 1 CA\n",
    "taname.test": "@ MX 10 mx\nmx A 127.0.0.32\n_P._tcp.mx TLSA 2 0 1 CA\n",
    "old.test": "@ MX 10 mx\nmx A 127.0.0.35\n_P._tcp.mx TLSA 3 1 1 OLD\n",
    "implicit.test": "@ A 127.0.0.31\n_P._tcp TLSA 3 1 1 LEAF\n",
    "second.test": "@ MX 10 mx.bogus.test.\n@ MX 20 mx.match.test.\n",
    "only.test": "@ MX 10 mx.match.test.\n",
    "onlynone.test": "@ MX 10 mx.none.test.\n",
    "onlyunusable.test": "@ MX 10 mx.unusable.test.\n",
}
UNSIGNED = {
    "plain.example": "@ MX 10 mx\nmx A 127.0.0.31\n_P._tcp.mx TLSA 3 1 1 NO\n",
    "mxunsigned.example": "@ MX 10 mx.match.test.\n",
    "mxunsignedbad.example": "@ MX 10 mx.nomatch.test.\n",
    "onlymx.example": "@ MX 10 mx.match.test.\n",
}
ONLY = ("only.test", "onlynone.test", "onlyunusable.test", "onlymx.example")


class DaneNsd(lib.Nsd):
    "Breaks the signature of bogus.test's TLSA; has no zone file for what is to be SERVFAIL."

    def sign(self, name, path):
        signed = super().sign(name, path)
        if name == "bogus.test":
            with open(signed) as f:
                lines = f.read().splitlines(True)
            with open(signed, "w") as f:
                f.writelines(line if "\tTLSA\t" not in line else line.replace("TLSA\t3 1 1 ", "TLSA\t3 1 2 ") for line in lines)
        return signed


class DaneWorld:
    def __init__(self, folder, postern, conf="", resolver="", hosts=True):
        self.port = lib.free_port(HOST)
        self.ca = certs.Authority(folder / "ca")
        self.leaf = certs.make(folder, "leaf", "mx.match.test")
        self.old = certs.Authority(folder / "oldca").issue("old", "nobody.example", days=-1, chain=False)
        self.ca_leaf = self.ca.issue("ca-leaf", "mx.ta.test")
        self.next_leaf = self.ca.issue("next-leaf", "tadomain.test")
        words = {"_P.": f"_{self.port}.", "LEAF": certs.fingerprint(self.leaf[0], "spki"), "CA": certs.fingerprint(self.ca.file),
                 "OLD": certs.fingerprint(self.old[0], "spki"), "NO": "ab" * 32}
        zones = {name: self.fill(text, words) for name, text in {**SIGNED, **UNSIGNED}.items()}
        self.nsd = DaneNsd(folder / "nsd", zones, signed=SIGNED, broken=[f"_tcp.mx.servfail.test"])
        self.hops = {}
        if hosts:
            self.hops = {HOST: TlsHop(self.leaf, host=HOST, port=self.port), CA_HOST: TlsHop(self.ca_leaf, host=CA_HOST, port=self.port),
                         NEXTHOP_HOST: TlsHop(self.next_leaf, host=NEXTHOP_HOST, port=self.port),
                         CLEAR_HOST: Hop(host=CLEAR_HOST, port=self.port), OLD_HOST: TlsHop(self.old, host=OLD_HOST, port=self.port)}
        only = "".join(f'tls-policy "{d}" {{ level = "dane-only" }}\n' for d in ONLY)
        self.server = postern(f'deliver {{ port = {self.port} connect-timeout = "3s" }}\n' + only
                              + self.nsd.stub_conf(list(zones) + ["_tcp.mx.servfail.test"], resolver) + conf)

    @staticmethod
    def fill(text, words):
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def close(self):
        self.nsd.close()
        for h in self.hops.values():
            h.close()
