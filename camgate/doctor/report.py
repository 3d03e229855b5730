"""The findings as a table for people, and as JSON for programs."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camgate.base.secrets import mask
from camgate.doctor.finding import Finding, Verdict, worst_of

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


def table_of(findings: list[Finding]) -> Table:
    """Return a row for each finding; what to do stands below what was found."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("Check", overflow="fold")
    table.add_column("What was found, and what to do", overflow="fold")
    for finding in findings:
        words = Text(mask(finding.what))
        if finding.to_do:
            words.append(f"\n→ {mask(finding.to_do)}", style="bold")
        table.add_row(Text(finding.verdict.value, style=STYLES[finding.verdict]), mask(finding.check), words)
    return table


def conclusion(findings: list[Finding]) -> str:
    """Return the last line: how many there were of each kind."""
    counts = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    parts = [f"{counts[verdict]} {words}" for verdict, words in _COUNTED.items() if counts[verdict]]
    return ", ".join(parts)


_COUNTED = {Verdict.FAILED: "failed", Verdict.WARNING: "to know of", Verdict.OK: "fine"}


def as_json(findings: list[Finding], versions: dict[str, str]) -> dict[str, Any]:
    """Return the findings as JSON has them, masked."""
    rows = [{key: mask(value) for key, value in finding.as_json().items()} for finding in findings]
    return {"verdict": worst_of(findings).value, "findings": rows, "versions": versions}
