"""What failed in a campaign: counts by exit code, what was made up for, and the lines that decide."""

import io
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec
from synthetic import synthetic_campaign
from synthetic_tables import Made

from aiida_rewire.campaign.evidence import HEAD_BYTES, LONGEST_LINE, TAIL_BYTES, decisive_lines, ends_of
from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.campaign.triage import FailureRow, failure_rows


@pytest.fixture(scope="module")
def made(aiida_profile: Any) -> Iterator[Made]:
    """A campaign of chains in all states."""
    with synthetic_campaign() as campaign:
        yield campaign


def call(caller: Any, kind: type, plugin: str, link: str, label: str = "") -> Any:
    """A process that another one called, and that runs."""
    group = "calculations" if kind is orm.CalcJobNode else "workflows"
    link_type = LinkType.CALL_CALC if kind is orm.CalcJobNode else LinkType.CALL_WORK
    node = kind(label=label, process_type=f"aiida.{group}:{plugin}")
    node.base.links.add_incoming(caller, link_type=link_type, link_label=link)
    node.store().set_process_state("running")
    return node


def retrieve(job: Any, files: dict[str, bytes]) -> None:
    """Give a job what it retrieved."""
    folder = orm.FolderData()
    for name, content in files.items():
        folder.base.repository.put_object_from_filelike(io.BytesIO(content), name)
    folder.base.links.add_incoming(job, link_type=LinkType.CREATE, link_label="retrieved")
    folder.store()


def texts(*files: tuple[str, str]) -> list[str]:
    return [line.text for line in decisive_lines(files)]


def only(group: orm.Group, plugin: str) -> FailureRow:
    """The only row of a plugin."""
    (row,) = [row for row in failure_rows(group) if row.kind.plugin == plugin]
    return row


def test_failures_are_counted_by_exit_code_and_those_made_up_for_apart(made: Made) -> None:
    rows = failure_rows(find_campaign(made.label))
    found = {(row.kind.plugin, row.kind.exit_status or row.kind.state): row for row in rows}
    assert Counter({how: row.count for how, row in found.items()}) == made.failures
    assert Counter({how: row.mended for how, row in found.items()}) == made.mended
    order = [(row.left > 0, row.is_cause, row.left) for row in rows]
    assert order == sorted(order, reverse=True)


def test_a_row_tells_label_message_chains_lines_and_the_way_out(made: Made) -> None:
    rows = {row.kind[::2]: row for row in failure_rows(find_campaign(made.label))}
    row = rows["rewire.junction", 330]
    chain = next(name for name, one in made.chains.items() if one.snapshots["failed"])
    assert (row.code, row.chains, row.label) == (
        "ERROR_UNITARITY",
        (chain,),
        f"{made.label}/{chain}/snapshot_0002",
    )
    assert row.message == "No transmission stored, unitarity is broken: 0.1"
    assert row.deepest.pk == row.example
    assert [(line.source, line.text) for line in row.lines] == [
        ("aiida.out", "Error in routine c_bands (1):"),
        ("aiida.out", "too many bands are not converged"),
    ]
    assert row.way_out.startswith("more flat layers")
    # of several an example is one that nothing made up for
    assert rows["rewire.junction", 420].label in {
        f"{made.label}/{name}/snapshot_0003" for name, one in made.chains.items() if one.attempts == 2
    }


def test_where_a_chain_failed_is_its_deepest_failed_process(aiida_profile: Any, fixtures: Path) -> None:
    group, _ = record_campaign(make_spec(), "")
    where = f"{group.label}/2V-s1"
    chain = make_chain(group.label, "2V-s1", state="running")
    good = call(chain, orm.WorkChainNode, "rewire.md.base", "equilibration", f"{where}/equilibration")
    end_process(good)
    production = call(chain, orm.WorkChainNode, "rewire.md.base", "production", f"{where}/production")
    first, last = (call(production, orm.CalcJobNode, "rewire.md", f"segment_000{number}") for number in range(2))
    end_process(first, exit_status=400)
    retrieve(last, {"log.lammps": (fixtures / "md" / "lost-atoms.log").read_bytes()})
    last.set_exit_message("Atoms left the box: original 28 current 26.")
    end_process(last, exit_status=311)
    end_process(production, exit_status=311)
    end_process(chain, exit_status=311)
    row = only(group, "rewire.chain")
    assert (row.code, row.deepest.pk, row.deepest.plugin) == ("ERROR_PRODUCTION", last.pk, "rewire.md")
    assert [line.text for line in row.lines] == ["ERROR: Lost atoms: original 28 current 26"]
    assert row.way_out.startswith("a shorter md.timestep_fs")
    # the job brought down its work chain, and that the chain; the first job was made up for by the second
    assert [row.kind.plugin for row in failure_rows(group)] == [
        *("rewire.md", "rewire.chain", "rewire.md.base", "rewire.md"),
    ]
    jobs = {row.kind.exit_status: row for row in failure_rows(group) if row.kind.plugin == "rewire.md"}
    assert {status: (row.count, row.mended) for status, row in jobs.items()} == {400: (1, 1), 311: (1, 0)}
    # a later attempt whose production comes to its end makes up for all of it
    again = make_chain(group.label, "2V-s1", state="running")
    end_process(call(again, orm.WorkChainNode, "rewire.md.base", "production", f"{where}/production"))
    end_process(again)
    assert all(row.mended == row.count for row in failure_rows(group))


def test_what_excepted_tells_its_exception(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    chain = make_chain(group.label, "2V-s1", state="running")
    lane = call(chain, orm.WorkChainNode, "rewire.lane", "lane_0", f"{group.label}/2V-s1/lane_0")
    lane.set_exception("Traceback\nKeyError: 'results'\n")
    orm.Log(
        time=chain.ctime,
        loggername="aiida.orm",
        levelname="ERROR",
        dbnode_id=lane.pk,
        message="Traceback (most recent call last):\n  File ...\nKeyError: 'results'",
    )
    end_process(lane, "excepted")
    end_process(chain, "excepted")
    row = only(group, "rewire.chain")
    assert (row.kind.state, row.kind.exit_status, row.code) == ("excepted", None, "")
    assert (row.deepest.pk, row.deepest.message) == (lane.pk, "KeyError: 'results'")
    assert [line.text for line in row.lines] == ["KeyError: 'results'"]
    assert "the last lines say which" in row.way_out


def test_snapshots_for_which_no_process_began_count_too(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    chain = make_chain(group.label, "2V-s1", state="running")
    lane = call(chain, orm.WorkChainNode, "rewire.lane", "lane_0", f"{group.label}/2V-s1/lane_0")
    assembly = orm.CalcFunctionNode(process_type="aiida_rewire.workflows.functions.structures.assemble_junctions")
    assembly.base.links.add_incoming(lane, link_type=LinkType.CALL_CALC, link_label="assemble_junctions")
    assembly.store()
    refused = orm.Dict({"0003": [210, "atoms 1 and 2 are 0.3 Å apart"], "0004": [210, "atoms 3 and 4"]})
    refused.base.links.add_incoming(assembly, link_type=LinkType.CREATE, link_label="refused")
    refused.store()
    for node in (assembly, lane):
        end_process(node)
    end_process(chain, exit_status=500)
    make_conductance(group.label, "2V-s1", 4)
    row = only(group, "assemble_junctions")
    assert (row.code, row.count, row.mended) == ("ERROR_ATOMS_OVERLAP", 2, 1)
    assert (row.label, row.example) == (f"{group.label}/2V-s1/snapshot_0003", lane.pk)
    assert row.message == "atoms 1 and 2 are 0.3 Å apart"
    assert "wider tips.gap" in row.way_out


def test_files_that_are_gone_from_the_repository_are_said(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    chain = make_chain(group.label, "2V-s1", state="running")
    lane = call(chain, orm.WorkChainNode, "rewire.lane", "lane_0", f"{group.label}/2V-s1/lane_0")
    for number, files in enumerate((None, {"aiida.out": uuid.uuid4().bytes})):
        label = f"{group.label}/2V-s1/snapshot_000{number}"
        job = call(lane, orm.CalcJobNode, "rewire.junction", f"snapshot_000{number}", label)
        if files:
            retrieve(job, files)
            (key,) = (job.outputs.retrieved.base.repository.get_object("aiida.out").key,)
            job.backend.get_repository().delete_objects([key])
        end_process(job, exit_status=100 if files else 303)
    rows = {row.kind.exit_status: row for row in failure_rows(group) if row.kind.plugin == "rewire.junction"}
    assert rows[303].lines == ()
    assert rows[100].lines[0].text.startswith("its files cannot be read")


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        ("pwcond/fatal/nrztot.out", ["Error in routine in init_cond (******):", "wrong nrztot"]),
        ("pwcond/fatal/no-save.out", ["Error in routine read_xml_file (1):", "fatal error reading xml file"]),
        ("pwcond/wire-junction-out-of-time.out", ["Maximum CPU time exceeded"]),
        ("md/lost-atoms.log", ["ERROR: Lost atoms: original 28 current 26"]),
        ("md/out-of-time.log", ["rewire: out of time"]),
    ],
)
def test_the_lines_that_decide_in_recorded_outputs(fixtures: Path, file: str, lines: list[str]) -> None:
    assert texts((file, (fixtures / file).read_text())) == lines


@pytest.mark.parametrize(
    "line",
    [
        "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT 2026-11-25T17:06:11 DUE TO TIME LIMIT ***",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=17.batch.",
        "slurmstepd: error: Detected 1 oom-kill event(s) in step 17.batch cgroup.",
        "forrtl: No space left on device",
        "OSError: [Errno 122] Disk quota exceeded",
        "/usr/bin/pw.x: error while loading shared libraries: libopenblas.so.0: cannot open shared object file",
        "_aiidasubmit.sh: line 20: pw.x: command not found",
        "Program received signal SIGSEGV: Segmentation fault - invalid memory reference.",
        "_aiidasubmit.sh: line 20: 4242 Killed 'pw.x' '-in' 'aiida.in' > 'aiida.out'",
        "ModuleNotFoundError: No module named 'lammps'",
        "ERROR on proc 0: Cannot open file checkpoint.0.restart: No such file or directory (src/read_restart.cpp:91)",
        "     convergence NOT achieved after 100 iterations: stopping",
    ],
)
def test_lines_that_decide_among_others(line: str) -> None:
    around = "\n".join(f"     iteration #{number:3d}     ecut=    25.00 Ry" for number in range(100))
    found = texts(("aiida.out", f"{around}\n{line}\n{around}\n"))
    assert found == [" ".join(line.split())]


def test_of_too_many_lines_the_most_decisive_stay_in_their_order() -> None:
    errors = "\n".join(f"ERROR: number {number}" for number in range(20))
    end = "slurmstepd: error: *** JOB 17 CANCELLED AT noon DUE TO TIME LIMIT ***"
    found = decisive_lines([("_scheduler-stderr.txt", end), ("log.lammps", f"Killed\n{errors}\n")])
    assert [line.text for line in found] == [end, *(f"ERROR: number {number}" for number in range(15, 20))]
    assert [line.source for line in found] == ["_scheduler-stderr.txt", *["log.lammps"] * 5]


def test_the_same_line_from_many_ranks_is_shown_once_and_an_open_block_ends() -> None:
    fence = "%" * 60
    block = f"{fence}\n Error in routine cdiaghg (159):\n  S matrix not positive definite\n"
    rest = "\n".join(f"timing {number}" for number in range(100))
    found = texts(("aiida.out", block * 4 + rest))
    assert found[:2] == ["Error in routine cdiaghg (159):", "S matrix not positive definite"]
    assert len(found) <= 6


def test_an_output_in_which_nothing_decides_shows_its_last_words() -> None:
    assert texts(("a.out", "one\ntwo\nthree\n\n"), ("report", "")) == ["two", "three"]
    assert texts() == []


def test_any_bytes_are_shown_as_harmless_text() -> None:
    hostile = (
        b"\x1b]0;title\x07\x1b[2J\x1b[31mERROR: \xff\xfe\x00 [bold red]markup[/] \xe2\x80\xae" + b"x" * 1000 + b"\n"
    )
    (line,) = texts(("a.out", hostile.decode("utf-8", errors="replace")))
    assert "\x1b" not in line
    assert not any(ord(character) < 32 or ord(character) == 0x202E for character in line)
    assert len(line) == LONGEST_LINE
    assert "[bold red]markup[/]" in line


def test_of_a_long_file_beginning_and_end_are_read() -> None:
    middle = b"m" * (3 * TAIL_BYTES)
    content = ends_of(io.BytesIO(b"first\n" + middle + b"\nlast"))
    assert len(content) == HEAD_BYTES + TAIL_BYTES + 1
    assert content.startswith(b"first\n")
    assert content.endswith(b"\nlast")
    assert ends_of(io.BytesIO(b"short")) == b"short"
