"""The one dashboard for all engines: deploy/grafana/dashboard.json.

    python -m docs.tools.dashboard > deploy/grafana/dashboard.json

`PANELS` is also what the picture in the documentation is drawn from (`benchmarks/dashboard.py`).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "offcanvas"}
WIDTH, HEIGHT = 8, 7  # of 24 columns; three panels a row


@dataclass(frozen=True, slots=True)
class Curve:
    """A query, and what each of its series is called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A title, what is drawn, its unit by Grafana's names, and what one looks for."""

    title: str
    curves: tuple[Curve, ...]
    unit: str
    says: str


def _of(expr: str) -> str:
    """The query for the engines that are chosen."""
    return expr.replace("ENGINES", 'engine=~"$engine"')


def of_all(expr: str) -> str:
    """The query for all engines."""
    return expr.replace("ENGINES", "")


PANELS = (
    Panel(
        "Tasks ended",
        (Curve("sum by (engine, state) "
               "(rate(offcanvas_tasks_total{ENGINES}[$__rate_interval])) > 0",
               "{{engine}} {{state}}"),),
        "ops", "Attempts that have ended, by how.",
    ),
    Panel(
        "Retries",
        (Curve("sum by (engine) (rate(offcanvas_task_retries_total{ENGINES}[$__rate_interval]))",
               "{{engine}}"),),
        "ops", "Attempts after which a task is tried again.",
    ),
    Panel(
        "Tasks at work",
        (Curve("sum by (engine) (offcanvas_tasks_running{ENGINES})", "{{engine}}"),),
        "short", "As many as there are processes is all that workers can do.",
    ),
    Panel(
        "Run time, 95th percentile",
        (Curve("histogram_quantile(0.95, sum by (engine, le) "
               "(rate(offcanvas_task_run_seconds_bucket{ENGINES}[$__rate_interval])))",
               "{{engine}}"),),
        "s", "Of an attempt, whatever the task.",
    ),
    Panel(
        "From sent to begun, 95th percentile",
        (Curve("histogram_quantile(0.95, sum by (engine, le) "
               "(rate(offcanvas_task_wait_seconds_bucket{ENGINES}[$__rate_interval])))",
               "{{engine}}"),),
        "s", "Grows before queues do.",
    ),
    Panel(
        "Workers that live",
        (Curve("max by (engine) (offcanvas_workers{ENGINES})", "{{engine}}"),),
        "short", "As the engine sees them.",
    ),
    Panel(
        "Queues",
        (Curve("max by (engine, queue) (offcanvas_queue_depth{ENGINES})", "{{engine}} {{queue}}"),),
        "short", "What waits and is due.",
    ),
    Panel(
        "Oldest in a queue",
        (Curve("max by (engine, queue) (offcanvas_queue_oldest_seconds{ENGINES})",
               "{{engine}} {{queue}}"),),
        "s", "Work that nobody takes grows old.",
    ),
    Panel(
        "Open canvases",
        (Curve("max by (engine) (offcanvas_canvases_open{ENGINES})", "{{engine}}"),),
        "short", "Begun and not ended, by the engine.",
    ),
    Panel(
        "Oldest open canvas",
        (Curve("max by (engine) (offcanvas_canvas_oldest_seconds{ENGINES})", "{{engine}}"),),
        "s", "One that stands still grows old.",
    ),
    Panel(
        "Unfinished by the database",
        (Curve("max by (engine) (offcanvas_runs_unfinished{ENGINES})", "{{engine}} unfinished"),
         Curve("max by (engine) (offcanvas_recovery_unsent{ENGINES})", "{{engine}} unsent")),
        "short", "What engines have forgotten, the database knows.",
    ),
    Panel(
        "Alerts that fire",
        (Curve('count by (alertname, engine) (ALERTS{alertstate="firing"})',
               "{{alertname}} {{engine}}"),),
        "short", "Nothing is what it should show.",
    ),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": "offcanvas",
        "title": "offcanvas: canvases on all engines",
        "tags": ["offcanvas"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [
                {
                    "type": "query",
                    "name": "engine",
                    "label": "Engine",
                    "datasource": DATASOURCE,
                    "query": "label_values(offcanvas_up, engine)",
                    "refresh": 2,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"text": "All", "value": "$__all"},
                }
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": {
            "x": number % 3 * WIDTH, "y": number // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT
        },
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {
                "displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": DATASOURCE,
                "expr": _of(curve.expr),
                "legendFormat": curve.legend,
            }
            for place, curve in enumerate(panel.curves)
        ],
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2) + "\n")
