"""Containers, as the doctor finds them."""

from pathlib import Path

import pytest

from camgate.config.model import Settings, WebRtcSettings
from camgate.doctor.container import container_kind, is_bridged, judge_container, look_at_container
from camgate.doctor.finding import OK, WARNING

SETTINGS = Settings(cameras={})


@pytest.mark.parametrize(
    ("file", "text", "kind"),
    [
        (".dockerenv", "", "Docker"),
        ("run/.containerenv", "", "Podman"),
        ("proc/1/cgroup", "0::/kubepods.slice/x\n", "Kubernetes"),
        ("proc/1/cgroup", "12:cpu:/lxc/web\n", "LXC"),
        ("proc/1/cgroup", "0::/init.scope\n", None),
    ],
)
def test_marks_of_containers(tmp_path: Path, file: str, text: str, kind: str | None) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert container_kind({}, tmp_path) == kind
    assert container_kind({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path) == "Kubernetes"


def interface(root: Path, name: str, ifindex: int, iflink: int) -> None:
    folder = root / "sys/class/net" / name
    folder.mkdir(parents=True)
    (folder / "ifindex").write_text(f"{ifindex}\n")
    (folder / "iflink").write_text(f"{iflink}\n")


def test_the_end_of_a_pair_is_a_bridge_only_where_the_other_end_is_elsewhere(tmp_path: Path) -> None:
    interface(tmp_path, "lo", 1, 1)
    interface(tmp_path, "eth0", 2, 2)
    interface(tmp_path, "eth0.7", 9, 2)
    interface(tmp_path, "sit0", 10, 0)
    assert not is_bridged(tmp_path)
    interface(tmp_path, "eth1", 5, 41)
    assert is_bridged(tmp_path)


def test_a_bridged_container_is_told_what_to_publish() -> None:
    finding = judge_container("Docker", SETTINGS, is_bridged=True)
    assert finding.verdict is WARNING
    assert "-p 8108:8108/udp -p 8108:8108/tcp" in finding.to_do
    named = Settings(cameras={}, webrtc=WebRtcSettings(advertise=("auto", "cams.example.org")))
    assert judge_container("Docker", named, is_bridged=True).verdict is OK
    assert judge_container("Docker", SETTINGS, is_bridged=False).verdict is OK
    assert judge_container(None, SETTINGS, is_bridged=True).verdict is OK


def test_this_machine_can_be_looked_at() -> None:
    assert look_at_container(SETTINGS, {}).check == "Container"
