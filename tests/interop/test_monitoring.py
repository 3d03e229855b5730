"""The scrape example, the alerts and the dashboard, held against Prometheus's own tool and a running camgate."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.browser.processes import CameraProcess, CamgateProcess, free_port
from tests.fakes.tools import GST_RTSP_SERVER, PROMTOOL, require_tool

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "etc" / "prometheus"
RULES = PROMETHEUS / "camgate.rules.yml"
TESTS_OF_RULES = ROOT / "tests" / "fixtures" / "prometheus" / "camgate.rules.test.yml"
DASHBOARD = ROOT / "etc" / "grafana" / "camgate.json"
METRIC = re.compile(r"\b(?:camgate|process|python)_[a-z_]+")
ALERT = re.compile(r"- alert: (\w+)")


@pytest.fixture(autouse=True)
def _tools() -> None:
    require_tool(PROMTOOL)


def promtool(*arguments: str, folder: Path = ROOT) -> str:
    """Run it, and return what it says; it must be content."""
    run = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def expressions(value: Any) -> Iterator[str]:
    """All that the panels and variables of a dashboard ask for, with its variables filled in."""
    if isinstance(value, list):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, dict):
        if isinstance(value.get("expr"), str):
            yield re.sub(r"\$(camera|instance)", "a.*", value["expr"])
        for each in value.values():
            yield from expressions(each)


PANELS = list(expressions(json.loads(DASHBOARD.read_text())))


def test_the_scrape_example_and_the_alerts_are_sound() -> None:
    assert "17 rules found" in promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_the_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    for file in (RULES, TESTS_OF_RULES):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", TESTS_OF_RULES.name, folder=tmp_path)


def test_every_alert_is_explained() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert [alert for alert in ALERT.findall(RULES.read_text()) if f"`{alert}`" not in page] == []


def test_every_panel_asks_in_promql(tmp_path: Path) -> None:
    assert len(PANELS) > 30
    # JSON is YAML.
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(PANELS)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(PANELS)} rules found" in promtool("check", "rules", str(file))


def test_all_that_is_asked_for_is_there(tmp_path: Path) -> None:
    require_tool(GST_RTSP_SERVER)
    camera = CameraProcess(1)
    camera.start()
    port = free_port()
    server = CamgateProcess(tmp_path, {"front": {"url": camera.url}}, more=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    try:
        server.start()
        server.wait_live("front")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            text = reply.read().decode()
    finally:
        server.kill()
        camera.kill()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    there = set()
    for family in text_string_to_metric_families(text):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        there |= {family.name + end for end in ends}
    assert 'camgate_camera_up{camera="front"} 1.0' in text
    asked = {name for source in (*PANELS, RULES.read_text()) for name in METRIC.findall(source)}
    assert len(asked) > 40
    assert asked - there == set()
