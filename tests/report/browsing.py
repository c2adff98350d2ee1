"""Headless Chromium, Debian's, that looks at pages and tells what went wrong on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    # of a browser that is root in a container, and that asks for nothing by itself
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    if not CHROMIUM.exists():
        pytest.fail("chromium is missing: `make services` installs it, as root on Debian")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str, *, foreign: bool = False, **context: Any) -> Iterator[Page]:
    """Open a page, and let nothing pass that it complains of or asks of anybody else.

    `foreign` lets requests and complaints be the test's business.
    """
    with browser.new_context(**context) as there:
        page = there.new_page()
        problems: list[str] = []
        page.on("console", lambda said: problems.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
        if not foreign:
            assert not problems, problems
            assert {url.partition("#")[0] for url in asked} <= {address, f"{address}version", "data:,"}
