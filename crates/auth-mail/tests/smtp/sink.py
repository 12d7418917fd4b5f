"""An SMTP server for tests, over aiosmtpd. It writes each letter as JSON to a folder and misbehaves as it is told.

Standard output gets the port, in one line, when the server listens. The server ends when its standard input does.
"""

import argparse
import asyncio
import email
import email.policy
import html.parser
import json
import logging
import pathlib
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("folder", type=pathlib.Path)
arguments.add_argument("--rcpt", default="250 OK", help="replies to RCPT in turn, separated by |; the last one stays")
arguments.add_argument("--delay", type=float, default=0, help="seconds before each reply to MAIL, RCPT and DATA")
arguments.add_argument("--data", default="250 OK", help="replies to the text of a letter in turn, as for --rcpt")
arguments.add_argument("--data-delays", default="0", help="seconds before the reply to the text of a letter, in turn")
arguments.add_argument("--drop", type=int, default=0, help="number of letters at which the connection is dropped in DATA")
arguments.add_argument("--close", action="store_true", help="close the connection after each letter")
arguments.add_argument("--silent", action="store_true", help="accept connections and say nothing")
arguments.add_argument("--no-utf8", action="store_true", help="offer no SMTPUTF8")
arguments.add_argument("--count", action="store_true", help="count letters and keep none")
arguments.add_argument("--certificate", type=pathlib.Path)
arguments.add_argument("--key", type=pathlib.Path)
arguments.add_argument("--implicit", action="store_true", help="TLS from the first byte, instead of STARTTLS")
arguments.add_argument("--password", help="of the user `mailer`, who must authenticate")
options = arguments.parse_args()
# Failed handshakes and authentication without TLS are what some tests want.
warnings.simplefilter("ignore")
logging.disable()


class InTurn:
    def __init__(self, values):
        self.values = list(values)

    def next(self):
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


class Page(html.parser.HTMLParser):
    """What an HTML part has in it."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.text.append(data)


class Handler:
    def __init__(self):
        self.rcpt = InTurn(options.rcpt.split("|"))
        self.data = InTurn(options.data.split("|"))
        self.data_delays = InTurn(map(float, options.data_delays.split(",")))
        self.letters = 0
        self.dropped = 0

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        await asyncio.sleep(options.delay)
        envelope.mail_from = address
        envelope.mail_options = mail_options
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        await asyncio.sleep(options.delay)
        reply = self.rcpt.next()
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(options.delay)
        if self.dropped < options.drop:
            self.dropped += 1
            server.transport.abort()
            return "250 OK"
        reply = self.data.next()
        await asyncio.sleep(self.data_delays.next())
        if not reply.startswith("2"):
            return reply
        self.letters += 1
        if options.count:
            (options.folder / "count").write_text(str(self.letters))
        else:
            self.write(session, envelope)
        if options.close:
            asyncio.get_running_loop().call_later(0.05, server.transport.close)
        return reply

    def write(self, session, envelope):
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        contents = {part.get_content_type(): part.get_content() for part in parts}
        page = Page()
        page.feed(contents.get("text/html", ""))
        letter = {
            "raw": envelope.original_content.decode("latin-1"),
            "mail_from": envelope.mail_from,
            "rcpt_tos": envelope.rcpt_tos,
            "mail_options": envelope.mail_options,
            "encrypted": session.ssl is not None or options.implicit,
            "user": session.auth_data.decode() if session.authenticated else None,
            "hello": session.host_name,
            "header_names": message.keys(),
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "from_name": message["from"].addresses[0].display_name,
            "to_name": message["to"].addresses[0].display_name,
            "type": message.get_content_type(),
            "part_types": [part.get_content_type() for part in parts],
            "text": contents.get("text/plain"),
            "html": contents.get("text/html"),
            "tags": page.tags,
            "links": page.links,
            "attributes": page.attributes,
            "html_text": " ".join("".join(page.text).split()),
        }
        unfinished = options.folder / "unfinished"
        unfinished.write_text(json.dumps(letter))
        unfinished.rename(options.folder / f"{self.letters:05}.json")


class Server(SMTP):
    """Counts connections."""

    total = 0
    open = 0
    most = 0

    def connection_made(self, transport):
        # STARTTLS calls it a second time.
        if self.transport is None:
            Server.total += 1
            Server.open += 1
            Server.most = max(Server.most, Server.open)
            self.report()
        super().connection_made(transport)

    def connection_lost(self, error):
        Server.open -= 1
        super().connection_lost(error)
        if options.close:
            # The socket is closed when this has returned.
            asyncio.get_running_loop().call_soon(lambda: print("closed", flush=True))

    def report(self):
        (options.folder / "connections").write_text(f"{Server.total} {Server.most}")


class Silent(asyncio.Protocol):
    pass


def authenticate(server, session, envelope, mechanism, auth_data):
    right = auth_data.login == b"mailer" and auth_data.password == options.password.encode()
    return AuthResult(success=right, handled=right, auth_data=auth_data.login)


async def main():
    tls = None
    if options.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate, options.key)
    handler = Handler()
    settings = {
        "hostname": "sink.example",
        "enable_SMTPUTF8": not options.no_utf8,
        "tls_context": None if options.implicit else tls,
        "require_starttls": tls is not None and not options.implicit,
        "auth_required": options.password is not None,
        "auth_require_tls": tls is not None and not options.implicit,
        "authenticator": authenticate if options.password else None,
    }
    loop = asyncio.get_running_loop()
    make = Silent if options.silent else lambda: Server(handler, loop=loop, **settings)
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls if options.implicit else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
