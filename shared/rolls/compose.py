"""Lay out every text of a roll, and say of all that cannot be printed where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.rolls import page
from shared.rolls.errors import MissingGlyph, UnprintableText, on_one_line
from shared.rolls.fit import SMALLEST, Block, NoRoom, fit, fit_line
from shared.rolls.roll import page_count
from shared.rolls.shape import NoFont, join, shape
from shared.rolls.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rolls.fontfile import FontFile
    from shared.rolls.roll import Roll
    from shared.rolls.shape import Line


@dataclass(frozen=True, slots=True)
class ComposedRoll:
    """The laid out texts of a roll: ``rows`` are voter id and name, ``footers`` one per page.

    ``name`` is the title that a viewer's window shows.
    """

    name: str
    title: Block
    subtitle: Block
    footers: Sequence[Block]
    rows: Sequence[tuple[Block, Block]]


def compose(roll: Roll, fonts: Sequence[FontFile]) -> ComposedRoll:
    """Lay out a roll.

    Raises MissingGlyph when all texts have been tried, and UnprintableText for the first text
    that is blank or too long.
    """
    composer = _Composer(fonts)
    center = f"center {on_one_line(roll.center_id)}"
    name = composer.checked(roll.center_name, f"the name of {center}")
    center_id = composer.checked(roll.center_id, f"the id of {center}")
    station_id = composer.checked(roll.station_id, f"the id of a station of {center}")
    rows = [
        (
            composer.cell(entry.voter_id, page.ID, f"the id of voter {entry.voter_id!r}"),
            composer.cell(
                entry.voter_name,
                page.NAME,
                f"the name of voter {on_one_line(entry.voter_id)} ({entry.voter_name!r})",
            ),
        )
        for entry in roll.entries
    ]
    composer.raise_missing()
    voters = "1 voter" if len(rows) == 1 else f"{len(rows):,} voters"
    try:
        title = fit(name, fonts, width=page.WIDTH, height=page.TITLE_HEIGHT, size=page.TITLE_SIZE)
        subtitle = composer.beside(
            "Center ", center_id, "  ·  Station ", station_id, f"  ·  {voters}"
        )
        footers = [
            composer.footer(name, center_id, number)
            for number in range(1, page_count(len(rows)) + 1)
        ]
    except NoRoom:
        raise UnprintableText(_too_long(f"the name or the ids of {center}", name)) from None
    document = f"{name} ({center_id}), station {station_id}: voter list"
    return ComposedRoll(document, title, subtitle, footers, rows)


class _Composer:
    """Lays out texts in the given fonts and remembers what no font has."""

    def __init__(self, fonts: Sequence[FontFile]) -> None:
        self._fonts = fonts
        self._missing: list[tuple[str, str]] = []

    def checked(self, text: str, where: str) -> str:
        """Return the printable form of a text, noting what no font has."""
        text = _visible(text, where)
        try:
            shape(text, self._fonts)
        except NoFont as error:
            self._missing.append((error.characters, where))
        return text

    def cell(self, text: str, column: int, where: str) -> Block:
        """Lay out a cell; an empty block stands in for what no font has, until raise_missing."""
        text = _visible(text, where)
        try:
            return page.in_cell(text, column, self._fonts)
        except NoFont as error:
            self._missing.append((error.characters, where))
            return Block((), page.TEXT_SIZE)
        except NoRoom:
            raise UnprintableText(_too_long(where, text)) from None

    def beside(self, *texts: str) -> Block:
        """Lay out texts on one line, each keeping its own direction."""
        return fit_line(self._joined(*texts), width=page.NOTE_WIDTH, size=page.NOTE_SIZE)

    def _joined(self, *texts: str) -> Line:
        return join(*(shape(text, self._fonts) for text in texts))

    def footer(self, name: str, center_id: str, number: int) -> Block:
        """Lay out a page's footer: on one line, unless a long name would make it unreadable."""
        whole = self._joined(name, " (", center_id, f") Voter List - Page-{number}")
        if whole.width * page.NOTE_SMALLEST <= page.NOTE_WIDTH * 1000:
            return fit_line(whole, width=page.NOTE_WIDTH, size=page.NOTE_SIZE)
        above = fit(
            name,
            self._fonts,
            width=page.NOTE_WIDTH,
            height=page.FOOTER_NAME_HEIGHT,
            size=page.NOTE_SIZE,
        )
        below = self.beside("(", center_id, f") Voter List - Page-{number}")
        return Block((*above.lines, *below.lines), min(above.size, below.size))

    def raise_missing(self) -> None:
        """Raise MissingGlyph when some text cannot be printed."""
        if self._missing:
            characters, where = self._missing[0]
            raise MissingGlyph.describe(characters, where, others=len(self._missing) - 1)


def _visible(text: str, where: str) -> str:
    cleaned = printable(text)
    if not cleaned:
        raise UnprintableText(f"{where} holds nothing that can be printed; correct it")
    return cleaned


def _too_long(where: str, text: str) -> str:
    return (
        f"{where} is too long for its place on the roll "
        f"({len(text):,} characters, letters would be under {SMALLEST:g} points); shorten it"
    )
