"""Logs on standard error."""

import logging

from shared.settings import masked


class _Masking(logging.Formatter):
    """Writes passwords and tokens in addresses, which errors quote, as `***`."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def log_to_stderr() -> None:
    """Write what is logged from INFO on to standard error, without secrets."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
