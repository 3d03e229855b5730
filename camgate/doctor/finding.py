"""What a check comes to: one row of the doctor's table, and how bad it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Works, or may; somebody should know."""
    FAILED = "failed"
    """Pictures are missing because of it, or will be."""


OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    check: what, in few words. what: what was found, a clause or sentence. to_do: what would mend it; empty where
    nothing needs to be.
    """

    check: str
    verdict: Verdict
    what: str
    to_do: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"check": self.check, "verdict": self.verdict.value, "what": self.what, "to_do": self.to_do}


def worst_of(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict; fine where there is none."""
    severity = list(Verdict)
    return max((finding.verdict for finding in findings), key=severity.index, default=OK)


def many(names: Iterable[str], most: int = 6) -> str:
    """Return names as a list for people, which does not grow beyond a line."""
    known = list(names)
    rest = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + rest
