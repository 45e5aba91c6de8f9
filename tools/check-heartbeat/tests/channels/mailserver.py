"""A real mail server for the tests: aiosmtpd with TLS and AUTH, delivering into a Maildir.

Prints "PORT n" when it listens, and ends when its standard input closes.

Recipients beginning with "unknown" are refused for good, those beginning with "later" for now,
those beginning with "once" once.
"""

import argparse
import asyncio
import base64
import ssl
import sys
import threading

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Post(Mailbox):
    greylisted = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 5.1.1 <%s>: no such person here" % address
        if address.startswith("once") and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 <%s>: greylisted, try again" % address
        if address.startswith("later"):
            return "451 4.7.1 <%s>: greylisted, try again later" % address
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("stranger"):
            return "553 5.7.1 <%s>: not yours to send as" % address
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_DATA(self, server, session, envelope):
        if b"a full disk, please" in envelope.content:
            return "452 4.3.1 no room at the moment"
        if b"spam, please" in envelope.content:
            return "554 5.7.1 this looks like spam"
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        envelope.content = envelope.content.replace(
            b"\r\n", b"\r\nX-Encrypted: %s\r\n" % (b"yes" if encrypted else b"no"), 1
        )
        return await super().handle_DATA(server, session, envelope)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--maildir", required=True)
    args.add_argument("--tls", choices=["implicit", "starttls", "none"], default="none")
    args.add_argument("--chain")
    args.add_argument("--user")
    args.add_argument("--password")
    args.add_argument("--without", action="append", default=[], help="a mechanism that is not offered")
    args.add_argument("--chatty", action="store_true", help="repeats a wrong password in its refusal")
    args = args.parse_args()

    def login(server, session, envelope, mechanism, data):
        given = LoginPassword(args.user.encode(), args.password.encode())
        if data == given:
            return AuthResult(success=True)
        words = "535 5.7.8 wrong user or password"
        if args.chatty:
            plain = b"\0" + data.login + b"\0" + data.password
            words += " %s (%s)" % (data.password.decode(), base64.b64encode(plain).decode())
        return AuthResult(success=False, handled=False, message=words)

    context = None
    if args.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(args.chain)

    def protocol():
        return SMTP(
            Post(args.maildir),
            hostname="mail.test",
            tls_context=context if args.tls == "starttls" else None,
            require_starttls=args.tls == "starttls",
            authenticator=login if args.user else None,
            auth_required=bool(args.user),
            auth_require_tls=args.tls == "starttls",
            auth_exclude_mechanism=args.without,
            loop=loop,
        )

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    direct = context if args.tls == "implicit" else None
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=direct))
    print("PORT", server.sockets[0].getsockname()[1], flush=True)

    def until_closed():
        sys.stdin.read()
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=until_closed, daemon=True).start()
    loop.run_forever()


main()
