"""Commands as they are typed."""

from __future__ import annotations

import click
from aiida.common import log
from click.testing import CliRunner, Result


def invoke(command: click.Command, *arguments: object, status: int = 0, text: str | None = None) -> Result:
    """Run a command in this process; it ends with a status, and without a traceback.

    Parameters
    ----------
    command, arguments
        What is typed.
    status
        That it must end with.
    text
        Its standard input.
    """
    for_terminals = log.CLI_ACTIVE
    try:
        result = CliRunner().invoke(command, list(map(str, arguments)), input=text)
    finally:
        # a command of verdi's sends the warnings of all that follows it in this process to standard output
        if for_terminals is not log.CLI_ACTIVE:
            log.CLI_ACTIVE = for_terminals
            log.configure_logging(with_orm=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert result.exit_code == status, result.output
    return result
