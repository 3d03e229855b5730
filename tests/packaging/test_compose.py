"""compose.yaml is as its specification wants it, and says the same as the Dockerfile and camgate do."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from camgate.config.model import ServerSettings, WebRtcSettings

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests/fixtures/compose/compose-spec.json"
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def complaints(compose: Any) -> list[str]:
    return [error.message for error in Draft7Validator(json.loads(SCHEMA.read_text())).iter_errors(compose)]


def test_it_is_as_its_specification_wants_it(compose: Any) -> None:
    assert complaints(compose) == []


@pytest.mark.parametrize(("key", "value"), [("readonly", True), ("cap_drop", "ALL"), ("ports", [{"published": {}}])])
def test_a_mistake_in_it_would_be_seen(compose: Any, key: str, value: object) -> None:
    compose["services"]["camgate"][key] = value
    assert complaints(compose) != []


def test_it_opens_the_ports_that_the_image_and_camgate_have(compose: Any) -> None:
    inside = {port.rpartition(":")[2] for port in compose["services"]["camgate"]["ports"]}
    ports = {port if "/" in port else f"{port}/tcp" for port in inside}
    (exposed,) = re.findall(r"^EXPOSE (.*)", DOCKERFILE, re.MULTILINE)
    assert ports == set(exposed.split())
    http, media = ServerSettings().listen.rpartition(":")[2], WebRtcSettings().port
    assert {f"{http}/tcp", f"{media}/udp", f"{media}/tcp"} <= ports


def test_it_gives_camgate_what_it_writes_to_and_nothing_more(compose: Any) -> None:
    service = compose["services"]["camgate"]
    (user,) = re.findall(r"useradd --uid (\d+) --gid \1 ", DOCKERFILE)
    assert f"/run/camgate:mode=0750,uid={user},gid={user}" in service["tmpfs"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    places = {volume.split(":")[1] for volume in service["volumes"]}
    assert places == {"/etc/camgate", "/var/lib/camgate", "/var/log/camgate"}
    made = " ".join(re.findall(r"install -d .*", DOCKERFILE))
    assert [place for place in (*places, "/run/camgate") if place not in made] == []


def test_what_the_image_is_built_from_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    for path in let_through:
        assert (ROOT / path).exists(), path
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = {Path(path).parts[0] for path in (*wheel["only-include"], *wheel["shared-data"])}
    assert {*folders, "LICENSE", "README.md", "pyproject.toml", "requirements"} <= let_through
