"""The dashboard, the alert rules and the document speak of figures that there are, and of all of them."""

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
OURS = "darkroom_"
ENDINGS = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


def families() -> list[Metric]:
    return [family for family in REGISTRY.collect() if family.name.startswith(OURS)]


def samples() -> dict[str, set[str]]:
    """What can be asked for, by name, with its labels."""
    found: dict[str, set[str]] = {
        family.name + ending: set() for family in REGISTRY.collect() for ending in ENDINGS.get(family.type, ())
    }
    for collector in set(REGISTRY._names_to_collectors.values()):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            for ending in ENDINGS.get(family.type, ()):
                found[family.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return found


def words(expression: str) -> tuple[set[str], set[str]]:
    """The figures and the labels that an expression names."""
    names = set(re.findall(r"\b(?:darkroom|process)_[a-z_]+", expression))
    labels = {label for group in re.findall(r"by \(([^)]+)\)", expression) for label in group.split(", ")}
    labels |= set(re.findall(r"[{,]\s*([a-z]+)\s*(?:=~|!~|!=|=)", expression))
    return names, labels


def check(expression: str) -> None:
    names, labels = words(expression)
    known = samples()
    assert names, expression
    assert names <= known.keys(), expression
    # The scraper adds the instance.
    assert labels <= set().union({"instance"}, *(known[name] for name in names)), expression


def test_every_panel_asks_for_figures_that_there_are() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len(panels) > 20
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            check(target["expr"])


def test_every_alert_asks_for_figures_that_there_are_and_is_explained() -> None:
    (group,) = ALERTS["groups"]
    for rule in group["rules"]:
        check(rule["expr"])
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in DOCUMENT, rule["alert"]
    assert set(re.findall(r"`(Darkroom\w+)`", DOCUMENT)) == {rule["alert"] for rule in group["rules"]}


def test_every_figure_is_on_the_dashboard_and_in_the_document() -> None:
    asked = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))
    for family in families():
        assert family.name in asked, family.name
        written = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{written}`" in DOCUMENT, written
    for name in re.findall(r"`(darkroom_\w+)`", DOCUMENT):
        assert any(sample == name or sample.startswith(f"{name}_") for sample in samples()), name
