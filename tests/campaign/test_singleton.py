"""Lines that keep Slurm from running a job that was submitted twice beside itself."""

from aiida_rewire.campaign.singleton import LINE, with_singletons

OWN = "#SBATCH --exclusive"
VALUES = {
    "lanes": 2,
    "md": {"options": {"max_wallclock_seconds": 60}},
    "scf": {"options": {"custom_scheduler_commands": OWN}, "cutoff": 3},
    "pwcond": {"options": {"custom_scheduler_commands": "#SBATCH --dependency=afterok:7"}},
    "lead": {"options": {}},
}


def test_jobs_of_the_named_steps_wait_for_those_of_their_name() -> None:
    changed = with_singletons(VALUES, ["md", "scf", "pwcond"])
    assert changed["md"]["options"] == {"max_wallclock_seconds": 60, "custom_scheduler_commands": LINE}
    assert changed["scf"] == {"options": {"custom_scheduler_commands": f"{OWN}\n{LINE}"}, "cutoff": 3}
    # somebody's own dependency is theirs: sbatch takes the last one alone
    assert changed["pwcond"] == VALUES["pwcond"]
    assert (changed["lead"], changed["lanes"]) == (VALUES["lead"], 2)
    assert "custom_scheduler_commands" not in VALUES["md"]["options"]


def test_nothing_changes_where_slurm_runs_nothing() -> None:
    assert with_singletons(VALUES, []) == VALUES
