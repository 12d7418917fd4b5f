"""Runs the vectors: `python vectors.py ../vectors.json`. They say what a follower answers, event by event."""

import base64
import json
import sys

from follower import Broken, Checker


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    events = 0
    for scenario in vectors["scenarios"]:
        run = Run(vectors)
        for number, event in enumerate(scenario["events"]):
            try:
                getattr(run, event["event"])(**{name: value for name, value in event.items() if name != "event"})
            except Exception as error:
                raise AssertionError(f"{scenario['name']}: event {number}: {json.dumps(event)[:400]}") from error
            events += 1
    print(f"python: {len(vectors['scenarios'])} scenarios with {events} events are as they should be")


class Run:
    """A follower that has fetched nothing yet. Each method is a kind of event; times are in milliseconds."""

    def __init__(self, vectors):
        options = vectors["options"]
        self.tokens = vectors["tokens"]
        self.checker = Checker(
            options["issuer"], options["audience"], options["max_staleness_ms"] / 1000, options["cool_down_ms"] / 1000
        )

    def keys(self, sent, received, status, headers, body, used):
        self.take(used, self.checker.keys.take, sent / 1000, received / 1000, status, headers, body.encode())

    def keys_due(self, mono, due, asked=None):
        equal(self.checker.keys.due(mono / 1000, None if asked is None else asked / 1000), due)

    def snapshot(self, sent, received, status, headers, body, used):
        equal(self.checker.feed.cursor, None)
        self.take(used, self.checker.feed.take_snapshot, status, base64.b64decode(body))

    def page(self, after, sent, received, status, headers, body, used):
        equal(self.checker.feed.cursor, after)
        self.take(used, self.checker.feed.take_page, sent / 1000, received / 1000, status, headers, body.encode())

    def check(self, token, mono, wall, answer, asked=None):
        asked = mono if asked is None else asked
        equal(self.checker.check(self.tokens[token], wall / 1000, mono / 1000, asked / 1000)[0], answer)

    def flood(self, token, checks, mono, until, wall, fetches, status, body):
        """Tokens with keys that nobody has, spread evenly over a time."""
        keys, fetched = self.checker.keys, 0
        rest = self.tokens[token].partition(".")[2]
        for number in range(checks):
            passed = (until - mono) * number // checks
            header = json.dumps({"typ": "at+jwt", "alg": "EdDSA", "kid": f"flood-{number}"}).encode()
            forged = f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{rest}"
            now = (mono + passed) / 1000
            equal(self.checker.check(forged, (wall + passed) / 1000, now)[0], "keys")
            if keys.due(now, now):
                fetched += 1
                self.take(status == 200, keys.take, now, now, status, {}, body.encode())
                equal(self.checker.check(forged, (wall + passed) / 1000, now)[0], "invalid" if status == 200 else "unavailable")
        equal(fetched, fetches)

    @staticmethod
    def take(used, take, *reply):
        try:
            take(*reply)
        except Broken:
            equal(used, False)
        else:
            equal(used, True)


def equal(left, right):
    assert left == right, f"{left!r} instead of {right!r}"


if __name__ == "__main__":
    main(*sys.argv[1:])
