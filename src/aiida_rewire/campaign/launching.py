"""From a chain of a campaign to a process of AiiDA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_rewire.campaign.attempts import PROCESS_TYPE, WORKFLOW, attempt_label
from aiida_rewire.campaign.chains import Chain
from aiida_rewire.campaign.slots import dft_jobs_at_once, jobs_at_once, slots_of_chain
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.errors import InvalidInput

SYMBOL = "Ag"


class ChainWorkflow:
    """The workflow of a chain, and how it is submitted.

    Attributes
    ----------
    process_type
        Of its nodes.
    """

    process_type: str = PROCESS_TYPE

    def submit(self, spec: CampaignSpec, chain: Chain, earlier: Sequence[int]) -> int:
        """Submit an attempt of a chain to the daemon.

        The label of its node is set when the node is made, so that there is never one that nobody knows.

        Parameters
        ----------
        spec
            The campaign.
        chain
            The chain.
        earlier
            PKs of its earlier attempts, whose results are taken over.

        Returns
        -------
        The PK of its node.

        Raises
        ------
        InvalidInput
            If codes, pseudopotential or force field are not there.
        ValueError
            If the workflow refuses its inputs.
        """
        from aiida import orm
        from aiida.plugins import WorkflowFactory

        workflow = WorkflowFactory(WORKFLOW)
        builder = workflow.get_builder_from_values(
            codes_of(spec),
            force_field_of(spec),
            pseudo_of(spec),
            chain.values,
            protocol=spec.protocol,
            labels={"campaign": spec.label, "chain": chain.name, "pseudo_family": spec.pseudo_family},
            label=attempt_label(spec.label, chain.name),
            earlier=[orm.load_node(pk) for pk in earlier],
        )
        pk: int = workflow.launch(builder).pk
        return pk

    def jobs(self, spec: CampaignSpec, values: Mapping[str, Any]) -> dict[str, int]:
        """Return how many jobs a chain has at a time at most, by computer.

        Parameters
        ----------
        spec
            The campaign.
        values
            Of the protocol.
        """
        md, dft = (code.rpartition("@")[2] for code in (spec.codes.md, spec.codes.pw))
        if md == dft:
            return {md: jobs_at_once(values)}
        return {md: 1, dft: dft_jobs_at_once(values)}

    def slots(self, values: Mapping[str, Any]) -> int:
        """Return how many slots of the daemon a chain holds at most."""
        return slots_of_chain(values)


def codes_of(spec: CampaignSpec) -> dict[str, Any]:
    """Return the codes of a campaign, by what they are for.

    Raises
    ------
    InvalidInput
        If one is not there.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    codes = {}
    for name, label in spec.codes.model_dump().items():
        try:
            codes[name] = orm.load_code(label)
        except (NotExistent, MultipleObjectsError, ValueError) as error:
            raise InvalidInput(
                f"codes.{name}", label, "the label of one code", "`verdi code list` shows all"
            ) from error
    return codes


def force_field_of(spec: CampaignSpec) -> Any:
    """Return the force field of a campaign; None for the project's own.

    Raises
    ------
    InvalidInput
        If it is not there.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    if spec.force_field is None:
        return None
    try:
        return orm.load_node(uuid=spec.force_field)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise InvalidInput(
            "force_field", spec.force_field, "the UUID of a LammpsPotentialData", "leave it out for silver's own"
        ) from error


def pseudo_of(spec: CampaignSpec) -> Any:
    """Return the pseudopotential of a campaign.

    Raises
    ------
    InvalidInput
        If the family is not there, or holds none of silver.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return orm.load_group(spec.pseudo_family).get_pseudo(element=SYMBOL)
    except (NotExistent, MultipleObjectsError, ValueError, AttributeError) as error:
        raise InvalidInput(
            "pseudo_family",
            spec.pseudo_family,
            "a family of pseudopotentials that holds silver",
            "`aiida-pseudo list` shows all",
        ) from error
