"""A config of camgate in the making: its tables, and what of the other program's config has no place in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from camgate.base.names import composed, likeness
from camgate.base.secrets import mask, register_login, register_secret
from camgate.config.checks import MAX_NAME_CHARS, Check, Wrong, camera_name, user_name
from camgate.config.errors import Problem, key_in_words
from camgate.config.password_hash import UnusableHash, check_password_hash, hash_password
from camgate.config.schema import CAMERAS, SECTIONS
from camgate.moving.tree import Node
from camgate.wire.rtsp.auth import Ha1s
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.server_login import hash_password as hash_rtsp_password
from camgate.wire.rtsp.url import split_url_untrusted

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${NAME}`, which go2rtc and camgate replace from the environment."""

MAX_USERS = 200
"""Each is hashed for a fifteenth of a second."""

LONGEST_NAME = MAX_NAME_CHARS - 5
"""Of a name that a number may be put behind."""

_STRAY = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
_NOT_IN_NAMES = re.compile(r"\s*[^\w\s.-]+\s*")


Place: TypeAlias = tuple[Node, str]
"""Where in the other program's config something comes from: its node, and its key for notes."""


@dataclass(slots=True)
class Draft:
    """What is made of one file. `notes` are told to who moves: what has no counterpart here, or another meaning."""

    file: str
    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in SECTIONS})
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    """Environment variables that the config asks for."""
    reads_environment: bool = False
    """Whether the other program replaces `${NAME}`, too; else it is text."""
    new_administrator: str | None = None
    """Who has a password that was made up for this config."""
    names: dict[str, str] = field(default_factory=dict)
    """What cameras are called here, by what the other program calls them."""
    _places: dict[tuple[str, ...], Place] = field(default_factory=dict)
    """Of what can be left out by itself, by its path in the config."""

    def note(self, key: str, node: Node, sentence: str) -> None:
        """Say something about a key. `sentence` must hold no value of the file that could be secret."""
        self.notes.append(Problem(self.file, on_one_line(sentence), node.line, on_one_line(key)))

    def put(self, section: str, key: str, value: Any, node: Node, of: str) -> None:
        """Set a key, if its value is one that camgate takes; else say so of the key `of` at `node`."""
        check: Check[Any] = SECTIONS[section].keys[key]
        try:
            check(value)
        except Wrong as wrong:
            self.note(of, node, f"cannot become {section}.{key}: {wrong}")
        else:
            self.tables[section][key] = value
            self._places[section, key] = node, of

    def extend(self, section: str, key: str, values: list[str], node: Node, of: str) -> None:
        """As `put`, for what is added to a list, each element by itself; one that is there already is not added."""
        for value in values:
            there = self.tables[section].get(key, [])
            if value not in there:
                self.put(section, key, [*there, value], node, of)

    def add_camera(
        self, raw: str, table: Mapping[str, Any], node: Node, of: str, places: Mapping[str, Place] | None = None
    ) -> None:
        """Add a camera under its name, or under one like it that camgate takes.

        places: of keys of `table` that come from a key of their own, and can be left out by themselves.
        """
        name = self._free_name(raw)
        if name != raw:
            self.note(
                of, node, f"is called {name} here, as names have to be free and fit into URLs; {raw} is its title"
            )
            table = {"title": on_one_line(raw) if raw.strip() else name, **table}
        self.cameras[name] = dict(table)
        self.names[raw] = name
        self._places[CAMERAS, name] = node, of
        self._places |= {(CAMERAS, name, key): place for key, place in (places or {}).items()}

    def _free_name(self, raw: str) -> str:
        try:
            name = camera_name(raw)
        except Wrong:
            words = _NOT_IN_NAMES.sub("-", composed(raw)).split()
            name = " ".join(words).strip("-._ ")[:LONGEST_NAME].rstrip()
            name = name if _is_camera_name(name) else "camera"
        taken = {likeness(other) for other in self.cameras}
        candidate, number = name, 1
        while likeness(candidate) in taken:
            number += 1
            candidate = f"{name[:LONGEST_NAME]}-{number}"
        return candidate

    def leave_out(self, problem: Problem) -> bool:
        """Leave out the least that is in order without, and tell of it where it comes from.

        problem: what the loader says of a key of this draft. Returns whether there was something to leave out.
        """
        paths = [path for path in self._places if _is_within(problem.key or "", key_in_words(path))]
        if not paths:
            return False
        path = max(paths, key=len)
        node, of = self._places[path]
        self.note(of, node, f"cannot be taken over, and is left out: {mask(problem.sentence)}")
        self._places = {other: place for other, place in self._places.items() if other[: len(path)] != path}
        table: dict[str, Any] = {**self.tables, CAMERAS: self.cameras}
        for part in path[:-1]:
            table = table[part]
        del table[path[-1]]
        return True

    def add_administrator(self, name: str, password_hash: str) -> None:
        """Add who may change everything, with a password that the other program has never heard of."""
        self.tables["auth"]["users"] = {name: {"password_hash": password_hash, "roles": ["admin"]}}
        self.new_administrator = name

    def add_user(self, name: str, password: str, roles: list[str], node: Node, of: str) -> bool:
        """Add somebody who signs in; return whether this could be done. `password` in clear, or an argon2id hash."""
        users = self.tables["auth"].setdefault("users", {})
        is_administrator = name == self.new_administrator
        if is_administrator and "admin" not in roles:
            sentence = (
                "is what the administrator is called here; pages take the password that is shown for that one only"
            )
            self.note(of, node, sentence)
            return False
        try:
            user_name(name)
            if name in users and not is_administrator:
                raise Wrong("is there twice; what the first of them says is taken over")
            if len(users) >= MAX_USERS:
                raise Wrong(f"is one of more than {MAX_USERS}; add the others by `camgate user hash`")
            register_login(name, password)
            is_hash = password.startswith("$argon2")
            password_hash = check_password_hash(password) if is_hash else hash_password(password)
        except (Wrong, UnusableHash) as error:
            self.note(of, node, str(error))
            return False
        users[name] = {"password_hash": password_hash, "roles": roles}
        self._places["auth", "users", name] = node, of
        if is_administrator:
            self.new_administrator = None
            self.note(of, node, f"{name} is the administrator here as well, with the password as before")
        return True

    def add_player(self, name: str, password: str, node: Node, of: str) -> None:
        """Add somebody who plays by RTSP: no password is kept, only what Digest makes of it."""
        try:
            user_name(name)
        except Wrong as error:
            self.note(of, node, str(error))
            return
        register_login(name, password)
        ha1s: Ha1s = hash_rtsp_password(name, password)
        users = self.tables["rtsp_server"].setdefault("users", {})
        if name not in users:
            users[name] = {"ha1": [ha1s["SHA-256"], ha1s["MD5"]]}
            self._places["rtsp_server", "users", name] = node, of

    def add_ice_server(self, url: str, username: str, password: str, node: Node, of: str) -> None:
        """Add a STUN server, or a TURN server with its login."""
        if url.startswith("stun:"):
            self.extend("webrtc", "stun", [url], node, of)
            return
        if not url.startswith(("turn:", "turns:")):
            self.note(of, node, "is neither a STUN nor a TURN server, and is left out")
            return
        if not password:
            self.note(of, node, "has no password, without which a TURN server lets nobody in; it is left out")
            return
        register_secret(password)
        login = {"secret": self.secret(password)}
        if username != "AUTH_SECRET":  # MediaMTX's word for a secret that is shared
            login = {"username": username, "password": self.secret(password)}
        turn = self.tables["webrtc"].setdefault("turn", {})
        name = f"turn{len(turn) + 1}"
        turn[name] = {"urls": [url], **login}
        self._places["webrtc", "turn", name] = node, of

    def secret(self, text: str) -> str:
        """Return a login's part as camgate's config has it, and remember the variables that it needs."""
        if not self.reads_environment:
            return text.replace("${", "$${")
        self.variables.update(REFERENCE.findall(text))
        return _STRAY.sub("$${", text)

    def stream(self, url: str, node: Node, of: str) -> dict[str, Any] | None:
        """Return the keys of a stream: its URL, and the login that was in it. None, and a note, where it is no URL."""
        references = REFERENCE.findall(url) if self.reads_environment else []
        marks = {f"camgate{at}variable": f"${{{name}}}" for at, name in enumerate(references)}
        for mark, reference in marks.items():
            url = url.replace(reference, mark, 1)
        try:
            split = split_url_untrusted(url)
        except MalformedUrl as error:
            self.note(of, node, f"is no URL of a camera: {error.detail}; it is left out")
            return None
        if split.password and split.password not in marks:
            register_login(split.username or "", split.password)

        def written(text: str) -> str:
            for mark, reference in marks.items():
                text = text.replace(mark, reference)
            return self.secret(text)

        if split.password and not split.username:  # no user name of a config is empty, but one in a URL may be
            login = f":{quote(split.password, safe='')}@"
            return {"url": written(f"{split.scheme}://{login}{split.authority}{split.path}")}
        table = {"url": str(split), "username": split.username, "password": split.password}
        return {key: written(value) for key, value in table.items() if value}


def _is_camera_name(name: str) -> bool:
    try:
        return camera_name(name) == name
    except Wrong:
        return False


def _is_within(key: str, part: str) -> bool:
    """Whether a key, as problems have it, is `part` or in it."""
    return key == part or key.startswith((f"{part}.", f"{part}["))


def on_one_line(text: str) -> str:
    """Return what can be shown: names in YAML may hold anything, such as what moves a terminal's cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
