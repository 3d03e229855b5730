"""What the machine, or the container, has room for: files, memory, disk; and where camgate may write."""

import os
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path

from camgate.base.log_file import why_unwritable
from camgate.config.model import LoggingSettings, Settings
from camgate.config.state import KEY, state_directory
from camgate.doctor.finding import FAILED, OK, WARNING, Finding
from camgate.load.process import memory_allowed_bytes

FILES, MEMORY, STATE, LOG_DISK, LOG_DIRECTORY = "Open files", "Memory", "State directory", "Disk for logs", "Log files"

FILES_A_VIEWER = 2
"""A connection for its page and one for signaling; media have one socket for all."""
FILES_A_CAMERA = 4
FILES_OF_OUR_OWN = 200
"""Listeners, log, worker processes, and the 100 connections beside those of viewers."""
MEMORY_OF_OUR_OWN_BYTES = 120_000_000
MEMORY_A_VIEWER_BYTES = 150_000
MEMORY_A_CAMERA_BYTES = 4_000_000
"""Its cache: a group of pictures of 8 Mbit/s that is 4 s long."""
MEGABYTE = 1_000_000


def look_at_files(settings: Settings) -> Finding:
    """Ask how many files may be open; `camgate run` takes as many as it is allowed."""
    return judge_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1], settings)


def judge_files(allowed: int, settings: Settings) -> Finding:
    """Say whether all viewers and cameras can have their connections."""
    cameras = len(settings.cameras)
    needed = FILES_OF_OUR_OWN + FILES_A_VIEWER * settings.server.max_viewers + FILES_A_CAMERA * cameras
    if allowed in (resource.RLIM_INFINITY, -1) or allowed >= needed:
        shown = "any number" if allowed in (resource.RLIM_INFINITY, -1) else f"{allowed:,}"
        return Finding(FILES, OK, f"{shown} allowed, {needed:,} may be needed")
    what = f"{allowed:,} allowed, and {settings.server.max_viewers} viewers and {cameras} cameras may need {needed:,}"
    return Finding(
        FILES, WARNING, what, f"LimitNOFILE={needed} in the service, ulimit -Hn, or fewer server.max_viewers"
    )


def look_at_memory(settings: Settings) -> Finding:
    """Ask how much memory there is for camgate."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return judge_memory(memory_allowed_bytes(), machine, settings)


def judge_memory(allowed_bytes: int, machine_bytes: int, settings: Settings) -> Finding:
    """Say whether all viewers and cameras would have room."""
    limit_mb = settings.limits.max_memory_mb
    usable = limit_mb * MEGABYTE if limit_mb else 0.8 * allowed_bytes
    needed = MEMORY_OF_OUR_OWN_BYTES + MEMORY_A_CAMERA_BYTES * len(settings.cameras)
    with_viewers = needed + MEMORY_A_VIEWER_BYTES * settings.server.max_viewers
    whose = "limit of this container or service" if allowed_bytes < machine_bytes else "machine"
    what = f"{allowed_bytes / MEGABYTE:,.0f} MB ({whose}); {needed / MEGABYTE:,.0f} MB are needed without viewers"
    what += f", {with_viewers / MEGABYTE:,.0f} MB with {settings.server.max_viewers}"
    if usable < needed:
        return Finding(MEMORY, FAILED, what, "give it more memory, or configure fewer cameras")
    if usable < with_viewers:
        return Finding(MEMORY, WARNING, what, "give it more memory, or lower server.max_viewers")
    return Finding(MEMORY, OK, what)


def look_at_state(settings: Settings, environ: Mapping[str, str], *, is_needed: bool) -> Finding:
    """See whether keys can be kept. Makes nothing."""
    directory = state_directory(settings.server, environ)
    mode = directory.stat().st_mode & 0o777 if directory.exists() else None
    return judge_state(directory, why_unwritable(directory), mode, is_needed=is_needed)


def judge_state(directory: Path, why: str | None, mode: int | None, *, is_needed: bool) -> Finding:
    """Say whether the state directory does. mode: its permissions, None where it is not there yet."""
    if why is not None:
        to_do = f"run camgate doctor as the user that camgate runs as, or write another {KEY}"
        return Finding(STATE, FAILED if is_needed else WARNING, f"this user cannot write in {directory}: {why}", to_do)
    if mode is not None and mode & 0o077:
        to_do = f"chmod 700 {directory}"
        return Finding(STATE, WARNING, f"{directory} can be entered by others (mode {mode:o}); it holds keys", to_do)
    return Finding(STATE, OK, str(directory) if mode is not None else f"{directory} will be made when it is needed")


def look_at_logs(settings: LoggingSettings) -> list[Finding]:
    """See whether log files can be written, and have room."""
    if settings.output == "console":
        return [Finding(LOG_DIRECTORY, OK, "none: the log goes to the console, or to the service manager's journal")]
    directory = settings.directory.absolute()
    if why := why_unwritable(directory):
        to_do = "run camgate doctor as the user that camgate runs as, or write another logging.directory"
        return [Finding(LOG_DIRECTORY, WARNING, f"this user cannot write in {directory}: {why}", to_do)]
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    return [Finding(LOG_DIRECTORY, OK, str(directory)), judge_disk(shutil.disk_usage(existing).free, settings)]


def judge_disk(free_bytes: int, settings: LoggingSettings) -> Finding:
    """Say whether there is room for as many log files as the settings allow."""
    most = settings.max_size_mb * MEGABYTE * (settings.max_backups + 1)
    what = f"{free_bytes / MEGABYTE:,.0f} MB free"
    if free_bytes < 10 * MEGABYTE:
        return Finding(LOG_DISK, FAILED, what, "make room: log lines are being lost, or soon will be")
    if settings.max_backups and free_bytes < most:
        to_do = "lower logging.max_size_mb or logging.max_backups, or make room"
        return Finding(LOG_DISK, WARNING, f"{what}; full log files take up to {most / MEGABYTE:,.0f} MB", to_do)
    return Finding(LOG_DISK, OK, what)
