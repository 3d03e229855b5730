"""Reads `[webrtc.turn.NAME]`: TURN servers for viewers, and how one is let in there.

What stands for a credential in the file is registered as a secret before it is used.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camgate.base.secrets import register_login, register_secret
from camgate.config.cameras import read_password_file
from camgate.config.checks import Wrong, plain_name, section
from camgate.config.environment import expand_secret
from camgate.config.errors import KeyPath
from camgate.config.model import TurnSettings
from camgate.config.report import Report
from camgate.config.schema import TURN_KEYS

PATH: KeyPath = ("webrtc", "turn")
EXAMPLE = '[webrtc.turn.NAME] with urls = ["turn:turn.example.org:3478"] below it'
SECRET_KEYS = ("secret", "secret_file", "password", "password_file")


class TurnReader:
    """Reads the TURN servers of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path, environ: Mapping[str, str]) -> None:
        """directory: what a relative `secret_file` is relative to."""
        self._report = report
        self._directory = directory
        self._environ = environ

    def read_all(self, tables: Mapping[str, object]) -> dict[str, TurnSettings]:
        """Return the servers that are in order, by name."""
        return {name: turn for name, table in tables.items() if (turn := self._read(name, table)) is not None}

    def _read(self, name: str, table: object) -> TurnSettings | None:
        path = (*PATH, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, EXAMPLE)
            return None
        named = self._report.attempt(path, plain_name, name)
        values = self._report.read_keys(path, table, TURN_KEYS)
        if "urls" not in table:
            self._report.add(path, 'has no urls; write urls = ["turn:turn.example.org:3478"]')
        login = self._login(path, table, values)
        if not named or login is None or "urls" not in values:
            return None
        lifetime = {key: values[key] for key in ("lifetime_s",) if key in values}
        return TurnSettings(urls=values["urls"], **login, **lifetime)

    def _login(self, path: KeyPath, table: Mapping[str, object], values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the settings that let one in; None where they are wrong, which is noted then."""
        given = [key for key in SECRET_KEYS if key in table]
        if len(given) > 1:
            self._report.add((*path, given[1]), f"is given, and {given[0]} too; write one of them")
        if not given:
            sentence = (
                "lets nobody in; write secret or secret_file as coturn's static-auth-secret has it, or username and"
            )
            self._report.add(path, f"{sentence} password")
        if len(given) != 1 or given[0] not in values:
            return None
        is_shared = given[0].startswith("secret")
        if is_shared and "username" in table:
            self._report.add((*path, "username"), "is given, and a secret too, which makes user names; leave it out")
            return None
        if not is_shared and "username" not in values:
            if "username" not in table:
                self._report.add(path, f"has {given[0]} and no username; write that as well")
            return None
        if not is_shared and "lifetime_s" in table:
            self._report.add((*path, "lifetime_s"), "is for credentials that are made of a secret; leave it out")
            return None
        secret = self._report.attempt((*path, given[0]), self._secret, given[0], values[given[0]])
        if secret is None:
            return None
        if is_shared:
            register_secret(secret)
            return {"secret": secret}
        register_login(values["username"], secret)
        return {"username": values["username"], "password": secret}

    def _secret(self, key: str, value: str) -> str:
        if key.endswith("_file"):
            secret = read_password_file(self._directory / value)
        else:
            secret = expand_secret(value, self._environ)
        if not secret.isascii():  # It would have to stand in a header.
            raise Wrong("holds characters beyond ASCII, which a Link header cannot carry; choose another")
        return secret
