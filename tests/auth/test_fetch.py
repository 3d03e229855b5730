"""Asking other people's servers: what is sent, and what is not taken."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.auth.fetch import MAX_ANSWER_BYTES, Fetcher, Unanswered
from tests.fakes.certificates import make_certificate
from tests.fakes.web_server import Answer, web_server


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    await fetcher.aclose()


async def test_a_document_is_got_and_json_is_posted(fetcher: Fetcher) -> None:
    async with web_server(lambda asked: Answer(200, asked.body or b"{}")) as server:
        assert (await fetcher.get(server.url("/a?b=c"), timeout_s=5)).body == b"{}"
        assert (await fetcher.post(server.url("/p"), b'{"a":1}', timeout_s=5)).body == b'{"a":1}'
    assert [(asked.method, asked.target) for asked in server.asked] == [("GET", "/a?b=c"), ("POST", "/p")]
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert server.asked[1].headers["content-type"] == "application/json"


async def test_a_login_in_the_address_goes_to_its_server_and_into_no_error(fetcher: Fetcher) -> None:
    async with web_server(lambda _: Answer(200)) as server:
        await fetcher.get(server.url("/", login="me:hush@"), timeout_s=5)
        url = server.url("/", login="me:hush@")
    assert server.asked[0].headers["authorization"] == "Basic bWU6aHVzaA=="
    with pytest.raises(Unanswered) as error:
        await fetcher.get(url, timeout_s=5)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.test", "xn--zz\u00df"])
async def test_a_name_that_no_host_can_have_is_not_reached(fetcher: Fetcher, host: str) -> None:
    with pytest.raises(Unanswered):
        await fetcher.get(f"http://{host}/", timeout_s=30)


async def test_the_environments_proxy_is_not_asked(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with web_server(lambda _: Answer(200)) as server:
        assert (await fetcher.get(server.url(), timeout_s=5)).status == 200


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_too_long_an_answer_is_none(fetcher: Fetcher, is_chunked: bool) -> None:
    body = b"x" * (MAX_ANSWER_BYTES + 1)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            length = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
            await stream.send_all(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
            with trio.move_on_after(5):
                try:
                    await stream.send_all(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else body)
                except trio.BrokenResourceError:
                    return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        with pytest.raises(Unanswered, match="more than 262144 bytes"):
            await fetcher.get(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/", timeout_s=30)
        nursery.cancel_scope.cancel()


async def test_the_deadline_is_for_all_of_it(fetcher: Fetcher, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.1
    async with web_server(lambda _: Answer(200, after_s=10)) as server:
        began_s = trio.current_time()
        with pytest.raises(Unanswered, match="within 2 s"):
            await fetcher.get(server.url(), timeout_s=2)
        assert trio.current_time() - began_s < 3


async def test_a_certificate_that_nobody_trusts_is_refused(fetcher: Fetcher, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        context = make_certificate(tmp_path, address="127.0.0.1").context
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")

        async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                return

        nursery.start_soon(trio.serve_listeners, serve, listeners)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        with pytest.raises(Unanswered, match="certificate is not trusted"):
            await fetcher.get(f"https://127.0.0.1:{port}/", timeout_s=5)
        nursery.cancel_scope.cancel()
