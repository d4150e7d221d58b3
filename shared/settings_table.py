"""Every setting in words: its value in force, where it comes from, what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from shared.settings import Settings, load_settings, masked

Source = Literal["environment", ".env", "default"]


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting as it stands; `value` is None where nothing is set, passwords are `***`."""

    name: str
    value: str | None
    source: Source
    meaning: str

    def __str__(self) -> str:
        """Two lines for a terminal."""
        value = "(not set)" if self.value is None else self.value
        return f"{self.name} = {value}  [{self.source}]\n    {self.meaning}"


def settings_in_force() -> Iterator[SettingInForce]:
    """All settings, in the order of the class.

    Raises:
        UsageError: a value does not fit.
    """
    values = load_settings()
    environment = EnvSettingsSource(Settings)()
    dotenv = DotEnvSettingsSource(Settings)()
    for name, field in Settings.model_fields.items():
        value = getattr(values, name)
        source: Source = "default"
        if name in environment:
            source = "environment"
        elif name in dotenv:
            source = ".env"
        shown = None if value in {None, ""} else masked(str(value))
        yield SettingInForce(name.upper(), shown, source, field.description or "")
