"""The ONVIF part of `camgate probe`: the camera's streams as a table, and as the lines of a config that shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli_w
import typer
from rich.console import Console
from rich.table import Table

from camgate.base.secrets import MASK, mask
from camgate.config.arguments import PASSWORD_VARIABLE, camera_settings
from camgate.config.model import CameraSettings
from camgate.ingest.onvif import OnvifCamera
from camgate.ingest.onvif_streams import Channel, NoStream, OnvifStream, channels_of, list_streams
from camgate.wire.onvif.address import DEVICE_PATH, ServiceAddress
from camgate.wire.rtsp.errors import printable

NAME = "camera"
"""What cameras are called in the lines for a config; a number follows where there are several."""

COLUMNS = ("profile", "source", "codec", "size", "fps", "kbit/s", "use", "url")


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera said by ONVIF, and the login that it was told by."""

    address: ServiceAddress
    streams: list[OnvifStream]
    channels: list[Channel]
    username: str | None
    password: str | None

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, fit to be shown."""
        return {"address": self.address.place, "streams": list(map(self._facts_of, self.streams)), "config": self.toml}

    @property
    def toml(self) -> str:
        """The lines for a config, without the password."""
        names = [NAME] if len(self.channels) == 1 else [f"{NAME}{number + 1}" for number in range(len(self.channels))]
        blocks = [self._block(name, channel) for name, channel in zip(names, self.channels, strict=True)]
        return "\n".join(blocks)

    @property
    def _written_address(self) -> str:
        return self.address.short if self.address.path == DEVICE_PATH else str(self.address)

    def settings(self, road: Mapping[str, Any]) -> CameraSettings:
        """Return how to dial the first channel's main stream. Raises NoStream, ConfigError."""
        if not self.channels:
            raise NoStream
        environ = {} if self.password is None else {PASSWORD_VARIABLE: self.password}
        url = _literal(self.channels[0].main.url or "")
        return camera_settings(url, environ, username=self.username, ask_password=lambda: self.password, **road)

    def _facts_of(self, stream: OnvifStream) -> dict[str, Any]:
        profile = stream.profile
        return {
            "profile": printable(profile.name or profile.token),
            "token": printable(profile.token),
            "source": printable(profile.source),
            "codec": profile.codec,
            "width": profile.width,
            "height": profile.height,
            "fps": profile.fps,
            "bitrate_kbps": profile.bitrate_kbps,
            "use": self._use_of(stream),
            "url": stream.url and mask(stream.url),
        }

    def _use_of(self, stream: OnvifStream) -> str:
        if any(channel.main is stream for channel in self.channels):
            return "main"
        return "sub" if any(channel.sub is stream for channel in self.channels) else ""

    def _block(self, name: str, channel: Channel) -> str:
        lines = [f"[cameras.{name}]", *_url_lines(channel.main.url or "")]
        if self.username:
            variable = f"{name.upper()}_PASSWORD"
            lines += [_line("username", _literal(self.username))]
            lines += [
                f'{_line("password", f"${{{variable}}}")}   # in the environment; or password_file = "{name}.password"'
            ]
        lines += [f"{_line('onvif', self._written_address)}   # to be asked for key frames"]
        if channel.sub is not None:
            lines += ["", f"[cameras.{name}.sub]", *_url_lines(channel.sub.url or "")]
        return "\n".join([*lines, ""])


async def ask_camera(address: ServiceAddress, username: str | None, password: str | None) -> Look:
    """Ask a camera for its streams. Raises OnvifError and others of the RemoteError family."""
    camera = OnvifCamera(address, username=username, password=password)
    await camera.connect()
    streams = await list_streams(camera)
    return Look(address, streams, channels_of(streams), username, password)


def show(look: Look) -> None:
    """Print the streams as a table, and the lines for a config."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for facts in look.facts["streams"]:
        size = f"{facts['width']}x{facts['height']}" if facts["width"] and facts["height"] else ""
        cells = [facts["profile"], facts["source"], facts["codec"], size, _number(facts["fps"])]
        table.add_row(*cells, _number(facts["bitrate_kbps"]), facts["use"], facts["url"] or "none")
    Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(table)
    if look.channels:
        typer.echo(f"\n# for camgate.toml\n{look.toml}")


def _url_lines(url: str) -> list[str]:
    shown = mask(url)
    lines = [_line("url", _literal(shown))]
    if shown != url:
        lines.insert(0, f"# The camera puts a login into this url; write it in place of {MASK}.")
    return lines


def _line(key: str, value: str) -> str:
    return tomli_w.dumps({key: value}).strip()


def _literal(text: str) -> str:
    """Return a text as a config wants it, where ${NAME} stands for a variable."""
    return text.replace("${", "$${")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
