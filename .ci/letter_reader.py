"""People with accounts, who get letters in the folder of a server that was started with AUTH_MAIL=file."""

import email
import email.policy
import json
import time
import urllib.error
import urllib.request

from webdriver import TIMEOUT


class Account:
    """An account of one story."""

    def __init__(self, name, address):
        self.name = name
        self.email = address


class Reader:
    """The owner of some accounts, who gets their letters."""

    PASSWORD = "the first one of 3"

    def __init__(self, base, data, suffix, accept_language):
        self.base = base
        self.data = data
        self.suffix = suffix
        self.language = accept_language
        self.read = set()

    def call(self, method, path, value=None, token=None):
        headers = {"Content-Type": "application/json", "Accept-Language": self.language}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if value is None else json.dumps(value).encode()
        asked = urllib.request.Request(self.base + path, data, headers, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(asked, timeout=TIMEOUT) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def address(self, name):
        return f"{name}.{self.suffix}@example.com"

    def register(self, name):
        account = Account(f"{name}-{self.suffix}", self.address(name))
        body = {"email": account.email, "username": account.name, "password": self.PASSWORD}
        status, answer = self.call("POST", "/auth/register", body)
        assert status == 201, (status, answer)
        return account

    def login(self, address, password):
        status, answer = self.call("POST", "/auth/login", {"email": address, "password": password})
        assert status == 200, (status, answer)
        return answer["Authorization"]

    def try_login(self, address, password):
        return self.call("POST", "/auth/login", {"email": address, "password": password})[0]

    def profile(self, account):
        status, answer = self.call("GET", "/user/me", token=self.login(account.email, self.PASSWORD))
        assert status == 200, (status, answer)
        return answer

    def forget(self, account):
        status, answer = self.call("POST", "/auth/password/forgot", {"email": account.email})
        assert status == 202, (status, answer)

    def ask_for_address(self, account, name):
        new = self.address(name)
        body = {"email": new, "current_password": self.PASSWORD}
        status, answer = self.call("POST", "/user/me/email", body, self.login(account.email, self.PASSWORD))
        assert status == 202, (status, answer)
        return new

    def link(self, kind, account, to=None):
        """Waits for the next letter of this kind and returns the link in it."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            for path in sorted((self.data / "mail").glob(f"*-{kind}-*.eml")):
                letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                if path not in self.read and letter["To"].addresses[0].addr_spec == (to or account.email):
                    self.read.add(path)
                    text = letter.get_body(("plain",)).get_content()
                    return next(word for word in text.split() if "?token=" in word)
            assert time.monotonic() < deadline, f"no letter {kind} to {to or account.email}"
            time.sleep(0.1)
