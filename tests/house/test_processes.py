"""Nothing that comes from outside is run: which modules start programs, and that none goes through a shell."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTERS = {
    "camgate/bench/link.py": "the benchmark's own processes",
    "camgate/cli/argv.py": "itself, without the login among its arguments",
    "camgate/doctor/bundle.py": "journalctl, with fixed arguments",
    "camgate/doctor/clock.py": "timedatectl, with fixed arguments",
    "camgate/service/install.py": "systemctl and systemd-sysusers, for who asks to install camgate",
    "camgate/transcode/process.py": "its own workers",
}
"""Who may start what."""
STARTS = {"Popen", "check_call", "check_output", "open_process", "run_process", "system", "popen", "spawnv"}
STARTS |= {f"exec{way}" for way in ("l", "le", "lp", "v", "ve", "vp", "vpe")}
NAMES = {"eval", "exec", "compile", "__import__"}


def starts(code: str) -> Iterator[str]:
    """Yield what in a module starts a program, goes through a shell, or runs text as code."""
    tree = ast.parse(code)
    has_subprocess = any(
        isinstance(node, ast.Import) and any(alias.name == "subprocess" for alias in node.names)
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in NAMES:
                yield name
            case ast.Attribute(attr=name) if name in STARTS:
                yield name
            case ast.Attribute(value=ast.Name(id="subprocess"), attr="run" | "call" as name) if has_subprocess:
                yield name
            case ast.keyword(arg="shell"):
                yield "shell"


def test_only_these_modules_start_programs_and_none_by_a_shell() -> None:
    found = {str(path.relative_to(ROOT)): set(starts(path.read_text())) for path in (ROOT / "camgate").rglob("*.py")}
    assert {path for path, names in found.items() if names} == set(STARTERS)
    assert not {"shell", "system", "popen", *NAMES} & set().union(*found.values())


def test_the_search_finds_them() -> None:
    code = "import os, subprocess\nsubprocess.run('x', shell=True)\nos.system('x')\neval('x')\nos.execv('x', [])\n"
    assert sorted(starts(code)) == ["eval", "execv", "run", "shell", "system"]
    assert list(starts("import re\nre.compile('x').run('y')")) == []
