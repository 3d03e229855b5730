"""The doctor's round: a bug of one check costs no other, and tokens go to camgate only."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from camgate.config.model import (
    AuthSettings,
    CallbackSettings,
    IssuerSettings,
    ServerSettings,
    Settings,
    WebRtcSettings,
)
from camgate.doctor import examine, machine, network
from camgate.doctor.finding import FAILED, WARNING, Verdict
from camgate.doctor.sockets import NOBODY, Holder


def case(tmp_path: Path) -> examine.Case:
    server = ServerSettings(listen="127.0.0.1:0", state_directory=tmp_path)
    settings = Settings(cameras={}, server=server, webrtc=WebRtcSettings(port=0))
    return examine.Case(settings=settings, file="camgate.toml", token="a-token", environ={})


async def test_a_bug_of_one_check_is_a_row_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(network, "look_at_gso", fail)
    found = (await examine.examine(case(tmp_path))).findings
    (finding,) = [each for each in found if each.check == network.GSO]
    assert (finding.verdict, finding.what) == (WARNING, "could not be looked at: ZeroDivisionError")
    assert {"Memory", "Clock", "Versions"} <= {each.check for each in found}
    assert "a check of the doctor's failed itself" in caplog.text


def test_a_token_is_shown_to_camgates_own_user_and_to_no_other(tmp_path: Path) -> None:
    ours = os.geteuid()
    for uid, shown in ((0, "a-token"), (ours, "a-token"), (ours + 4711, ""), (NOBODY, "")):
        assert examine._token_for(case(tmp_path), Holder(7, "python3", True, uid)) == shown
    assert examine._token_for(case(tmp_path), None) == "a-token"


@pytest.mark.parametrize(
    ("auth", "verdict"),
    [
        (AuthSettings(), WARNING),
        (
            AuthSettings(issuers={"firm": IssuerSettings(name="firm", issuer="https://firm.example", audience=("c",))}),
            FAILED,
        ),
        (AuthSettings(callback=CallbackSettings(url="http://127.0.0.1:9/")), FAILED),
    ],
)
def test_whoever_asks_who_one_is_needs_a_key(tmp_path: Path, auth: AuthSettings, verdict: Verdict) -> None:
    (tmp_path / "state").touch()
    plain = case(tmp_path / "state" / "below")
    settings = replace(plain.settings, auth=auth)
    found = {each.check: each.verdict for each in examine._machine(replace(plain, settings=settings))}
    assert found[machine.STATE] is verdict
