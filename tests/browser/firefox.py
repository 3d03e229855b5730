"""Firefox, driven over WebDriver BiDi: enough of it to open a page and ask it things."""

import json
import re
import socket
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage

FIREFOX_COMMAND = "firefox-esr"
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
PREFERENCES = {
    "media.autoplay.default": 0,
    # Neither looks for codecs nor tells anybody anything: what it can play is what it brings along.
    "media.gmp-manager.updateEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
}
_LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


class Firefox:
    """One headless Firefox with one page, for the time of a `with` block. folder: for its profile, empty."""

    def __init__(self, folder: Path) -> None:
        lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in PREFERENCES.items())
        (folder / "user.js").write_text("\n".join(lines))
        self._command = [FIREFOX_COMMAND, "--headless", "--no-remote", "--profile", str(folder)]
        self._command += ["--remote-debugging-port", "0", "about:blank"]
        self._ids = count(1)

    def __enter__(self) -> "Firefox":
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self._connect(self._wait_address())
            self.call("session.new", capabilities={})
            self._page = self.call("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        if hasattr(self, "_socket"):
            self._socket.close()

    def _wait_address(self) -> str:
        assert self._process.stderr is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        for line in self._process.stderr:
            if found := _LISTENING.search(line):
                return found[1].decode()
            assert time.monotonic() < deadline, "Firefox does not listen for BiDi"
        raise AssertionError("Firefox ended before it listened for BiDi")

    def _connect(self, address: str) -> None:
        place = urlsplit(address)
        assert place.hostname is not None
        self._socket = socket.create_connection((place.hostname, place.port or 80), timeout=ANSWER_TIMEOUT_S)
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._socket.sendall(self._websocket.send(Request(host=place.netloc, target="/session")))
        while not any(isinstance(event, AcceptConnection) for event in self._receive()):
            pass

    def _receive(self) -> list[Any]:
        data = self._socket.recv(1 << 16)
        assert data, "Firefox hung up"
        self._websocket.receive_data(data)
        return list(self._websocket.events())

    def call(self, method: str, **parameters: Any) -> Any:
        """Run a BiDi command; returns its result."""
        number = next(self._ids)
        message = json.dumps({"id": number, "method": method, "params": parameters})
        self._socket.sendall(self._websocket.send(TextMessage(data=message)))
        text = ""
        while True:
            for event in self._receive():
                if not isinstance(event, TextMessage):
                    continue
                text += event.data
                if event.message_finished:
                    answer, text = json.loads(text), ""
                    if answer.get("id") == number:
                        assert answer["type"] == "success", answer
                        return answer["result"]

    def open(self, url: str) -> None:
        """Load a page."""
        self.call("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def evaluate(self, script: str) -> Any:
        """Return what a script says, which must be fit for JSON; promises are waited for."""
        wrapped = f"(async () => JSON.stringify(await ({script})))()"
        answer = self.call("script.evaluate", expression=wrapped, target={"context": self._page}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])
