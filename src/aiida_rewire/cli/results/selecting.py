"""Which conductances a command looks at: the options, and the rows they choose."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiida_rewire.cli.campaign.opening import directory_option, told_in_a_line
from aiida_rewire.cli.profile import open_profile, profile_option

if TYPE_CHECKING:
    from aiida_rewire.database.queries import Selection
    from aiida_rewire.database.selected import Selected

Command = TypeVar("Command", bound=Callable[..., Any])

STAGES = ("gap", "islands", "contact", "growth")

OPTIONS: dict[str, Callable[[Any], Any]] = {
    "campaign": click.option("--campaign", metavar="LABEL", help="Of this campaign. Default: of the whole profile."),
    "chain": click.option("--chain", metavar="NAME", help="Of this chain, such as 8V-s1."),
    "voltage": click.option("--voltage", "voltage", type=float, metavar="V", help="At this voltage."),
    "between": click.option(
        "--between", nargs=2, type=float, metavar="A B", help="T per spin at E_F, that is G/G0, from A to B."
    ),
    "bonds": click.option(
        "--bonds", type=click.IntRange(min=0), metavar="N", help="With so many bonds at the narrowest place."
    ),
    "stage": click.option("--stage", type=click.Choice(STAGES), help="In this stage of the growth."),
    "protocol": click.option("--protocol", metavar="NAME", help="Computed with this protocol."),
    "mixed": click.option(
        "--mixed", is_flag=True, help="Take conductances of several protocols together, which is refused otherwise."
    ),
}
"""By the names of what `Wanted` holds."""


@dataclass(frozen=True)
class Wanted:
    """What a user asked to look at; what is None does not matter.

    Attributes
    ----------
    campaign, chain, stage, protocol
        Names.
    voltage
        V.
    between
        Lowest and highest T per spin at E_F.
    bonds
        At the narrowest place.
    mixed
        Whether protocols may be mixed.
    directory
        Folder of an embedded profile.
    """

    campaign: str | None = None
    chain: str | None = None
    voltage: float | None = None
    between: tuple[float, float] | None = None
    bonds: int | None = None
    stage: str | None = None
    protocol: str | None = None
    mixed: bool = False
    directory: Path | None = None

    @property
    def selection(self) -> Selection:
        """What the database is asked for."""
        from aiida_rewire.database.queries import Selection

        return Selection(
            campaign=self.campaign,
            chain=self.chain,
            voltage_v=self.voltage,
            transmission=self.between,
            stage=self.stage,
            protocol=self.protocol,
            bonds=self.bonds,
        )


def selection_options_but(*left_out: str) -> Callable[[Command], Command]:
    """Return the decorator `selection_options` without some of its options.

    Parameters
    ----------
    left_out
        Names as in `OPTIONS`, of what makes no sense for a command.
    """
    names = [name for name in OPTIONS if name not in left_out]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_wanted(*args: Any, directory: Path | None, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names}
            return command(*args, wanted=Wanted(**chosen, directory=directory), **values)

        decorated: Any = directory_option(profile_option(with_wanted))
        for name in reversed(names):
            decorated = OPTIONS[name](decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def selection_options(command: Command) -> Command:
    """Give a command the options that select conductances, and what they say as the argument ``wanted``."""
    return selection_options_but()(command)


@contextmanager
def profile_of(wanted: Wanted) -> Iterator[None]:
    """Open the profile of a command; what goes wrong in the body is told in a line."""
    with told_in_a_line():
        open_profile(wanted.directory)
        yield


@contextmanager
def selected_by(wanted: Wanted) -> Iterator[Selected]:
    """Open the profile and yield the conductances that were asked for; what goes wrong is told in a line.

    Raises
    ------
    DemoFailure
        As `aiida_rewire.database.selected.select` refuses: nothing selected, a campaign or chain that there is not,
        protocols mixed.
    """
    with profile_of(wanted):
        from aiida_rewire.database.selected import select

        yield select(wanted.selection, mixed=wanted.mixed)
