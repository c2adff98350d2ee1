"""Campaign files of the tests."""

from __future__ import annotations

import copy
import json
from typing import Any

GOOD: dict[str, Any] = {
    "label": "silver",
    "protocol": "demo",
    "codes": {"md": "md@silo", "pw": "pw@silo", "pp": "pp@silo", "pwcond": "pwcond@silo"},
    "pseudo_family": "rewire/frozen-d",
    "md": {"voltages": [2.0, 8.0], "seeds": [1, 2]},
}
"""The least that a file says, with two voltages and two seeds."""

FULL = """\
label: silver-2V-8V           # a comment
description: "Two voltages: µ, Å"
protocol: moderate
codes: {md: md@cluster, pw: pw@cluster, pp: pp@cluster, pwcond: pwcond@cluster}
pseudo_family: rewire/frozen-d
force_field: null
tips: {gap: 6.5, base_side: 6, apex_side: 1, orientation: "100", fixed_layers: 1, lattice_constant: 4.09}
md:
  voltages: [2.0, 8.0, [[0, 0], [50, 8]]]
  seeds: [1, 2]
  temperature_k: 800
  timestep_fs: 1.0
  equilibration_ps: 1.0
  production_ps: 15.0
  bias: driver
  potential: steady
snapshots: {interval_ps: 1.0, lanes: 2, warm_start: false, one_job: true}
energies: [0.0]
resources:
  md: {machines: 1, ranks: 1, walltime_h: 24, account: null, memory_gb: null, scheduler_lines: ["#SBATCH -x a"]}
limits: {active_chains: 2, active_jobs: {cluster: 40}}
reuse: {contacts: true, leads: true, dynamics: true}
retries: {attempts: 2}
overrides: {scf: {parameters: {ELECTRONS: {conv_thr: 1e-9}}}}
"""
"""Every field."""

GONE = object()


def changed(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values of a good file with others at dotted places; `GONE` takes them out."""
    values = copy.deepcopy(GOOD)
    for path, value in (changes or {}).items():
        *above, last = path.split(".")
        owner = values
        for part in above:
            owner = owner.setdefault(part, {})
        if value is GONE:
            del owner[last]
        else:
            owner[last] = value
    return values


def text_of(changes: dict[str, Any] | None = None) -> str:
    """Text of a good file with other values; JSON is YAML."""
    return json.dumps(changed(changes), indent=1)
