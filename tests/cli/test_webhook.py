"""`camgate webhook test`, with a real receiver: what it sends, and what it says came back."""

from pathlib import Path

import trio

from tests.fakes.command import Outcome, camgate, camgate_process
from tests.fakes.web_server import Answer, web_server

SECRET = f"whsec_{'hush' * 8}"


def write(directory: Path, **urls: str) -> None:
    tables = [f'[webhooks.{name}]\nurl = "{url}"\nsecret = "{SECRET}"\n' for name, url in urls.items()]
    (directory / "camgate.toml").write_text("".join(tables))


async def run(directory: Path, *names: str) -> Outcome:
    return await trio.to_thread.run_sync(lambda: camgate_process("webhook", "test", *names, directory=directory))


async def test_it_says_who_has_taken_a_message_and_who_has_not(tmp_path: Path) -> None:
    answers = {"/good": Answer(202), "/moved": Answer(301, headers=(("Location", "/good"),))}
    with trio.fail_after(60):
        async with web_server(lambda asked: answers[asked.target]) as server:
            write(tmp_path, good=server.url("/good"), moved=server.url("/moved", login="me:hush-hush@"))
            both = await run(tmp_path)
            one = await run(tmp_path, "good")
    assert (both.code, one.code) == (1, 0)
    good, moved = both.out.splitlines()
    assert good.startswith("good: taken: it answered 202 Accepted after ")
    assert moved.startswith("moved: not taken: it answered 301 Moved Permanently, and redirects are not followed; ")
    assert [asked.target for asked in server.asked] == ["/good", "/moved", "/good"]
    assert b'"event":"test"' in server.asked[0].body
    assert server.asked[0].headers["webhook-signature"].startswith("v1,")
    assert "hush" not in both.out + both.err


def test_mistakes_are_told_in_a_line(tmp_path: Path) -> None:
    write(tmp_path)
    none = camgate("webhook", "test", directory=tmp_path)
    assert (none.code, none.err) == (
        2,
        "camgate webhook: the config has no webhook; write [webhooks.NAME] with url and secret below it\n",
    )
    write(tmp_path, house="http://127.0.0.1:1/")
    other = camgate("webhook", "test", "hous", directory=tmp_path)
    assert (other.code, other.err) == (2, "camgate webhook: there is no webhook of that name; the config has house\n")
    away = camgate("webhook", "test", directory=tmp_path)
    assert (away.code, away.out) == (1, "house: not taken: it cannot be connected to\n")
