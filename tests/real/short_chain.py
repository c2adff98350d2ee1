"""Run a short chain in the folder `.rewire` here, or its dynamics alone, and print what came of it, as JSON.

The arguments: the number of steps of the production, of which three snapshots are taken; `chain` or `dynamics`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import Home

STEPS, WHAT = int(sys.argv[1]), sys.argv[2]
DYNAMICS = {
    "equilibration": {"steps": 100, "dump_interval": 50},
    "production": {"steps": STEPS, "dump_interval": 50, "checkpoint_interval": 200},
    "snapshot_interval_ps": STEPS / 2000,
}
CHAIN = {
    "lanes": 1,
    "lead": {"parameters": {"SYSTEM": {"ecutwfc": 6.0, "ecutrho": 24.0}}},
    "scf": {"parameters": {"SYSTEM": {"ecutwfc": 6.0, "ecutrho": 24.0}}},
}


def main() -> None:
    home = Home.at(Path(".rewire"))
    home.enter()
    home.open_profile()
    from aiida.plugins import WorkflowFactory

    codes = ingredients.load_codes(ingredients.find_programs())
    workflow = WorkflowFactory(f"rewire.{WHAT}")
    home.start_daemon()
    try:
        if WHAT == "chain":
            pseudo = ingredients.load_pseudo(codes["ld1"])
            node = workflow.submit_from_protocol(codes, None, pseudo, overrides={**DYNAMICS, **CHAIN})
        else:
            node = workflow.submit_from_protocol(codes["md"], overrides=DYNAMICS)
        while not node.is_terminated:
            time.sleep(0.5)
    finally:
        home.stop_daemon()
    rows = node.outputs.trace.rows() if "trace" in node.outputs else []
    for row in rows:
        if math.isnan(row["conductance_g0"]):
            row["conductance_g0"] = None
            row["unitarity"] = None
    results = node.outputs.results.get_dict() if "results" in node.outputs else {}
    came = {"status": node.exit_status, "message": node.exit_message, "rows": rows, "results": results}
    print(json.dumps(came))


if __name__ == "__main__":
    main()
