"""What schemathesis cannot read from the document: how to log in, and which names and passwords are allowed."""

import json
import os
import string
import urllib.request

import schemathesis

ALLOWED = string.ascii_letters + string.digits


@schemathesis.auth(refresh_interval=None)
class Login:
    """A fresh token for every request: some of them log out."""

    def get(self, case, context):
        request = urllib.request.Request(
            os.environ["AUTH_URL"] + "/auth/login",
            json.dumps({"email": os.environ["AUTH_EMAIL"], "password": os.environ["AUTH_PASSWORD"]}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["Authorization"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def map_body(context, body):
    """Puts characters that every name and password may have in the place of others. Lengths and types stay."""
    if isinstance(body, dict):
        for name, least in (("username", 0), ("password", 6), ("current_password", 6), ("new_password", 6)):
            if isinstance(body.get(name), str):
                text = "".join(ALLOWED[ord(character) % len(ALLOWED)] for character in body[name])
                body[name] = text.ljust(least, "x")[: None if name == "username" else 72]
    return body
