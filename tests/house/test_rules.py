"""Rules of the house that ruff, mypy and import-linter cannot check."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fakes.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "camgate").rglob("*.py"))
MAX_FILE_LINES = 500

STRAY = re.compile(
    r"https?://(?:127\.0\.0\.1|localhost)[^/]*/(?:simple|pypi)|/home/\w+/|/root/|/work/|--(?:extra-)?index-url"
)
"""Machine paths and package registries, which belong to one machine."""


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def functions(path: Path) -> Iterator[str]:
    """Yield the names of all functions and methods in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def pinned(lock: str) -> dict[str, str]:
    """Return name -> version of everything a lock pins."""
    lines = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_the_locks_hold_what_pyproject_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + (project["optional-dependencies"]["dev"] if lock == "dev.lock" else [])
    versions = pinned(lock)
    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: run make lock"
        assert requirement.specifier.contains(version), f"{lock} pins {requirement.name} {version}: run make lock"


def test_what_camgate_imports_is_asked_for_by_name() -> None:
    """A package that another one happens to bring may be gone with that one's next version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    brought_by = packages_distributions()
    missing = {
        module
        for path in MODULES
        for module in imported_modules(path)
        if module not in sys.stdlib_module_names and module != "camgate"
        if not asked & {canonicalize_name(name) for name in brought_by.get(module, [])}
    }
    assert missing == set()


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the top-level name of everything that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_all_locks_pin_the_same_versions() -> None:
    for lock in ("run.lock", "build.lock"):
        assert pinned(lock).items() <= pinned("dev.lock").items(), lock


def test_every_pin_has_a_hash() -> None:
    for lock in ("run.lock", "dev.lock", "build.lock"):
        entries = re.split(r"^(?=\w)", (ROOT / "requirements" / lock).read_text(), flags=re.MULTILINE)[1:]
        assert entries
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if not name or path == Path(__file__) or not path.is_file():
            continue
        found = STRAY.search(path.read_bytes().decode(errors="replace"))
        assert found is None, f"{name} names a place on one machine: {found}"


def test_every_untrusted_function_is_fuzzed() -> None:
    public = {name for path in MODULES for name in functions(path) if name.endswith("_untrusted") and name[0] != "_"}
    fuzz_tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "fuzz").glob("test_*.py"))
    assert public
    assert sorted(name for name in public if not re.search(rf"\b{name}\b", fuzz_tests)) == []


def has_logic(path: Path) -> bool:
    """Whether a module does more than name shapes and errors."""
    return any(not name.startswith("__") for name in functions(path))


@pytest.mark.parametrize("path", [path for path in MODULES if "wire" in path.parts and has_logic(path)], ids=dotted)
def test_every_module_of_wire_has_its_own_tests(path: Path) -> None:
    folder = ROOT / "tests" / path.parent.relative_to(ROOT / "camgate")
    assert (folder / f"test_{path.name}").exists()


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    if text.count("\n") > MAX_FILE_LINES:
        assert "lines" in docstring, f"over {MAX_FILE_LINES} lines: the docstring should say why the file is long"


def test_the_manual_page_says_what_the_commands_do() -> None:
    checked = subprocess.run([sys.executable, ROOT / "packaging" / "man-page", "--check"], check=False)
    assert checked.returncode == 0, "a command's help has changed: run make man"


def test_what_tests_need_is_installed_for_them() -> None:
    installed = set((ROOT / "tests" / "install-system-packages").read_text().split())
    for tool in TOOLS:
        assert set(tool.packages) <= installed, f"packages for {tool.name} are missing in tests/install-system-packages"
