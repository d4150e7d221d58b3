"""What would happen if the rules were in force now, and what old callers lose."""

from __future__ import annotations

from dataclasses import dataclass

from offcanvas.cutover.router import CutOver
from offcanvas.cutover.rules import KIT, Rule
from offcanvas.errors import OffcanvasError

#: What callers with an AsyncResult find changed, by who runs the root.
_LOST = {
    KIT: (
        ".children of the result of a repeated call, or of one that was sent on commit",
        "GroupResult.restore(id): nobody saves a group",
    ),
    "port": (
        "AsyncResult(id).get() answers once the sweep has seen the end",
        ".children, .parent and GroupResult: a port has no ids for its steps",
        "the class of an exception: get() raises one of the same name",
        "states between PENDING and the end; self.update_state",
        "link, link_error, expires and chords in the call: refused",
    ),
}


@dataclass(frozen=True, slots=True)
class RootPlan:
    """One root.

    Attributes:
        rule: its rule.
        missing: why nothing could be sent now, one line each.
        lost: what is different for callers.
    """

    rule: Rule
    missing: tuple[str, ...]
    lost: tuple[str, ...]


def plan(router: CutOver) -> tuple[list[RootPlan], list[str]]:
    """A plan for each root, and what is wrong with the claims, one line each."""
    roots = []
    for rule in router.live.now.roots.values():
        try:
            missing = tuple(router.way(rule.to, rule).look())
        except OffcanvasError as error:
            missing = (str(error),)
        roots.append(RootPlan(rule, missing, _LOST[rule.runs]))
    try:
        router.claims.since(1.0)
    except OffcanvasError as error:
        return roots, [str(error)]
    return roots, []


def in_words(rule: Rule) -> str:
    """What the rule does, in a sentence."""
    who = "the kit" if rule.runs == KIT else "its port"
    if rule.percent == 0 and not rule.on:
        what = "all of it stays on Celery"
    elif rule.percent == 100 and not rule.off:
        what = f"all of it goes to {rule.to}, run by {who}"
    else:
        by = f"by {rule.key}" if rule.key else "by task id"
        what = f"{rule.percent:g} per cent, {by}, go to {rule.to}, run by {who}"
    always = f"; always {', '.join(rule.on)}" if rule.on else ""
    never = f"; never {', '.join(rule.off)}" if rule.off else ""
    return f"{what}{always}{never}"
