"""`python -m comparisons.lab.merge OUT.json.gz faults.json ...`: several runs of the lab as one.

For a matrix that was run in parts, as where a machine is not to be kept busy for long. The parts
have to be of one machine and one set of versions, and have no field of the matrix in common. A part
may be the faults.part.json of a lab that was cut off.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from comparisons.export import write_whole
from comparisons.lab.alerts import Alert
from comparisons.lab.cell import Result
from comparisons.lab.docs import read
from comparisons.lab.export import dumps
from comparisons.lab.fault import Ending, discover
from comparisons.lab.plan import LabPlan
from comparisons.lab.profiles import PROFILES
from comparisons.lab.results import Lab
from shared.errors import UsageError


def merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The parts as one, in the form of faults_schema.json.

    Raises:
        UsageError: two parts have the same field of the matrix, or tell of different machines,
            versions, repetitions or settings.
    """
    first = parts[0]
    squares: dict[tuple[str, str], Mapping[str, Any]] = {}
    for part in parts:
        for same in ("environment", "intervals", "repeat", "goal_seconds"):
            if part[same] != first[same]:
                raise UsageError(f"the parts differ in {same}: they are no parts of one run")
        for square in part["matrix"]:
            place = square["fault"], square["profile"]
            known = squares.get(place)
            if known is not None and known["runs"] and square["runs"]:
                raise UsageError(f"{place[0]} on {place[1]} is in two of the parts")
            if known is None or square["runs"]:
                squares[place] = square
    faults = {fault["id"]: fault for part in parts for fault in part["faults"]}
    profiles = {profile["name"]: profile for part in parts for profile in part["profiles"]}
    in_order = [name for name in PROFILES if name in profiles]
    missing = [
        f"{fault} on {name}" for fault in sorted(faults) for name in in_order
        if (fault, name) not in squares
    ]  # fmt: skip
    if missing:
        raise UsageError(f"no part has {', '.join(missing)}")
    runs = sorted(
        (run for part in parts for run in part["runs"]),
        key=lambda run: (run["fault"], in_order.index(run["profile"]), run["repetition"]),
    )
    plan = LabPlan(tuple(sorted(faults)), tuple(in_order), first["repeat"], Path("comparisons-out"))
    versions = {name: one for part in parts for name, one in part["versions"].items()}
    lab = Lab(
        plan, datetime.fromisoformat(first["created"]), dict(first["environment"]), versions,
        dict(first["intervals"]), [_result(run) for run in runs],
        sum(part["seconds"] for part in parts), max(part["others_cores"] for part in parts),
    )  # fmt: skip
    return {
        **first,
        "created": min(part["created"] for part in parts),
        "seconds": round(lab.seconds, 1),
        "others_cores": lab.others_cores,
        "reached": lab.reached,
        "command": plan.command,
        "parts": len(parts),
        "versions": versions,
        "profiles": [profiles[name] for name in in_order],
        "faults": [fault for _, fault in sorted(faults.items())],
        "sentences": lab.sentences,
        "matrix": [squares[fault, name] for fault in sorted(faults) for name in in_order],
        "runs": runs,
    }


def _result(run: Mapping[str, Any]) -> Result:
    """What the sentences are made of; evidence stays where it is."""
    alerts = run["alerts"]
    return Result(
        fault=discover()[run["fault"]].id, profile=run["profile"], repetition=run["repetition"],
        phase=run["phase"], ending=Ending(run["ending"]), expected=run["expected"],
        missed=tuple(run["missed"]), found=None, error=run["error"], shown=run["shown"],
        told=run["told"], healed=run["healed"], detected=run["detected"],
        completed=run["completed"], attempts=run["attempts"] or 0, seconds=run["seconds"],
        timeline=(), logs={}, began_at=0.0, fault_at=None,
        alerts=None if alerts is None else tuple(Alert(name, after) for name, after in alerts),
    )  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Merge what is named; returns the exit code."""
    told = ""
    files = [Path(word) for word in words]
    if len(files) < 3 or files[0].suffixes[-2:] != [".json", ".gz"]:
        told = "name OUT.json.gz, and at least two faults.json"
    elif missing := [str(file) for file in files[1:] if not file.is_file()]:
        told = f"{', '.join(missing)}: no such file"
    else:
        try:
            data = merged([read(file) for file in files[1:]])
        except (UsageError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, UsageError) else "not what the lab has written"
            told = reason
        else:
            write_whole(files[0], gzip.compress(dumps(data).encode(), mtime=0))
            sys.stdout.write(f"{files[0]}: {len(data['runs'])} runs\n")
            return 0
    sys.stderr.write(f"python -m comparisons.lab.merge: {told}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
