import asyncio
import html
import json
import re
from typing import Any

import pytest

from comparisons.report import render
from comparisons.report.charts import ON_PARTS, PART_COLOURS, folded, growths, makespans, timelines
from comparisons.results import Comparison
from comparisons.words import sentences
from tests.comparisons.browser import Page, chromium, visit
from tests.comparisons.samples import MAKESPANS, comparison, plan, spoiled


def figures(page: str) -> Any:
    match = re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = re.sub(r'id="plotly">.*?</script>', "", render(comparison(MAKESPANS)), flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:)|@import|url\(|https?://", page)


def test_every_sentence_is_on_the_page() -> None:
    whole = comparison(MAKESPANS)
    page = render(whole)
    for sentence in sentences(whole):
        assert sentence in page.replace("&#39;", "'"), sentence


def test_bars_are_the_medians_with_min_and_max() -> None:
    traces = {trace["name"]: trace for trace in makespans(comparison(MAKESPANS))["data"]}
    at = list(traces["Celery"]["y"]).index("chord_by_station")
    assert traces["Celery"]["x"][at] == pytest.approx(0.7)
    assert traces["Celery"]["error_x"]["array"][at] == pytest.approx(0.1)
    assert traces["Celery"]["error_x"]["arrayminus"][at] == pytest.approx(0.1)


def test_a_run_that_disagrees_is_red_and_in_no_chart() -> None:
    makespan_of_one = {("chord_by_station", "celery"): [1.0], ("noop:5", "celery"): [1.0]}
    bad = spoiled(
        comparison(
            makespan_of_one, engines="celery", variants="chord_by_station", workloads="noop:5"
        ),
        0,
    )
    page = render(bad)
    assert '<div class="verdict bad" id="verdict">' in page
    assert "total &lt;52&gt;" in page
    assert list(makespans(bad)["data"][0]["x"]) == [None]
    assert "chord_by_station" not in timelines(bad)


def test_growth_needs_two_sizes() -> None:
    assert growths(comparison(MAKESPANS)) is not None
    assert growths(comparison({("noop:9", "celery"): [1.0]}, workloads="noop:9")) is None


def test_the_time_without_an_engine_is_the_median_also_of_two() -> None:
    twice = comparison(MAKESPANS)
    twice.baseline = {"steps": [1.0, 3.0]}
    page = render(twice)
    assert "One process without any engine takes 2.00 s" in page
    assert "the rolls 2.00 s" in page
    assert "One process without any engine needs 2.00 s" in page


def test_a_name_cannot_end_the_script() -> None:
    page = render(comparison(MAKESPANS))
    assert (
        figures(page)["timelines"]["chord_by_station"]["data"][0]["customdata"][1][1] == "</script>"
    )


def test_a_page_of_workloads_alone_has_no_roll_book() -> None:
    bare = comparison({("noop:9", "celery"): [1.0]}, variants="none", workloads="noop:9")
    bare.book, bare.checksums, bare.baseline = {}, {}, {"noop:9": [0.0]}
    page = render(bare)
    assert 'id="makespans"' not in page
    assert "makespans" not in figures(page)


def test_long_names_are_folded_in_the_middle() -> None:
    assert folded("assign_stations_in_parallel") == "assign_stations_<br>in_parallel"
    assert folded("chord_by_station") == "chord_by_station"


async def _look(page: Page) -> dict[str, Any]:
    colours = "getComputedStyle(document.body)"
    text = "document.querySelector('#makespans .xtick text')"
    await page.value("document.getElementById('timelines-job').value = 'noop:100'")
    await page.value("document.getElementById('timelines-job').dispatchEvent(new Event('change'))")
    await asyncio.sleep(0.2)
    return {
        "overflow": await page.value("document.documentElement.scrollWidth - innerWidth"),
        "bars": await page.value(
            "document.querySelectorAll('#makespans .bars .point path').length"
        ),
        "blocks": await page.value(
            "document.querySelectorAll('#timelines .bars .point path').length"
        ),
        "rows": await page.value(
            "[...document.querySelectorAll('#timelines .ytick')].map(e => e.textContent.trim())"
        ),
        "lines": await page.value("document.querySelectorAll('#growth .lines path').length"),
        "stacks": await page.value("document.querySelectorAll('#parts .bars .point path').length"),
        "widest": await page.value(
            "Math.max(...[...document.querySelectorAll('.chart')]"
            ".map(e => e.getBoundingClientRect().right)) - innerWidth"
        ),
        "background": await page.value(f"{colours}.backgroundColor"),
        "text": await page.value(f"{colours}.color"),
        "ticks": await page.value(f"getComputedStyle({text}).fill"),
        "requests": await page.value("performance.getEntriesByType('resource').map(e => e.name)"),
    }


WAYS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], Any]:
    chromium()
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render(comparison(MAKESPANS)), encoding="utf-8")
    return asyncio.run(visit(file, WAYS, _look))


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), WAYS)
def test_in_a_browser_without_network(
    seen: dict[tuple[int, str], Any], width: int, scheme: str
) -> None:
    page = seen[width, scheme]
    assert page["overflow"] <= 0
    assert page["widest"] <= 0
    assert page["bars"] == 4
    assert page["lines"] == 2
    assert page["stacks"] == 6
    assert page["blocks"] == 4
    assert sorted(page["rows"]) == ["Celery 1", "Celery 2", "Temporal 1", "Temporal 2"]
    assert page["requests"] == []
    assert page["ticks"] == page["text"], "the charts follow the colours of the page"
    light = sum(map(int, re.findall(r"\d+", page["background"])[:3])) > 3 * 128
    assert light == (scheme == "light")


def test_all_of_the_plan_is_on_the_page() -> None:
    whole: Comparison = comparison(MAKESPANS)
    page = html.unescape(render(whole))
    assert plan().command in page
    assert "A processor, 2 cores" in page
    assert "a" * 64 in page
    assert "celery 5.6.0" in page


def test_what_is_written_on_the_parts_can_be_read() -> None:
    def luminance(colour: str) -> float:
        """Of WCAG 2: relative luminance of an sRGB colour."""
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for part, colour in PART_COLOURS.items():
        low, high = sorted((luminance(colour), luminance(ON_PARTS[part])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, part
