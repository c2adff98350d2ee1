"""Writes chains into the tables of a profile, thousands of snapshots at a time: to be looked at, not to run.

Processes, data and links are those that real chains leave, with attributes of the same size.
"""

from __future__ import annotations

import io
import json
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.manage import get_manager

SACCT = Path(__file__).parents[2] / "fixtures" / "sacct" / "completed.json"
JOB = "process.calculation.calcjob.CalcJobNode."
FUNCTION = "process.calculation.calcfunction.CalcFunctionNode."
WORK = "process.workflow.workchain.WorkChainNode."
DICT = "data.core.dict.Dict."
REMOTE = "data.core.remote.RemoteData."
PW_CRASH = b"""\
     iteration #  3     ecut=    18.00 Ry     beta= 0.30

 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine  c_bands (1):
     too many bands are not converged
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%

     stopping ...
"""
SEGMENT_STEPS = 1800


@dataclass
class Expected:
    """What a chain must be shown as.

    Attributes
    ----------
    state, step
        As of `aiida_rewire.campaign.progress`.
    md_ps
        Of equilibration and production.
    snapshots
        Counts by state.
    """

    state: str
    step: str | None = None
    md_ps: float = 0.0
    snapshots: Counter[str] = field(default_factory=Counter)
    attempts: int = 1


@dataclass
class Made:
    """A campaign that was made.

    Attributes
    ----------
    label
        Of the campaign.
    chains
        What each chain must be shown as, by name.
    failures
        Failed processes by plugin and exit status or state.
    mended
        How many of those are made up for.
    first
        PK of its first node.
    """

    label: str
    first: int = 0
    chains: dict[str, Expected] = field(default_factory=dict)
    failures: Counter[tuple[str, Any]] = field(default_factory=Counter)
    mended: Counter[tuple[str, Any]] = field(default_factory=Counter)


class Tables:
    """Rows for the tables of the loaded profile."""

    def __init__(self) -> None:
        from sqlalchemy import func, select

        storage = get_manager().get_profile_storage()
        self.session = storage.get_session()
        node = orm.Dict({}).store()
        self.nodes = type(node.backend_entity.bare_model).__table__
        self.links = self.nodes.metadata.tables["db_dblink"]
        self.members = self.nodes.metadata.tables["db_dbgroup_dbnodes"]
        self.user = storage.default_user.pk
        self.next_node = self.session.execute(select(func.max(self.nodes.c.id))).scalar_one() + 1
        self.next_link = (self.session.execute(select(func.max(self.links.c.id))).scalar_one() or 0) + 1
        self.node_rows: list[dict[str, Any]] = []
        self.link_rows: list[dict[str, Any]] = []
        key = storage.get_repository().put_object_from_filelike(io.BytesIO(PW_CRASH))
        self.crashed = {"o": {"aiida.out": {"k": key}}}

    def node(
        self,
        node_type: str,
        attributes: dict[str, Any],
        at: datetime,
        *,
        label: str = "",
        process_type: str | None = None,
        ended: datetime | None = None,
        files: dict[str, Any] | None = None,
    ) -> int:
        """Add a node and return its PK."""
        pk = self.next_node
        self.next_node += 1
        self.node_rows.append(
            {
                **{"id": pk, "uuid": str(uuid.uuid4()), "node_type": node_type, "process_type": process_type},
                **{"label": label, "description": "", "ctime": at, "mtime": ended or at},
                **{"attributes": attributes, "extras": {"_aiida_hash": uuid.uuid4().hex * 2}},
                **{"repository_metadata": files or {}, "dbcomputer_id": None, "user_id": self.user},
            }
        )
        return pk

    def link(self, source: int, target: int, kind: str, label: str) -> None:
        """Add a link."""
        row = {"id": self.next_link, "input_id": source, "output_id": target, "type": kind, "label": label}
        self.next_link += 1
        self.link_rows.append(row)

    def write(self, group: orm.Group, members: list[int]) -> None:
        """Write all rows."""
        from sqlalchemy import insert, text

        for table, rows in ((self.nodes, self.node_rows), (self.links, self.link_rows)):
            for start in range(0, len(rows), 5000):
                self.session.execute(insert(table), rows[start : start + 5000])
        rows = [{"dbnode_id": pk, "dbgroup_id": group.pk} for pk in members]
        self.session.execute(insert(self.members), rows)
        if self.session.get_bind().dialect.name == "postgresql":
            for table in (self.nodes, self.links):
                self.session.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}")  # noqa: S608
                )
        self.session.commit()
        if self.session.get_bind().dialect.name == "postgresql":
            self.session.execute(text("ANALYZE"))
            self.session.commit()


def remove_rows(first_node: int) -> None:
    """Remove all nodes from a PK on, with their links."""
    from sqlalchemy import delete

    nodes = type(orm.Dict({}).store().backend_entity.bare_model).__table__
    links, members = (nodes.metadata.tables[f"db_{name}"] for name in ("dblink", "dbgroup_dbnodes"))
    session = get_manager().get_profile_storage().get_session()
    session.execute(delete(links).where((links.c.input_id >= first_node) | (links.c.output_id >= first_node)))
    session.execute(delete(members).where(members.c.dbnode_id >= first_node))
    session.execute(delete(nodes).where(nodes.c.id >= first_node))
    session.commit()
    session.expire_all()


def codes_there() -> dict[str, int]:
    """PKs of the codes on the computer of synthetic campaigns, by label; of most profiles none."""
    query = orm.QueryBuilder().append(orm.Computer, filters={"label": "synthetic"}, tag="computer")
    return dict(query.append(orm.InstalledCode, with_computer="computer", project=["label", "id"]).all())


def attributes_of(state: str, status: int | None = None, message: str | None = None, **more: Any) -> dict[str, Any]:
    """Attributes of a process."""
    values: dict[str, Any] = {"process_state": state, "version": {"core": "2.9.4"}, **more}
    if status is not None:
        values |= {"exit_status": status}
    if message is not None:
        values |= {"exit_message": message}
    return values | ({"sealed": True} if state in ("finished", "excepted", "killed") else {})


class Writer:
    """Writes chains, one process after another.

    Parameters
    ----------
    made
        What is expected is noted here.
    snapshots
        Of each chain.
    """

    def __init__(self, made: Made, snapshots: int) -> None:
        self.made, self.count = made, snapshots
        self.tables = Tables()
        made.first = self.tables.next_node
        self.clock = datetime.now(UTC) - timedelta(days=30)
        self.random = random.Random(1)  # noqa: S311 (no secret)
        self.members: list[int] = []
        self.accounting = json.loads(SACCT.read_text())
        codes = codes_there()
        roles = {"code": "pw", "pp_code": "pp", "pwcond_code": "pwcond", "md_code": "md"}
        self.shared = {
            **{
                name: codes.get(role) or self.tables.node(DICT, {"name": name}, self.clock)
                for name, role in roles.items()
            },
            **{name: self.tables.node(DICT, {"name": name}, self.clock) for name in ("pseudos__Ag", "kpoints")},
            "left_lead": self.tables.node(REMOTE, {"remote_path": "/scratch/study/lead"}, self.clock),
            "labels": self.tables.node(DICT, {"protocol": "demo"}, self.clock),
        }
        self.md_code = self.shared.pop("md_code")

    def wait(self, seconds: float) -> datetime:
        """Let time pass."""
        self.clock += timedelta(seconds=seconds)
        return self.clock

    def process(self, kind: str, plugin: str, state: str, status: int | None = None, **more: Any) -> int:
        """Add a process that began now; `lasts` (s) says when it ended."""
        lasts, label, message = more.pop("lasts", 60.0), more.pop("label", ""), more.pop("message", None)
        began = self.clock
        group = "workflows" if kind == WORK else "calculations"
        return self.tables.node(
            kind,
            attributes_of(state, status, message, **more),
            began,
            label=label,
            process_type=f"aiida.{group}:{plugin}",
            ended=began + timedelta(seconds=lasts),
        )

    def failed(self, plugin: str, how: Any, *, mended: bool = False) -> None:
        """Note a failure."""
        self.made.failures[plugin, how] += 1
        self.made.mended[plugin, how] += mended

    def begin(self, name: str, state: str, status: int | None = None, message: str | None = None) -> int:
        """Add an attempt at a chain."""
        label = f"{self.made.label}/{name}"
        self.wait(5)
        pk = self.process(WORK, "rewire.chain", state, status, label=label, message=message, lasts=9000.0)
        self.members.append(pk)
        self.tables.link(self.shared["labels"], pk, "input_work", "labels")
        return pk

    def stage(
        self, attempt: int, name: str, stage: str, steps: int, *, ends: str = "finished", status: int = 0
    ) -> int:
        """Add equilibration or production, with the segments that came to their end."""
        label = f"{self.made.label}/{name}/{stage}"
        over = {"exit_status": status} if ends == "finished" else {}
        work = self.process(WORK, "rewire.md.base", ends, label=label, lasts=1000.0, **over)
        self.tables.link(attempt, work, "call_work", stage)
        done = 0
        for number in range(-(-steps // SEGMENT_STEPS)):
            job = self.job("rewire.md", "finished", 0, lasts=100.0)
            self.tables.link(work, job, "call_calc", f"segment_{number:04d}")
            self.tables.link(self.md_code, job, "input_calc", "code")
            done = min(done + SEGMENT_STEPS, steps)
            values = {"last_step": done, "wall_time_s": 90.0, "mpi_ranks": 1, "complete": False}
            self.output(job, DICT, values, "results")
            self.wait(100)
        return work

    def job(self, plugin: str, state: str, status: int | None = None, **more: Any) -> int:
        """Add a job as Slurm leaves it."""
        options = {
            **{"append_text": "", "custom_scheduler_commands": "", "import_sys_environment": True},
            **{"environment_variables_double_quotes": False, "max_wallclock_seconds": 3600},
            **{"mpirun_extra_params": [], "prepend_text": "", "withmpi": True},
            **{"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 4}},
            **{"scheduler_stderr": "_scheduler-stderr.txt", "scheduler_stdout": "_scheduler-stdout.txt"},
        }
        return self.process(
            JOB,
            plugin,
            state,
            status,
            **options,
            metadata_inputs={"metadata": {"options": options}},
            job_id=str(1000 + self.tables.next_node),
            scheduler_state="done",
            remote_workdir=f"/scratch/study/{uuid.uuid4()}",
            last_job_info={"job_id": "1", "job_state": "done"},
            detailed_job_info=self.accounting,
            **more,
        )

    def output(self, source: int, node_type: str, attributes: dict[str, Any], label: str, **more: Any) -> int:
        """Add what a process made."""
        pk = self.tables.node(node_type, attributes, self.clock, **more)
        self.tables.link(source, pk, "create", label)
        return pk

    def lanes(self, attempt: int, name: str, state: str = "finished") -> list[int]:
        """Add the two lanes of an attempt, and what assembled their junctions."""
        found = []
        over = {"exit_status": 0} if state == "finished" else {}
        for number in range(2):
            label = f"{self.made.label}/{name}/lane_{number}"
            lane = self.process(WORK, "rewire.lane", state, label=label, lasts=8000.0, **over)
            self.tables.link(attempt, lane, "call_work", f"lane_{number}")
            assembly = self.process(FUNCTION, "assemble_junctions", "finished", 0)
            self.tables.link(lane, assembly, "call_calc", "assemble_junctions")
            self.output(assembly, DICT, {}, "refused")
            found.append(lane)
        return found

    def extracted(self, attempt: int) -> None:
        """Add the snapshots of a chain."""
        extract = self.process(FUNCTION, "extract_snapshots", "finished", 0)
        self.tables.link(attempt, extract, "call_calc", "extract_snapshots")
        attributes = {"array|steps": [self.count], "array|time_ps": [self.count], "symbols": ["Ag"] * 182}
        kind, files = "data.core.array.trajectory.TrajectoryData.", self.files_of_snapshots()
        trajectory = self.output(extract, kind, attributes, "result", files=files)
        self.tables.link(attempt, trajectory, "return", "snapshots")

    def structure_of(self, index: int) -> dict[str, Any]:
        """Attributes of the structure of a snapshot's junction."""
        cell = [[8.8, 0.0, 0.0], [4.4, 7.6, 0.0], [0.0, 0.0, 25.9]]
        sites = [{"kind_name": "Ag", "position": [0.1 * site, 0.2 * site, 0.3 * site]} for site in range(48)]
        return {"cell": cell, "sites": sites}

    def result_of(self, index: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """What else the conductance of a snapshot has for attributes, and its files."""
        return {}, None

    def files_of_snapshots(self) -> dict[str, Any] | None:
        """The files of all snapshots of a chain."""
        return None

    def junction(self, lane: int, name: str, index: int, state: str, status: int | None, message: str = "") -> int:
        """Add the job of a snapshot with its inputs and, if it ended, its outputs."""
        tables, label = self.tables, f"snapshot_{index:04d}"
        inputs = {
            "structure": tables.node("data.core.structure.StructureData.", self.structure_of(index), self.clock),
            "assembly": tables.node(DICT, {"fingerprint": "fcc111", "snapshot_atoms": [1, 2, 3]}, self.clock),
            "index": tables.node("data.core.int.Int.", {"value": index}, self.clock),
        }
        lasts = self.random.uniform(100.0, 140.0)
        more = {"message": message} if message else {}
        where = f"{self.made.label}/{name}/{label}"
        job = self.job("rewire.junction", state, status, label=where, lasts=lasts, **more)
        tables.link(lane, job, "call_calc", label)
        for name, source in (inputs | self.shared).items():
            tables.link(source, job, "input_calc", name)
        self.wait(lasts)
        if state == "finished":
            self.output(job, REMOTE, {"remote_path": "/scratch/study"}, "remote_folder")
            files = tables.crashed if status else None
            self.output(job, "data.core.folder.FolderData.", {}, "retrieved", files=files)
        if state == "finished" and status == 0:
            seconds = {"scf_wall_s": 60.0, "readback_wall_s": 5.0, "pwcond_wall_s": 35.0}
            self.output(job, DICT, {"ranks": 4, "scf_iterations": 14, **seconds}, "results")
        return job

    def conductance(self, source: int, name: str, index: int, **more: Any) -> int:
        """Add a conductance."""
        value = round(abs(self.random.gauss(1.0, 0.3)), 6)
        attributes = {
            **{f"array|{array}": [1, 1] for array in ("energies", "transmission", "kpoints", "weights", "channels")},
            **{"campaign": self.made.label, "chain": name, "snapshot": index, "time_ps": round(0.2 * index, 6)},
            **{"seed": 1, "voltage_v": 8.0, "protocol": "demo", "pseudo_family": "rewire/frozen-d"},
            **{"step": 200 * index, "stage": "contact", "min_cut": 1, "gap_left_a": 0.0, "atoms_in_gap": 9},
            **{"fingerprint": "fcc111-a4.1600-n3-l3-u2-g11.3036-m3", "ladder": [{}], "n_kpoints": 1},
            **{"potential_mismatch_ev": 0.1, "unitarity_max": 0.0, "n_energies": 1},
            **{"conductance_g0": value, "transmission_fermi": value, **more},
        }
        own, files = self.result_of(index)
        kind = "data.rewire.conductance.ConductanceData."
        pk = self.output(source, kind, {**attributes, **own}, "conductance", files=files)
        self.members.append(pk)
        return pk

    def good(self, lane: int, name: str, index: int) -> None:
        """Add a snapshot that was computed."""
        self.conductance(self.junction(lane, name, index, "finished", 0), name, index)

    def in_steps(self, lane: int, name: str, index: int, state: str, status: int | None = None) -> int:
        """Add a snapshot that is computed in separate jobs."""
        label = f"{self.made.label}/{name}/snapshot_{index:04d}"
        work = self.process(WORK, "rewire.snapshot", state, status, label=label)
        self.tables.link(lane, work, "call_work", f"snapshot_{index:04d}_steps")
        return work

    def mended(self, lane: int, name: str, index: int) -> None:
        """Add a snapshot whose one job failed, and whose separate jobs did not."""
        message = "pw.x did not come to its end: c_bands: too many bands are not converged"
        self.junction(lane, name, index, "finished", 420, message)
        self.failed("rewire.junction", 420, mended=True)
        self.conductance(self.in_steps(lane, name, index, "finished", 0), name, index)

    def dynamics(self, name: str, attempt: int) -> None:
        """Add a dynamics that came to its end, and the snapshots."""
        self.stage(attempt, name, "equilibration", 1000)
        self.stage(attempt, name, "production", 200 * (self.count - 1))
        self.extracted(attempt)

    @property
    def whole_ps(self) -> float:
        """Length of the dynamics."""
        return round(1.0 + 0.2 * (self.count - 1), 6)
