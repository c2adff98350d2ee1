"""Hundreds of chains with their provenance in PostgreSQL: one is written as real ones are, the others copied from it.

The server copies, so that a million conductances take minutes. Each copy has PKs, UUIDs, labels, voltage, seed and
transmissions of its own; the rest of its attributes are those of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiida import orm
from aiida.manage import get_manager
from synthetic import finished, synthetic_spec
from synthetic_tables import FUNCTION, JOB, WORK, Made, Writer

from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.specification import CampaignSpec

VOLTAGES = (2.0, 4.0, 6.0, 8.0, 10.0)
CONDUCTANCE = "data.rewire.conductance.ConductanceData."
SKELETON = (WORK, JOB, FUNCTION, CONDUCTANCE)
"""Types that lead from a chain to its conductances."""

COLUMNS = ("numbers", "campaigns", "voltages", "seeds", "chains")
"""What is given of each chain."""

COPY_NODES = """
INSERT INTO db_dbnode (id, uuid, node_type, process_type, label, description, ctime, mtime, attributes, extras,
    repository_metadata, dbcomputer_id, user_id)
SELECT node.id + :shift * copy.number, gen_random_uuid(), node.node_type, node.process_type,
    replace(node.label, :label, copy.campaign || '/' || copy.chain), node.description, node.ctime, node.mtime,
    CASE WHEN node.node_type = :conductance THEN node.attributes || jsonb_build_object(
        'campaign', copy.campaign, 'chain', copy.chain, 'voltage_v', copy.voltage, 'seed', copy.seed,
        'transmission_fermi', made.transmission, 'conductance_g0', made.transmission)
    ELSE node.attributes END,
    node.extras, node.repository_metadata, node.dbcomputer_id, node.user_id
FROM (SELECT * FROM unnest(CAST(:numbers AS int[]), CAST(:campaigns AS text[]), CAST(:chains AS text[]),
        CAST(:voltages AS float8[]), CAST(:seeds AS int[]))
        AS given(number, campaign, chain, voltage, seed)) AS copy
    CROSS JOIN (SELECT * FROM db_dbnode
        WHERE id BETWEEN :first AND :last AND (NOT :lean OR node_type = ANY(CAST(:skeleton AS text[])))) AS node
    -- a spread of three decades, the same at each run
    CROSS JOIN LATERAL (SELECT exp(-6.9 + 7.6 * (abs(hashint8(node.id * 1009 + copy.number)) % 100003) / 100003.0)
        AS transmission) AS made
"""

COPY_LINKS = """
INSERT INTO db_dblink (id, input_id, output_id, type, label)
SELECT link.id + :links * copy, link.input_id + :shift * copy, link.output_id + :shift * copy, link.type, link.label
FROM db_dblink AS link CROSS JOIN unnest(CAST(:numbers AS int[])) AS copy
WHERE link.input_id BETWEEN :first AND :last AND link.output_id BETWEEN :first AND :last AND (NOT :lean
    OR (SELECT count(*) FROM db_dbnode WHERE id IN (link.input_id, link.output_id)
        AND node_type = ANY(CAST(:skeleton AS text[]))) = 2)
"""

ADD_MEMBERS = """
INSERT INTO db_dbgroup_dbnodes (dbnode_id, dbgroup_id)
SELECT node.id, grp.id FROM db_dbnode AS node JOIN db_dbgroup AS grp
    ON grp.label = CASE WHEN node.node_type = :conductance THEN node.attributes ->> 'campaign'
        ELSE split_part(node.label, '/', 1) END
WHERE grp.type_string = 'rewire.campaign'
    AND (node.node_type = :conductance OR node.process_type = 'aiida.workflows:rewire.chain')
    AND NOT EXISTS (SELECT FROM db_dbgroup_dbnodes AS there WHERE there.dbnode_id = node.id)
"""


@dataclass(frozen=True)
class Many:
    """What was written.

    Attributes
    ----------
    campaigns
        Labels.
    chains
        Names of the chains of each campaign.
    snapshots
        Conductances of each chain.
    """

    campaigns: list[str]
    chains: list[str]
    snapshots: int


def many_conductances(*, campaigns: int, seeds: int, snapshots: int, lean: bool = False) -> Many:
    """Write so many campaigns of five voltages into the loaded profile, which must be on PostgreSQL.

    Parameters
    ----------
    campaigns, seeds, snapshots
        How many: of all, of each voltage, of each chain.
    lean
        Copy the nodes alone that lead from chains to conductances: a sixth of all.
    """
    from sqlalchemy import text

    labels = [f"many-{number:02d}" for number in range(campaigns)]
    for label in labels:
        values = synthetic_spec(label, seeds, snapshots).model_dump(mode="json", exclude_unset=True)
        values["md"]["voltages"] = list(VOLTAGES)
        record_campaign(CampaignSpec.model_validate(values), f"label: {label}\n")
    names = [(volts, seed, f"{volts:g}V-s{seed}") for volts in VOLTAGES for seed in range(1, seeds + 1)]
    made = Made(labels[0])
    writer = Writer(made, snapshots)
    first_link = writer.tables.next_link
    finished(writer, names[0][2])
    shift, links = writer.tables.next_node - made.first, writer.tables.next_link - first_link
    # members are added for all chains at once
    writer.tables.write(orm.load_group(labels[0]), writer.members)
    chains = [(label, *name) for label in labels for name in names]
    session = get_manager().get_profile_storage().get_session()
    common = {
        **{"shift": shift, "links": links, "first": made.first, "last": made.first + shift - 1},
        **{"lean": lean, "skeleton": list(SKELETON), "conductance": CONDUCTANCE},
        "label": f"{labels[0]}/{names[0][2]}",
    }
    for start in range(0, len(chains), 30):
        some = [(number, *chains[number]) for number in range(start, min(start + 30, len(chains))) if number]
        given = dict(
            zip(
                ("numbers", "campaigns", "voltages", "seeds", "chains"),
                map(list, zip(*some, strict=True)),
                strict=True,
            )
        )
        session.execute(text(COPY_NODES), {**common, **given})
        session.execute(text(COPY_LINKS), {**common, **given})
        session.commit()
    session.execute(
        text(
            "UPDATE db_dbnode SET attributes = attributes || jsonb_build_object('voltage_v', CAST(:volts AS float8))"
            " WHERE id BETWEEN :first AND :last AND node_type = :conductance"
        ),
        {
            "volts": VOLTAGES[0],
            "first": common["first"],
            "last": common["last"],
            "conductance": CONDUCTANCE,
        },
    )
    session.execute(text(ADD_MEMBERS), {"conductance": CONDUCTANCE})
    for table in ("db_dbnode", "db_dblink", "db_dbgroup_dbnodes"):
        session.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"))  # noqa: S608
    session.commit()
    return Many(labels, [name for _, _, name in names], snapshots)
