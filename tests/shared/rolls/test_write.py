from __future__ import annotations

import hashlib
import math
import os
import resource
import signal
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from shared.rolls import MissingGlyph, UnprintableText, page_count, write_roll
from shared.rolls.write import _draft
from tests.shared.rolls.reading import page_texts, printed_rows, roll_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("voters", "pages"), [(1, 1), (39, 1), (40, 1), (41, 2), (80, 2), (81, 3), (500, 13)]
)
def test_every_voter_is_printed_once_and_numbered(tmp_path: Path, voters: int, pages: int) -> None:
    roll = roll_of(*(f"Voter Number{n:04d}" for n in range(voters)))

    written = write_roll(roll, tmp_path / "roll.pdf")

    texts = page_texts(written.path)
    assert written.pages == pages == page_count(voters) == len(texts)
    assert printed_rows(texts) == [
        (n, entry.voter_id, entry.voter_name) for n, entry in enumerate(roll.entries, 1)
    ]
    assert all(len(printed_rows([text])) == 40 for text in texts[:-1])


def test_each_page_carries_header_and_footer(tmp_path: Path) -> None:
    roll = roll_of(*["Ann Smith"] * 81, center_name="North School")

    written = write_roll(roll, tmp_path / "roll.pdf")

    for number, text in enumerate(page_texts(written.path), 1):
        lines = text.splitlines()
        assert lines[0] == "North School"
        assert lines[1].split() == ["Center", "C7", "·", "Station", "C7-1", "·", "81", "voters"]
        assert lines[2] == "No. Voter ID Name Signature"
        assert lines[-1] == f"North School (C7) Voter List - Page-{number} Page {number} of 3"


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    written = write_roll(roll_of("Ann Smith"), tmp_path / "new" / "folder" / "roll.pdf")

    assert written.path == tmp_path / "new" / "folder" / "roll.pdf"
    assert written.sha256 == hashlib.sha256(written.path.read_bytes()).hexdigest()


def test_a_roll_without_voters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnprintableText, match="station C7-1 of center C7 has no voters"):
        write_roll(roll_of(), tmp_path / "roll.pdf")

    assert list(tmp_path.iterdir()) == []


MANY_SCRIPTS = [
    "Anastasia Müller-Lüdenscheidt",
    "Łukasz Żółć",
    "Nguyễn Thị Mỹ Duyên",
    "João q\u0303a",
    "Παπαδόπουλος Γεώργιος",
    "Шевченко Тарас Григорович",
    "محمد عبد الله الأحمد",
    "مُحَمَّد",
    "می\u200cخواهم",
]


def test_names_read_back_in_every_built_in_script(tmp_path: Path) -> None:
    written = write_roll(roll_of(*MANY_SCRIPTS), tmp_path / "roll.pdf")

    names = [name for _, _, name in printed_rows(page_texts(written.path))]
    assert names == [unicodedata.normalize("NFC", name) for name in MANY_SCRIPTS]


def test_composed_and_combining_spellings_print_the_same_bytes(tmp_path: Path) -> None:
    composed = write_roll(roll_of("João Ñ"), tmp_path / "a.pdf")
    combining = write_roll(roll_of("Joa\u0303o N\u0303"), tmp_path / "b.pdf")

    assert composed.sha256 == combining.sha256


letters = st.characters(
    min_codepoint=0x20, max_codepoint=0x17F, exclude_categories=["Cc", "Cf", "Zs", "Zl", "Zp"]
)


@settings(max_examples=25)
@given(st.lists(st.text(letters, min_size=1, max_size=30), min_size=1, max_size=130))
def test_every_voter_once_whatever_their_names(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        written = write_roll(roll_of(*names), Path(folder) / "roll.pdf")

        texts = page_texts(written.path)
    rows = printed_rows(texts)
    assert written.pages == len(texts) == math.ceil(len(names) / 40)
    assert [number for number, _, _ in rows] == list(range(1, len(names) + 1))
    assert [voter_id for _, voter_id, _ in rows] == [f"V{n + 1}" for n in range(len(names))]
    assert [name for _, _, name in rows] == [unicodedata.normalize("NFC", name) for name in names]


PRINT_DIGEST = """
import sys
from pathlib import Path
from shared.rolls import write_roll
from tests.shared.rolls.reading import roll_of
for name in sys.argv[2:]:
    # What a process has printed before must not show.
    write_roll(roll_of(name), Path(sys.argv[1]))
print(write_roll(roll_of(*sys.argv[2:]), Path(sys.argv[1])).sha256)
"""


def digest_elsewhere(path: Path, names: list[str], **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST, str(path), *names],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_roll_has_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    here = write_roll(roll_of(*MANY_SCRIPTS), tmp_path / "here.pdf").sha256

    first = digest_elsewhere(
        tmp_path / "a.pdf", MANY_SCRIPTS, PYTHONHASHSEED="1", SOURCE_DATE_EPOCH="1", TZ="UTC"
    )
    second = digest_elsewhere(
        tmp_path / "b.pdf",
        MANY_SCRIPTS,
        PYTHONHASHSEED="2",
        SOURCE_DATE_EPOCH="2000000000",
        TZ="Asia/Tokyo",
        LC_ALL="C",
    )

    assert here == first == second


def test_the_file_carries_no_date_and_no_path(tmp_path: Path) -> None:
    written = write_roll(roll_of("Ann"), tmp_path / "roll.pdf")

    information = PdfReader(written.path).metadata
    assert information is not None
    assert information.title == "City Hall (C7), station C7-1: voter list"
    assert information.creation_date is None
    assert information.modification_date is None
    assert str(tmp_path).encode() not in written.path.read_bytes()


def test_threads_write_the_same_bytes(tmp_path: Path) -> None:
    roll = roll_of(*MANY_SCRIPTS * 20)
    alone = write_roll(roll, tmp_path / "alone.pdf").sha256

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda n: write_roll(roll, tmp_path / f"{n}.pdf"), range(8)))

    assert {each.sha256 for each in written} == {alone}


def test_a_new_roll_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    write_roll(roll_of("Ann"), path)

    write_roll(roll_of("Bob"), path)

    assert printed_rows(page_texts(path)) == [(1, "V1", "Bob")]
    assert list(tmp_path.iterdir()) == [path]


def test_a_roll_that_cannot_be_printed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    old = write_roll(roll_of("Ann"), path).sha256

    with pytest.raises(MissingGlyph):
        write_roll(roll_of("王"), path)

    assert hashlib.sha256(path.read_bytes()).hexdigest() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "roll.pdf"
    in_the_way.mkdir()

    with pytest.raises(OSError, match=r"roll\.pdf"):
        write_roll(roll_of("Ann"), in_the_way)

    assert list(tmp_path.iterdir()) == [in_the_way]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    old = write_roll(roll_of("Ann"), path).sha256
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_roll(roll_of("Bob"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)

    assert hashlib.sha256(path.read_bytes()).hexdigest() == old
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        written = write_roll(roll_of("Ann"), tmp_path / "roll.pdf")
    finally:
        os.umask(before)

    assert stat.S_IMODE(written.path.stat().st_mode) == 0o640


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from shared.rolls import write
path = Path(sys.argv[1])
with write._draft(path) as (_, file):
    file.write(b"half a roll, longer than the whole one " * 10_000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_when_the_roll_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], cwd=ROOT, check=False)
    assert [each.name for each in tmp_path.iterdir()] == [".roll.pdf.0.tmp"]

    written = write_roll(roll_of("Ann"), path)

    assert list(tmp_path.iterdir()) == [path]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == written.sha256


def test_a_writer_at_work_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    with _draft(path) as (draft, file):
        file.write(b"at work")
        file.flush()
        written = write_roll(roll_of("Ann"), path)
        assert draft.read_bytes() == b"at work"
        draft.unlink()

    assert list(tmp_path.iterdir()) == [path]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == written.sha256


def test_writers_of_one_roll_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "roll.pdf"
    roll = roll_of("Ann", "Bob")

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: write_roll(roll, path).sha256, range(200)))

    assert set(written) == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("lay", [os.symlink, os.link])
def test_what_stands_under_the_name_of_a_draft_is_not_written(
    tmp_path: Path, lay: Callable[[Path, Path], None]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out").mkdir()
    lay(victim, tmp_path / "out" / ".roll.pdf.0.tmp")

    write_roll(roll_of("Ann"), tmp_path / "out" / "roll.pdf")

    assert victim.read_text() == "mine"
