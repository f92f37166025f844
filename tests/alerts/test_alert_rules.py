"""The alert rules, evaluated by Prometheus's own promtool: each fires when it should, and stops when that is over."""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT

CASES = Path(__file__).parent / "rules.yaml"
RULES = ROOT / "docs" / "alerts.yaml"

pytestmark = pytest.mark.any_database


def find_promtool() -> str | None:
    """Return where promtool is; None: it is not installed."""
    return shutil.which("promtool", path=f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}")


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return its output; fail with it if a rule is not as expected."""
    program = find_promtool()
    if program is None:
        pytest.skip("there is no promtool: `make test` installs it where Debian's packages are to be had")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)  # noqa: S603 - a test
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_rule_is_valid_for_prometheus() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)


def test_every_alert_fires_in_time_and_stops_when_it_is_over() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_every_alert_has_a_case_in_which_it_begins_and_ends() -> None:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    cases: dict[str, Any] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    fired: defaultdict[str, str] = defaultdict(str)
    for case in cases["tests"]:
        states = "".join("!" if each["exp_alerts"] else "." for each in case["alert_rule_test"])
        name = case["alert_rule_test"][0]["alertname"]
        fired[name] = max(fired[name], states, key=len) if fired[name] else states
    assert fired.keys() == {rule["alert"] for rule in rules["groups"][0]["rules"]}
    assert {name: states for name, states in fired.items() if not states.endswith("!.") or len(states) < 2} == {}
