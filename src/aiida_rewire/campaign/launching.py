"""From a chain of a campaign to a process of AiiDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida_rewire.campaign.attempts import attempt_label
from aiida_rewire.campaign.chains import Chain
from aiida_rewire.campaign.computers import CODE_OF, jobs_by_computer
from aiida_rewire.campaign.decisions import Need
from aiida_rewire.campaign.ingredients import load_force_field, load_pseudo
from aiida_rewire.campaign.singleton import SCHEDULERS, with_singletons
from aiida_rewire.campaign.slots import slots_of_chain
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.database.marks import CHAIN_PROCESS, CHAIN_WORKFLOW
from aiida_rewire.errors import InvalidInput


class ChainWorkflow:
    """The workflow of a chain, and how it is submitted.

    Attributes
    ----------
    process_type
        Of its nodes.
    """

    process_type: str = CHAIN_PROCESS

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
        ValueError
            If codes, pseudopotential or force field are not there, or if the workflow refuses its inputs.
        """
        from aiida import orm
        from aiida.plugins import WorkflowFactory

        workflow = WorkflowFactory(CHAIN_WORKFLOW)
        codes = codes_of(spec)
        on_slurm = [step for step, name in CODE_OF.items() if codes[name].computer.scheduler_type in SCHEDULERS]
        builder = workflow.get_builder_from_values(
            codes,
            load_force_field(spec.force_field),
            load_pseudo(spec.pseudo_family),
            with_singletons(chain.values, on_slurm),
            protocol=spec.protocol,
            labels={"campaign": spec.label, "chain": chain.name, "pseudo_family": spec.pseudo_family},
            label=attempt_label(spec.label, chain.name),
            earlier=[orm.load_node(pk) for pk in earlier],
        )
        pk: int = workflow.launch(builder).pk
        return pk

    def needs(self, spec: CampaignSpec, chains: Sequence[Chain]) -> list[Need]:
        """Return what each chain asks for while it is active.

        Parameters
        ----------
        spec
            The campaign.
        chains
            Its chains.
        """
        md, dft = (computer_of(code) for code in (spec.codes.md, spec.codes.pw))
        return [
            Need(chain.name, jobs_by_computer(md, dft, chain.values), slots_of_chain(chain.values))
            for chain in chains
        ]


def computer_of(label: str) -> str:
    """Return the label of the computer of a code; what its own label says if the code is not there."""
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return str(orm.load_code(label).computer.label)
    except (NotExistent, MultipleObjectsError, ValueError, AttributeError):
        return label.rpartition("@")[2]


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
