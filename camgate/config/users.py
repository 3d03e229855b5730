"""Reads `[rtsp_server.users.NAME]`: who may log in to the RTSP server, and by what.

Only H(A1) of RFC 7616 is kept. Whatever stands for it in the file is registered as a secret before it is used.
"""

from collections.abc import Mapping
from pathlib import Path

from camgate.base.secrets import register_login, register_secret
from camgate.config.cameras import read_password_file
from camgate.config.checks import section, user_name
from camgate.config.environment import expand_secret
from camgate.config.errors import KeyPath
from camgate.config.report import Report
from camgate.config.schema import USER_KEYS
from camgate.wire.rtsp.auth import Ha1s
from camgate.wire.rtsp.server_login import common_algorithms, hash_password

PATH: KeyPath = ("rtsp_server", "users")

EXAMPLE = "password, password_file or ha1"


class UserReader:
    """Reads the users of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path, environ: Mapping[str, str]) -> None:
        """directory: what a relative `password_file` is relative to."""
        self._report = report
        self._directory = directory
        self._environ = environ

    def read_all(self, tables: Mapping[str, object]) -> dict[str, Ha1s]:
        """Return the users that are in order."""
        users = {name: ha1s for name, table in tables.items() if (ha1s := self._read(name, table))}
        if users and not common_algorithms(users.values()):
            sentence = "some have an HA1 of MD5 only, others one of SHA-256, and clients are offered what all have"
            self._report.add(PATH, f"{sentence}; write both for each")
        return users

    def _read(self, name: str, table: object) -> Ha1s | None:
        path = (*PATH, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, f"[rtsp_server.users.NAME] with {EXAMPLE} below it")
            return None
        named = self._report.attempt(path, user_name, name)
        values = self._report.read_keys(path, table, USER_KEYS)
        given = [key for key in USER_KEYS if key in table]
        if len(given) > 1:
            self._report.add((*path, given[1]), f"is given, and {given[0]} too; write one of them")
        if not given:
            self._report.add(path, f"has no password; write {EXAMPLE}")
        if not named or len(given) != 1 or given != list(values):
            return None
        return self._kept(path, name, given[0], values[given[0]])

    def _kept(self, path: KeyPath, name: str, key: str, value: object) -> Ha1s | None:
        match key, value:
            case "ha1", tuple():
                for _, digits in value:
                    register_secret(digits)
                return dict(value)
            case "password", str():
                password = self._report.attempt((*path, key), expand_secret, value, self._environ)
            case _:
                password = self._report.attempt((*path, key), read_password_file, self._directory / str(value))
        if password is None:
            return None
        register_login(name, password)
        return hash_password(name, password)
