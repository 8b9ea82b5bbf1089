"""The dashboard for Grafana shows what is exported, and nothing else."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from soulspot_db import DatabaseError
from soulspot_db.monitoring.prometheus import metrics_text

DASHBOARD = Path(__file__).parents[2] / "docs/grafana-dashboard.json"


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"] if panel["type"] != "row"]


def expressions():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


async def test_the_dashboard_asks_for_metrics_and_labels_that_there_are(open_database, tmp_path):
    db = await open_database(backup_path=tmp_path)
    (tmp_path / "soulspot.20261124T120000.000000Z.db").touch()
    await db.save("counter", {"name": "a"})
    with pytest.raises(DatabaseError):
        await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    labels = {}
    for family in text_string_to_metric_families(metrics_text(db)[0].decode()):
        for sample in family.samples:
            labels.setdefault(sample.name, {"instance"}).update(sample.labels)
    asked = set()
    for expression in expressions():
        metrics = set(re.findall(r"soulspot_db_\w+", expression))
        asked |= metrics
        assert metrics, expression
        assert metrics <= set(labels), expression
        wanted = set(re.findall(r"(\w+)!?=~?\"", expression))
        wanted |= {name for group in re.findall(r"by \(([^)]*)\)", expression) for name in group.split(", ")}
        for metric in metrics:
            assert wanted <= labels[metric], expression
        assert expression.count("(") == expression.count(")")
    ours = {name for name in labels if not name.endswith("_count")}
    assert ours - asked == set(), "shown nowhere"


def test_every_panel_of_the_dashboard_says_what_it_shows_and_in_which_unit():
    assert len(panels()) > 20
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
    assert len({panel["title"] for panel in panels()}) == len(panels())


def test_no_panel_of_the_dashboard_lies_on_another():
    document = json.loads(DASHBOARD.read_text("utf-8"))
    taken = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    assert document["templating"]["list"][0]["type"] == "datasource"
