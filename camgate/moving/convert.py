"""Makes a config of camgate out of a file of MediaMTX or go2rtc, and holds it against camgate's own loader."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from camgate.config.address import split_listen
from camgate.config.errors import ConfigError, Problem
from camgate.config.exposure import exposures
from camgate.config.load import parse
from camgate.config.model import Settings
from camgate.config.schema import CAMERAS
from camgate.config.starter import ADMIN
from camgate.config.version import KEY as VERSION_KEY
from camgate.config.version import VERSION
from camgate.moving import go2rtc, mediamtx
from camgate.moving.draft import Draft, on_one_line
from camgate.moving.tree import Node, parse_tree, read_tree

KINDS = (mediamtx.NAME, go2rtc.NAME)

LISTEN = "0.0.0.0:8107"
NO_CAMERA = "holds no camera that camgate can fetch by RTSP"

_HEAD = """\
# camgate: made by `camgate import` of {file}. `camgate check FILE` says whether it is in order, `camgate run --config
# FILE` shows the cameras. Ports are those of the other program: stop that first, or write others here.
# etc/camgate.toml in camgate's source explains all keys.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. notes: what has no counterpart, or means something else, in the order of the file.

    variables: of the environment, which the config needs and which are not set.
    has_new_administrator: whether the hash that was given is used; the file may have an administrator of that name.
    """

    text: str
    kind: str
    cameras: int
    notes: tuple[Problem, ...]
    variables: tuple[str, ...]
    has_new_administrator: bool


def convert(
    file: Path, output: Path, environ: Mapping[str, str], *, kind: str | None = None, password_hash: str | None = None
) -> Imported:
    """Return a config that is in order, and that `camgate run` takes without --insecure.

    kind: whose config it is; None to tell by what is in it. password_hash: the administrator's, None for none.
    Raises ConfigError, which names `file` where that cannot be used.
    """
    text, top = read_tree(file)
    kind = kind or _kind_of(top, file)
    draft = Draft(str(file))
    if password_hash is not None:
        draft.add_administrator(ADMIN, password_hash)
    if kind == go2rtc.NAME:
        go2rtc.import_go2rtc(parse_tree(go2rtc.resolve_variables(text, environ), file), draft, environ)
    else:
        mediamtx.import_mediamtx(top, draft, file.parent)
    if draft.tables["auth"].get("users"):
        draft.tables["server"].setdefault("listen", LISTEN)  # both listen everywhere unless told otherwise
    # What is not set here may be set where camgate will run.
    known = {**environ, **{name: "unknown" for name in draft.variables if not environ.get(name)}}
    settings = _settle(draft, file, output, known)
    if not draft.cameras:
        raise ConfigError((*_notes(draft), Problem(str(file), NO_CAMERA)))
    for exposure in exposures(settings):
        section, key = exposure.key.split(".")
        _, port = split_listen(exposure.listen)
        draft.tables[section][key] = f"127.0.0.1:{port}"
        sentence = (
            f"{exposure.listen} would let in everybody; camgate listens on this machine only: {exposure.in_short}"
        )
        draft.notes.append(Problem(str(file), sentence, key=exposure.key))
    text = _text_of(draft, file)
    missing = (name for name in draft.variables if not environ.get(name) and f"${{{name}}}" in text)
    has_new_administrator = draft.new_administrator is not None
    return Imported(text, kind, len(draft.cameras), _notes(draft), tuple(sorted(missing)), has_new_administrator)


def _settle(draft: Draft, file: Path, output: Path, environ: Mapping[str, str]) -> Settings:
    """Read what was made as camgate will; what it does not take is left out, and told of where it came from."""
    while True:
        try:
            return parse(_text_of(draft, file), environ, file=str(output), directory=output.parent)
        except ConfigError as error:
            if not sum(draft.leave_out(problem) for problem in error.problems):
                raise


def _kind_of(top: Node, file: Path) -> str:
    keys = top.entries.keys()
    if {"go2rtc", "cameras"} <= keys:
        sentence = "is of Frigate; write what is under its key go2rtc into a file of its own, and import that"
        raise ConfigError((Problem(str(file), sentence, top.entries["go2rtc"].line),))
    marked = [kind for kind, marks in ((mediamtx.NAME, mediamtx.MARKS), (go2rtc.NAME, go2rtc.MARKS)) if keys & marks]
    if len(marked) != 1:
        state = "could be of either" if marked else "looks like neither"
        sentence = f"{state} MediaMTX {'or' if marked else 'nor'} go2rtc; say --from mediamtx or --from go2rtc"
        raise ConfigError((Problem(str(file), sentence),))
    return marked[0]


def _notes(draft: Draft) -> tuple[Problem, ...]:
    return tuple(sorted(draft.notes, key=lambda note: note.line or 1_000_000))


def _tables(draft: Draft) -> dict[str, Any]:
    return (
        {VERSION_KEY: VERSION}
        | {name: table for name, table in draft.tables.items() if table}
        | {CAMERAS: draft.cameras}
    )


def _text_of(draft: Draft, file: Path) -> str:
    return f"{_HEAD.format(file=on_one_line(file.name))}\n{tomli_w.dumps(_tables(draft))}"
