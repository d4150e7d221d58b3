"""A port is tried on recorded production traffic, and nothing is executed.

    from offcanvas.shadow import record

    record(app, "/var/spool/recording", share=0.05, mask=["charge.card"])

What a migration changes is the orchestration; the bodies are the same functions. So the candidate
runs with every step answered from the record: a call that is not in it, or one that never comes, is
what is found.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas.shadow.recorder import record

__all__ = ["record"]


def __getattr__(name: str) -> Any:
    """The public name, imported when it is asked for: commands start without Celery."""
    if name == "record":
        from offcanvas.shadow.recorder import record

        return record
    raise AttributeError(name)
