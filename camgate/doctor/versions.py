"""Versions of what pictures depend on."""

import platform
import ssl
import sys
from importlib.metadata import PackageNotFoundError, version

from camgate.doctor.finding import FAILED, OK, Finding

VERSIONS = "Versions"
PACKAGES = ("aiortc", "av", "cryptography", "pyopenssl", "pylibsrtp", "trio", "quart", "hypercorn")


def versions() -> dict[str, str]:
    """Return what is installed, by name."""
    known = {
        "camgate": _version("camgate"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "openssl": ssl.OPENSSL_VERSION,
    }
    return known | {name: _version(name) for name in PACKAGES}


def look_at_versions() -> Finding:
    """Say what is installed."""
    return judge_versions(versions(), sys.version_info[:2])


def judge_versions(known: dict[str, str], python: tuple[int, int]) -> Finding:
    """Say whether anything is missing."""
    missing = [name for name in PACKAGES if not known[name]]
    what = ", ".join(
        f"{name} {known[name]}" for name in ("camgate", "python", "aiortc", "av", "cryptography", "kernel")
    )
    what += f", {known['openssl']}"
    if python < (3, 11):
        return Finding(VERSIONS, FAILED, what, "install Python 3.11 or newer")
    if missing:
        return Finding(VERSIONS, FAILED, f"{what}; not installed: {', '.join(missing)}", "install camgate anew")
    return Finding(VERSIONS, OK, what)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
