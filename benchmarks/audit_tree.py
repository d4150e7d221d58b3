"""Make a tree of Python files as large code bases have them: few of the files speak Celery.

In the eight public projects that the auditor is tried on, one file in eight does.
"""

from itertools import count
from pathlib import Path

_PLAIN = '''
class Record{n}:
    """A record with some behaviour."""

    kinds = {{"a": 1, "b": {n}, "c": [1, 2, 3]}}

    def __init__(self, name, amount={n}):
        self.name = name
        self.amount = amount
        self.items = [x * amount for x in range(10) if x % 2]

    def total(self, *others, scale=1.0):
        result = 0
        for position, other in enumerate(others):
            try:
                result += other.amount * scale + position
            except (AttributeError, TypeError) as error:
                raise ValueError(f"{{other!r}} has no amount: {{error}}") from error
        return result or sum(self.items) - len(self.kinds.get(self.name, []))
'''
_TASK = """
@shared_task(bind=True, max_retries={n})
def work_{n}(self, key, amount=1):
    try:
        return Record(key).total(scale=amount)
    except ValueError as error:
        raise self.retry(exc=error, countdown=5)


def start_{n}(keys):
    header = [work_{n}.s(key, {n}) for key in keys]
    chord(header)(work_{n}.si("all"))
    (work_{n}.s("first") | work_{n}.si("second")).apply_async(countdown={n})
    work_{n}.delay("one", amount=2)
"""
_HEAD = "from celery import chord, shared_task\n\nfrom tree.plain_0 import Record0 as Record\n"
_BLOCKS = 12
"""Classes in a file: files of about 250 lines."""


def generate(root: Path, lines: int) -> int:
    """Write a package of at least so many lines; how many it has."""
    package = root / "tree"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    written = 0
    for number in count():
        if written >= lines:
            return written
        speaks = number % 8 == 1
        head, block = (_HEAD, _TASK) if speaks else ('"""Records."""\n', _PLAIN)
        text = head + "".join(f"\n{block.format(n=n)}" for n in range(_BLOCKS))
        name = f"jobs_{number}" if speaks else f"plain_{number}"
        (package / f"{name}.py").write_text(text)
        written += text.count("\n")
    return written
