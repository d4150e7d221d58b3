import re
from xml.etree import ElementTree

from celery import group

from offcanvas.canvas.lift import lift
from offcanvas.canvas.svg import svg
from tests.canvas.shop import flow, price

NS = "{http://www.w3.org/2000/svg}"


def boxes(document):
    """Every box as (left, top, right, bottom) in the document's pixels."""
    found = []
    for part in ElementTree.fromstring(document).iter(f"{NS}g"):  # noqa: S314  # our own text
        left, top = map(float, re.findall(r"[-\d.]+", part.get("transform")))
        for box in part.findall(f"{NS}rect"):
            width, height = float(box.get("width")), float(box.get("height"))
            found.append((box.get("class"), left, top, left + width, top + height))
    return found


def test_every_node_has_its_words():
    words = "".join(ElementTree.fromstring(svg(lift(flow()))).itertext())  # noqa: S314  # our own text
    for text in ("orders.load('2026-11-22')", "queue=slow", "on error", "map of orders.price"):
        assert text in words


def test_boxes_do_not_overlap_and_stay_inside():
    document = svg(lift(flow()))
    drawn = boxes(document)
    leaves = [box[1:] for box in drawn if "frame" not in box[0]]
    for index, (left, top, right, bottom) in enumerate(leaves):
        for other in leaves[index + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    root = ElementTree.fromstring(document)  # noqa: S314  # our own text
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(left >= 0 and top >= 0 and right <= width and bottom <= height
               for _, left, top, right, bottom in drawn)  # fmt: skip


def test_text_is_escaped_and_wide_groups_are_cut():
    document = svg(lift(group(price.s("<&>") for _ in range(1000))))
    assert "&lt;&amp;&gt;" in document
    assert "995 more" in document
    assert document.count("<rect") < 12
