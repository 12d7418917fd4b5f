"""A server for one test: on a free port, with a data folder of its own, stopped by its pid."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request

TIMEOUT = 60


def start_server(started, binary, folder, settings=None):
    """Starts the server and waits until it is ready. The exit stack `started` stops it. Returns the process, the URL and the
    environment, for commands that work on the same database."""
    address = free_address()
    environment = environment_with({"AUTH_LISTEN": address, "AUTH_DATA_DIR": str(folder), "AUTH_LOG": "warn"} | (settings or {}))
    return serve(started, binary, environment), f"http://{address}", environment


def environment_with(settings):
    """Returns the environment of this process with these settings of the server and no others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")} | settings


def serve(started, binary, environment):
    """Starts the server of this environment, for the first time or again, and waits until it is ready."""
    process = subprocess.Popen([os.path.abspath(binary), "serve"], env=environment)
    started.callback(stop, process)
    deadline = time.monotonic() + TIMEOUT
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{environment['AUTH_LISTEN']}/readyz", timeout=TIMEOUT).close()
            return process
        assert time.monotonic() < deadline, "the server does not come up"
        time.sleep(0.1)


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=TIMEOUT)
