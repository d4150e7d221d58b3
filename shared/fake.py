"""Invented roll books: the same seed gives the same data on every machine.

Names and schools come from Faker in several scripts: Latin with diacritics for the most part, and
in every thousand voters about ten each in Greek, Cyrillic and Arabic. Faker makes some ten
thousand names a second, so it only fills pools of name parts, once; numpy draws from the pools.
The sizes of the centers are a Dirichlet draw, so that they differ widely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from shared.errors import UsageError
from shared.roll_book.row import Row

DEFAULT_VOTERS = 10_000
DEFAULT_SEED = 2038  # 25 stations of 4 to 3,201 voters a center
MAX_VOTERS = 10_000_000
VOTERS_PER_CENTER = 1_000

# Below 1 the draw is uneven: many small centers, a few with several times the mean.
_CONCENTRATION = 0.6
_SMALLEST = 2  # voters, while there are enough to go round
_POOL = 300  # draws a locale, gender and part of the name

# A locale of Faker, and what a school is called there.
_LATIN = {
    "pl_PL": "Szkoła Podstawowa nr {n}, {city}",
    "fr_FR": "École primaire {last}",
    "cs_CZ": "Základní škola {city}",
    "de_DE": "Grundschule {city}",
    "hr_HR": "Osnovna škola {city}",
    "es_ES": "Colegio Público de {city}",
    "ro_RO": "Școala Gimnazială nr. {n} {city}",
    "sv_SE": "Skolan i {city}",
    "tr_TR": "{last} İlkokulu",
    "pt_PT": "Escola Básica de {city}",
    "hu_HU": "Általános Iskola, {city}",
}
_GREEK = {"el_GR": "{n}ο Δημοτικό Σχολείο, {city}"}  # noqa: RUF001 - a Greek omicron is meant
_CYRILLIC = {"ru_RU": "Школа № {n}, {city}", "uk_UA": "Школа № {n}, {city}"}
_ARABIC = {"ar_AA": "مدرسة {last}"}
_SCHOOLS = _LATIN | _GREEK | _CYRILLIC | _ARABIC
_LOCALES = tuple(_SCHOOLS)

# Of a thousand voters: so many in each further script, so many from another Latin country; the
# rest from the center's own.
_PER_SCRIPT = 10
_ELSEWHERE = 100
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Pool:
    """Name parts of one locale: (first names, last names) of men, then of women; cities."""

    people: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    cities: tuple[str, ...]


@cache
def _pool(locale: str) -> _Pool:
    from faker import Faker  # slow to import, and only wanted here

    faker = Faker(locale)
    faker.seed_instance(1)

    def draw(part: str) -> tuple[str, ...]:
        make = getattr(faker, part)
        return tuple(dict.fromkeys(make() for _ in range(_POOL)))

    return _Pool(
        people=(
            (draw("first_name_male"), draw("last_name_male")),
            (draw("first_name_female"), draw("last_name_female")),
        ),
        cities=draw("city"),
    )


@dataclass(frozen=True)
class FakeRollBook:
    """An invented roll book; nothing is made before it is asked for.

    Attributes:
        sizes: voters of each center, by the center's number.
        seed: any number from 0; decides the names.
    """

    sizes: tuple[int, ...]
    seed: int = DEFAULT_SEED

    @property
    def voters(self) -> int:
        """All voters of all centers."""
        return sum(self.sizes)

    def centers(self) -> Iterator[tuple[str, str]]:
        """`(center_id, center_name)`, also of centers without voters."""
        return ((_center_id(number), self._school(number)) for number in range(len(self.sizes)))

    def rows(self) -> Iterator[Row]:
        """Every voter, streamed; a center's voters stand together."""
        number = 0
        for center, size in enumerate(self.sizes):
            center_id, center_name = _center_id(center), self._school(center)
            for name in self._names(center, size):
                yield Row(f"V{number:07d}", name, center_id, center_name)
                number += 1

    def _school(self, center: int) -> str:
        script = {3: _GREEK, 6: _CYRILLIC, 9: _ARABIC}.get(center % 10, _LATIN)
        random = np.random.default_rng([self.seed, center, 0])
        locale = tuple(script)[int(random.integers(len(script)))]
        pool = _pool(locale)
        lasts = pool.people[0][1]
        return _SCHOOLS[locale].format(
            n=int(random.integers(1, 200)),
            city=pool.cities[int(random.integers(len(pool.cities)))],
            last=lasts[int(random.integers(len(lasts)))],
        )

    def _names(self, center: int, size: int) -> Iterator[str]:
        random = np.random.default_rng([self.seed, center, 1])
        home = center % len(_LATIN)
        for start in range(0, size, _BATCH):
            count = min(_BATCH, size - start)
            locales = _draw_locales(random, home, count).tolist()
            draws = random.integers(0, 1 << 30, size=(3, count), dtype=np.int64).tolist()
            for locale, gender, first, last in zip(locales, *draws, strict=True):
                firsts, lasts = _pool(_LOCALES[locale]).people[gender & 1]
                yield f"{firsts[first % len(firsts)]} {lasts[last % len(lasts)]}"


def _center_id(number: int) -> str:
    return f"C{number:04d}"


def _draw_locales(random: np.random.Generator, home: int, count: int) -> np.ndarray:
    """Indices into `_LOCALES`: the center's own, mostly."""
    lot = random.integers(0, 1_000, size=count, dtype=np.int64)
    other = random.integers(0, 1 << 30, size=count, dtype=np.int64)
    locales = np.full(count, home, dtype=np.int64)
    first, bound = 0, 0
    for script, share in (
        (_LATIN, _ELSEWHERE),
        (_GREEK, _PER_SCRIPT),
        (_CYRILLIC, _PER_SCRIPT),
        (_ARABIC, _PER_SCRIPT),
    ):
        chosen = (lot >= bound) & (lot < bound + share)
        locales[chosen] = first + other[chosen] % len(script)
        first, bound = first + len(script), bound + share
    return locales


def fake_roll_book(voters: int = DEFAULT_VOTERS, seed: int = DEFAULT_SEED) -> FakeRollBook:
    """A roll book of `voters` voters in one center for each thousand, at least one.

    Raises:
        UsageError: fewer than 0 or more than 10,000,000 voters, or a negative seed.
    """
    if not 0 <= voters <= MAX_VOTERS:
        raise UsageError(f"voters={voters}: use a number from 0 to {MAX_VOTERS:,}")
    if seed < 0:
        raise UsageError(f"seed={seed}: use a number from 0")
    return FakeRollBook(sizes=_sizes(voters, seed), seed=seed)


def _sizes(voters: int, seed: int) -> tuple[int, ...]:
    """Voters of each center, by largest remainder over a Dirichlet draw."""
    centers = max(1, voters // VOTERS_PER_CENTER)
    share = np.random.default_rng([seed]).dirichlet([_CONCENTRATION] * centers)
    # Whole millionths: the last bit of a logarithm, which processors may differ in, cannot move a
    # voter to another center.
    parts = [max(1, round(float(part) * 1_000_000)) for part in share]
    floor = _SMALLEST if voters >= centers * _SMALLEST else 0
    rest, whole = voters - floor * centers, sum(parts)
    sizes = [floor + rest * part // whole for part in parts]
    by_remainder = sorted(range(centers), key=lambda i: (-(rest * parts[i] % whole), i))
    for center in islice(by_remainder, voters - sum(sizes)):
        sizes[center] += 1
    return tuple(sizes)


def sized(sizes: Sequence[int], seed: int = DEFAULT_SEED) -> FakeRollBook:
    """A roll book with centers of exactly these sizes; 0 is a center without voters."""
    return FakeRollBook(sizes=tuple(sizes), seed=seed)
