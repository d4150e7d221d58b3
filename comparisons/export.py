"""results.json: every figure of a comparison, in the form that schema.json documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparisons.plan import Plan
from comparisons.results import FIGURES, FORMAT, Comparison, Run, Spread
from comparisons.words import sentences
from offcanvas import errors, files
from offcanvas.meter import Usage
from shared.errors import UsageError

SCHEMA = Path(__file__).with_name("schema.json")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    plan = comparison.plan
    return {
        "format": FORMAT,
        "created": comparison.created.isoformat(),
        "seconds": _rounded(comparison.seconds),
        "agrees": comparison.agrees,
        "command": plan.command,
        "plan": _plan(plan),
        "environment": comparison.environment,
        "services": comparison.services,
        "roll_book": comparison.book,
        "checksums": comparison.checksums,
        "baseline": {
            job: [_rounded(seconds) for seconds in each]
            for job, each in comparison.baseline.items()
        },
        "idle_share_of_one_core": {
            engine: {"workers": _rounded(workers), "servers": _rounded(servers)}
            for engine, (workers, servers) in comparison.idle.items()
        },
        "others_cores": _rounded(comparison.others_cores),
        "summary": [
            _summary(comparison, job, engine) for job in plan.jobs for engine in plan.engines
        ],
        "sentences": sentences(comparison),
        "runs": [_run(run) for run in comparison.runs],
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "voters": plan.voters,
        "seed": None if plan.csv else plan.seed,
        "csv": plan.csv.name if plan.csv else None,
        "variants": list(plan.variants),
        "workloads": list(plan.workloads),
        "engines": list(plan.engines),
        "concurrency": plan.concurrency,
        "repeat": plan.repeat,
    }


def _summary(comparison: Comparison, job: str, engine: str) -> dict[str, Any]:
    return {
        "job": job,
        "engine": engine,
        "runs": len(comparison.of(job, engine)),
        "agreeing": len(comparison.counted(job, engine)),
        **{
            name: _spread(comparison.spread(job, engine, figure))
            for name, figure in FIGURES.items()
        },
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {name: round(value, 4) for name, value in asdict(spread).items()}


def _run(run: Run) -> dict[str, Any]:
    return {
        "repetition": run.repetition,
        "job": run.job,
        "engine": run.engine,
        "agrees": run.counts,
        "checks": [{**asdict(check), "agrees": check.agrees} for check in run.verdict.checks],
        "makespan": _rounded(run.makespan),
        "first_roll": _rounded(run.first_roll),
        "tasks": run.tasks,
        "tasks_per_second": _rounded(run.tasks_per_second),
        "workers": _usage(run.workers),
        "servers": _usage(run.servers),
        "after_work": _all_rounded(asdict(run.after)) if run.after else None,
        "parts": _all_rounded(asdict(run.parts)) if run.parts else None,
        "metering_cpu_seconds": _rounded(run.metering_cpu_seconds),
        "timeline": [[bar.task, bar.item, bar.slot, bar.start, bar.end] for bar in run.timeline],
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "cpu_seconds": _rounded(usage.cpu_seconds),
        "peak_memory_bytes": usage.peak_memory_bytes,
    }


def _all_rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def dumps(data: Mapping[str, Any]) -> str:
    """JSON with one line for each run and each row of the summary, for people and for diff."""
    members = []
    for name, value in data.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"  {_compact(row)}" for row in value)
            members.append(f" {_compact(name)}: [\n{rows}\n ]")
        else:
            members.append(f" {_compact(name)}: {_compact(value)}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        UsageError: it cannot be written, or it is a link that leads out of its folder.
    """
    try:
        files.write_whole(path, data.encode() if isinstance(data, str) else data, str(path))
    except errors.UsageError as error:
        raise UsageError(str(error)) from error
