"""A camgate that is run from a copy of its files lets in whom the first one let in, and nobody else."""

import shutil
from pathlib import Path

from tests.fakes.accounts import CHEAP
from tests.fakes.command import camgate_process
from tests.fakes.site import Site, running_site

ONE = '[cameras.one]\nurl = "{url}one"\n'
ADMIN = f'[auth.users.alice]\npassword_hash = "{CHEAP.hash("ecila")}"\nroles = ["admin"]\n'
CAMERAS, SHARES = "/api/v1/cameras", "/api/v1/cameras/one/shares"


async def test_a_restored_camgate_honours_what_the_first_one_gave_away(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    async with running_site(first, ONE, ADMIN) as site:
        cookie = (await site.api.post("/signin", json={"name": "alice", "password": "ecila"})).headers["set-cookie"]
        signed_in = {"Cookie": cookie.partition(";")[0], "Origin": site.url.rstrip("/")}
        gate = {"name": "gate", "url": site.filming.url("two")}
        added = await site.api.post("/api/v1/config/cameras", json=gate, headers=signed_in)
        assert added.status_code == 201, added.text
        opened, unopened = [await share(site, signed_in) for _ in range(2)]
        guest = (await site.api.post("/share", json={"secret": opened})).headers["set-cookie"].partition(";")[0]
        token, revoked = [made_token(first) for _ in range(2)]
        assert camgate_process("token", "revoke", "-", directory=first, stdin=revoked).code == 0
    shutil.copytree(first, second)
    shutil.rmtree(first)

    async with running_site(second, ONE, ADMIN) as site:
        site.api.cookies.clear()
        assert (await site.api.get(CAMERAS)).status_code == 401
        signed_in["Origin"] = site.url.rstrip("/")
        assert set(await names(site, signed_in)) == {"one", "gate"}
        assert await names(site, {"Cookie": guest}) == ["one"]
        assert await names(site, {"Authorization": f"Bearer {token}"}) == ["one"]
        assert (await site.api.get(CAMERAS, headers={"Authorization": f"Bearer {revoked}"})).status_code == 401
        site.api.cookies.clear()
        assert (await site.api.post("/share", json={"secret": unopened})).status_code == 200
        site.api.cookies.clear()
        assert (await site.api.post("/share", json={"secret": opened})).status_code != 200, "a link works once"


async def test_without_its_key_nothing_that_was_given_away_is_worth_anything(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE, ADMIN) as site:
        token = made_token(tmp_path)
        assert await names(site, {"Authorization": f"Bearer {token}"}) == ["one"]
    (tmp_path / "state" / "auth.key").unlink()
    async with running_site(tmp_path, ONE, ADMIN) as site:
        assert (await site.api.get(CAMERAS, headers={"Authorization": f"Bearer {token}"})).status_code == 401


def made_token(directory: Path) -> str:
    made = camgate_process("token", "--camera=one", "--config=camgate.toml", directory=directory)
    assert made.code == 0, made.err
    return made.out.strip()


async def share(site: Site, headers: dict[str, str]) -> str:
    made = await site.api.post(SHARES, json={"seconds": 3600}, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["url"]).partition("#")[2]


async def names(site: Site, headers: dict[str, str]) -> list[str]:
    site.api.cookies.clear()
    reply = await site.api.get(CAMERAS, headers=headers)
    assert reply.status_code == 200, reply.text
    return [camera["name"] for camera in reply.json()]
