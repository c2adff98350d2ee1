"""What a campaign file may say, and in which words it is refused."""

import re
from typing import Any

import pytest
from campaign_files import GONE, changed, text_of

from aiida_rewire.campaign.reading import CampaignErrors, spec_of
from aiida_rewire.campaign.specification import CampaignSpec


def refusals(changes: dict[str, Any]) -> list[str]:
    """What is said of a file, without its name and lines."""
    with pytest.raises(CampaignErrors) as caught:
        spec_of(text_of(changes), "file")
    return [line.split(": ", 1)[1] for line in caught.value.errors]


def test_what_is_left_out_is_the_protocols() -> None:
    spec = CampaignSpec.model_validate(changed({"protocol": GONE}))
    assert spec.protocol == "moderate"
    for section in (spec.tips, spec.snapshots, spec.reuse):
        assert set(section.model_dump().values()) == {None}
    assert (spec.limits.active_chains, spec.limits.active_jobs, spec.retries.attempts) == (2, {}, 2)
    assert spec.energies is None
    assert spec.md.voltages == [2.0, 8.0]


REFUSED = [
    # units
    ("md.production_ps", "2 ns", "md.production_ps = '2 ns': must be a number in ps; write 2000, without a unit"),
    ("md.production_ps", "2e3 fs", "'2e3 fs': must be a number in ps; write 2, without a unit"),
    ("md.timestep_fs", "0.001 ps", "md.timestep_fs = '0.001 ps': must be a number in fs; write 1, without a unit"),
    ("md.temperature_k", "800K", "md.temperature_k = '800K': must be a number in K; write 800, without a unit"),
    ("md.temperature_k", "hot", "md.temperature_k = 'hot': must be a number in K; correct it"),
    ("tips.gap", "0.65 nm", "tips.gap = '0.65 nm': must be a number in Å; write 6.5, without a unit"),
    ("snapshots.interval_ps", "100 fs", "snapshots.interval_ps = '100 fs': must be a number in ps; write 0.1,"),
    ("resources.md.walltime_h", "24h", "walltime_h = '24h': must be a number, from 0.01 to 8760 h; write 24,"),
    ("resources.scf.walltime_h", "90 min", "must be a number, from 0.01 to 8760 h; write 1.5, without a unit"),
    ("resources.scf.walltime_h", "24:00:00", "resources.scf.walltime_h = '24:00:00': must be a number, from 0.01"),
    ("resources.scf.memory_gb", "4000 MB", "must be a number, above 0 and at most 100000 GB; write 4, without"),
    ("md.voltages", [2.0, "8 V"], "[1] = '8 V': must be a number in V, or points [[ps, V], ...]; write 8,"),
    ("energies", [0.0, "0.1 eV"], "energies[1] = '0.1 eV': must be a number in eV; write 0.1, without a unit"),
    # neither text nor truth is a number
    ("md.seeds", [True], "md.seeds[0] = true: must be a whole number"),
    ("md.seeds", ["1"], "md.seeds[0] = '1': must be a whole number"),
    ("md.seeds", [1.5], "md.seeds[0] = 1.5: must be a whole number"),
    ("md.voltages", [True], "md.voltages[0] = true: must be a number in V"),
    ("md.voltages", [None], "md.voltages[0] = null: must be a number in V"),
    ("md.voltages", [{}], "md.voltages[0] = {}: must be a number in V"),
    ("md.temperature_k", True, "md.temperature_k = true: must be a number in K"),
    ("snapshots.lanes", "2", "snapshots.lanes = '2': must be a whole number"),
    ("snapshots.one_job", 1, "snapshots.one_job = 1: must be true or false"),
    ("snapshots.warm_start", "yes", "snapshots.warm_start = 'yes': must be true or false"),
    ("limits.active_chains", 2.0, "limits.active_chains = 2.0: must be a whole number, from 1 to 10000"),
    ("label", 7, "label = 7: must be text; write it in quotes"),
    ("tips.orientation", 100, "tips.orientation = 100: must be one of 100, 111; write it in quotes"),
    # counts and names
    ("limits.active_chains", 0, "limits.active_chains = 0: must be from 1 to 10000; 2 is a beginning"),
    ("limits.active_chains", -2, "limits.active_chains = -2: must be from 1"),
    ("limits.active_jobs", {"silo": 0}, "limits.active_jobs.silo = 0: must be from 1 to 1000000 for each computer"),
    ("limits.active_jobs", {"silo": -1}, "limits.active_jobs.silo = -1: must be from 1"),
    ("limits.active_jobs", 40, "limits.active_jobs = 40: must be a mapping"),
    ("retries.attempts", 0, "retries.attempts = 0: must be from 1 to 20"),
    ("resources.pwcond.ranks", 0, "resources.pwcond.ranks = 0: must be from 1 to 10000"),
    ("resources.pwcond.memory_gb", 0, "resources.pwcond.memory_gb = 0: must be above 0 and at most 100000 GB"),
    ("resources.md.walltime_h", 1e9, "resources.md.walltime_h = 1000000000.0: must be from 0.01 to 8760 h"),
    ("label", "", "label = '': must be 1 to 80 letters"),
    ("label", "silver 2V", "label = 'silver 2V': must be 1 to 80 letters, digits, dots"),
    ("label", "-silver", "label = '-silver': must be"),
    ("label", "silver/8V", "label = 'silver/8V': must be"),
    ("label", "silver\n", r"label = 'silver\n': must be"),
    ("label", "s" * 81, "must be 1 to 80 letters, digits, dots"),
    ("label", "Ag²", "label = 'Ag²': must be"),
    ("protocol", "papper", "protocol = 'papper': must be one of demo, moderate, paper; did you mean paper?"),
    ("protocol", "x", "protocol = 'x': must be one of demo, moderate, paper; known are demo, moderate, paper"),
    ("md.bias", "drive", "md.bias = 'drive': must be one of driver, native, none; did you mean driver?"),
    ("codes.md", "", "codes.md = '': must be LABEL@COMPUTER; `verdi code list` shows all"),
    ("codes.md", "md", "codes.md = 'md': must be LABEL@COMPUTER"),
    ("codes.md", "@silo", "codes.md = '@silo': must be LABEL@COMPUTER"),
    ("force_field", "c0ffee", "force_field = 'c0ffee': must be a whole UUID; leave it out for silver's own"),
    ("pseudo_family", "", "pseudo_family = '': must be the label of a family"),
    ("md.voltages", [], "md.voltages = []: must be a list of one at least"),
    ("md.seeds", [], "md.seeds = []: must be a list of one at least"),
    ("md.voltages", 2.0, "md.voltages = 2.0: must be a list, [one, another]"),
    ("md.voltages", [[[0, 0], [50]]], "md.voltages[0] = [[0, 0], [50]]: must be points of two finite numbers"),
    ("md.voltages", [[[5, 0], [1, 2]]], "md.voltages[0] = [[5, 0], [1, 2]]: must be points whose times begin with 0"),
    ("md.voltages", [[]], "md.voltages[0] = []: must be a number or at least one point"),
    # what stands in the head of a job script
    ("resources.md.account", "a b", "resources.md.account = 'a b': must be a word of letters, digits"),
    ("resources.md.partition", "x\nrm -rf ~", r"resources.md.partition = 'x\nrm -rf ~': must be a word"),
    ("resources.md.qos", "$(id)", "resources.md.qos = '$(id)': must be a word"),
    ("resources.md.account", "--wrap=id", "resources.md.account = '--wrap=id': must be a word"),
    ("resources.md.scheduler_lines", ["rm -rf /"], "resources.md.scheduler_lines[0] = 'rm -rf /': must be one line"),
    ("resources.md.scheduler_lines", ["#a", "#b\nid"], r"md.scheduler_lines[1] = '#b\nid': must be one line"),
    ("resources.md.scheduler_lines", "#a", "resources.md.scheduler_lines = '#a': must be a list"),
    # keys
    ("lable", "x", "lable = 'x': must be a known key; did you mean label?"),
    ("md.voltage", [1], "md.voltage = [1]: must be a known key; did you mean voltages?"),
    ("resources.mdd", {}, "resources.mdd = {}: must be a known key; did you mean md?"),
    ("resources.md.wall_hours", 2, "resources.md.wall_hours = 2: must be a known key; did you mean walltime_h?"),
    ("energies", {"from": 1}, "energies.from = 1: must be a known key; known are start, stop, step"),
    ("label", GONE, "label = missing: must be given; add it: Name of the campaign"),
    ("codes.pp", GONE, "codes.pp = missing: must be given; add it: pp.x, plugin rewire.readback"),
    ("md", GONE, "md = missing: must be given; add it: Dynamics"),
    ("codes", 5, "codes = 5: must be a mapping"),
    ("md", None, "md = null: must be a mapping"),
    ("md", [1], "md = [1]: must be a mapping"),
    ("overrides", [], "overrides = []: must be a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_what_is_out_of_bounds_is_refused_in_the_words_of_the_house(path: str, value: Any, message: str) -> None:
    said = refusals({path: value})
    found = [line for line in said if message in line]
    assert len(found) == 1, said
    # nothing else is wrong with the file; a mapping of energies lacks three keys besides
    assert len(said) == (4 if "energies.from" in message else 1), said
    assert "; " in found[0]


def test_numbers_that_are_none_are_refused() -> None:
    text = text_of().replace('"seeds"', '"temperature_k": .inf,\n"timestep_fs": .nan,\n"seeds"')
    with pytest.raises(CampaignErrors) as caught:
        spec_of(text, "file")
    assert [line.split(": ", 1)[1] for line in caught.value.errors] == [
        "md.temperature_k = inf: must be a finite number in K; correct it",
        "md.timestep_fs = nan: must be a finite number in fs; correct it",
    ]


def test_more_chains_than_can_be_kept_in_view_are_refused() -> None:
    assert refusals({"md.seeds": list(range(1, 5002))}) == [
        "md = 10002 chains: must be at most 10000 chains; make several campaigns of it"
    ]
    assert len(spec_of(text_of({"md.seeds": list(range(1, 5001))}), "file").md.seeds) == 5000


@pytest.mark.parametrize("value", [-2.5, 0, 0.0, -0.0, 50, 1e-3])
def test_a_voltage_is_a_number(value: float) -> None:
    (read,) = CampaignSpec.model_validate(changed({"md.voltages": [value]})).md.voltages
    assert (read, type(read)) == (value, float)
    assert str(read) != "-0.0"


def test_a_voltage_may_be_points() -> None:
    (read,) = CampaignSpec.model_validate(changed({"md.voltages": [[[0, 0], [50, 8]]]})).md.voltages
    assert read == [[0.0, 0.0], [50.0, 8.0]]
    assert all(type(part) is float for point in read for part in point)


def fields(model: type[Any], path: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, field in model.model_fields.items():
        found.append((f"{path}{name}", field))
        if hasattr(field.annotation, "model_fields"):
            found += fields(field.annotation, f"{path}{name}.")
    return found


@pytest.mark.parametrize(("path", "field"), fields(CampaignSpec))
def test_every_field_says_its_unit_and_its_default(path: str, field: Any) -> None:
    units = {"k": "K", "fs": "fs", "ps": "ps", "h": "h", "gb": "GB", "gap": "Å", "constant": "Å", "energies": "eV"}
    unit = units.get(re.split(r"[._]", path)[-1])
    assert unit is None or re.search(rf", {unit}[.;,]", field.description)
    nested = hasattr(field.annotation, "model_fields")
    assert nested or "Default: " in field.description or field.description.endswith("Required.")
    assert field.is_required() == field.description.endswith("Required.")


def test_the_schema_names_units_bounds_and_defaults() -> None:
    schema = CampaignSpec.model_json_schema()
    resources = schema["$defs"]["JobResources"]["properties"]
    assert (resources["walltime_h"]["unit"], resources["walltime_h"]["default"]) == ("h", None)
    assert resources["walltime_h"]["anyOf"][0] == {"maximum": 8760.0, "minimum": 0.01, "type": "number"}
    assert schema["properties"]["protocol"]["enum"] == ["demo", "moderate", "paper"]
    assert schema["required"] == ["label", "codes", "pseudo_family", "md"]
    assert schema["additionalProperties"] is False
    assert {"type": "number"} in schema["$defs"]["Md"]["properties"]["voltages"]["items"]["anyOf"]
