"""The audit's files stand in an order: none of them imports, over others, itself."""

from graphlib import TopologicalSorter

import grimp


def test_no_circle_of_imports() -> None:
    graph = grimp.build_graph("offcanvas")
    files = {m for m in graph.modules if m.startswith("offcanvas.audit.")}
    imports = {m: graph.find_modules_directly_imported_by(m) & files for m in files}
    # Raises CycleError; grimp counts imports inside functions and for type checkers as well.
    order = [*TopologicalSorter(imports).static_order()]
    assert order.index("offcanvas.audit.project") < order.index("offcanvas.audit.module")
    assert order.index("offcanvas.audit.sends") < order.index("offcanvas.audit.module")
