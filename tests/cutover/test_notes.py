"""What was sent is noted in the background, and to its end."""

import threading

from offcanvas.cutover.notes import Notes


class Slow:
    """Claims that take a note when they are let."""

    def __init__(self):
        self.asked, self.let, self.noted = threading.Event(), threading.Event(), []

    def note_sent(self, these):
        self.asked.set()
        assert self.let.wait(60)
        self.noted += these


def threads():
    return [one for one in threading.enumerate() if one.name == "offcanvas-notes"]


def test_closing_waits_for_the_note_in_hand():
    claims, before = Slow(), len(threads())
    notes = Notes(lambda: claims)
    notes.add("first")
    assert claims.asked.wait(60)
    notes.add("second")
    closing = threading.Thread(target=notes.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    claims.let.set()
    closing.join(60)
    assert claims.noted == ["first", "second"]
    assert len(threads()) == before


def test_closing_what_has_noted_nothing_is_nothing():
    before = len(threads())
    Notes(lambda: None).close()
    assert len(threads()) == before
