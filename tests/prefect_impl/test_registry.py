"""Names and what they mean."""

import importlib

import pytest

from prefect_impl.registry import FLOWS, call_of
from shared.errors import UsageError
from shared.variants import VARIANTS


@pytest.mark.parametrize("name", [variant.name for variant in VARIANTS])
def test_each_variant_is_the_flow_of_that_name_in_the_file_of_that_name(name: str) -> None:
    module = importlib.import_module(f"prefect_impl.{name}")
    assert getattr(module, name) is FLOWS[name]
    assert call_of(name, "r").flow == name
    assert call_of(name, "r").parameters == {"run_id": "r"}


def test_workloads() -> None:
    assert call_of("noop:7", "r").parameters == {"run_id": "r", "count": 7}
    assert call_of("fib33:2", "r").parameters == {"run_id": "r", "count": 2, "argument": 33}


@pytest.mark.parametrize("name", ["chord", "noop:0", "rolls", "repair"])
def test_what_is_no_variant_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        call_of(name, "r")
