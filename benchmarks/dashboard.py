"""A picture of the dashboard's panels, from real data of a private Prometheus.

    python -m benchmarks.dashboard docs/images/dashboard.png

Not Grafana's own drawing: Plotly draws the queries of deploy/grafana/dashboard.json. Celery,
Prefect and Temporal each have a private server, a worker of two processes and a watch, on one
database. Work is started on all of them again and again; after a minute the workers are killed
while work is still sent, and half a minute later there are new ones. Durations in the alert rules
are a twentieth of those in the file, as in the fault lab.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from urllib.request import urlopen

import plotly.graph_objects as go
import typer
from plotly.subplots import make_subplots

from comparisons import stage
from comparisons.compare import load_client
from comparisons.lab.alerts import Alerts
from docs.tools.dashboard import PANELS, of_all
from offcanvas import servers
from offcanvas.servers.base import free_port, leashed, stop_process_group
from shared.contract import EngineClient
from shared.database import transaction
from shared.fake import sized
from shared.roll_book import fill

ENGINES = ("celery", "prefect", "temporal")
SERVERS = (servers.redis, servers.prefect, servers.temporal)
SIZES = (7, 20, 33, 40, 41, 52, 66, 79)
WORKED, ALONE, AFTER = 60.0, 35.0, 60.0  # seconds
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")


def main(
    picture: Annotated[Path, typer.Argument(help="A PNG.")],
    chromium: Annotated[str, typer.Option(help="The browser that takes the picture.")] = "chromium",
) -> None:
    """Run, ask and draw."""
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        stack.enter_context(stage.private_database(folder))
        stage.set_environment(
            {"ROLLS_DIR": str(folder / "rolls"), "CONCURRENCY": "2", "SWEEP_EVERY": "8",
             "WATCH_EVERY": "1"}
        )  # fmt: skip
        with transaction() as session:
            fill(session, sized(SIZES))
        for server in stack.enter_context(servers.start_together(*SERVERS)):
            stage.set_environment(dict(server.environment))
        prometheus = Alerts()
        stack.callback(prometheus.stop)
        prometheus.wait()
        clients = [load_client(engine) for engine in ENGINES]
        for client in clients:
            stack.callback(client.close)
        watches = [stack.enter_context(_watch(engine)) for engine in ENGINES]
        workers = _Workers(clients, folder, prometheus, watches)
        stack.callback(workers.kill)
        begun = time.time()
        workers.start()
        _work(clients, WORKED, 2.0)
        workers.kill()
        _work(clients, ALONE, 8.0)
        workers.start()
        _work(clients, AFTER, 4.0)
        _draw(prometheus, begun, folder / "page.html")
        size = "--window-size=1500,1400"
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--hide-scrollbars", size,
             f"--screenshot={picture.resolve()}", "--virtual-time-budget=10000",
             (folder / "page.html").as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    typer.echo(str(picture))


class _Workers:
    """One for each engine; Prometheus is told where to ask."""

    def __init__(
        self, clients: list[EngineClient], folder: Path, prometheus: Alerts, watches: list[int]
    ) -> None:
        self._clients, self._folder = clients, folder
        self._prometheus, self._watches = prometheus, watches
        self._running: list[stage.Worker] = []

    def start(self) -> None:
        """Start them, and wait until they take work."""
        ports = []
        for client in self._clients:
            ports.append(free_port())
            stage.set_environment({"METRICS_PORT": str(ports[-1])})
            command = client.worker_command(2)
            self._running.append(stage.Worker.start(client.name, command, self._folder))
        stage.set_environment({"METRICS_PORT": ""})
        self._prometheus.scrape(ports, self._watches)
        for client in self._clients:
            client.wait_for_worker(300)

    def kill(self) -> None:
        """As when their machine goes."""
        for worker in self._running:
            worker.process.kill()
            worker.stop()
        self._running.clear()


@contextmanager
def _watch(engine: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", f"{engine}_impl", "watch", "--port", str(port)]
    process = subprocess.Popen(
        leashed(command), cwd=stage.ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield port
    finally:
        stop_process_group(process)


def _work(clients: list[EngineClient], seconds: float, every: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            client.start("chord_by_station", f"{client.name}-{time.monotonic_ns()}")
        time.sleep(every)


def _draw(prometheus: Alerts, begun: float, page: Path) -> None:
    figure = make_subplots(
        rows=4, cols=3, subplot_titles=[panel.title for panel in PANELS],
        horizontal_spacing=0.06, vertical_spacing=0.08,
    )  # fmt: skip
    for number, panel in enumerate(PANELS):
        row, column = number // 3 + 1, number % 3 + 1
        series = [
            (_legend(curve.legend, one["metric"]), one["values"])
            for curve in panel.curves
            for one in _range(prometheus.url, of_all(curve.expr), begun)
        ]
        for place, (name, values) in enumerate(sorted(series, key=lambda each: each[0])):
            figure.add_trace(
                go.Scatter(
                    x=[float(moment) - begun for moment, _ in values],
                    y=[float(value) for _, value in values],
                    mode="lines", name=name, legend=f"legend{number + 1}",
                    line={"color": COLOURS[place % len(COLOURS)], "width": 1.5},
                ),
                row=row, col=column,
            )  # fmt: skip
        axis = figure.get_subplot(row, column)
        (left, right), (_, top) = axis.xaxis.domain, axis.yaxis.domain
        figure.update_layout(
            {f"legend{number + 1}": {
                "x": left, "y": top - 0.002, "xanchor": "left", "yanchor": "top",
                "font": {"size": 9}, "bgcolor": "rgba(255,255,255,0.7)",
            }}
        )  # fmt: skip
        figure.update_yaxes(rangemode="tozero", title_text=panel.unit, row=row, col=column)
        assert right > left  # noqa: S101 - a panel has a width
    figure.update_xaxes(ticksuffix=" s")
    figure.update_layout(
        template="plotly_white", height=1380, width=1480, font={"size": 11},
        margin={"t": 40, "l": 50, "r": 20, "b": 40},
    )  # fmt: skip
    figure.write_html(page, include_plotlyjs=True)


def _legend(pattern: str, metric: dict[str, str]) -> str:
    for name, value in metric.items():
        pattern = pattern.replace("{{" + name + "}}", value)
    return pattern


def _range(url: str, query: str, begun: float) -> list[dict[str, Any]]:
    given = {
        "query": query.replace("$__rate_interval", "10s"),
        "start": begun,
        "end": time.time(),
        "step": 1,
    }
    address = f"{url}/api/v1/query_range?{urlencode(given)}"
    with urlopen(address, timeout=60) as answer:  # noqa: S310 - http, above
        found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
    return found


if __name__ == "__main__":
    typer.run(main)
