"""Smaller examples that still show the same: part by part, for as long as it goes on."""

from dataclasses import replace

from tests.differential.specs import Call, Chorded, Example, Items, Many, Revoked

#: Examples that are tried at the most.
TRIES = 200


def reduced(example, alike):
    """The smallest found; ``alike`` says whether an example still shows it."""
    tries = iter(range(TRIES))
    while True:
        for smaller in _smaller_examples(example):
            if next(tries, None) is None:
                return example
            if alike(smaller):
                example = smaller
                break
        else:
            return example


def _smaller_examples(example):
    if example.wired:
        yield replace(example, wired=False)
    if example.args:
        yield replace(example, args=())
    for canvas in _smaller(example.canvas):
        yield Example(canvas, example.args, example.wired)


def _smaller(spec):
    match spec:
        case Many(parts=parts):
            yield from parts
            yield from (replace(spec, parts=some) for some in _fewer(parts))
            if spec.errbacks:
                yield replace(spec, errbacks=())
            yield from (replace(spec, parts=some) for some in _one_smaller(parts))
        case Chorded(header=header, body=body):
            yield from (*header, body)
            yield from (replace(spec, header=some) for some in _fewer(header))
            if spec.errbacks:
                yield replace(spec, errbacks=())
            yield from (replace(spec, header=some) for some in _one_smaller(header))
            yield from (replace(spec, body=some) for some in _smaller(body))
        case Call():
            for name in ("links", "errbacks", "kwargs", "args"):
                if getattr(spec, name):
                    yield replace(spec, **{name: ()})
            if spec.task != "echo":
                yield replace(spec, task="echo")
        case Revoked(args=args) if args:
            yield replace(spec, args=())
        case Items(items=items) if items:
            yield replace(spec, items=items[1:])


def _fewer(parts):
    for place in range(len(parts)):
        yield parts[:place] + parts[place + 1 :]


def _one_smaller(parts):
    for place, part in enumerate(parts):
        for smaller in _smaller(part):
            yield (*parts[:place], smaller, *parts[place + 1 :])
