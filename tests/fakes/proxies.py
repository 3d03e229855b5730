"""NGINX and HAProxy with the very configurations of `etc/`, in which names, addresses, ports and files are replaced."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.ports import free_port
from tests.fakes.tools import HAPROXY, NGINX, require_tool

ETC = Path(__file__).resolve().parents[2] / "etc"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0

NGINX_AROUND = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/camgate.conf;
}}
"""
"""What a distribution's own nginx.conf says."""


class ProxyProcess:
    """A reverse proxy in the foreground. https_port, http_port: where it listens on loopback."""

    def __init__(self, folder: Path, upstream_port: int, certificate: Path, key: Path) -> None:
        self._folder = folder
        self._upstream = f"127.0.0.1:{upstream_port}"
        self._certificate, self._key = certificate, key
        self.https_port, self.http_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Write the configuration; returns what to run."""
        raise NotImplementedError

    def start(self) -> None:
        """Returns once it takes connections."""
        command = self.command()
        with (self._folder / "proxy.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _accepts(self.https_port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the proxy did not start:\n{(self._folder / 'proxy.log').read_text()[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and its workers; harmless when it has ended."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Nginx(ProxyProcess):
    def command(self) -> list[str]:
        require_tool(NGINX)
        replacements = {
            "listen 80;": f"listen 127.0.0.1:{self.http_port};",
            "listen [::]:80;": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.https_port} ssl http2;",
            "listen [::]:443 ssl http2;": "",
            "https://cams.example.org": f"https://cams.example.org:{self.https_port}",
            "127.0.0.1:8107;": f"{self._upstream};",
            "/etc/ssl/camgate/fullchain.pem": str(self._certificate),
            "/etc/ssl/camgate/privkey.pem": str(self._key),
        }
        text = _replaced(ETC / "nginx" / "camgate.conf", replacements).replace("cams.example.org", "localhost")
        (self._folder / "camgate.conf").write_text(text)
        around = self._folder / "nginx.conf"
        # The folders of tests are for their owner alone.
        user = "user root root;" if os.geteuid() == 0 else ""
        around.write_text(NGINX_AROUND.format(folder=self._folder, user=user))
        return [_program("nginx"), "-p", str(self._folder), "-e", str(self._folder / "error.log"), "-c", str(around)]


class HaProxy(ProxyProcess):
    def command(self) -> list[str]:
        require_tool(HAPROXY)
        both = self._folder / "both.pem"
        both.write_bytes(self._certificate.read_bytes() + self._key.read_bytes())
        replacements = {
            "bind :80\n": f"bind 127.0.0.1:{self.http_port}\n",
            "bind :443 ": f"bind 127.0.0.1:{self.https_port} ",
            "https://cams.example.org": f"https://cams.example.org:{self.https_port}",
            "server camgate 127.0.0.1:8107": f"server camgate {self._upstream}",
            "/etc/ssl/camgate/fullchain-and-key.pem": str(both),
        }
        text = _replaced(ETC / "haproxy" / "camgate.cfg", replacements).replace("cams.example.org", "localhost")
        config = self._folder / "camgate.cfg"
        config.write_text(text)
        return [_program("haproxy"), "-db", "-f", str(config)]


def _replaced(file: Path, replacements: Mapping[str, str]) -> str:
    """Return a file's text with addresses replaced: each of them must be there."""
    text = file.read_text()
    for given, wanted in replacements.items():
        assert given in text, f"{file} has no {given!r} any more"
        text = text.replace(given, wanted)
    return text


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None
    return found


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
