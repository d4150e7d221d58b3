"""Put the page together, from the data of faults.json."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import comparisons.report
from comparisons.lab.docs import told_by, words_for_lost

FOLDER = Path(__file__).parent
COMMON = Path(comparisons.report.__file__).parent


def render(data: Mapping[str, Any]) -> str:
    """The page as one HTML document. `data` is in the form of faults_schema.json."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (COMMON / "page.css").read_text(encoding="utf-8") + _own("faults.css")
    return templates.get_template("faults.html.j2").render(
        data=data,
        created=datetime.fromisoformat(data["created"]),
        words_for_lost=partial(words_for_lost, data["runs"]),
        squares={(s["fault"], s["profile"]): s for s in data["matrix"]},
        told={
            fault["id"]: told_by([s for s in data["matrix"] if s["fault"] == fault["id"]])
            for fault in data["faults"]
        },
        titles={profile["name"]: profile["title"] for profile in data["profiles"]},
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(_own("faults.js")),  # noqa: S704 - our own file
        packed=Markup(_packed(data)),  # noqa: S704 - letters and digits of base64
    )


def _own(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _packed(data: Mapping[str, Any]) -> str:
    """The evidence, packed to a tenth; the browser unpacks it when a cell is opened."""
    wanted = {name: data[name] for name in ("runs", "faults", "profiles")}
    text = json.dumps(wanted, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()
