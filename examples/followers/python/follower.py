"""Checks access tokens of an auth server, without its database and without a call for each token.

A follower holds the public keys of the server and a copy of its blacklist, and keeps both up to date. The rules are those
of docs/FOLLOWERS.md. `Keys`, `Feed` and `Checker` do no I/O and read no clock, so that the vectors can drive them.
`Follower` is the part with threads and HTTP.

    follower = Follower("https://auth.example", "https://auth.example", "api", client_id, client_secret)
    answer, claims = follower.check(token)  # "good", "invalid", "expired", "revoked" or "unavailable"

The claims of a good token are returned, and no others. Their ids are bytes.

`python follower.py` is a service for one question: it answers `GET /check` with 200, 401 or 503.

Needs Unix, Python 3.10 and the package `cryptography`.
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.client
import http.server
import ipaddress
import json
import logging
import os
import random
import re
import socket
import sys
import threading
import time
import urllib.parse
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MAX_TOKEN = 4096  # Characters of a token.
MAX_BODY = 1 << 24  # Bytes of an answer of the server.
MAX_SNAPSHOT = 1 << 30  # Bytes of a snapshot.
MAX_KEYS = 64  # Keys of a set, and keys that are kept.
MAX_KEY_REFRESH = 3600.0  # Seconds after which the keys are fetched again, whatever the server says.
MAX_WAITING = 1024  # Checks that wait for the keys at once.
MAX_NAMES = 32  # Roles or scopes of a token.
MAX_INSTANCES = 64  # Server processes whose clocks are compared with ours.
LEEWAY = 1.0  # Seconds after its expiry for which a token is still good.
SKEW = 7200.0  # Seconds by which two wall clocks may differ.
TOKEN_LIFE = 90 * 86400  # Seconds of the longest life of a token. A key is kept for so long after it was published.
SESSION_LIFE = TOKEN_LIFE + 2 * SKEW  # Seconds from the end of a session to the expiry of its last token, at most.
DRIFT = 1 / 1000  # Share by which two monotonic clocks may differ in speed.
PAUSE = 0.1  # Seconds from one request to the feed to the next, at least.
LAST_EXPIRY = 253_370_764_800
ALGORITHMS = ("EdDSA", "ES256", "RS256")
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # Members of a private or symmetric key (RFC 7518 §6).
SNAPSHOT_TYPE = "application/vnd.revocable-auth.snapshot"
UUID = re.compile(r"[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}", re.IGNORECASE)
CURSOR = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,20}):([0-9a-f]{16})")
MARK = re.compile(r"[0-9a-f]{16}")
ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}")
log = logging.getLogger("follower")


class Broken(Exception):
    """What came is not what was promised. It is not used at all."""


def need(condition, what):
    if not condition:
        raise Broken(what)


def parse_json(data):
    def refuse(constant):
        raise Broken(f"{constant} is not JSON")

    def distinct(members):
        need(len(members) == len(found := dict(members)), "a member occurs twice")
        return found

    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(text, parse_constant=refuse, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise Broken("no JSON") from error


def integer(value, least=0, most=1 << 63):
    need(type(value) is int and least <= value <= most, "not an integer in its bounds")
    return value


def uuid_bytes(value):
    need(isinstance(value, str) and UUID.fullmatch(value), "not an id")
    return uuid.UUID(value).bytes


def client_bytes(value):
    """Id of a client: `rac_` and base64url of 16 bytes and a checksum of 3, which a signed text does not need."""
    need(isinstance(value, str) and value.startswith("rac_"), "not the id of a client")
    data = base64url(value[4:])
    need(len(data) == 19, "not the id of a client")
    return data[:16]


def base64url(text):
    """Decodes base64url without padding. Exactly one text is accepted for the same bytes."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError as error:
        raise Broken("not base64url") from error
    need(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text, "another spelling of base64url")
    return data


def key_id(kid):
    """Id of a key in the feed: the first 128 bits of the SHA-256 of its `kid`."""
    return hashlib.sha256(kid.encode("utf-8", "surrogatepass")).digest()[:16]


def age_of(headers):
    """Seconds for which a cache has kept an answer (RFC 9111 §5.1): one more than the header says, because whole seconds are
    rounded down. An age that cannot be read is endless."""
    if "age" not in headers:
        return 0
    age = headers["age"].strip()
    return int(age) + 1 if re.fullmatch("[0-9]{1,9}", age) else float("inf")


class Key:
    """Public key with the one algorithm that it may be used with."""

    def __init__(self, jwk):
        need(isinstance(jwk, dict) and not any(member in jwk for member in PRIVATE), "not a public key")
        need(jwk.get("use", "sig") == "sig" and isinstance(jwk.get("kid"), str), "no use or no kid")
        self.kid, self.algorithm = jwk["kid"], jwk.get("alg")
        number = lambda name: int.from_bytes(base64url(jwk[name]), "big")
        try:
            match (jwk["kty"], jwk.get("crv"), self.algorithm):
                case ("OKP", "Ed25519", "EdDSA"):
                    self.public = ed25519.Ed25519PublicKey.from_public_bytes(base64url(jwk["x"]))
                case ("EC", "P-256", "ES256"):
                    self.public = ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
                case ("RSA", None, "RS256"):
                    self.public = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
                    need(2048 <= self.public.key_size <= 8192, "the RSA key is too small or too large")
                case _:
                    raise Broken("a key of another kind")
        except (KeyError, TypeError, ValueError) as error:
            raise Broken("not a key") from error

    def verifies(self, message, signature):
        try:
            match self.algorithm:
                case "EdDSA":
                    self.public.verify(signature, message)
                case "ES256":
                    if len(signature) != 64:
                        return False
                    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
                    self.public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
                case _:
                    self.public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


class Keys:
    """Keys that the server publishes (RFC 7517). An empty or unreadable set replaces nothing."""

    def __init__(self, cool_down=2.0):
        self.cool_down = cool_down
        self.known = {}  # kid -> (Key, monotonic time at which a set last had it)
        self.published = {}  # kid -> Key, of the last set
        self.etag = None
        self.tried = self.succeeded = float("-inf")  # When the last fetch began, and the last good one.
        self.refresh_at = float("-inf")

    def due(self, now, asked=None):
        """Whether to fetch the set: it is old, or a token with an unknown key came at `asked`. Time alone decides."""
        wanted = now >= self.refresh_at or (asked is not None and asked > self.tried)
        return wanted and now >= self.tried + self.cool_down

    def take(self, sent, received, status, headers, body):
        self.tried = sent
        self.refresh_at = received + self.cool_down
        if status == 304:
            need(self.published, "304 for a set that was never read")
        else:
            need(status == 200, f"status {status}")
            document = parse_json(body)
            need(isinstance(document, dict) and isinstance(document.get("keys"), list), "not a key set")
            found = {}
            for jwk in document["keys"]:
                try:
                    key = Key(jwk)
                    found.setdefault(key.kid, key)
                except Broken:
                    pass  # Keys of a kind that we do not know are ignored (RFC 7517 §5).
            need(0 < len(found) <= MAX_KEYS, "no key, or too many")
            self.published, self.etag = found, headers.get("etag")
        kept = {kid: (key, seen) for kid, (key, seen) in self.known.items() if received < seen + TOKEN_LIFE}
        kept.update({kid: (key, received) for kid, key in self.published.items()})
        self.known = dict(sorted(kept.items(), key=lambda item: -item[1][1])[:MAX_KEYS])
        self.succeeded = sent - age_of(headers)
        life = re.search(r"max-age=([0-9]{1,9})", headers.get("cache-control", ""))
        life = (int(life[1]) if life else 300) - age_of(headers)
        self.refresh_at = received + min(max(life, self.cool_down), MAX_KEY_REFRESH)


class Feed:
    """Copy of the blacklist, and the time up to which it is complete."""

    def __init__(self, max_staleness=5.0):
        self.max_staleness = max_staleness
        self.cursor = None  # None: take the snapshot next.
        self.caught_up = False  # Whether the last page had everything. Only then is it worth to wait for more.
        self.fresh = float("-inf")
        self.best = {}  # instance -> (its uptime minus our monotonic time, when that was noted)
        self.entries = {"token": {}, "session": {}, "user": {}, "key": {}}  # id -> (below, which users have; expiry)
        self.purged_tokens = self.purged_users = 0
        self.forgotten = float("-inf")  # Entries whose tokens expired before were dropped.
        self.swept = 0.0

    def is_fresh(self, now):
        return now - self.fresh <= self.max_staleness

    def take_page(self, sent, received, status, headers, body):
        if status == 410:
            self.cursor = None  # What was refused goes on being refused.
            return
        need(status == 200 and self.cursor, f"status {status}")
        page = parse_json(body)
        need(isinstance(page, dict), "not a page")
        try:
            entries, cursor = page["entries"], CURSOR.fullmatch(page["next"])
            need(isinstance(entries, list) and cursor, "no entries or no cursor")
            epoch, before, _ = self.cursor.split(":")
            after = integer(int(cursor[2]))
            need(page["epoch"] == epoch == cursor[1], "another epoch")
            need(len(entries) + integer(page["skipped"]) == after - int(before), "a gap")
            need(integer(page["head"]) >= after, "behind its own entries")
            last = int(before)
            for entry in entries:
                need(last < integer(entry["position"]) <= after, "out of order")
                last = entry["position"]
            parsed = [self.parse_entry(entry) for entry in entries]
            need(last < after or not entries or entries[-1]["mark"] == cursor[3], "the cursor is of another entry")
            purged = integer(page["purged"]["tokens"]), integer(page["purged"]["users"])
            as_of = self.as_of(sent, received, headers, page)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise Broken("not a page") from error
        self.use(parsed, purged, page["next"])
        self.caught_up = page["head"] == after
        if self.caught_up:
            self.fresh = max(self.fresh, as_of)

    @staticmethod
    def parse_entry(entry):
        kinds = [kind for kind in ("token", "session", "user", "key") if kind in entry]
        need(len(kinds) == 1 and MARK.fullmatch(entry["mark"]), "an entry of another kind, or without a mark")
        kind = kinds[0]
        below = integer(entry["below"], 0, (1 << 32) - 1) if kind == "user" else 0
        expiry = integer(entry["exp"], 0, LAST_EXPIRY)
        if kind == "session":
            need(expiry - integer(entry["at"], 0, LAST_EXPIRY) <= SESSION_LIFE, "the session ended too early")
        return kind, uuid_bytes(entry[kind]), below, expiry

    def as_of(self, sent, received, headers, page):
        """Monotonic time up to which a page is complete. It trusts no wall clock, and a cache can only make it earlier."""
        instance, uptime, copy = page["instance"], integer(page["uptime_ms"]) / 1000, integer(page["age_ms"]) / 1000
        need(isinstance(instance, str), "no instance")
        noted, at = self.best.pop(instance, (float("-inf"), received))
        best = max(noted - DRIFT * (received - at), uptime - received)
        self.best[instance] = best, received
        if len(self.best) > MAX_INSTANCES:
            self.best.pop(next(iter(self.best)))
        return min(sent, uptime - best) - copy - age_of(headers)

    def take_snapshot(self, status, body):
        need(status == 200, f"status {status}")
        need(len(body) >= 41 and body[:5] == b"RARS\x01", "not a snapshot")
        need(hmac.compare_digest(hashlib.sha256(body[:-32]).digest(), body[-32:]), "the digest is wrong")
        read = Reader(body[:-32], 5)
        try:
            header = parse_json(read.take(read.number(4)))
            need(CURSOR.fullmatch(header["next"]) and header["next"].startswith(header["epoch"] + ":"), "no cursor")
            purged = integer(header["purged"]["tokens"]), integer(header["purged"]["users"])
            found = []
            for _ in range(read.number(4)):
                hour = read.hour()
                found.extend(("token", token, 0, hour) for token in read.ids())
            for _ in range(read.number(4)):
                hour, ended = read.hour(), read.hour()
                need(hour - ended <= SESSION_LIFE + 3600, "a session ended too early")
                found.extend(("session", session, 0, hour) for session in read.ids())
            found.extend(("user", read.take(16), read.number(4), read.hour()) for _ in range(read.number(4)))
            found.extend(("key", read.take(16), 0, read.hour()) for _ in range(read.number(4)))
            need(read.at == len(read.data), "more than a snapshot")
            counts = collections.Counter(entry[0] + "s" for entry in found)
            need(all(counts[name + "s"] == header["counts"][name + "s"] for name in self.entries), "the counts are wrong")
        except (KeyError, TypeError, AttributeError) as error:
            raise Broken("not a snapshot") from error
        self.use(found, purged, header["next"])
        self.caught_up = False

    def use(self, entries, purged, cursor):
        for kind, identity, below, expiry in entries:
            known = self.entries[kind].get(identity, (0, expiry))
            self.entries[kind][identity] = max(known[0], below), max(known[1], expiry)
        self.purged_tokens = max(self.purged_tokens, purged[0])
        self.purged_users = max(self.purged_users, purged[1])
        self.cursor = cursor

    def forget(self, wall):
        """Drops the entries whose tokens expired more than the leeway and the skew ago. Once an hour is often enough."""
        if wall < self.swept + 3600:
            return
        self.swept, self.forgotten = wall, max(self.forgotten, wall - LEEWAY - SKEW)
        for kind, entries in self.entries.items():
            self.entries[kind] = {key: entry for key, entry in entries.items() if entry[1] >= self.forgotten}

    def standing(self, claims, now):
        renewable = claims["session"] not in (None, claims["token"])
        kind = "session" if renewable else "token"
        below, _ = self.entries["user"].get(claims["user"], (0, 0))
        if claims[kind] in self.entries[kind] or claims["generation"] < below or claims["key"] in self.entries["key"]:
            return "revoked"
        if claims["expires_at"] <= self.purged_tokens:
            return "revoked"
        if claims["expires_at"] <= self.purged_users or claims["expires_at"] < self.forgotten:
            return "unavailable"
        return "good" if self.is_fresh(now) else "unavailable"


class Reader:
    """Numbers and ids of a snapshot, one after the other."""

    def __init__(self, data, at):
        self.data, self.at = data, at

    def take(self, length):
        need(self.at + length <= len(self.data), "the snapshot ends too early")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def hour(self):
        """Last second of an hour. What happened within the hour was not later."""
        return integer(self.number(8), 0, LAST_EXPIRY // 3600) * 3600 + 3599

    def ids(self):
        """Sorted ids, each as the number of bytes that it shares with the one before, and the others."""
        before = b""
        for _ in range(self.number(4)):
            shared = self.number(1)
            need(shared <= len(before) and shared < 16, "shares more than there is")
            identity = before[:shared] + self.take(16 - shared)
            need(identity > before, "the ids are not sorted")
            yield identity
            before = identity


class Checker:
    """Decides about tokens, with the keys, the copy of the blacklist and two clocks."""

    def __init__(self, issuer, audience, max_staleness=5.0, cool_down=2.0):
        self.issuer, self.audience = issuer, audience
        self.keys, self.feed = Keys(cool_down), Feed(max_staleness)

    def check(self, token, wall, now, asked=None):
        """Returns the answer, and the claims of a good token. The answer "keys" means: fetch the keys when that is due, and
        ask again with the same `asked`, the monotonic time at which the token came."""
        try:
            need(isinstance(token, str) and len(token) <= MAX_TOKEN and token.isascii() and token.count(".") == 2, "no token")
            message, _, signature = token.rpartition(".")
            header_part, payload = message.split(".")
            header = parse_json(base64url(header_part))
            need(isinstance(header, dict) and header.get("typ") == "at+jwt" and "crit" not in header, "another type")
            need(isinstance(header.get("kid"), str) and header.get("alg") in ALGORITHMS, "no key or no algorithm")
            known, _ = self.keys.known.get(header["kid"], (None, None))
            if known is None:
                return self.without_key(now if asked is None else asked), None
            need(header["alg"] == known.algorithm, "the key decides the algorithm")
            need(known.verifies(message.encode(), base64url(signature)), "not signed with the key")
            claims = self.read(parse_json(base64url(payload)), known.kid)
        except (Broken, KeyError, TypeError):
            return "invalid", None
        if wall >= claims["expires_at"] + LEEWAY:
            return "expired", None
        self.feed.forget(wall)
        answer = self.feed.standing(claims, now)
        return answer, claims if answer == "good" else None

    def without_key(self, asked):
        """A token with an unknown key is decided by a fetch of the keys that began after the token came."""
        if self.keys.tried < asked:
            return "keys"
        return "invalid" if self.keys.succeeded >= asked else "unavailable"

    def read(self, claims, kid):
        need(isinstance(claims, dict) and claims["iss"] == self.issuer, "another issuer")
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        need(self.audience in audiences and all(isinstance(one, str) for one in audiences), "for somebody else")
        roles, scope = claims.get("roles"), claims.get("scope")
        need(roles is None or isinstance(roles, list), "the roles are no list")
        need(scope is None or isinstance(scope, str), "the scope is no text")
        scopes = [name for name in (scope or "").split(" ") if name]
        for names, form in ((roles or [], ROLE), (scopes, SCOPE)):
            need(all(isinstance(name, str) and form.fullmatch(name) for name in names), "not a role or a scope")
            need(len(set(names)) <= MAX_NAMES, "too many roles or scopes")
        need(isinstance(claims["admin"], bool), "no admin")
        user, client = uuid_bytes(claims["sub"]), claims.get("client_id")
        need(client is None or (client_bytes(client) == user and not claims["admin"]), "not the client's own token")
        integer(claims["iat"], -LAST_EXPIRY, LAST_EXPIRY)
        return {
            "user": user,
            "token": uuid_bytes(claims["jti"]),
            "session": None if claims.get("sid") is None else uuid_bytes(claims["sid"]),
            "expires_at": integer(claims["exp"], 0, LAST_EXPIRY),
            "generation": integer(claims["gen"], 0, (1 << 32) - 1),
            "admin": claims["admin"],
            "key": key_id(kid),
            "client": client is not None,
            "roles": roles or [],
            "scopes": scopes,
        }


class Follower:
    """Follows a server in threads of its own, and answers from memory."""

    def __init__(self, url, issuer, audience, client_id, client_secret, max_staleness=5.0, wait=1, file=None):
        """`max_staleness` is the bound, in seconds: at least two waits and a second. `wait` is how long the server may hold a
        request until there is news, in whole seconds from 1 to 20. `file` keeps the last snapshot for the next start, and
        only its owner can read it. A `ValueError` names an option that cannot work."""
        self.url, self.client, self.wait = server_url(url), (client_id, client_secret), wait
        if not (client_id and client_secret):
            raise ValueError("client_id and client_secret: neither is empty")
        if type(wait) is not int or not 1 <= wait <= 20:
            raise ValueError("wait: a whole number of seconds from 1 to 20")
        if not max_staleness >= 2 * wait + 1:
            raise ValueError("max_staleness: at least twice `wait` and one second")
        self.checker = Checker(issuer, audience, max_staleness)
        self.changed, self.stopped = threading.Condition(), threading.Event()
        self.asked = None  # When the oldest token with an unknown key came that was not decided yet.
        self.waiting = 0  # Number of checks that wait for the keys.
        self.token, self.token_until = None, float("-inf")
        self.file = file
        if file and os.path.exists(file):
            self.attempt(self.load)
        for work in (self.follow_keys, self.follow_feed):
            threading.Thread(target=work, daemon=True).start()

    def check(self, token):
        asked = monotonic()
        with self.changed:
            # The time is read again: whoever waited for the lock must not see a copy that was fresh before.
            answer, claims = self.checker.check(token, time.time(), monotonic(), asked)
            if answer != "keys":
                return answer, claims
            if self.waiting >= MAX_WAITING:
                return "unavailable", None
            self.waiting += 1
            try:
                while answer == "keys" and monotonic() <= asked + 5:
                    if self.asked is None:
                        self.asked = asked
                        self.changed.notify_all()  # Only now: all who wait are woken.
                    self.changed.wait(1)
                    answer, claims = self.checker.check(token, time.time(), monotonic(), asked)
            finally:
                self.waiting -= 1
            return ("unavailable", None) if answer == "keys" else (answer, claims)

    def stop(self):
        self.stopped.set()
        with self.changed:
            self.changed.notify_all()

    def follow_keys(self):
        while not self.stopped.is_set():
            try:
                self.ask_keys()
            except Exception:  # Whatever goes wrong, the thread goes on.
                log.exception("the keys were not fetched")
                self.stopped.wait(self.checker.keys.cool_down)

    def ask_keys(self):
        """Asks for the keys if that is due, or waits for a moment."""
        keys = self.checker.keys
        with self.changed:
            if not keys.due(monotonic(), self.asked):
                self.changed.wait(0.1)
                return
        sent = monotonic()
        headers = {"Cache-Control": "no-cache"} | ({"If-None-Match": keys.etag} if keys.etag else {})
        # The server would have closed a connection that was idle for so long.
        answer = Connection(self.url).ask("GET", "/.well-known/jwks.json", headers | {"Connection": "close"}, 3)
        with self.changed:
            self.attempt(keys.take, sent, monotonic(), *answer)
            if self.asked is not None and self.asked <= sent:
                self.asked = None
            self.changed.notify_all()

    def follow_feed(self):
        connection, failures, pause = Connection(self.url), 0, 0.0
        while not self.stopped.wait(pause):
            began, used = monotonic(), False
            try:
                used = self.ask_feed(connection)
            except Exception:
                log.exception("the feed was not read")
            failures = 0 if used else min(failures + 1, 5)
            if failures:
                pause = random.uniform(0.5, 1) * PAUSE * 2**failures
            elif self.checker.feed.caught_up:
                pause = max(0.0, began + PAUSE - monotonic())
            else:
                pause = 0.0

    def ask_feed(self, connection):
        """Asks for the snapshot or the next page. Returns whether it was there and was used."""
        if not (monotonic() < self.token_until or self.attempt(self.renew_token, connection)):
            return False
        feed, headers = self.checker.feed, {"Authorization": f"Bearer {self.token}"}
        if feed.cursor is None:
            headers["Accept"] = SNAPSHOT_TYPE
            status, _, body = connection.ask("GET", "/auth/revocations/snapshot", headers, 90, most=MAX_SNAPSHOT)
            with self.changed:
                used = self.attempt(feed.take_snapshot, status, body)
            if used and self.file:
                self.attempt(self.keep, body)
        else:
            # A page that fails is asked for again without a wait. A late one leaves time for another before the copy is too old.
            wait, feed.caught_up = (self.wait if feed.caught_up else 0), False
            limit = wait + min(5, feed.max_staleness / 2 - self.wait)
            sent = monotonic()
            path = f"/auth/revocations?after={feed.cursor}&wait={wait}"
            status, answered, body = connection.ask("GET", path, headers, limit)
            with self.changed:
                used = self.attempt(feed.take_page, sent, monotonic(), status, answered, body)
                if used:
                    feed.forget(time.time())
        if status == 401:
            self.token_until = float("-inf")
        return used and status == 200

    def load(self):
        with open(self.file, "rb") as kept:
            self.checker.feed.take_snapshot(200, kept.read())

    def keep(self, snapshot):
        draft = f"{self.file}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.remove(draft)  # Of a process that was killed and had the same id.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
            kept.write(snapshot)
        os.replace(draft, self.file)

    @staticmethod
    def attempt(work, *answer):
        try:
            work(*answer)
        except (Broken, OSError) as error:
            log.warning("%s: %s", work.__name__, error)
            return False
        return True

    def renew_token(self, connection):
        """Asks for a token of our own for the feed (RFC 6749 §4.4)."""
        pair = ":".join(urllib.parse.quote_plus(part) for part in self.client)
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        now = monotonic()
        form = "grant_type=client_credentials&scope=revocations"
        status, _, body = connection.ask("POST", "/oauth/token", headers, 5, form)
        need(status == 200, f"status {status}")
        answer = parse_json(body)
        need(isinstance(answer, dict) and isinstance(answer.get("access_token"), str), "no token in the answer")
        self.token, self.token_until = answer["access_token"], now + 0.8 * integer(answer.get("expires_in"))


class Connection:
    """Connection to the server, opened again after an error. It follows no redirects, which would send our token elsewhere."""

    def __init__(self, url):
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self.connection, self.base = kind(url.hostname, url.port), url.path.rstrip("/")

    def ask(self, method, path, headers, within, body=None, most=MAX_BODY):
        """Returns the status, the headers by their lower-case names, and the body. The status is 0 without a whole answer of
        at most `most` bytes `within` so many seconds. Headers of one name are joined (RFC 9110 §5.2)."""
        until, connection = monotonic() + within, self.connection
        try:
            if connection.sock is None:
                connection.timeout = within
                connection.connect()
            # The time limit of a socket is for each of its operations, and a byte now and then would renew it without end.
            cut = threading.Timer(max(0.0, until - monotonic()), shut_down, [connection.sock])
            cut.daemon = True
            cut.start()
            try:
                connection.sock.settimeout(within)
                connection.request(method, self.base + path, body, headers)
                response = connection.getresponse()
                data = response.read(most + 1)
            finally:
                cut.cancel()
            if len(data) > most or monotonic() >= until:
                raise OSError("the answer is too long or too late")
            return response.status, {name.lower(): response.getheader(name) for name in response.headers}, data
        except Exception as error:
            connection.close()
            log.warning("%s %s: %s", method, path, error)
            return 0, {}, b""


def shut_down(sock):
    """Ends a connection while another thread reads from it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def server_url(text):
    """Reads the address of the server. Without TLS anybody on the way could read our token and change the keys."""
    rule = "url: https://HOST or http://HOST, with a port and a path if need be"
    try:
        url = urllib.parse.urlsplit(text)
        plain = url.port != 0 and "@" not in url.netloc and not url.query and not url.fragment
    except ValueError as error:
        raise ValueError(rule) from error
    if url.scheme not in ("https", "http") or not url.hostname or not plain:
        raise ValueError(rule)
    try:
        loopback = url.hostname == "localhost" or ipaddress.ip_address(url.hostname).is_loopback
    except ValueError:
        loopback = False
    if url.scheme == "http" and not loopback:
        raise ValueError("url: http:// leads to this machine only, and https:// to others")
    return url


def monotonic():
    """Seconds that never go back. The time that the machine was suspended counts, where the system offers that."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request of HTTP/1.0 and closes the connection, so that a body which nobody reads is no next request."""

    timeout = 30  # Seconds for which it waits for bytes of the request.
    wbufsize = -1  # The answer is written at once.

    def do_GET(self):
        if self.path != "/check":
            return self.send_error(404)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        answer, claims = self.server.follower.check(token.strip()) if scheme.lower() == "bearer" else ("missing", None)
        status = {"good": 200, "unavailable": 503}.get(answer, 401)
        body = {"answer": answer} | ({"user_id": str(uuid.UUID(bytes=claims["user"]))} if claims else {})
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="auth"')
        if status == 503:
            self.send_header("Retry-After", "2")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    setting = lambda name, default=None: os.environ.get(f"FOLLOW_{name}", default) or sys.exit(f"FOLLOW_{name} is not set")
    logging.basicConfig()
    url = setting("URL")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(setting("PORT", "3002"))), Handler)
    server.follower = Follower(
        url,
        setting("ISSUER", url),
        setting("AUDIENCE"),
        setting("CLIENT_ID"),
        setting("CLIENT_SECRET"),
        file=os.environ.get("FOLLOW_FILE"),
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
