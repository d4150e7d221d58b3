"""Put a composed roll on pages, by reportlab's document model.

The model is used below reportlab's canvas: the canvas refers to Helvetica on every page, which a
print shop then misses, and takes its filters from settings of the whole process.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reportlab.pdfbase import pdfdoc

from shared.rolls import page
from shared.rolls.embed import EmbeddedFont
from shared.rolls.pen import Pen
from shared.rolls.roll import ROWS_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rolls.compose import ComposedRoll
    from shared.rolls.fit import Block
    from shared.rolls.fontfile import FontFile


def render(roll: ComposedRoll, fonts: Sequence[FontFile]) -> bytes:
    """Return the PDF file of a roll."""
    document = pdfdoc.PDFDocument(compression=1, invariant=1)
    document.info = _UndatedInfo()
    document.setTitle(roll.name)
    document.setSubject("Voter list")
    document.setAuthor("")
    document.setCreator("offcanvas")
    # Reportlab's own fingerprint starts with the date, or with SOURCE_DATE_EPOCH.
    document.signature = hashlib.md5(usedforsecurity=False)
    embedded = [EmbeddedFont(font, f"F{number}") for number, font in enumerate(fonts)]
    for number in range(len(roll.footers)):
        rows = roll.rows[number * ROWS_PER_PAGE : (number + 1) * ROWS_PER_PAGE]
        content = _page_text(roll, number, rows, embedded)
        document.updateSignature(content)
        _add_page(document, content, len(rows))
    for font in embedded:
        font.add_to(document)
    file: bytes = document.GetPDFData(None)
    return file


class _UndatedInfo(pdfdoc.PDFInfo):  # type: ignore[misc]  # the base class is untyped
    """Document information without dates, which would make each file differ."""

    def format(self, document: pdfdoc.PDFDocument) -> bytes:
        entries = {
            "Title": pdfdoc.PDFString(self.title),
            "Subject": pdfdoc.PDFString(self.subject),
            "Creator": pdfdoc.PDFString(self.creator),
            "Producer": pdfdoc.PDFString(self.producer),
        }
        formatted: bytes = pdfdoc.PDFDictionary(entries).format(document)
        return formatted


def _add_page(document: pdfdoc.PDFDocument, content: str, rows: int) -> None:
    name = f"Grid{rows}"
    if not document.hasForm(name):
        document.addForm(name, _grid(rows))
    sheet = pdfdoc.PDFPage()
    sheet.MediaBox = pdfdoc.PDFArray([0, 0, page.PAGE_WIDTH, page.PAGE_HEIGHT])
    sheet.Resources = pdfdoc.PDFResourceDictionary(XObject=document.xobjDict([name]))
    sheet.Resources.basicFonts()
    sheet.Contents = _compressed(f"/{document.getXObjectName(name)} Do\n{content}\n")
    document.addPage(sheet)


def _grid(rows: int) -> pdfdoc.PDFFormXObject:
    form = pdfdoc.PDFFormXObject(0, 0, page.PAGE_WIDTH, page.PAGE_HEIGHT)
    form.Contents = _compressed(page.grid(rows))
    form.Resources = pdfdoc.PDFResourceDictionary()
    return form


def _compressed(content: str) -> pdfdoc.PDFStream:
    return pdfdoc.PDFStream(content=content.encode("ascii"), filters=[pdfdoc.PDFZCompress])


def _page_text(
    roll: ComposedRoll,
    number: int,
    rows: Sequence[tuple[Block, Block]],
    fonts: Sequence[EmbeddedFont],
) -> str:
    """Return the operators for all text on page ``number``, which counts from 0."""
    face = fonts[0].font
    pen = Pen(fonts)
    pen.colour(0)
    pen.block(roll.title, page.LEFT, page.TITLE_MIDDLE)
    pen.colour(page.NOTE_GREY)
    pen.block(roll.subtitle, page.LEFT, page.SUBTITLE_MIDDLE)
    for column, heading in enumerate(page.HEADINGS):
        block = page.label(heading, face, page.NOTE_SIZE)
        edge = page.EDGES[column + 1] - page.PADDING if column == page.NUMBER else None
        pen.block(block, page.EDGES[column] + page.PADDING, page.HEADINGS_MIDDLE, edge)
    pen.colour(0)
    number_edge = page.EDGES[page.ID] - page.PADDING
    id_left = page.EDGES[page.ID] + page.PADDING
    name_left = page.EDGES[page.NAME] + page.PADDING
    name_right = page.EDGES[page.SIGNATURE] - page.PADDING
    for row, (voter_id, voter_name) in enumerate(rows):
        middle = page.row_middle(row)
        count = str(number * ROWS_PER_PAGE + row + 1)
        pen.block(page.label(count, face, page.TEXT_SIZE), 0, middle, number_edge)
        pen.block(voter_id, id_left, middle)
        # Names of right-to-left scripts start at the right edge of their column.
        pen.block(voter_name, name_left, middle, name_right if voter_name.right_to_left else None)
    pen.colour(page.NOTE_GREY)
    pen.block(roll.footers[number], page.LEFT, page.FOOTER_MIDDLE)
    counted = page.label(f"Page {number + 1} of {len(roll.footers)}", face, page.NOTE_SIZE)
    pen.block(counted, 0, page.FOOTER_MIDDLE, page.RIGHT)
    return pen.operators()
