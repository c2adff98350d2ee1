"""Run a short chain in the folder `.rewire` here and print what came of it, as JSON.

The argument is the number of steps of the production, of which three snapshots are taken.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import Home

STEPS = int(sys.argv[1])
OVERRIDES = {
    "equilibration": {"steps": 100, "dump_interval": 50},
    "production": {"steps": STEPS, "dump_interval": 50, "checkpoint_interval": 200},
    "snapshot_interval_ps": STEPS / 2000,
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
    home.start_daemon()
    try:
        pseudo = ingredients.load_pseudo(codes["ld1"])
        chain = WorkflowFactory("rewire.chain").submit_from_protocol(
            codes, None, pseudo, protocol="demo", overrides=OVERRIDES
        )
        while not chain.is_terminated:
            time.sleep(0.5)
    finally:
        home.stop_daemon()
    rows = chain.outputs.trace.rows() if "trace" in chain.outputs else []
    for row in rows:
        if math.isnan(row["conductance_g0"]):
            row["conductance_g0"] = None
            row["unitarity"] = None
    print(json.dumps({"status": chain.exit_status, "message": chain.exit_message, "rows": rows}))


if __name__ == "__main__":
    main()
