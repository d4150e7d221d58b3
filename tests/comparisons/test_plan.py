from pathlib import Path

import pytest

from comparisons.plan import check_csv, check_out, choose_workloads
from shared.errors import UsageError
from shared.variants import VARIANTS
from tests.comparisons.samples import plan


def test_all_variants_and_engines_are_the_default() -> None:
    chosen = plan(variants=None, engines=None, workloads=None, voters=None, seed=None)
    assert chosen.variants == tuple(variant.name for variant in VARIANTS)
    assert chosen.engines == ("celery", "prefect", "temporal")
    assert chosen.voters == 10_000


def test_engines_take_turns_and_none_always_follows_the_same() -> None:
    chosen = plan(engines=None, variants="chain", workloads="noop:1", repeat=2)
    assert chosen.runs == [
        (1, "chain", "celery"), (1, "chain", "prefect"), (1, "chain", "temporal"),
        (1, "noop:1", "temporal"), (1, "noop:1", "prefect"), (1, "noop:1", "celery"),
        (2, "chain", "prefect"), (2, "chain", "temporal"), (2, "chain", "celery"),
        (2, "noop:1", "celery"), (2, "noop:1", "temporal"), (2, "noop:1", "prefect"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"variants": "chain,chord"}, "--variants 'chord' is not known: choose from all_in_one"),
        ({"variants": ","}, "--variants is empty"),
        ({"engines": "dask"}, "--engines 'dask' is not known"),
        ({"workloads": "noop:0"}, "noop:N"),
        ({"workloads": "sleep"}, "--workloads 'sleep' is not known"),
        ({"workloads": " , "}, "--workloads is empty"),
        ({"repeat": 0}, "--repeat 0: at least 1"),
        ({"concurrency": 0}, "--concurrency 0"),
        ({"concurrency": 257}, "--concurrency 257"),
        ({"variants": "none", "workloads": "none"}, "nothing to run"),
        ({"csv": Path("a.csv")}, "--csv brings its own voters"),
        ({"csv": Path("a.csv"), "voters": None, "seed": None, "variants": "none"}, "of no use"),
    ],
)
def test_what_cannot_work_is_said(words: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(**words)


def test_workloads_run_once_each_in_the_order_given() -> None:
    assert choose_workloads("noop:10, fib10:2,noop:10") == ("noop:10", "fib10:2")


def test_command_repeats_the_plan_without_folders() -> None:
    chosen = plan(csv=Path("/somewhere/voters.csv"), voters=None, seed=None, workloads="none")
    assert chosen.command == (
        'make compare ARGS="--csv voters.csv --variants all_in_one,chord_by_station '
        '--workloads none --engines celery,temporal --concurrency 2 --repeat 3"'
    )


def test_out_may_not_exist_yet_and_is_not_made(tmp_path: Path) -> None:
    check_out(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_out_may_not_be_or_lie_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="is a file; name a folder"):
            check_out(out)


def test_csv_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        check_csv(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="not a file"):
        check_csv(tmp_path)
