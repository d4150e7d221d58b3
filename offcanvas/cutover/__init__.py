"""Moving live traffic from Celery to another engine, root by root, without losing or doubling work.

    from offcanvas.cutover import cut_over

    app = Celery("shop", ...)
    cut_over(app, "cutover.toml")

The unit is the root: a canvas, or a task sent alone. What a root starts follows it. The rules are
in a file that live processes read again when it changes. While a root is between 0 and 100 per
cent, each order of work is claimed before it is sent, so that a call that is repeated goes where
the first one went.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas.cutover.committing import sent_on_commit
    from offcanvas.cutover.roots import root
    from offcanvas.cutover.router import CutOver, cut_over

__all__ = ["CutOver", "cut_over", "root", "sent_on_commit"]

_HOMES = {
    "CutOver": "router",
    "cut_over": "router",
    "root": "roots",
    "sent_on_commit": "committing",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for: commands start without Celery."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"offcanvas.cutover.{_HOMES[name]}"), name)
    raise AttributeError(name)
