"""Reads `[auth]`: who signs in, what their roles let them do, and who else vouches for people."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from camgate.base.secrets import register_login, register_secret
from camgate.config.cameras import read_password_file
from camgate.config.checks import password_hash, plain_name, section, user_name
from camgate.config.errors import KeyPath
from camgate.config.model import BUILT_IN_ROLES, CallbackSettings, IssuerSettings, RoleSettings, UserSettings
from camgate.config.report import Report
from camgate.config.schema import ACCOUNT_KEYS, CALLBACK_KEYS, ISSUER_KEYS, ROLE_KEYS

USERS: KeyPath = ("auth", "users")
ROLES: KeyPath = ("auth", "roles")
ISSUERS: KeyPath = ("auth", "issuers")
CALLBACK: KeyPath = ("auth", "callback")


class AccountReader:
    """Reads the tables in `[auth]` of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path) -> None:
        """directory: what relative files are relative to."""
        self._report = report
        self._directory = directory

    def read_into(self, values: dict[str, Any]) -> None:
        """Put settings in the place of the tables of `[auth]`."""
        tables = values.get("roles", {})
        roles = dict(BUILT_IN_ROLES)
        for name, table in tables.items():
            if (role := self._role(name, table)) is not None:
                roles[name] = role
        users = values.get("users", {})
        known = roles.keys() | tables.keys()
        values["roles"] = roles
        values["users"] = {name: user for name, table in users.items() if (user := self._user(name, table, known))}
        issuers = values.get("issuers", {})
        values["issuers"] = {
            name: issuer for name, table in issuers.items() if (issuer := self._issuer(name, table, known))
        }
        for name, other in self._doubles(values["issuers"]):
            self._report.add((*ISSUERS, name, "issuer"), f"is the one of {other} as well; name each issuer once")
        if "callback" in values:
            values["callback"] = self._callback(values["callback"])

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
        self._check_roles((*path, "roles"), enumerate(values.get("roles", ())), roles)
        if not named or given is None or "roles" not in values:
            return None
        return UserSettings(name=name, password_hash=given, roles=values["roles"])

    def _issuer(self, name: str, table: object, roles: set[str]) -> IssuerSettings | None:
        path = (*ISSUERS, name)
        if not isinstance(table, dict):
            self._report.attempt(
                path, section, table, "[auth.issuers.NAME] with issuer, audience and jwks_url below it"
            )
            return None
        self._report.attempt(path, plain_name, name)
        values = self._report.read_keys(path, table, ISSUER_KEYS)
        for key in ("issuer", "audience"):
            if key not in table:
                self._report.add(path, f"has no {key}; write what its tokens hold as {key[:3]}")
        keys = [key for key in ("jwks_url", "jwks_file") if key in table]
        if len(keys) != 1:
            state = "has both jwks_url and jwks_file" if keys else "has neither jwks_url nor jwks_file"
            self._report.add(path, f"{state}; write one of them, for where its public keys are")
        self._check_roles((*path, "roles"), values.get("roles", {}).items(), roles)
        self._check_roles((*path, "default_roles"), enumerate(values.get("default_roles", ())), roles)
        if "jwks_url" in values:
            register_login_in(values["jwks_url"])
        if "jwks_file" in values:
            values["jwks_file"] = self._directory / values["jwks_file"]
        return IssuerSettings(name=name, **values) if values.keys() >= {"issuer", "audience"} else None

    def _doubles(self, issuers: Mapping[str, IssuerSettings]) -> Iterator[tuple[str, str]]:
        first: dict[str, str] = {}
        for name, settings in issuers.items():
            if (other := first.setdefault(settings.issuer, name)) != name:
                yield name, other

    def _callback(self, table: Mapping[str, object]) -> CallbackSettings | None:
        values = self._report.read_keys(CALLBACK, table, CALLBACK_KEYS)
        if "url" not in table:
            self._report.add(CALLBACK, 'has no url; write url = "https://…"')
        if "url" not in values:
            return None
        register_login_in(values["url"])
        return CallbackSettings(**values)

    def _check_roles(self, path: KeyPath, named: Iterable[tuple[str | int, str]], roles: set[str]) -> None:
        for at, role in named:
            if role not in roles:
                self._report.add((*path, at), _unknown_role(role, roles))

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


def register_login_in(url: str) -> None:
    """Have a password that stands in a URL masked from now on."""
    split = urlsplit(url)
    if split.password:
        register_secret(split.password)
        register_login(unquote(split.username or ""), unquote(split.password))


def _hash_in(file: Path) -> str:
    return password_hash(read_password_file(file))


def _unknown_role(role: str, roles: set[str]) -> str:
    near = difflib.get_close_matches(role, roles, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(roles))}; others are [auth.roles.NAME]"
    return f"is no role; {hint}"
