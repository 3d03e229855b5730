"""The gate as a pure decision on what hypercorn hands over; test_application has it on a real server."""

from typing import Any

import pytest
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.config.model import LimitSettings
from camgate.serve.http.access import AccessRules
from camgate.serve.http.gate import Gate, Guard, header, with_origin_form
from camgate.serve.http.permissions import Permissions
from camgate.serve.http.rates import Rates


async def nowhere(*_: object) -> None:
    raise AssertionError("no request goes through")


APP = QuartTrio(__name__, static_folder=None)
GATE = Gate(
    nowhere,
    AccessRules(cors_origins=(), allowed_hosts=(), loopback_only=True),
    Guard(Access(), Permissions(APP), lambda _camera: ()),
    Rates(LimitSettings()),
)


def scope(target: bytes, *headers: tuple[bytes, bytes], **fields: object) -> dict[str, Any]:
    path = target.decode().partition("?")[0]
    basis = {"type": "http", "scheme": "http", "method": "GET", "http_version": "1.1", "path": path, "raw_path": target}
    return {**basis, "headers": list(headers), **fields}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (scope(b"/"), None),
        (scope(b"/", http_version="1.0"), None),
        (scope(b"/", http_version="2.0"), 505),
        (scope(b"*"), 400),
        (scope(b"/", (b"host", b"localhost")), None),
        (scope(b"/", (b"Host", b"a b")), 400),
        (scope(b"/", (b"host", b"evil.example")), 421),
        (scope(b"/", (b"origin", b"http://evil.example")), None),
        (scope(b"/", (b"origin", b"http://evil.example"), method="POST"), 403),
        (scope(b"/", (b"origin", b"http://evil.example"), method="BREW"), 403),
        (scope(b"/ws", (b"origin", b"http://evil.example"), type="websocket"), 403),
        (scope(b"/ws", (b"host", b"localhost"), (b"origin", b"http://localhost"), type="websocket", scheme="wss"), 403),
        (
            scope(b"/ws", (b"host", b"localhost"), (b"origin", b"https://localhost"), type="websocket", scheme="wss"),
            None,
        ),
        (scope(b"/ws", type="websocket"), None),
    ],
)
def test_refusals(asked: dict[str, Any], status: int | None) -> None:
    problem = GATE.refusal(asked)
    assert (problem.status if problem else None) == status


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"/a", "given", "/a"),
        (b"http://named:1/a%20b", "named:1", "/a b"),
        (b"HTTPS://named", "named", "/"),
        (b"http://[broken/a", "given", "http://[broken/a"),
    ],
)
def test_targets_in_absolute_form(target: bytes, host: str, path: str) -> None:
    seen = with_origin_form(scope(target, (b"host", b"given")))
    assert (header(seen, b"host"), seen["path"]) == (host, path)
