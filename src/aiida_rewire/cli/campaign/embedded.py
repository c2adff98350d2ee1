"""What a campaign needs in an embedded profile: this machine's programs as codes, and the demo's pseudopotential."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import COMPUTER
from aiida_rewire.cli.profile import open_profile

if TYPE_CHECKING:
    from aiida_rewire.campaign.specification import CampaignSpec


def open_and_prepare(spec: CampaignSpec, directory: Path | None, tell: Callable[[str], None]) -> None:
    """Open the profile; an embedded one is made, with what the campaign needs of this machine."""
    open_profile(directory, make=directory is not None)
    if directory is not None:
        prepare(spec, tell)


def prepare(spec: CampaignSpec, tell: Callable[[str], None]) -> None:
    """Register the programs that the codes of a campaign name, and make the demo's pseudopotential if it asks for it.

    Codes of other computers, and other families, are the user's business.

    Raises
    ------
    DemoFailure
        If a program is missing, or ld1.x makes no pseudopotential.
    """
    from aiida_rewire.campaign.outages import reset_broker

    wanted = {
        label.removesuffix(f"@{COMPUTER}")
        for label in spec.codes.model_dump().values()
        if label.removesuffix(f"@{COMPUTER}") in ingredients.PROGRAMS
    }
    without_pseudo = spec.pseudo_family == ingredients.PSEUDO_FAMILY and not ingredients.has_pseudo()
    if without_pseudo:
        wanted.add("ld1")
    if not wanted:
        return
    codes = ingredients.load_codes(ingredients.find_programs(wanted))
    if without_pseudo:
        tell(f"making the pseudopotential of {spec.pseudo_family} ...")
        ingredients.load_pseudo(codes["ld1"])
        # what was connected before a daemon started finds none later
        reset_broker()
