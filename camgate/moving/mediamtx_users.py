"""From `authInternalUsers` of MediaMTX, and `readUser` of older ones: who signs in, sees what, and plays by RTSP.

A permission without `path` is for all cameras. With one it is for that camera, or, behind a `~`, for those in whose
names a regular expression of Go is found. Here a role lists them; the users of the RTSP server have none.
"""

import re
from collections.abc import Iterator, Mapping

from camgate.moving.draft import Draft, Place
from camgate.moving.tree import Node

MAX_EXPRESSION_CHARS = 200
MAX_CHOICES = 3
"""Of repetitions, and of groups. Python looks for a match by trying, and each multiplies how often; Go does not."""

HASHED = "is kept as a hash that camgate does not take; `camgate user hash` makes a user"

_ALL = re.compile(r"~\^?(\.[*+]\$?)?|~\$")
_REPETITION = re.compile(r"(?<!\()[*+{?]")
# A group that is repeated can take for ever, and `[[:alpha:]]` means another thing in Python.
_UNLIKE_GO = re.compile(r"\)[*+{]|\[:")


def import_users(users: Node, draft: Draft) -> None:
    """Add the users of a list to `draft`, whose cameras are there already."""
    for index, user in enumerate(users.elements):
        _user(f"authInternalUsers[{index}]", user, draft)


def import_readers(paths: Mapping[str, Mapping[str, Node]], draft: Draft) -> None:
    """Add whom paths name as `readUser`, with `readPass`, which is how older versions have it. paths: their keys."""
    readers: dict[tuple[str, str], list[str]] = {}
    for path, keys in paths.items():
        name, password = (keys.get(key, Node(1, "")).text for key in ("readUser", "readPass"))
        if path in draft.names and name and password:
            readers.setdefault((name, password), []).append(path)
    for (name, password), theirs in readers.items():
        place = paths[theirs[0]]["readUser"], f"paths.{theirs[0]}.readUser"
        if _is_hash(name, password):
            draft.note(place[1], place[0], HASHED)
        elif len(theirs) == len(draft.cameras):
            _add_viewer(place, name, password, draft)
        else:
            _add_limited(place, place, name, password, [draft.names[path] for path in theirs], draft)


def _is_hash(name: str, password: str) -> bool:
    """Whether somebody is kept as a hash that camgate does not take."""
    return password.startswith("sha256:") or name.startswith(("sha256:", "argon2:"))


def _user(of: str, user: Node, draft: Draft) -> None:
    entries = user.entries
    name, password = (entries.get(key, Node(user.line, "")).text for key in ("user", "pass"))
    permissions = entries.get("permissions", Node(user.line, []))
    actions = {each.entries.get("action", Node(each.line, "")).text for each in permissions.elements}
    if name == "any" or not password:
        if actions & {"read", "publish", "playback"}:
            draft.note(of, user, "lets in whoever comes without a password; camgate asks everybody to sign in")
        return
    if _is_hash(name, password):
        draft.note(of, user, HASHED)
        return
    ips = entries.get("ips")
    if ips and not ips.says_nothing:
        draft.note(f"{of}.ips", ips, "camgate ties no users to addresses")
    if others := sorted(actions - {"read", "playback"}):
        sentence = f"allows {', '.join(others)}, which no role here does; that of admin is to change everything"
        draft.note(f"{of}.permissions", permissions, sentence)
    if "read" not in actions:
        return
    if _sees_all(permissions):
        _add_viewer((user, of), name, password, draft)
    elif view := list(dict.fromkeys(_cameras(f"{of}.permissions", permissions, draft))):
        _add_limited((user, of), (permissions, f"{of}.permissions"), name, password, view, draft)
    else:
        draft.note(of, user, "may see none of the cameras that came along, and is left out")


def _add_viewer(place: Place, name: str, password: str, draft: Draft) -> None:
    """Add who may see all cameras."""
    user, of = place
    is_added = draft.add_user(name, password.removeprefix("argon2:"), ["viewer"], user, of)
    if password.startswith("argon2:"):
        draft.note(of, user, "has no login to the RTSP server, as its password is kept as a hash")
    elif is_added or name == draft.new_administrator:
        draft.add_player(name, password, user, of)


def _add_limited(place: Place, reason: Place, name: str, password: str, view: list[str], draft: Draft) -> None:
    """Add who may see some cameras. reason: where it says so."""
    user, of = place
    roles = draft.tables["auth"].setdefault("roles", {})
    role = f"mediamtx-{len(roles) + 1}"
    if draft.add_user(name, password.removeprefix("argon2:"), [role], user, of):
        roles[role] = {"view": view}
        draft.note(reason[1], reason[0], f"became the role {role}, which lists its cameras")
    sentence = "has no login to the RTSP server, whose users play every camera; pages and tokens keep to roles"
    draft.note(of, user, f"{sentence} (docs/rtsp.md)")


def _readings(permissions: Node) -> Iterator[tuple[int, Node]]:
    """Return the paths of the permissions to read, and where they stand in the list."""
    for index, permission in enumerate(permissions.elements):
        entries = permission.entries
        if entries.get("action", Node(permission.line, "")).text == "read":
            yield index, entries.get("path", Node(permission.line, ""))


def _sees_all(permissions: Node) -> bool:
    return any(not path.text or _ALL.fullmatch(path.text) for _, path in _readings(permissions))


def _cameras(of: str, permissions: Node, draft: Draft) -> Iterator[str]:
    """Return the names here of the cameras that may be read; tell of paths that are none, or more than names."""
    for index, path in _readings(permissions):
        key = f"{of}[{index}].path"
        if not path.text.startswith("~"):
            if path.text in draft.names:
                yield draft.names[path.text]
            else:
                draft.note(key, path, "is none of the cameras that came along")
            continue
        expression = _compiled(path.text[1:])
        if expression is None:
            draft.note(
                key, path, "is no regular expression that camgate reads; list its cameras in a role ([auth.roles])"
            )
            continue
        draft.note(key, path, "became the cameras whose names it fits now; for later ones see view in docs/access.md")
        yield from (name for raw, name in draft.names.items() if expression.search(raw))


def _compiled(expression: str) -> re.Pattern[str] | None:
    if len(expression) > MAX_EXPRESSION_CHARS or _UNLIKE_GO.search(expression):
        return None
    if max(expression.count("("), len(_REPETITION.findall(expression))) > MAX_CHOICES:
        return None
    try:
        return re.compile(expression)
    except (re.error, OverflowError, RecursionError):
        return None
