"""Dashboard, alert rules and docs/observability.md use existing metrics, and cover all of them."""

import json
import re
from typing import Any

import yaml
from prometheus_client.metrics_core import Metric

from settings import ROOT
from telemetry.metric import REGISTRY

DOCUMENT = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana" / "darkroom.json").read_text(encoding="utf-8"))
ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text(encoding="utf-8"))
PREFIX = "darkroom_"
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


def families() -> list[Metric]:
    return [family for family in REGISTRY.collect() if family.name.startswith(PREFIX)]


def samples() -> dict[str, set[str]]:
    """Return every time series by name, with its labels."""
    found: dict[str, set[str]] = {
        family.name + suffix: set() for family in REGISTRY.collect() for suffix in SUFFIXES.get(family.type, ())
    }
    for collector in set(REGISTRY._names_to_collectors.values()):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            for suffix in SUFFIXES.get(family.type, ()):
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def names_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Return the metrics and labels that an expression uses."""
    names = set(re.findall(r"\b(?:(?:darkroom|process)_[a-z_]+|up(?=\{))", expression))
    labels = {label for group in re.findall(r"by \(([^)]+)\)", expression) for label in group.split(", ")}
    labels |= set(re.findall(r"[{,]\s*([a-z]+)\s*(?:=~|!~|!=|=)", expression))
    return names, labels


def check(expression: str) -> None:
    names, labels = names_and_labels(expression)
    known = samples() | {"up": set()}  # Prometheus's own, of each target
    assert names, expression
    assert names <= known.keys(), expression
    # Prometheus adds the instance and the job.
    assert labels <= set().union({"instance", "job"}, *(known[name] for name in names)), expression


def test_every_panel_uses_existing_metrics_and_labels() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len(panels) > 20
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            check(target["expr"])


def test_every_alert_uses_existing_metrics_and_is_documented() -> None:
    (group,) = ALERTS["groups"]
    for rule in group["rules"]:
        check(rule["expr"])
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in DOCUMENT, rule["alert"]
    assert set(re.findall(r"`(Darkroom\w+)`", DOCUMENT)) == {rule["alert"] for rule in group["rules"]}


def test_every_metric_is_on_the_dashboard_and_documented() -> None:
    expressions = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))
    for family in families():
        assert family.name in expressions, family.name
        documented = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{documented}`" in DOCUMENT, documented
    for name in re.findall(r"`(darkroom_\w+)`", DOCUMENT):
        assert any(sample == name or sample.startswith(f"{name}_") for sample in samples()), name
