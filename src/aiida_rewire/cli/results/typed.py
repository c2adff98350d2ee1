"""The command as it was typed, for captions: what was left at its default is left out."""

from __future__ import annotations

import shlex
from typing import Any

import click
from click.core import ParameterSource

from aiida_rewire.cli.profile import PROFILE_KEY

GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def typed_command() -> str:
    """Return the running command in a line that a shell understands."""
    context: click.Context | None = click.get_current_context()
    parts: list[str] = []
    while context is not None:
        words = (
            [] if isinstance(context.command, click.Group) and context.parent is None else [context.info_name or ""]
        )
        for parameter in context.command.params:
            if context.get_parameter_source(parameter.name or "") in GIVEN:
                words += _words(parameter, _value(context, parameter))
        parts = words + parts
        context = context.parent
    # whatever file Python was started with
    return shlex.join(["aiida-rewire", *parts])


def _value(context: click.Context, parameter: click.Parameter) -> Any:
    if parameter.name == "profile":
        return context.meta.get(PROFILE_KEY)
    return context.params.get(parameter.name or "")


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    if value is None:
        return []
    several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1
    values = list(value) if several else [value]
    if not isinstance(parameter, click.Option):
        return [str(one) for one in values]
    name = max(parameter.opts, key=len)
    if parameter.is_flag:
        return [name] if value else [max(parameter.secondary_opts, key=len)] if parameter.secondary_opts else []
    words = []
    for one in values:
        words += [name, *map(_said, one if isinstance(one, tuple) else (one,))]
    return words


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
