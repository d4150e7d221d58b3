"""Where Celery 5.7 does what neither its documentation nor its other paths say.

Each quirk knows the examples it can touch and the differences it can make there; anything else is
a divergence. Each is a row of the support table.
"""

from dataclasses import dataclass

from celery import VERSION

from offcanvas.checking.seen import WAITS
from offcanvas.engines.features import Feature
from tests.differential.observe import FAILS
from tests.differential.specs import FAILING, Call, Chorded, Items, Many, Revoked


def parts_of(spec):
    """All specs inside, itself first, callbacks included."""
    yield spec
    match spec:
        case Many(parts=parts):
            inner = parts
        case Chorded(header=header, body=body):
            inner = (*header, body)
        case Call(links=links):
            inner = links
        case _:
            inner = ()
    for part in inner:
        yield from parts_of(part)


def uses(spec, *tasks):
    """Whether one of the tasks is called in the canvas."""
    return any(isinstance(part, Call) and part.task in tasks for part in parts_of(spec))


#: An immutable errback, as it is written down.
STORED = 'note("stored")'


@dataclass(frozen=True)
class Quirk:
    """``touches`` says whether the example has what it takes; ``allows`` judges the difference."""

    row: Feature
    touches: object
    allows: object


def _all(seen):
    return seen.ran + seen.called


def _more(real, mine):
    """What only ran here; None if something only ran on Celery."""
    return None if _all(real) - _all(mine) else _all(mine) - _all(real)


def _waits_for_ever(real, mine):
    """Celery never answers; all that it did is also done here."""
    return real.answers == {WAITS} and _more(real, mine) is not None


def _loses_callbacks(real, mine):
    lost = _more(real, mine)
    return lost is not None and all(entry.startswith(("note(", "echo(")) for entry in lost)


def _chords(spec):
    """The header and the body of every chord inside, and of every chain that becomes one."""
    for part in parts_of(spec):
        if isinstance(part, Chorded):
            yield part.header, part.body
        elif isinstance(part, Many) and part.word == "chain":
            steps = [step for step in _spliced(part) if not _no_task(step)]
            for place, step in enumerate(steps[:-1]):
                if isinstance(step, Many):
                    yield step.parts, Many("chain", tuple(steps[place + 1 :]))
                elif isinstance(step, Chorded):
                    yield step.header, step.body
                    # A group for a body, with something after it, is the header of a chord.
                    for members in _groups_at_the_end(step.body):
                        yield members, Many("chain", tuple(steps[place + 1 :]))


def _spliced(chain):
    """The steps of a chain and of the chains inside it; a group of one is its member."""
    for step in chain.parts:
        inner = step
        while isinstance(inner, Many) and inner.word == "group" and len(inner.parts) == 1:
            (inner,) = inner.parts
        if isinstance(inner, Many) and inner.word == "chain":
            yield from _spliced(inner)
        else:
            yield step


def _fails_in(parts):
    """A task fails, or chunks inside a canvas pass on what no serializer takes."""
    return any(
        isinstance(inner, Revoked)
        or (isinstance(inner, Call) and inner.task in FAILING)
        or (isinstance(inner, Items) and inner.word == "chunks")
        for part in parts
        for inner in parts_of(part)
    )


def _failed_chord_in_header(example):
    """A chord in the header of another, and a task in its header fails."""
    return any(
        _fails_in(inner_header)
        for header, _ in _chords(example.canvas)
        for part in header
        for inner_header, _ in _chords(part)
    )


def _failed_with_a_chord_for_a_body(example):
    """A chord, the body of which is one, and a task in its header fails."""
    return any(_fails_in(header) and any(_chords(body)) for header, body in _chords(example.canvas))


def _failed_chain_in_header(example):
    """A chain that ends in a group, in the header of a chord, and a task in it fails."""
    return any(
        len(chain.parts) > 1 and _ends_in_group(chain) and _fails_in(chain.parts)
        for header, _ in _chords(example.canvas)
        for part in header
        for chain in parts_of(part)
        if isinstance(chain, Many) and chain.word == "chain"
    )


def _chords_beside_others(example):
    """A part of a header ends in a group of chords and of something else."""
    return any(
        sum(isinstance(member, Chorded) or any(_chords(member)) for member in group) > 0
        for header, _ in _chords(example.canvas)
        for part in header
        for group in _last_groups(part)
        if len(group) > 1
    )


def _last_groups(spec):
    """The members of each group that ends ``spec``, other than those spread out in a header."""
    match spec:
        case Many(word="group", parts=parts):
            for part in parts:
                yield from _last_groups(part)
        case Many(parts=parts):
            steps = [step for step in parts if not _no_task(step)]
            for step in steps[-1:]:
                yield from _groups_at_the_end(step)
        case Chorded(body=body):
            yield from _groups_at_the_end(body)


def _groups_at_the_end(spec):
    if isinstance(spec, Many) and spec.word == "group":
        yield spec.parts
    yield from _last_groups(spec)


def _fails(example):
    return _fails_in((example.canvas,))


def _chunks_in_a_chain(example):
    chains = (
        part for part in parts_of(example.canvas) if isinstance(part, Many) and part.word == "chain"
    )
    return any(
        isinstance(inner, Items) and inner.word == "chunks"
        for chain in chains
        for inner in parts_of(chain)
    )


def _sent_before_it_failed(real, mine):
    """Members of the next step that take no value, sent before the value was found unfit."""
    less = _all(real) - _all(mine)
    same = bool(real.answers & mine.answers) or real.answers == {WAITS}
    encode = any("EncodeError" in answer for answer in mine.answers)
    return same and encode and bool(less) and not _all(mine) - _all(real)


def _no_task(spec):
    """Nothing to run: empty chains and groups, in each other, and chunks of nothing."""
    match spec:
        case Many(parts=parts):
            return all(map(_no_task, parts))
        case Chorded(body=body):
            return _no_task(body)
        case Items(word="chunks", items=()):
            return True
        case _:
            return False


def _ends_in_group(spec):
    match spec:
        case Many(word="group") | Items(word="chunks"):
            return True
        case Many(parts=parts):
            steps = [part for part in parts if not _no_task(part)]
            return bool(steps) and _ends_in_group(steps[-1])
        case Chorded(body=body):
            return _ends_in_group(body)
        case _:
            return False


def _failed_chain_ends_in_group(example):
    """A chain of several steps, or one for the body of a chord, whose failed header is a step."""
    parts = tuple(parts_of(example.canvas))
    chains = (part for part in parts if isinstance(part, Many) and part.word == "chain")
    bodies = [part.body for part in parts if isinstance(part, Chorded)]
    return _fails(example) and any(
        (len(chain.parts) > 1 or chain in bodies) and _ends_in_group(chain) for chain in chains
    )


def _empty_body(example):
    chords = (part for part in parts_of(example.canvas) if isinstance(part, Chorded))
    return any(_no_task(chord.body) for chord in chords)


def _lone_chain_for_a_header(example):
    """A header of one chain around one group, which is empty or holds a chord."""
    headers = (part.header for part in parts_of(example.canvas) if isinstance(part, Chorded))
    return any(len(header) == 1 and _around_a_hanging_group(header[0]) for header in headers)


def _around_a_hanging_group(spec):
    if not (isinstance(spec, Many) and spec.word == "chain" and spec.parts):
        return False
    match [step for step in spec.parts if not _no_task(step)]:
        case []:
            return True
        case [Many(word="group", parts=members)]:
            return any(isinstance(member, Chorded) for member in members)
        case _:
            return False


def _chorded_in(headers):
    """The chords inside the parts of headers, written as such."""
    for header in headers:
        for one in header:
            yield from (part for part in parts_of(one) if isinstance(part, Chorded))


def _empty_header_in_header(example):
    """A chord with nothing in its header, in the header of a chord around it, and a task fails."""
    inside = _chorded_in(header for header, _ in _chords(example.canvas))
    return _fails(example) and any(all(map(_no_task, chord.header)) for chord in inside)


def _only_errbacks_more(real, mine):
    """Celery has fired fewer errbacks; all else is the same."""
    more = _more(real, mine)
    errbacks = ("errback(", 'note("<')
    same = bool(real.answers & mine.answers)
    return same and bool(more) and all(one.startswith(errbacks) or one == STORED for one in more)


def _shared_with_a_body(example):
    """An errback of a group that is the body of a chord, and of something around the chord."""
    for around in parts_of(example.canvas):
        for chord in parts_of(around):
            if isinstance(chord, Chorded) and isinstance(chord.body, Many):
                inside = {one for part in parts_of(chord.body) for one in _errbacks(part)}
                if chord.body.word == "group" and inside.intersection(_errbacks(around)):
                    return True
    return False


def _errbacks(spec):
    return () if isinstance(spec, Items | Revoked) else spec.errbacks


def _empty_body_in_header(example):
    """A chord without a body to wait for, in a header of a chord around it."""
    inside = _chorded_in(
        part.header for part in parts_of(example.canvas) if isinstance(part, Chorded)
    )
    return _fails(example) and any(_no_task(chord.body) for chord in inside)


def _empty_chain(example):
    return any(
        isinstance(part, Many) and part.word == "chain" and _no_task(part)
        for part in parts_of(example.canvas)
    )


def _outer_body_unaware(real, mine):
    """Nobody tells the outer chord, whose body's errbacks Celery then does not fire.

    Its caller, whom nobody tells either, sees the failure of a member or of a sibling instead.
    """
    more = _more(real, mine)
    same = bool(real.answers & mine.answers)
    told = all(answer.startswith("raises ChordError(") for answer in mine.answers)
    member = told and all(answer.startswith("raises ") for answer in real.answers)
    return (same or member) and more is not None and all(_of_a_body(entry) for entry in more)


def _of_a_body(entry):
    """An errback told of a task that never ran, which only the body of a failed chord is."""
    return entry.startswith(('errback("<id>", ', 'note("<id>", "old")')) or entry == STORED


def _not_counted(real, mine):
    """The outer chord did not wait for it, and did not hear that it failed."""
    failed = all(answer.startswith("raises ChordError(") for answer in mine.answers)
    return failed and all(answer.startswith("returns ") for answer in real.answers)


def _calls_twice(real, mine):
    more = _all(real) - _all(mine)
    same = bool(real.answers & mine.answers)
    return same and not _all(mine) - _all(real) and all(_all(mine)[entry] for entry in more)


def _revoked_inside(example):
    """A chain with a revoked step in a group, in the header of a chord or in its body."""
    return any(
        isinstance(inner, Revoked)
        for part in parts_of(example.canvas)
        for several in _side_by_side(part)
        for member in several
        for inner in parts_of(member)
    )


def _ignores(call):
    return call.task == "hushed" or ("ignore_result", True) in call.options


def _last_calls(spec):
    """The tasks whose results are the result of ``spec``."""
    match spec:
        case Call():
            yield spec
        case Many(word="group", parts=parts):
            for part in parts:
                yield from _last_calls(part)
        case Many():
            steps = [step for step in _spliced(spec) if not _no_task(step)]
            for step in steps[-1:]:
                yield from _last_calls(step)
        case Chorded(body=body):
            yield from _last_calls(body)


def _ignored_failure(example):
    return _fails_ignored(example.canvas)


def _fails_ignored(spec):
    """A step fails that stores no error, and another comes after it."""
    return any(
        _ignores(call) and call.task in FAILING and call.task not in {"hushed_boom", "swap_boom"}
        for chain in parts_of(spec)
        if isinstance(chain, Many) and chain.word == "chain"
        for step in [step for step in _spliced(chain) if not _no_task(step)][:-1]
        for call in _last_calls(step)
    )


def _ends_of_headers(example):
    """Each header with a group at the end of a part, and the members of the group."""
    for header, _ in _chords(example.canvas):
        for part in header:
            for members in _last_groups(part):
                yield header, members


def _ignored_in_header(example):
    return any(
        _fails_ignored(member) or any(map(_ignores, _last_calls(member)))
        for _, members in _ends_of_headers(example)
        for member in members
    )


def _joins_for_ever(real, mine):
    """Celery's worker waits for what is not stored, and the body never hears of anything."""
    told = real.answers == {WAITS} or bool(real.answers & mine.answers)
    return told and _more(real, mine) is not None


def _odd_error_in_header(example):
    return any(
        uses(part, "base_boom", "cancelled_boom", "speechless_boom")
        for header, _ in _ends_of_headers(example)
        for part in header
    )


def _fails_to_tell(real, mine):
    """The failure of the join is that of the last task; Celery's worker may have ended of it."""
    less, more = _all(real) - _all(mine), _all(mine) - _all(real)
    told = all(answer == WAITS or answer.startswith("raises ") for answer in real.answers)
    return told and bool(more) and all(map(_of_an_errback, less))


def _of_an_errback(entry):
    return entry == STORED or entry.startswith(("errback(", 'note("<'))


def _ignored_beside_an_empty_chain(example):
    """A header with a chain that holds nothing but empty groups, and a task without a result."""
    return any(
        any(isinstance(part, Many) and part.word == "chain" and _no_task(part) for part in header)
        and any(_ignores(call) for part in header for call in _last_calls(part))
        for header, _ in _chords(example.canvas)
    )


def _joins_in_vain(real, mine):
    """Celery's worker waits for what is not stored, until it has no time left for it."""
    told = all(
        answer == WAITS or 'ChordError("Join error: TimeoutError(' in answer
        for answer in real.answers
    )
    return told and all(map(_of_an_errback, _all(real) - _all(mine)))


def _goes_on_after_a_group_body(example):
    """A chord that ends in a group, as a step of a chain, with two steps or more after it."""
    for chain in parts_of(example.canvas):
        if isinstance(chain, Many) and chain.word == "chain":
            steps = [step for step in _spliced(chain) if not _no_task(step)]
            for place, step in enumerate(steps[:-1], 1):
                several = len(steps) > place + 1 or isinstance(steps[place], Revoked)
                if several and isinstance(step, Chorded) and _ends_in_group(step.body):
                    return True
    return False


def _told_of_the_inner_chord(real, mine):
    """Errbacks of the body hear of the chord that has failed, and not that the join has."""
    less, more = _all(real) - _all(mine), _all(mine) - _all(real)
    return (
        bool(real.answers & mine.answers)
        and sum(less.values()) == sum(more.values())
        and all(map(_of_an_errback, less))
        and all("Join error: ChordError(" in entry for entry in more)
    )


def _inserts_behind_a_group(example):
    """A task puts another one behind all that comes, the last of which is a group."""
    return uses(example.canvas, "inserts") and any(
        isinstance(part, Many) and part.word == "chain" and _ends_in_group(part)
        for part in parts_of(example.canvas)
    )


def _inserted_for_each(real, mine):
    """Celery runs it once for each member, unless the group's result is one that JSON has not."""
    less, more = _all(real) - _all(mine), _all(mine) - _all(real)
    told = bool(real.answers & mine.answers) or all("EncodeError(" in one for one in real.answers)
    inserted = all('"inserted"' in entry for entry in more)
    return told and inserted and all('"inserted"' in one or _of_an_errback(one) for one in less)


def _chunks_of_nothing_in_a_body(example):
    """A chord with a chain for a body, in which nothing comes after a group with a chord in it."""
    return any(
        isinstance(chain, Many)
        and chain.word == "chain"
        and any(part == Items("chunks", ()) for part in chain.parts)
        and any(_chords(part) for part in chain.parts)
        for _, body in _chords(example.canvas)
        for chain in parts_of(body)
    )


def _side_by_side(spec):
    match spec:
        case Many(word="group", parts=parts):
            yield parts
        case Chorded(header=header, body=body):
            yield (*header, body)


def _fails_itself(real, _mine):
    return real.answers == {FAILS}


QUIRKS = (
    Quirk(Feature.FAILS_CHUNKS_OF_NOTHING, _chunks_of_nothing_in_a_body, _fails_itself),
    Quirk(Feature.FAILS_EMPTY_CHAIN, _empty_chain, _fails_itself),
    Quirk(Feature.HANG_EMPTY_GROUP_BODY, _empty_body, _waits_for_ever),
    Quirk(Feature.HANG_EMPTY_GROUP_BODY, _empty_body_in_header, _not_counted),
    Quirk(
        Feature.HANG_CHAIN_AROUND_GROUP_HEADER,
        _lone_chain_for_a_header,
        _waits_for_ever,
    ),
    Quirk(
        Feature.HANG_CHAIN_ENDS_IN_GROUP,
        _failed_chain_ends_in_group,
        _waits_for_ever,
    ),
    Quirk(Feature.HANG_CHORD_IN_HEADER, _failed_chord_in_header, _waits_for_ever),
    Quirk(
        Feature.HANG_CHORD_IN_HEADER,
        _failed_chord_in_header,
        _outer_body_unaware,
    ),
    Quirk(
        Feature.HANG_CHAIN_ENDS_IN_GROUP,
        _failed_chain_in_header,
        _outer_body_unaware,
    ),
    Quirk(
        Feature.HANG_GROUP_OF_CHORDS_IN_HEADER,
        _chords_beside_others,
        _waits_for_ever,
    ),
    Quirk(
        Feature.HANG_CHORD_BODY_CHORD,
        _failed_with_a_chord_for_a_body,
        _waits_for_ever,
    ),
    Quirk(Feature.HANG_REVOKED, _revoked_inside, _waits_for_ever),
    Quirk(Feature.HANG_REVOKED, _revoked_inside, _outer_body_unaware),
    Quirk(Feature.HANG_IGNORED_FAILURE, _ignored_failure, _waits_for_ever),
    Quirk(Feature.HANG_IGNORED_IN_HEADER, _ignored_in_header, _joins_for_ever),
    Quirk(Feature.HANG_ODD_ERROR_IN_HEADER, _odd_error_in_header, _fails_to_tell),
    Quirk(
        Feature.LOST_ERRBACKS_OF_EMPTY_HEADER,
        _empty_header_in_header,
        _only_errbacks_more,
    ),
    Quirk(
        Feature.TWICE_ERRBACK_OF_GROUP_BODY,
        _shared_with_a_body,
        _calls_twice,
    ),
    Quirk(
        Feature.HANG_CHORD_IN_HEADER,
        _failed_chord_in_header,
        _told_of_the_inner_chord,
    ),
    Quirk(
        Feature.FAILS_IGNORED_BESIDE_EMPTY_CHAIN,
        _ignored_beside_an_empty_chain,
        _joins_in_vain,
    ),
    Quirk(
        Feature.TWICE_AFTER_GROUP_BODY,
        _goes_on_after_a_group_body,
        _calls_twice,
    ),
    Quirk(Feature.TASK_REQUEST_CHAIN, _inserts_behind_a_group, _inserted_for_each),
    Quirk(Feature.REFUSED_RESULT, _chunks_in_a_chain, _sent_before_it_failed),
    Quirk(
        Feature.LOST_CALLBACKS_OF_REPLACED_GROUP,
        lambda example: uses(example.canvas, "swap_group"),
        _loses_callbacks,
    ),
)


def _groups_in_chains(example):
    """Chains with groups of one or none, or with three; a chord's body is the rest of a chain."""
    for part in parts_of(example.canvas):
        if isinstance(part, Many) and part.word == "group" and len(part.parts) < 2:
            return True
        if isinstance(part, Many) and part.word == "chain":
            groups = [step for step in _spliced(part) if isinstance(step, Many | Chorded)]
            if not part.parts or len(groups) > 2:
                return True
        if isinstance(part, Chorded) and len(part.header) < 2:
            return True
        if isinstance(part, Items) and part.word == "chunks":
            return True
    return False


#: Celery's own until 5.7.
OLDER = (
    Quirk(
        Feature.OLDER_SMALL_GROUPS_IN_CHAIN,
        _groups_in_chains,
        lambda _real, _mine: True,
    ),
    Quirk(
        Feature.OLDER_CALLBACKS_OF_REPLACED_TASK,
        lambda example: uses(example.canvas, "swap_chain"),
        _calls_twice,
    ),
)
if VERSION < (5, 7):
    QUIRKS += OLDER


def explained(example, real, mine):
    """The row of the support table that explains the difference, or None."""
    for quirk in QUIRKS:
        if quirk.touches(example) and quirk.allows(real, mine):
            return quirk.row
    return None
