"""What is logged has no passwords in it."""

import subprocess
import sys

import pytest

FAILS = """
import logging
from shared.logs import log_to_stderr
log_to_stderr()
try:
    raise ConnectionError("no answer from {address}")
except ConnectionError:
    logging.getLogger("step").exception("tried %s", "{address}")
"""


@pytest.mark.parametrize(
    "address",
    ["postgresql+psycopg://voters:hunter2@there/rolls", "amqp://voters:hun@ter2@there//"],
)
def test_a_log_names_no_password_and_tells_the_rest(address: str) -> None:
    program = FAILS.format(address=address)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "voters:***@there" in done.stderr
    assert "ConnectionError: no answer from" in done.stderr
    assert "ter2" not in done.stderr
