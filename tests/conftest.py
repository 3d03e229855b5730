"""What all tests share: Hypothesis settings, and the fuzz tests' reach in pytest's closing summary."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from camgate.base import secrets
from tests.fakes.accounts import Clock

# No deadlines: a test must not fail because the machine is busy. In CI the same inputs each time.
settings.register_profile(
    "camgate", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.register_profile("full", settings.get_profile("camgate"), max_examples=2000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "camgate"))


@pytest.fixture
def clock() -> Clock:
    """The Unix time that logins, tokens and links go by."""
    return Clock()


@pytest.fixture(autouse=True)
def _forget_secrets() -> Iterator[None]:
    """What one test registers as secret is not masked in the lines of the next."""
    yield
    secrets.forget_secrets()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the lines that `tests.fuzz.reach` printed; pytest hides what passing tests print."""
    reports = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    lines = [line for report in reports for line in report.capstdout.splitlines() if line.startswith("fuzz ")]
    if lines:
        terminalreporter.section("fuzz reach")
        for line in lines:
            terminalreporter.write_line(line)
