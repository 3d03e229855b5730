"""Time: is the clock right (sessions, tokens and certificates go by it), and what do log lines mean."""

import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta

from camgate.doctor.finding import FAILED, OK, WARNING, Finding

CLOCK, ZONE = "Clock", "Time zone"
EARLIEST_S = 1_764_000_000
"""November 2025: this version is no older, so a clock before that is wrong."""
LATEST_S = 4_000_000_000
MAX_OFFSET_S = 1.0
COMMAND_TIMEOUT_S = 5.0

_OFFSET = re.compile(r"^\s*Offset:\s*([+-]?)((?:[\d.]+(?:us|ms|s|min|h|d)\s*)+)$", re.MULTILINE)
_PART = re.compile(r"([\d.]+)(us|ms|s|min|h|d)")
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def look_at_clock() -> Finding:
    """Ask timedatectl, where there is one, whether the clock is kept right. Sends nothing itself."""
    return judge_clock(time.time(), _timedatectl("show"), _timedatectl("timesync-status"))


def _timedatectl(*arguments: str) -> str | None:
    if shutil.which("timedatectl") is None:
        return None
    try:
        done = subprocess.run(
            ["timedatectl", "--no-ask-password", *arguments],  # noqa: S607 (where the system has it)
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def judge_clock(now_s: float, shown: str | None, status: str | None) -> Finding:
    """Say what is known of the clock. shown, status: what timedatectl says; None where it says nothing."""
    shown_time = datetime.fromtimestamp(min(max(now_s, 0), LATEST_S)).astimezone().isoformat(timespec="seconds")
    if not EARLIEST_S < now_s < LATEST_S:
        to_do = "set it (timedatectl set-ntp true): until then certificates, sessions and tokens do not work"
        return Finding(CLOCK, FAILED, f"{shown_time} cannot be right", to_do)
    offset_s = offset_in(status or "")
    if offset_s is not None and abs(offset_s) > MAX_OFFSET_S:
        return Finding(CLOCK, WARNING, f"{shown_time}, {offset_s:+.1f} s off by its time server", "wait, or look why")
    if shown is None:
        return Finding(CLOCK, OK, f"{shown_time}; nobody here tells whether it is kept right (no timedatectl)")
    if "NTPSynchronized=yes" in shown:
        off = "" if offset_s is None else f", {offset_s * 1000:+.1f} ms off"
        return Finding(CLOCK, OK, f"{shown_time}, kept right by NTP{off}")
    to_do = "timedatectl set-ntp true, or another NTP client; in a container the host keeps it"
    return Finding(CLOCK, WARNING, f"{shown_time}, and no NTP client keeps it right as far as systemd knows", to_do)


def offset_in(status: str) -> float | None:
    """Return how far the clock is off, in seconds, by the output of `timedatectl timesync-status`."""
    match = _OFFSET.search(status)
    if match is None:
        return None
    total = sum(float(value) * _UNITS_S[unit] for value, unit in _PART.findall(match[2]))
    return -total if match[1] == "-" else total


def look_at_zone() -> Finding:
    """Say in which time zone log lines are stamped."""
    now = datetime.now().astimezone()
    return judge_zone(now.tzname() or "unknown", now.utcoffset() or timedelta())


def judge_zone(name: str, offset: timedelta) -> Finding:
    """Say what the hours in the log mean, and when its day begins."""
    hours = offset.total_seconds() / 3600
    if hours == 0:
        to_do = ""
        return Finding(
            ZONE, OK, f"{name}: log lines and their days are in UTC; TZ=Europe/Berlin or the like sets another", to_do
        )
    return Finding(ZONE, OK, f"{name} (UTC{hours:+g}): log lines and their days are in local time")
