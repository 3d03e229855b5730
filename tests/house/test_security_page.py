"""docs/security.md promises nothing that no test holds: every test that it names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def missing(page: str, root: Path = ROOT) -> list[str]:
    """Return the tests that a page names and that are not there."""
    return [f"{file}::{name}" if name else file for file, name in NAMED.findall(page) if not exists(root / file, name)]


def exists(file: Path, name: str) -> bool:
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return name in functions if name else any(each.startswith("test_") for each in functions)


def promises(page: str) -> list[str]:
    """Return the rows of the tables that have a column of tests."""
    rows, is_promise = [], False
    for line in page.splitlines():
        if not line.startswith("|"):
            is_promise = False
        elif line.startswith("| promise |"):
            is_promise = True
        elif is_promise and not line.startswith("|---"):
            rows.append(line)
    return rows


def test_every_test_that_is_named_is_there() -> None:
    assert missing(PAGE.read_text()) == []


def test_every_promise_names_a_test() -> None:
    rows = promises(PAGE.read_text())
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row.rsplit("|", 2)[1])] == []


def test_a_test_that_is_gone_is_missed() -> None:
    here = "tests/house/test_security_page.py"
    assert missing(f"`{here}::test_gone`, `tests/house/test_gone.py`, `{here}`") == [
        f"{here}::test_gone",
        "tests/house/test_gone.py",
    ]
    rows = promises("| promise | how | tests |\n|---|---|---|\n| a | b | no test |\n\n| x | y |\n")
    assert rows == ["| a | b | no test |"]
