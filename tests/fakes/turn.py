"""A real TURN server: coturn in the foreground, on loopback, with the example of its configuration in `etc/coturn`."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path

from tests.fakes.tools import COTURN, require_tool

EXAMPLE = Path(__file__).parents[2] / "etc" / "coturn" / "turnserver.conf"
SECRET = "north-wind"
START_TIMEOUT_S = 30.0
_RELAY_PORTS = 20


class Coturn:
    """coturn with `secret`. udp: whether it takes clients over UDP."""

    def __init__(self, folder: Path, port: int, *, secret: str = SECRET, udp: bool = True) -> None:
        require_tool(COTURN)
        self.port = port
        self._log = folder / "turnserver.log"
        self._config = folder / "turnserver.conf"
        self._config.write_text(_for_loopback(EXAMPLE.read_text(), port, secret, folder) + ("" if udp else "no-udp\n"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it accepts connections."""
        with self._log.open("ab") as log:
            command = ["turnserver", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._config.parent)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"coturn did not start:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it whatever it does; harmless when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")


def _for_loopback(example: str, port: int, secret: str, folder: Path) -> str:
    """Return the example with this machine's loopback in the place of its addresses, and with a port of our own."""
    lowest = 32768 + (os.getpid() * _RELAY_PORTS) % 16_000
    changes = {
        "listening-ip": "127.0.0.1",
        "relay-ip": "127.0.0.1",
        "listening-port": str(port),
        "min-port": str(lowest),
        "max-port": str(lowest + _RELAY_PORTS),
        "static-auth-secret": secret,
        "allowed-peer-ip": "127.0.0.1",
    }
    for key, value in changes.items():
        example, found = re.subn(rf"^{key}=.*$", f"{key}={value}", example, flags=re.MULTILINE)
        assert found == 1, f"{EXAMPLE} has {found} lines {key}"
    own = ["allow-loopback-peers", "cli-password=unused", f"userdb={folder}/turndb", f"pidfile={folder}/turn.pid"]
    return "\n".join([example, *own, ""])
