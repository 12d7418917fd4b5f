"""A headless Chromium, through chromedriver and the WebDriver protocol (https://www.w3.org/TR/webdriver2/), with the standard
library alone. Everything started here is stopped by its pid."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

TIMEOUT = 60
CHROMIUM = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,2000",
]


class Page:
    """One browser tab."""

    def __init__(self, session, output):
        self.session = session
        self.output = output

    def call(self, path, value):
        return request("POST", f"{self.session}/{path}", value)["value"]

    def open(self, url):
        self.call("url", {"url": url})

    def run(self, script, *arguments):
        return self.call("execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, *arguments):
        deadline = time.monotonic() + TIMEOUT
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < deadline, f"never true on the page: {script}"
            time.sleep(0.1)
        return found

    def tab(self):
        return request("GET", f"{self.session}/window")["value"]

    def open_tab(self, url):
        tab = self.call("window/new", {"type": "tab"})["handle"]
        self.switch(tab)
        self.open(url)
        return tab

    def switch(self, tab):
        self.call("window", {"handle": tab})

    def resize(self, width, height):
        self.call("window/rect", {"width": width, "height": height})

    def element(self, selector):
        return self.wait("return document.querySelector(arguments[0])", selector)

    def click(self, selector):
        element = self.element(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        self.call(f"element/{next(iter(element.values()))}/click", {})

    def type(self, selector, text):
        element = next(iter(self.element(selector).values()))
        self.call(f"element/{element}/clear", {})
        self.call(f"element/{element}/value", {"text": text})

    def screenshot(self, name):
        png = request("GET", f"{self.session}/screenshot")["value"]
        (self.output / f"{name}.png").write_bytes(base64.b64decode(png))


def start_browser(started, folder, capabilities=None):
    port = free_port()
    run(started, ["chromedriver", f"--port={port}"], os.environ | {"HOME": folder, "no_proxy": "*"})
    driver = f"http://127.0.0.1:{port}"
    until_answers(f"{driver}/status")
    options = {"binary": shutil.which("chromium"), "args": [*CHROMIUM, f"--user-data-dir={folder}/profile"]}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options} | (capabilities or {})
    wanted = {"capabilities": {"alwaysMatch": wanted}}
    session = f"{driver}/session/" + request("POST", f"{driver}/session", wanted)["value"]["sessionId"]
    started.callback(request, "DELETE", session)
    return session


def run(started, command, environment):
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    started.callback(stop, process)


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until_answers(url):
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return request("GET", url)
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def request(method, url, value=None):
    data = None if value is None else json.dumps(value).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(asked, timeout=TIMEOUT) as answer:
        return json.loads(answer.read() or b"null")
