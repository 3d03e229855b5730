"""Cameras that are configured twice, under two names: each costs a session of the camera, of which most have few."""

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import unquote

from camgate.base.log import get_logger
from camgate.config.errors import key_in_words
from camgate.config.model import CameraSettings
from camgate.config.schema import CAMERAS
from camgate.wire.rtsp.url import split_url_untrusted

log = get_logger("config.twins")

Stream: TypeAlias = tuple[str, int, str, tuple[str, ...]]
Pair: TypeAlias = tuple[str, str]
"""Names of two that are the same stream, in the order of the config; a sub-stream's is `NAME/sub`."""


def twins(cameras: Mapping[str, CameraSettings]) -> Iterator[Pair]:
    """Return those that are the same stream of the same camera as an earlier one."""
    first: dict[Stream, str] = {}
    for camera in cameras.values():
        for each in (camera, camera.sub):
            if each is not None and (other := first.setdefault(_stream(each.url), each.name)) != each.name:
                yield other, each.name


def warn_of_twins(cameras: Mapping[str, CameraSettings], before: Mapping[str, CameraSettings]) -> None:
    """Say in the log which are there twice, unless they were before."""
    for pair in sorted(set(twins(cameras)) - set(twins(before))):
        log.warning(f"{twin_in_words(pair)}; leave one of them out", camera=pair[1])


def twin_in_words(pair: Pair) -> str:
    """Say which two are the same."""
    first, second = (key_in_words((CAMERAS, *name.split("/"))) for name in pair)
    return f"{second}: is the same stream as {first}, so that the camera is connected to twice"


def _stream(url: str) -> Stream:
    """Return what is the same for two ways to write one URL. The login is none of it."""
    split = split_url_untrusted(url)
    host = split.host.lower().rstrip(".")
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    path, _, query = split.path.partition("?")
    return host, split.port, unquote(path).strip("/"), tuple(sorted(unquote(query).split("&")))
