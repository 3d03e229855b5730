"""What tests need from outside the virtual environment: said once, with the command that installs it.

A missing tool skips its tests on a developer's machine and fails them in CI (`CI=true`), so that nothing is skipped
unseen.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
"""The interpreter of the system's packages: the only one that can import `gi`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that some tests run: how to see that it is there, and the Debian packages that bring it."""

    name: str
    is_present: Callable[[], bool]
    packages: tuple[str, ...]


def _has_gst_rtsp_server() -> bool:
    needed = [
        "appsrc",
        "x264enc",
        "h264parse",
        "rtph264pay",
        "x265enc",
        "h265parse",
        "rtph265pay",
        "matroskademux",
        "avenc_g722",
    ]
    return shutil.which("gst-launch-1.0") is not None and _has_gstreamer("GstRtspServer", needed)


def _has_webrtcbin() -> bool:
    needed = [
        "webrtcbin",
        "nicesrc",
        "dtlsdec",
        "rtph264depay",
        "openh264dec",
        "rtph265depay",
        "h265parse",
        "libde265dec",
    ]
    return _has_gstreamer("GstWebRTC", needed)


def _has_gstreamer(library: str, elements: list[str]) -> bool:
    """Say whether the system's Python can use a library of GStreamer, and GStreamer all these elements."""
    script = (
        f"import gi; gi.require_version('Gst', '1.0'); gi.require_version({library!r}, '1.0')\n"
        f"from gi.repository import Gst, {library}; Gst.init(None)\n"
        f"raise SystemExit(not all(map(Gst.ElementFactory.find, {elements!r})))"
    )
    if not os.access(SYSTEM_PYTHON, os.X_OK):
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", script], capture_output=True, check=False).returncode == 0


def _command(name: str) -> str | None:
    """Return where a server's program is; users other than root often have no /usr/sbin in their path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


FFMPEG = Tool("ffmpeg", lambda: shutil.which("ffmpeg") is not None, ("ffmpeg",))
GST_RTSP_SERVER = Tool(
    "gst-rtsp-server",
    _has_gst_rtsp_server,
    (
        "python3-gi",
        "gir1.2-gst-rtsp-server-1.0",
        "gstreamer1.0-libav",
        "gstreamer1.0-plugins-base",
        "gstreamer1.0-plugins-good",
        "gstreamer1.0-plugins-bad",
        "gstreamer1.0-plugins-ugly",
        "gstreamer1.0-tools",
    ),
)
GST_WEBRTC = Tool(
    "webrtcbin",
    _has_webrtcbin,
    ("gstreamer1.0-nice", "gir1.2-gst-plugins-bad-1.0", "gstreamer1.0-plugins-bad", "python3-gi"),
)
CHROMIUM = Tool("chromium", lambda: shutil.which("chromium") is not None, ("chromium",))
FIREFOX = Tool("firefox-esr", lambda: shutil.which("firefox-esr") is not None, ("firefox-esr",))
NGINX = Tool("nginx", lambda: _command("nginx") is not None, ("nginx-light",))
HAPROXY = Tool("haproxy", lambda: _command("haproxy") is not None, ("haproxy",))
COTURN = Tool("turnserver", lambda: _command("turnserver") is not None, ("coturn",))
PROMTOOL = Tool("promtool", lambda: shutil.which("promtool") is not None, ("prometheus",))
SYSTEMD = Tool("systemd-analyze", lambda: shutil.which("systemd-analyze") is not None, ("systemd",))
DPKG = Tool("dpkg", lambda: shutil.which("dpkg-deb") is not None, ("dpkg",))
FAKEROOT = Tool("fakeroot", lambda: shutil.which("fakeroot") is not None, ("fakeroot",))
# `make prove-deb` and `make prove-docker` need these, and no tier.
MMDEBSTRAP = Tool("mmdebstrap", lambda: shutil.which("mmdebstrap") is not None, ("mmdebstrap",))
NSPAWN = Tool("systemd-nspawn", lambda: shutil.which("systemd-nspawn") is not None, ("systemd-container",))
BUILDAH = Tool("buildah", lambda: shutil.which("buildah") is not None, ("buildah",))
TOOLS = (FFMPEG, GST_RTSP_SERVER, CHROMIUM, NGINX, HAPROXY, COTURN, PROMTOOL, SYSTEMD, DPKG, FAKEROOT)


def require_tool(tool: Tool) -> None:
    """Let a test go on only where `tool` is installed: skip it elsewhere, and fail it in CI."""
    if _is_present(tool):
        return
    advice = f"{tool.name} is missing: run `sudo apt-get install {' '.join(tool.packages)}`"
    if os.environ.get("CI") == "true":
        pytest.fail(advice)
    pytest.skip(advice)


@functools.cache
def _is_present(tool: Tool) -> bool:
    return tool.is_present()
