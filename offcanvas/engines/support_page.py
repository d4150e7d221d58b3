"""All engines' support tables as one Markdown page, one row for each feature::

python -m offcanvas.engines.support_page > docs/support.md
"""

from __future__ import annotations

import sys

from offcanvas.engines.features import DEVIATIONS, Feature
from offcanvas.engines.registry import BUILT_IN, table_of
from offcanvas.engines.support import Support


def markdown() -> str:
    """The page; each row has the feature's slug for an anchor."""
    tables = {one.name: table_of(one) for one in BUILT_IN}
    lines = [
        "# What each engine does with a canvas",
        "",
        "Made from the engines' own tables by `python -m offcanvas.engines.support_page`.",
        "Exact: as in Celery. Lowered: by other means, with the same meaning. Differs: decide.",
        "Unsupported: refused before anything starts.",
        "",
        f"| | {' | '.join(tables)} |",
        f"|---|{'---|' * len(tables)}",
    ]
    for feature in Feature:
        cells = [_cell(table[feature]) for table in tables.values()]
        lines.append(f"| {_title(feature)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _title(feature: Feature) -> str:
    text = f"*{feature.text}*" if feature in DEVIATIONS else feature.text
    return f'<a id="{feature}"></a>{text}'


def _cell(support: Support) -> str:
    return f"{support.level}: {support.note}" if support.note else str(support.level)


if __name__ == "__main__":
    sys.stdout.write(markdown())
