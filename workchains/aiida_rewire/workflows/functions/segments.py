"""The jobs of one run, put together."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

RESULTS, BIAS = "results_", "bias_"

OF_THE_LAST = (
    "lammps_version",
    "complete",
    "last_step",
    "checkpoint_file",
    "mpi_ranks",
    "temperature_k",
    "potential_energy_kcal_mol",
    "anode_charge_e",
    "cathode_charge_e",
)


@calcfunction
def join_segments(**parts: orm.Data) -> dict[str, orm.Data]:
    """Join the results of consecutive jobs.

    Parameters
    ----------
    parts
        ``results_0000``, ``results_0001``, ... and ``bias_0000``, ... of the jobs in their order.

    Returns
    -------
    dict
        ``results``: the last state, sums, and ``segments``, a list of the last step and the dump of each job;
        ``bias``: the series of all jobs, where there are any.
    """
    results = [parts[name].get_dict() for name in sorted(parts) if name.startswith(RESULTS)]
    frames = sum(result["frames"] for result in results)
    seconds = sum(result["wall_time_s"] for result in results)
    joined = {key: results[-1][key] for key in OF_THE_LAST} | {
        "frames": frames,
        "wall_time_s": seconds,
        "steps_per_second": results[-1]["last_step"] / seconds if seconds > 0 else None,
        "segments": [{key: result[key] for key in ("last_step", "dump_file")} for result in results],
    }
    outputs: dict[str, orm.Data] = {"results": orm.Dict(joined)}
    series = [parts[name] for name in sorted(parts) if name.startswith(BIAS)]
    if series:
        names = series[0].get_arraynames()
        outputs["bias"] = orm.ArrayData(
            {name: np.concatenate([part.get_array(name) for part in series]) for name in names}
        )
    return outputs
