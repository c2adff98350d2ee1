"""The demo's chain against a plain shell script that runs the same programs on the same inputs in the same order.

    python benchmarks/chain_against_shell.py            # ten minutes on two cores

The chain runs first. From what its jobs left in their folders a shell script is made: the lead beside the dynamics,
its read-back, then two lanes beside each other, each job by the very script that AiiDA submitted. What AiiDA adds is
what is left over: waiting for jobs, copying, parsing, storing.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import Home
from aiida_rewire.workflows.protocols import load_protocol

if TYPE_CHECKING:
    from aiida import orm

SUBMIT = "_aiidasubmit.sh"


def fresh_copy(job: orm.CalcJobNode, folder: Path, lead: Path | None) -> Path:
    """Make a folder as it was before the job ran; return it."""
    scratch = Path(job.outputs.remote_folder.get_remote_path())
    shutil.copytree(scratch, folder, symlinks=True)
    if job.process_label in ("JunctionCalculation", "ExactPwCalculation"):
        shutil.rmtree(folder / "out")
        (folder / "out" / "aiida.save").mkdir(parents=True)
    if job.process_label == "JunctionCalculation":
        for shard in range(job.get_option("shards")):
            scattering = folder / f"cond.{shard}"
            scattering.mkdir()
            (scattering / "left.save").symlink_to(lead / "out" / "aiida.save")  # type: ignore[operator]
    if job.process_label == "ReadbackCalculation":
        (folder / "out" / "aiida.save").unlink()
        (folder / "out" / "aiida.save").symlink_to(lead / "out" / "aiida.save")  # type: ignore[operator]
    return folder


def script_of(chain: orm.WorkChainNode, folder: Path) -> Path:
    """Write the shell script that does what the chain did."""
    descendants = sorted((node for node in chain.called_descendants if node.outputs), key=lambda node: node.pk)
    jobs = [node for node in descendants if "remote_folder" in node.outputs and hasattr(node, "get_job_id")]
    pw = next(job for job in jobs if job.process_label == "ExactPwCalculation")
    dynamics = [job for job in jobs if job.process_label == "BiasedMdCalculation"]
    readbacks = [job for job in jobs if job.process_label == "ReadbackCalculation"]
    lead = fresh_copy(pw, folder / "lead", None)

    def step(job: orm.CalcJobNode) -> str:
        where = fresh_copy(job, folder / f"job-{job.pk}", lead)
        return f"(cd {shlex.quote(str(where))} && bash {SUBMIT})"

    lines = ["#!/bin/bash", f"(cd {shlex.quote(str(lead))} && bash {SUBMIT}) &"]
    lines += [step(job) for job in dynamics]
    lines += ["wait", *(step(job) for job in readbacks)]
    for lane in (node for node in chain.called if node.process_label == "LaneWorkChain"):
        snapshots = sorted((node for node in lane.called if node in jobs), key=lambda node: node.pk)
        lines.append("(" + "; ".join(step(job) for job in snapshots) + ") &")
    script = folder / "chain.sh"
    script.write_text("\n".join([*lines, "wait", ""]))
    return script


def measure(folder: Path, overrides: dict[str, Any]) -> None:
    """Run both and print the ratio."""
    console = Console()
    home = Home.at(folder / ".rewire")
    home.enter()
    home.open_profile()
    from aiida.plugins import WorkflowFactory

    workflow = WorkflowFactory("rewire.chain")
    codes = ingredients.load_codes(ingredients.find_programs())
    with home.daemon():
        pseudo = ingredients.load_pseudo(codes["ld1"])
        begin = time.monotonic()
        chain = workflow.submit_from_protocol(codes, None, pseudo, overrides=overrides)
        while not chain.is_terminated:
            time.sleep(0.2)
        by_aiida = time.monotonic() - begin
    if not chain.is_finished_ok:
        raise SystemExit(f"chain <{chain.pk}> [{chain.exit_status}] {chain.exit_message}")
    script = script_of(chain, folder)
    begin = time.monotonic()
    subprocess.run(["/bin/bash", str(script)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    by_shell = time.monotonic() - begin
    count = len(chain.outputs.conductances)
    console.print(
        f"{count} snapshots: chain {by_aiida:.1f} s, shell {by_shell:.1f} s, ratio {by_aiida / by_shell:.3f}"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1800, help="of the production")
    arguments = parser.parse_args()
    values = load_protocol("demo", {})
    overrides = {"production": {**values["production"], "steps": arguments.steps}, "reuse": {"contacts": False}}
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), overrides)


if __name__ == "__main__":
    main()
