"""testssl.sh against STARTTLS and implicit TLS: no finding above "low" that is about us."""
import concurrent.futures
import json
import os
import subprocess

import certs
import lib

NAME = "mx.local.example"
FINE = ("DEBUG", "INFO", "OK", "LOW")

# What it says of this bed and not of the server; every other finding above LOW fails the test.
NOT_US = {
    "engine_problem": "Debian's openssl has no engine for GOST",
    "cert_revocation": "the tests' own CA has neither CRL nor OCSP",
}
# Its s_client has no input and may leave before TLS 1.3's ticket has come: then it has no session to try.
NO_TICKET_YET = ("sessionresumption_ticket", "WARN", "check failed because of connect problem")

# Halves that take about the same time.
HALVES = {
    "starttls": (("--protocols", "--pfs", "--server-preference", "--server-defaults"), ("--std", "--vulnerable")),
    "implicit": (("--protocols", "--server-defaults"), ("--vulnerable",)),
}


def run(folder, name, options, port, ca):
    "Its findings, as (id, severity, text)."
    out = folder / f"{name}.json"
    argv = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--connect-timeout", "30",
            "--openssl-timeout", "30", "--add-ca", str(ca), "--ip", "127.0.0.1", "--jsonfile", str(out), *options, f"{NAME}:{port}"]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=300 * lib.SLOW, cwd=folder,
                          env=dict(os.environ, TERM="dumb", HOME=str(folder)), stdin=subprocess.DEVNULL)
    assert out.exists(), done.stdout + done.stderr
    found = [(f["id"], f["severity"], f["finding"]) for f in json.loads(out.read_text())]
    assert not any(i == "scanProblem" for i, _, _ in found), found
    return found


def test_testssl(postern, folder):
    own = folder / "certs"
    own.mkdir()
    pairs = [certs.make(own, a, NAME, a, 200) for a in ("rsa", "ec")]
    ca = folder / "ca.pem"
    ca.write_text("".join(cert.read_text() for cert, _ in pairs))
    ports = {"starttls": lib.free_port(), "implicit": lib.free_port()}
    server = postern(certs.section(NAME, *pairs), port=ports["starttls"], listeners="".join(
        f'listener "{tls}" {{ address = "127.0.0.1" port = {port} tls = "{tls}" }}\n' for tls, port in ports.items()))
    jobs = [(tls, half) for tls in HALVES for half in (0, 1)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda j: run(folder, f"{j[0]}{j[1]}", [*(["-t", "smtp"] if j[0] == "starttls" else []),
                                                                     *HALVES[j[0]][j[1]]], ports[j[0]], ca), jobs))
    bad = [(tls, *f) for (tls, _), part in zip(jobs, parts) for f in part
           if f[1] not in FINE and f[0].split()[0] not in NOT_US and f != NO_TICKET_YET]
    assert not bad, "\n".join(map(str, bad))
    for tls in ports:           # it did look: what must be there is there
        seen = {i.split()[0]: s for (t, _), part in zip(jobs, parts) if t == tls for i, s, _ in part}
        for want in ("TLS1_2", "TLS1_3", "heartbleed", "CCS", "ROBOT", "secure_client_renego", "cert_keySize", "LUCKY13"):
            assert seen.get(want) in ("OK", "INFO", "LOW"), (tls, want, seen)
    server.wait_log(r'tls client=127\.0\.0\.1 .* resumed=no')
