"""What a campaign needs in an embedded profile: this machine's programs as codes, and the demo's pseudopotential."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import COMPUTER, Home

if TYPE_CHECKING:
    from aiida_rewire.campaign.specification import CampaignSpec


def prepare(home: Home, spec: CampaignSpec, tell: Callable[[str], None]) -> None:
    """Register the programs that the codes of a campaign name, and make the demo's pseudopotential if it asks for it.

    Codes of other computers, and other families, are the user's business.

    Raises
    ------
    DemoFailure
        If a program is missing, or ld1.x makes no pseudopotential.
    """
    from aiida import orm
    from aiida.manage import get_manager

    from aiida_rewire.campaign.outages import reset_broker

    wanted = {
        label.removesuffix(f"@{COMPUTER}")
        for label in spec.codes.model_dump().values()
        if label.removesuffix(f"@{COMPUTER}") in ingredients.PROGRAMS
    }
    family = orm.QueryBuilder().append(orm.Group, filters={"label": spec.pseudo_family})
    without_pseudo = spec.pseudo_family == ingredients.PSEUDO_FAMILY and family.count() == 0
    if without_pseudo:
        wanted.add("ld1")
    if not wanted:
        return
    codes = ingredients.load_codes(ingredients.find_programs(wanted))
    if without_pseudo:
        tell(f"making the pseudopotential of {spec.pseudo_family} ...")
        runs = get_manager().get_daemon_client().is_daemon_running
        with nullcontext() if runs else home.daemon():
            ingredients.load_pseudo(codes["ld1"])
        # the broker came and went with the daemon
        reset_broker()
