"""Commands start fast: each loads what it needs, and no command all of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from camgate.cli.commands import COMMANDS
from camgate.cli.main import app
from tests.fakes.command import DEADLINE_S, environment

HEAVY = {"aiortc", "av", "hypercorn", "quart", "quart_trio", "trio_asyncio"}
"""Packages that only a daemon needs; together most of a second."""


def imported_by(*arguments: str | Path, directory: Path) -> set[str]:
    """Run a command to its end and return all packages that it imported."""
    command = [sys.executable, "-X", "importtime", "-m", "camgate", *arguments]
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    lines = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {name.partition(".")[0] for name in lines}


def test_the_version_is_told_without_what_it_takes_to_serve(tmp_path: Path) -> None:
    imported = imported_by("--version", directory=tmp_path)
    assert "camgate" in imported
    assert imported & (HEAVY | {"cryptography", "h11", "httpx", "rich", "trio"}) == set()


@pytest.mark.parametrize("command", [("init", "camgate.toml"), ("check", "there.toml")], ids=lambda words: words[0])
def test_configs_are_written_and_checked_without_what_it_takes_to_serve(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "there.toml").write_text('[cameras.front]\nurl = "rtsp://192.0.2.10/"\n')
    assert imported_by(*command, directory=tmp_path) & (HEAVY | {"trio"}) == set()


def test_the_help_names_every_command_with_what_it_does() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).output
    told = [line.strip("│ ").split(maxsplit=1) for line in shown.partition("Commands")[2].splitlines()]
    assert [words[0] for words in told if len(words) == 2 and words[0] in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    for option in ("--help", "-h"):
        outcome = CliRunner().invoke(app, [name, option])
        assert outcome.exit_code == 0
        assert f"{name} [OPTIONS]" in outcome.output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_all_that_is_written_for_it(name: str) -> None:
    command = get_command(app).get_command(typer.Context(get_command(app)), name)
    wide = {"COLUMNS": "400", "TERMINAL_WIDTH": "400"}
    for sub_name, sub in {"": command, **getattr(command, "commands", {})}.items():
        shown = CliRunner().invoke(app, [name, *sub_name.split(), "--help"], env=wide).output
        for parameter in sub.params:
            # Rich takes what stands in brackets for its own.
            assert (getattr(parameter, "help", None) or "") in shown


def test_a_command_that_is_nearly_one_is_named() -> None:
    outcome = CliRunner().invoke(app, ["chek"])
    assert outcome.exit_code == 2
    assert "Did you mean 'check'?" in outcome.output
