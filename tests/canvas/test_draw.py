from celery import group

from offcanvas.canvas.draw import mermaid, tree
from offcanvas.canvas.lift import lift
from tests.canvas.shop import flow, load, price, total


def test_the_tree_of_a_flow():
    assert tree(lift(flow(1))) == (
        "chain of 2 steps\n"
        "├── 1. orders.load('2026-11-22')  [queue=slow]\n"
        "└── 2. chord over 1\n"
        "    ├── chain of 2 steps\n"
        "    │   ├── 1. orders.price(0, currency='EUR')\n"
        "    │   └── 2. orders.price()\n"
        "    └── body: chain of 3 steps\n"
        "        ├── 1. orders.total()\n"
        "        │   └── on error: ops.alarm()\n"
        "        ├── 2. orders.total([])  [immutable, countdown=5]\n"
        "        │   └── on success: ops.alarm()\n"
        "        └── 3. group of 3\n"
        "            ├── orders.price()\n"
        "            ├── map of orders.price over 2 items\n"
        "            └── group of 2\n"
        "                ├── orders.price()\n"
        "                └── chord over 1\n"
        "                    ├── orders.load()\n"
        "                    └── body: orders.total()\n"
    )


def test_a_wide_group_is_counted():
    members = [*(price.s(number) for number in range(9_999)), load.s()]
    drawn = tree(lift(group(members)))
    assert drawn.endswith("└── 9,995 more: 9,994 x orders.price, 1 x orders.load\n")
    assert drawn.count("\n") == 7


def test_mermaid_joins_frames_by_one_arrow():
    drawn = mermaid(lift(load.s() | group(price.s(), price.s('say "hi"')) | total.s()))
    assert drawn == (
        "flowchart LR\n"
        '    n0["orders.load()"]\n'
        '    subgraph g1["chord header of 2"]\n'
        '        n2["orders.price()"]\n'
        "        n3[\"orders.price('say #quot;hi#quot;')\"]\n"
        "    end\n"
        '    n4["orders.total()"]\n'
        "    g1 --> n4\n"
        "    n0 --> g1\n"
    )


def test_mermaid_hangs_callbacks_on_dotted_arrows():
    drawn = mermaid(lift(load.s().set(link=price.s(), link_error=total.s())))
    assert "n0 -. on success .-> n1" in drawn
    assert "n0 -. on error .-> n2" in drawn
