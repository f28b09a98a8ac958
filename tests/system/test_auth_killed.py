"""auth and keys die while clients log in: who is right hears 235 or "later", never that he is wrong; who is wrong never gets in."""
import collections
import contextlib
import smtplib
import ssl
import threading

import pytest

import auth_kit
import lib
import scram

LOGIN, PASSWORD = "alice@local.example", "wonder land"
OTHER = "bob@local.example"


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


@pytest.mark.parametrize("victims", [("auth",), ("keys",), ("auth", "keys")], ids="-".join)
def test_F1_killed_under_load(postern, folder, victims):
    "Three times each; sessions that are open go on, no smtpd dies, and a message is taken in the end."
    server = auth_kit.server(postern, folder / "auth", [auth_kit.scram_line(LOGIN, PASSWORD), auth_kit.crypt_line(OTHER, PASSWORD)],
                             conf="smtpd { submission-processes = 2 processes = 1 }\n")
    smtpds = sorted(pid for name, pid in server.daemons() if name.startswith("postern-smtpd"))
    codes, over, strange = collections.Counter(), threading.Event(), []

    def load(how):
        while not over.is_set():
            with contextlib.suppress(ssl.SSLError, OSError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError):
                with smtplib.SMTP_SSL("127.0.0.1", server.tls_port, local_hostname="client.example", context=context(),
                                      timeout=20 * lib.SLOW) as s:
                    s.ehlo()
                    if not s.has_extn("auth"):
                        codes["none"] += 1
                        continue
                    if how == "scram":
                        code, text = scram.login(s, scram.Scram(LOGIN, PASSWORD))
                    else:
                        code, text = s.docmd("AUTH", "PLAIN " + auth_kit.plain(OTHER, PASSWORD))
                    codes[code] += 1
                    if code not in (235, 454):
                        strange.append((how, code, text))

    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example", timeout=30 * lib.SLOW) as s:
        s.starttls(context=context())
        s.ehlo()
        s.login(LOGIN, PASSWORD)
        threads = [threading.Thread(target=load, args=(how,)) for how in ("scram", "plain") * 2]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                seen = codes[235]
                lib.wait_for("logins", lambda: codes[235] > seen + 10)
                for victim in victims:
                    pid = server.kill(f"postern-{victim}")
                    lib.wait_for(f"another {victim}", lambda: server.pid_of(f"postern-{victim}") not in (None, pid))
            seen = codes[235]
            lib.wait_for("logins again", lambda: codes[235] > seen + 10)
        finally:
            over.set()
            for t in threads:
                t.join()
        assert not strange, strange[:5]
        s.sendmail(LOGIN, ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")
    for wrong in (LOGIN, OTHER):
        with smtplib.SMTP_SSL("127.0.0.1", server.tls_port, local_hostname="client.example", context=context()) as s:
            s.ehlo()
            assert s.docmd("AUTH", "PLAIN " + auth_kit.plain(wrong, "not it"))[0] == 535
    assert sorted(pid for name, pid in server.daemons() if name.startswith("postern-smtpd")) == smtpds
    assert "reason=\"tls-timeout\"" not in server.text()
