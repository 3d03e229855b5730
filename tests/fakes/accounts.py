"""Users with cheap hashes, and an Access for them: a real hash takes 60 ms, which thousands of tests would wait for."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import argon2
import trio

from camgate.auth.access import Access
from camgate.config.model import BUILT_IN_ROLES, AuthSettings, RoleSettings, UserSettings

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

ROLES = {
    **BUILT_IN_ROLES,
    "front": RoleSettings(view=("front",)),
    "yard": RoleSettings(view=("yard",)),
    "outside": RoleSettings(view=("group:outside",)),
    "operator": RoleSettings(view=("*",), control=("*",)),
    "keeper": RoleSettings(control=("front",), view=("front",)),
    "nothing": RoleSettings(),
}


class Clock:
    """A Unix time that stands still until a test moves it, in seconds."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def auth_settings(users: Mapping[str, str], session_days: float = 30.0) -> AuthSettings:
    """Return settings with these users (name -> role); each one's password is the name backwards."""
    accounts = {
        name: UserSettings(name=name, password_hash=CHEAP.hash(name[::-1]), roles=(role,))
        for name, role in users.items()
    }
    return AuthSettings(users=accounts, roles=ROLES, session_days=session_days)


def access_for(
    users: Mapping[str, str], state: Path, clock: Callable[[], float] = trio.current_time, session_days: float = 30.0
) -> Access:
    """Return an Access for these users, whose Unix time is `clock`."""
    return Access(auth_settings(users, session_days), state, clock=clock)


def basic(name: str, password: str | None = None) -> dict[str, str]:
    """Return the header of HTTP Basic; the password is the right one where none is given."""
    login = f"{name}:{name[::-1] if password is None else password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
