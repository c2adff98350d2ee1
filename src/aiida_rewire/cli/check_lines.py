"""Checks as lines on a terminal, and as values for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import click

from aiida_rewire.cli.checks import Check, Status

_COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "failure": "red"}


def as_values(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return checks for programs."""
    return [dataclasses.asdict(check) for check in checks]


def number_of_failures(checks: Sequence[Check]) -> int:
    """Return how many checks failed."""
    return sum(check.status == "failure" for check in checks)


def show_checks(checks: Sequence[Check]) -> None:
    """Print a line for each check, its way out below it, and how many are not ok."""
    for check in checks:
        _show(check)
    warnings = sum(check.status == "warning" for check in checks)
    click.echo(f"{_counted(number_of_failures(checks), 'failure')}, {_counted(warnings, 'warning')}")


def _show(check: Check) -> None:
    status = click.style(f"{check.status:8}", fg=_COLOURS[check.status])
    click.echo(f"{status} {check.name:15} {_printable(check.message)}")
    if check.fix:
        click.echo(f"{'':24} -> {_printable(check.fix)}")


def _printable(text: str) -> str:
    # names of files may hold bytes that are no text
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
