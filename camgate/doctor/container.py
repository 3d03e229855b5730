"""Whether this is a container, and whether it is behind the bridge that keeps viewers' UDP away."""

from collections.abc import Mapping
from pathlib import Path

from camgate.config.model import AUTO, Settings
from camgate.doctor.finding import OK, WARNING, Finding

CONTAINER = "Container"
_MARKS = {".dockerenv": "Docker", "run/.containerenv": "Podman", "run/host/container-manager": "a container"}
_CGROUPS = {"docker": "Docker", "kubepods": "Kubernetes", "libpod": "Podman", "lxc": "LXC"}


def look_at_container(settings: Settings, environ: Mapping[str, str], root: Path = Path("/")) -> Finding:
    """See where we run."""
    return judge_container(container_kind(environ, root), settings, is_bridged=is_bridged(root))


def container_kind(environ: Mapping[str, str], root: Path = Path("/")) -> str | None:
    """Return what kind of container this is; None for none that is known."""
    if "KUBERNETES_SERVICE_HOST" in environ:
        return "Kubernetes"
    for name, kind in _MARKS.items():
        if (root / name).exists():
            return kind
    try:
        groups = (root / "proc/1/cgroup").read_text()
    except OSError:
        groups = ""
    return next((kind for mark, kind in _CGROUPS.items() if mark in groups), environ.get("container"))


def is_bridged(root: Path = Path("/")) -> bool:
    """Whether an interface is one end of a pair whose other end is in another network namespace, as bridges use them.

    Documentation/ABI/testing/sysfs-class-net: `iflink` is the interface that this one is linked to; itself mostly.
    """
    for interface in (root / "sys/class/net").glob("*"):
        try:
            own, other = ((interface / name).read_text().strip() for name in ("ifindex", "iflink"))
        except OSError:
            continue
        # Pairs within one namespace (veth of a bridge on the host) see each other.
        indexes = {(each / "ifindex").read_text().strip() for each in interface.parent.glob("*") if each.is_dir()}
        if own != other and other not in indexes | {"0"}:
            return True
    return False


def judge_container(kind: str | None, settings: Settings, *, is_bridged: bool) -> Finding:
    """Say what a container needs to be reached."""
    if kind is None:
        return Finding(CONTAINER, OK, "none")
    if not is_bridged:
        return Finding(CONTAINER, OK, f"{kind}, with the network of its host or one of its own")
    port = settings.webrtc.port
    what = f"{kind}, behind a bridge: viewers reach only published ports, and are told addresses inside the bridge"
    has_name = any(name != AUTO for name in settings.webrtc.advertise)
    if has_name:
        return Finding(CONTAINER, OK, f"{what}, beside those in webrtc.advertise")
    to_do = (
        f"publish UDP and TCP (-p {port}:{port}/udp -p {port}:{port}/tcp) and write the host's address in "
        "webrtc.advertise; or use the host's network (--network host)"
    )
    return Finding(CONTAINER, WARNING, what, to_do)
