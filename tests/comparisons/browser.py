"""Headless Chromium, driven over its own protocol."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import choreographer
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
READY_WITHIN = 120.0  # seconds


def chromium() -> str:
    """The browser; skips the test where there is none, unless everything is required."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("OFFCANVAS_REQUIRE_SERVICES") == "1":
            pytest.fail("no chromium: apt-get install chromium", pytrace=False)
        pytest.skip("no chromium")
    return found


class Page:
    """One open page."""

    def __init__(self, send: Callable[..., Awaitable[Any]]) -> None:
        self._send = send

    async def command(self, name: str, **parameters: object) -> Any:
        answer = await self._send(name, params=parameters)
        assert "error" not in answer, (name, answer)
        return answer["result"]

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, by way of JSON."""
        result = await self.command("Runtime.evaluate", expression=f"JSON.stringify({expression})")
        assert "exceptionDetails" not in result, result
        return json.loads(result["result"].get("value", "null"))


async def visit(
    file: Path,
    ways: Sequence[tuple[int, str]],
    look: Callable[[Page], Awaitable[Any]],
) -> dict[tuple[int, str], Any]:
    """Open a file, without network, in each (width in CSS pixels, colour scheme), and look."""
    async with choreographer.Browser(path=chromium(), headless=True) as browser:
        return {way: await _look(browser, file, *way, look) for way in ways}


async def _look(
    browser: choreographer.Browser,
    file: Path,
    width: int,
    scheme: str,
    look: Callable[[Page], Awaitable[Any]],
) -> Any:
    tab = await browser.create_tab("about:blank")
    page = Page(tab.send_command)
    await page.command(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
    )  # fmt: skip
    await page.command(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    await page.command(
        "Network.emulateNetworkConditions",
        offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1,
    )  # fmt: skip
    await page.command("Page.navigate", url=file.as_uri())
    async with asyncio.timeout(READY_WITHIN):
        while await page.value("document.documentElement?.dataset.ready ?? ''") != "yes":
            await asyncio.sleep(0.05)
    return await look(page)
