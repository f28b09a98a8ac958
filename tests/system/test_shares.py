"""One client's share of what all have (A7)."""
import lib


def test_open_transactions_with_many_recipients_leave_room(postern):
    "Fifty messages to a thousand recipients each, in the midst of DATA: another client's is taken."
    server = postern()
    held = []
    try:
        for _ in range(50):
            c = lib.Raw(server.port)
            held.append(c)
            c.say("EHLO client.example")
            c.send(b"MAIL FROM:<a@client.example>\r\n" + b"RCPT TO:<alice@local.example>\r\n" * 1000 + b"DATA\r\n")
            codes = [c.reply()[:3] for _ in range(1002)]
            assert codes[0] == "250" and codes[-1] == "354", codes[-1]
            c.send(b"Subject: x\r\n\r\nbody\r\n" + b"x" * 70 + b"\r\n")
        with lib.Raw(server.port) as c:
            c.say("EHLO other.example")
            assert c.say("MAIL FROM:<b@other.example>").startswith("250")
            assert c.say("RCPT TO:<alice@local.example>").startswith("250")
            assert c.say("DATA").startswith("354")
            c.send(b"Subject: y\r\n\r\nbody\r\n.\r\n")
            assert c.reply().startswith("250")
    finally:
        for c in held:
            c.close()
