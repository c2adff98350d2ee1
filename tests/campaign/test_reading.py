"""A campaign file from text: every error at once and with its line, and nothing that a hostile one can do."""

import hashlib
import json
from typing import Any

import pytest
import yaml
from campaign_files import FULL, GOOD, changed, text_of

from aiida_rewire.campaign.reading import CampaignErrors, digest_of, examine, spec_from_record, spec_of
from aiida_rewire.campaign.source import parse
from aiida_rewire.campaign.specification import CampaignSpec

WRONG = """\
lable: silver
protocol: demo
codes: {md: md@silo, pw: 12, pp: pp@silo}
pseudo_family: rewire/frozen-d
tips:
  gap: 0.5
  base_side: 2
  gap: 7
md:
  voltages:
    - 2.0
    - 8 V
    - [[0, 2]]
    - 80
  seeds: [1, 1, -3]
  temperature_k: 5000
  production_ps: 2 ns
snapshots: {interval_ps: 0.07, lanes: 0}
energies: [0.1]
resources:
  pwcond: {ranks: 3}
overrides:
  lanes: 4
  production: {stepz: 3, voltage_v: 3}
  junction: {supercell: 0, lower_layers: 2}
"""

SAID = """\
file:1: label = missing: must be given; add it: Name of the campaign
file:1: lable = 'silver': must be a known key; did you mean label?
file:3: codes.pw = 12: must be text; write it in quotes
file:3: codes.pwcond = missing: must be given
file:6: tips.gap = 0.5 Å: must be a number from 2.00 Å on; nearer apexes overlap
file:7: tips.base_side = 2 atoms: must be at least 3 for 1 fixed and 2 mobile layers
file:8: tips.gap = given again: must be given once, as on line 6; leave one out
file:12: md.voltages[1] = '8 V': must be a number in V, or points [[ps, V], ...]; write 8, without a unit
file:13: md.voltages[2] = [[0.0, 2.0]]: must be given once, as md.voltages[0]; each makes a chain
file:14: md.voltages[3] = 80.0: must be from -50 to 50 V; the paper uses 2 V and 8 V
file:15: md.seeds[1] = 1: must be given once, as md.seeds[0]; each makes a chain
file:15: md.seeds[2] = -3: must be from 1 to 900000000
file:16: md.temperature_k = 5000.0: must be above 0 and at most 1235 K
file:17: md.production_ps = '2 ns': must be a number in ps; write 2000, without a unit
file:18: snapshots.interval_ps = 0.07 ps: must be a multiple of the 0.05 ps between frames
file:18: snapshots.lanes = 0: must be at least 1
file:19: energies = [0.1]: must be with 0.0, the Fermi energy, among them; add it
file:21: resources.pwcond.ranks = 3 ranks: must be 2^N; pwcond.x takes no other
file:23: overrides.lanes = 4: must be left out, since snapshots.lanes is for it; say it there
file:24: overrides.production.stepz = 3: must be a key of the protocol: steps, seed,
file:24: overrides.production.voltage_v = 3: must be left out, since md.voltages is for it; say it there
file:25: overrides.junction.lower_layers = 2: must be
file:25: overrides.junction.supercell = 0: must be
"""


def errors(text: str) -> list[str]:
    with pytest.raises(CampaignErrors) as caught:
        spec_of(text, "file")
    return caught.value.errors


def test_a_full_file_is_read() -> None:
    spec = spec_of(FULL, "file")
    assert spec.md.voltages == [2.0, 8.0, [[0.0, 0.0], [50.0, 8.0]]]
    assert spec.resources.md.scheduler_lines == ["#SBATCH -x a"]
    assert spec.overrides == {"scf": {"parameters": {"ELECTRONS": {"conv_thr": 1e-9}}}}
    assert spec.description == "Two voltages: µ, Å"


def test_every_error_is_said_at_once_with_its_line() -> None:
    wanted = SAID.splitlines()
    said = errors(WRONG)
    for line in wanted:
        assert sum(found.startswith(line) for found in said) == 1, line
    assert len(said) == len(wanted), said
    assert [int(line.split(":")[1]) for line in said] == sorted(int(line.split(":")[1]) for line in wanted)


def test_what_is_right_in_a_wrong_file_is_kept_for_further_questions() -> None:
    reading = examine(WRONG, "file")
    assert reading.spec is not None
    assert (reading.spec.protocol, reading.spec.codes.pp, reading.spec.tips.base_side) == ("demo", "pp@silo", None)
    # the chains of what is left can be begun, but for voltages and seeds
    assert examine(text_of({"tips.gap": 0.1}), "file").spec == spec_of(text_of(), "file")
    assert examine("nothing: 1", "file").spec is not None
    # no other length of the production is the protocol's
    assert examine(text_of({"md.production_ps": 0.1}), "file").spec is None


def test_an_error_of_the_protocols_own_values_names_the_field_that_would_mend_it() -> None:
    (said,) = errors(text_of({"md.production_ps": 0.1}))
    assert said.split(": ", 1)[1].startswith("snapshots.interval_ps = 0.2 ps: must be a multiple of the 0.05 ps")


def test_overrides_are_asked_of_the_protocol() -> None:
    for path, value, message in [
        ("production.steps", 100, "overrides.production.steps = 100: must be left out, since md.production_ps is"),
        ("equilibration.seed", 3, "overrides.equilibration.seed = 3: must be left out, since md.seeds is for it"),
        ("tips.gap", 3, "overrides.tips.gap = 3: must be left out, since tips.gap is for it"),
        ("pwcond.energies", [0.0], "overrides.pwcond.energies = [0.0]: must be left out, since energies is for it"),
        ("reuse.leads", True, "overrides.reuse.leads = true: must be left out, since reuse.leads is for it"),
        ("production.dump_interval", 0, "overrides.production.dump_interval = 0: must be from 1"),
        ("production.dump_interval", "x", "overrides.production.dump_interval = 'x': must be of type int"),
        ("production.minimize", True, "overrides.production.minimize = True: must be false"),
        ("equilibration.bias", "none", "must be run by the same program as the equilibration's, none"),
        ("pwcond.max_shards", 0, "overrides.pwcond.max_shards = 0: must be a whole number, at least 1"),
        ("pwcond.shards_per_job", "2", "overrides.pwcond.shards_per_job = '2': must be a whole number"),
        ("lead", 5, "overrides.lead = 5: must be a mapping; nest it as the protocol is"),
        ("md", None, "overrides.md = None: must be a mapping"),
        ("junction.lattice_constant", 0, "overrides.junction.lattice_constant = 0 Å: must be"),
        ("junction.largest_supercell", 2, "overrides.junction.largest_supercell = 2: must be whole, from the"),
        ("equilibration.voltage_v", "a\nb", r"overrides.equilibration.voltage_v = 'a\nb': must be of type float"),
        ("equilibration.voltage_v", 99, "overrides.equilibration.voltage_v = 99: must be from -50 to 50 V"),
        ("md.options.max_wallclock_seconds", -5, "must be left out, since resources.md.walltime_h is for it"),
        (
            "scf.options.account",
            "x\nid",
            r"account = 'x\nid': must be left out, since resources.scf.account is",
        ),
        (
            "lead.options.prepend_text",
            "id",
            "lead.options.prepend_text = 'id': must be left out: it runs in a shell",
        ),
        ("md.options.resources.num_machines", 0, "resources.num_machines = 0: must be a whole number, at least 1"),
        ("md.options.resources.tot_num_mpiprocs", "x", "resources.tot_num_mpiprocs = 'x': must be a whole number"),
        ("paths.x", 2, "overrides.paths = {'x': 2}: must be a key of the protocol"),
    ]:
        said = errors(text_of({f"overrides.{path}": value}))
        assert len(said) == 1, said
        assert message in said[0]


def test_one_of_two_places_for_a_value_is_refused_only_where_both_are_used() -> None:
    spec = spec_of(text_of({"overrides.equilibration.temperature_k": 300.0}), "file")
    assert spec.md.temperature_k is None
    both = {"overrides.equilibration.temperature_k": 300.0, "md.temperature_k": 800}
    (said,) = errors(text_of(both))
    assert "overrides.equilibration.temperature_k = 300.0: must be left out, since md.temperature_k is for it" in said
    resources = {"overrides.md.options.resources.num_mpiprocs_per_machine": 2}
    assert spec_of(text_of(resources), "file").resources.md.ranks is None
    (said,) = errors(text_of({**resources, "resources.md.ranks": 2}))
    assert "num_mpiprocs_per_machine = 2: must be left out, since resources.md.ranks is for it" in said


def test_ramps_need_a_driver_and_a_voltage_somebody_who_gives_it() -> None:
    (said,) = errors(text_of({"md.bias": "native", "md.voltages": [2.0, [[0, 0], [1, 2]]]}))
    assert "md.voltages[1] = [[0.0, 0.0], [1.0, 2.0]]: must be one number with `bias: native`" in said
    said_twice = errors(text_of({"md.bias": "none"}))
    assert ["md.voltages[0] = 2.0: must be 0 V" in line for line in said_twice] == [True, False]
    assert "md.voltages[1] = 8.0: must be 0 V with `bias: none`" in said_twice[1]
    (said,) = errors(text_of({"md.bias": "none", "md.voltages": [0], "md.potential": "steady"}))
    assert "md.potential = steady: must be left out without the driver" in said


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.5E+2", 150.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("010", 10),
        ("+3", 3),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("<<", "<<"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("1e999", float("inf")),
    ],
)
def test_values_are_read_as_yaml_1_2_does(text: str, value: Any) -> None:
    read = parse(f"a: {text}", "file").values["a"]
    assert (read, type(read)) == (value, type(value))


def test_the_file_is_read_as_the_library_reads_it() -> None:
    known = yaml.safe_load(FULL)
    known["overrides"]["scf"]["parameters"]["ELECTRONS"]["conv_thr"] = 1e-9  # which it takes for text
    assert parse(FULL, "file").values == known


def test_a_record_gives_the_specification_back() -> None:
    for spec in (spec_of(FULL, "file"), spec_of(text_of({"energies": {"start": -1, "stop": 1, "step": 0.5}}), "f")):
        record = json.loads(json.dumps(spec.model_dump(mode="json")))
        assert spec_from_record(record) == spec
        assert digest_of(spec_from_record(record)) == digest_of(spec)
    with pytest.raises(CampaignErrors) as caught:
        spec_from_record({**record, "label": 3, "new": 1})
    assert [line.split(" = ")[0] for line in caught.value.errors] == ["record: label", "record: new"]


def test_the_same_campaign_in_other_words_has_the_same_digest() -> None:
    values = changed({"md.temperature_k": 800, "overrides.equilibration.checkpoint_interval": 500})
    digest = digest_of(CampaignSpec.model_validate(values))
    turned = dict(reversed(values.items()))
    turned["md"] = {"temperature_k": 800.0, "seeds": [2, 1], "voltages": [8, 2], "bias": None}
    turned["tips"] = {}
    text = "# another comment\n" + yaml.safe_dump(turned, sort_keys=False)
    assert digest_of(spec_of(text, "other")) == digest
    assert len(digest) == 64
    for change in (
        {"md.temperature_k": 801},
        {"md.seeds": [1, 3]},
        {"label": "other"},
        {"description": "x"},
        {"limits.active_chains": 3},
    ):
        assert digest_of(CampaignSpec.model_validate(changed({"md.temperature_k": 800, **change}))) != digest


def test_the_digest_is_that_of_what_differs_from_the_defaults() -> None:
    # so that campaigns that were recorded before a field was added are not taken for changed ones
    canonical = (
        '{"codes":{"md":"md@silo","pp":"pp@silo","pw":"pw@silo","pwcond":"pwcond@silo"},"label":"silver",'
        '"md":{"seeds":[1,2],"voltages":[2,8]},"protocol":"demo","pseudo_family":"rewire/frozen-d"}'
    )
    assert digest_of(CampaignSpec.model_validate(GOOD)) == hashlib.sha256(canonical.encode()).hexdigest()
    spoken = {"retries.attempts": 2, "limits.active_jobs": {}, "tips.gap": None, "resources.md.scheduler_lines": []}
    assert digest_of(CampaignSpec.model_validate(changed(spoken))) == digest_of(CampaignSpec.model_validate(GOOD))
