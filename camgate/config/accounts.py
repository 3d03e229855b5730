"""Reads `[auth]`: who signs in, and what their roles let them do."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camgate.base.secrets import register_secret
from camgate.config.cameras import read_password_file
from camgate.config.checks import password_hash, plain_name, section, user_name
from camgate.config.errors import KeyPath
from camgate.config.model import BUILT_IN_ROLES, RoleSettings, UserSettings
from camgate.config.report import Report
from camgate.config.schema import ACCOUNT_KEYS, ROLE_KEYS

USERS: KeyPath = ("auth", "users")
ROLES: KeyPath = ("auth", "roles")


class AccountReader:
    """Reads the users and roles of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path) -> None:
        """directory: what a relative `password_hash_file` is relative to."""
        self._report = report
        self._directory = directory

    def read_into(self, values: dict[str, Any]) -> None:
        """Put settings in the place of the tables `users` and `roles` of `[auth]`."""
        tables = values.get("roles", {})
        roles = dict(BUILT_IN_ROLES)
        for name, table in tables.items():
            if (role := self._role(name, table)) is not None:
                roles[name] = role
        users = values.get("users", {})
        known = roles.keys() | tables.keys()
        values["roles"] = roles
        values["users"] = {name: user for name, table in users.items() if (user := self._user(name, table, known))}

    def _role(self, name: str, table: object) -> RoleSettings | None:
        path = (*ROLES, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, '[auth.roles.NAME] with view = ["*"] below it')
            return None
        if name in BUILT_IN_ROLES:
            self._report.add(path, "is a role that camgate has already; choose another name")
            return None
        self._report.attempt(path, plain_name, name)
        patterns = self._report.read_keys(path, table, ROLE_KEYS)
        if not table:
            self._report.add(path, 'allows nothing; write view = ["*"], or leave the role out')
        return RoleSettings(**patterns)

    def _user(self, name: str, table: object, roles: set[str]) -> UserSettings | None:
        path = (*USERS, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, "[auth.users.NAME] with password_hash and roles below it")
            return None
        named = self._report.attempt(path, user_name, name)
        values = self._report.read_keys(path, table, ACCOUNT_KEYS)
        given = self._hash(path, table, values)
        if "roles" not in table:
            self._report.add(path, f'has no roles; write roles = ["viewer"], or others of {", ".join(sorted(roles))}')
        for index, role in enumerate(values.get("roles", ())):
            if role not in roles:
                self._report.add((*path, "roles", index), _unknown_role(role, roles))
        if not named or given is None or "roles" not in values:
            return None
        return UserSettings(name=name, password_hash=given, roles=values["roles"])

    def _hash(self, path: KeyPath, table: Mapping[str, object], values: Mapping[str, Any]) -> str | None:
        keys = [key for key in ("password_hash", "password_hash_file") if key in table]
        if len(keys) == 2:
            self._report.add((*path, keys[1]), "is given, and password_hash too; write one of them")
        if not keys:
            self._report.add(path, "has no password_hash; `camgate user hash` makes one")
        if len(keys) != 1 or keys[0] not in values:
            return None
        given: str | None = values[keys[0]]
        if keys[0] == "password_hash_file":
            given = self._report.attempt((*path, keys[0]), _hash_in, self._directory / str(given))
        if given is not None:
            register_secret(given)
        return given


def _hash_in(file: Path) -> str:
    return password_hash(read_password_file(file))


def _unknown_role(role: str, roles: set[str]) -> str:
    near = difflib.get_close_matches(role, roles, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(roles))}; others are [auth.roles.NAME]"
    return f"is no role; {hint}"
