"""A campaign file from text: every error at once and with its line, and nothing that a hostile one can do."""

import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from campaign_files import GOOD, changed, text_of

from aiida_rewire.campaign.reading import CampaignErrors, digest_of, read_campaign, spec_from_record, spec_of
from aiida_rewire.campaign.source import LARGEST_BYTES, MOST_VALUES, parse
from aiida_rewire.campaign.specification import CampaignSpec

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

WRONG = """\
lable: silver
protocol: demo
codes: {md: md@here, pw: 12, pp: pp@here}
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
    with pytest.raises(CampaignErrors) as caught:
        spec_of(WRONG, "file")
    mended = caught.value.mended
    assert mended is not None
    assert (mended.protocol, mended.codes.pp, mended.pseudo_family) == ("demo", "pp@here", "rewire/frozen-d")
    assert ("codes", "pw") in {problem.place for problem in caught.value.problems}


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
    (said,) = errors(text_of({"overrides.md.options.queue_name": "a", "resources.md.partition": "b"}))
    assert "overrides.md.options.queue_name = 'a': must be left out, since resources.md.partition is for it" in said


def test_ramps_need_a_driver_and_a_voltage_somebody_who_gives_it() -> None:
    (said,) = errors(text_of({"md.bias": "native", "md.voltages": [2.0, [[0, 0], [1, 2]]]}))
    assert "md.voltages[1] = [[0.0, 0.0], [1.0, 2.0]]: must be one number with `bias: native`" in said
    said_twice = errors(text_of({"md.bias": "none"}))
    assert ["md.voltages[0] = 2.0: must be 0 V" in line for line in said_twice] == [True, False]
    assert "md.voltages[1] = 8.0: must be 0 V with `bias: none`" in said_twice[1]
    (said,) = errors(text_of({"md.bias": "none", "md.voltages": [0], "md.potential": "steady"}))
    assert "md.potential = steady: must be left out without the driver" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: the file is empty; `aiida-rewire campaign new` writes one"),
        ("# nothing\n---\n...\n", "1: the file is empty"),
        ("[1, 2]", "1: the file is no mapping"),
        ("label", "1: the file is no mapping"),
        ("a: &x 1\nb: *x\n", "1: an anchor (&) or alias (*): must be left out; write the value where it belongs"),
        ("a: 1\nb: *x\n", "2: an anchor (&) or alias (*)"),
        ("a: 1\n*x : 1\n", "2: a key: must be a plain word"),
        ("a: !!python/object/apply:os.system ['id']", "1: the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("!!python/name:os.system {}", "1: the tag "),
        ("a: !!int 3", "1: the tag "),
        ("!!str a: 3", "1: a key: must be a plain word"),
        ("a: !include /etc/passwd", "1: the tag '!include': must be left out"),
        ("? [a]\n: 1", "1: a key: must be a plain word"),
        ("a: 1\n\tb: 2\n", "2: no YAML: while scanning for the next token"),
        ("a: [1, 2\nb: 3\n", "2: no YAML: while parsing a flow sequence"),
        ("a: 'x\n", "2: no YAML: while scanning a quoted scalar"),
        ("a: \x00", "1: no YAML: unacceptable character #x0000"),
        ("a: 1\nb: \x07", "2: no YAML: unacceptable character #x0007"),
        ('a: "x\\0y"', r"1: 'x\x00y': must be free of control characters"),
        ('"a\\a": 1', r"1: 'a\x07': must be free of control characters"),
        ('a: "\\ud800"', r"1: '\ud800': must be free of control characters"),
        ("a: 1\n---\nb: 2\n", "2: a second document begins; make a file of each"),
        ("a: " + "9" * 5000, "must have at most 18 digits"),
        ("%YAML 3.0\n---\na: 1", "1: no YAML: found incompatible YAML document"),
        ("a: " + "[" * 21 + "]" * 21, "1: nested deeper than 20"),
        ("[" * 900_000, "1: nested deeper than 20"),
        ("a: {" * 200_000, "1: nested deeper than 20"),
        ("- " * 400_000, "1: nested deeper than 20"),
        ("a: b\n" * 190_000, f"more than {MOST_VALUES} values"),
        ("a: [" + "1," * 300_000 + "]", f"more than {MOST_VALUES} values"),
        ("x" * (LARGEST_BYTES + 1), "1: size = 1000001 characters: must be at most 1000000"),
    ],
)  # fmt: skip
def test_a_hostile_file_ends_in_one_clear_line(text: str, said: str) -> None:
    start = time.process_time()
    (line,) = errors(text)
    assert said in line
    assert line.startswith("file:")
    assert len(line) < 400
    assert line.isprintable()
    assert time.process_time() - start < 8


def test_an_alias_bomb_is_not_unfolded() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert errors(bomb) == ["file:1: an anchor (&) or alias (*): must be left out; write the value where it belongs"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", ":1: byte 0 is no UTF-8; save the file as UTF-8 text"),
        (b"label: x\ndescription: \xe9t\xe9\n", ":2: byte 22 is no UTF-8"),
        (b"label: x\n" * (10_000_000 // 9), ":1: size = above 1000000 bytes: must be at most that"),
        (b"\0" * 1000, ":1: no YAML: unacceptable character #x0000"),
        (None, ":1: cannot be read: No such file or directory; `aiida-rewire campaign new` writes one"),
    ],
)
def test_what_is_no_text_ends_in_one_clear_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "campaign.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CampaignErrors) as caught:
        read_campaign(path)
    (line,) = caught.value.errors
    assert line.startswith(f"{path}{said}")


def test_a_folder_and_a_marked_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CampaignErrors, match="cannot be read: Is a directory"):
        read_campaign(tmp_path)
    path = tmp_path / "campaign.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert read_campaign(path) == spec_of(FULL, "file")


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


def test_random_bytes_end_in_errors(tmp_path: Path) -> None:
    chance = random.Random(20240117)  # noqa: S311 (the same mistakes every time)
    path = tmp_path / "campaign.yaml"
    for _ in range(300):
        path.write_bytes(chance.randbytes(chance.randrange(1, 200)))
        with pytest.raises(CampaignErrors) as caught:
            read_campaign(path)
        assert all(line.startswith(f"{path}:") for line in caught.value.errors)


MUTANTS = [
    "\t",
    "\0",
    ":",
    "- ",
    "&a ",
    "*a ",
    "!!",
    "{",
    "]",
    "'",
    '"',
    "#",
    "|",
    "\n",
    "?",
    "%",
    "-1",
    "true",
    "1e400",
]


def test_mutated_files_are_read_or_end_in_errors() -> None:
    chance = random.Random(5)  # noqa: S311 (the same mistakes every time)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        text = FULL
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(text))
            how = chance.randrange(3)
            if how == 0:
                text = text[:place] + chance.choice(MUTANTS) + text[place:]
            elif how == 1:
                text = text[:place] + text[place + chance.randrange(1, 10) :]
            else:
                other = chance.randrange(len(text))
                text = text[:place] + text[other : other + 30] + text[place:]
        try:
            spec_of(text, "file")
            outcomes["read"] += 1
        except CampaignErrors as error:
            outcomes["refused"] += 1
            assert error.errors
            for line in error.errors:
                assert line.startswith("file:")
                assert line.isprintable(), line
    # comments and names can be changed, most else cannot
    assert outcomes["refused"] > outcomes["read"] > 0


def test_values_of_any_kind_at_any_place_end_in_errors() -> None:
    values: list[Any] = [None, True, -1, 1e300, [], {}, {"x": {}}, [None], "x" * 3000]
    places = [name for name in CampaignSpec.model_fields if name != "description"]
    places += [f"{owner}.{name}" for owner in ("md", "snapshots") for name in ("voltages", "seeds", "lanes", "bias")]
    places += ["overrides.junction", "overrides.production.dump_interval", "overrides.production.timestep_fs"]
    places += ["overrides.pwcond.kpoints", "overrides.md.options", "overrides.scf.options", "resources.md", "x"]
    places += ["overrides.md.options.resources", "overrides.pwcond.options.resources", "overrides.x.y"]
    for number, place in enumerate(places):
        for value in values[number % 3 :: 3]:
            try:
                spec_of(text_of({place: value}), "file")
            except CampaignErrors as error:
                assert all(line.isprintable() and len(line) < 1000 for line in error.errors)


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
        '{"codes":{"md":"md@here","pp":"pp@here","pw":"pw@here","pwcond":"pwcond@here"},"label":"silver",'
        '"md":{"seeds":[1,2],"voltages":[2,8]},"protocol":"demo","pseudo_family":"rewire/frozen-d"}'
    )
    assert digest_of(CampaignSpec.model_validate(GOOD)) == hashlib.sha256(canonical.encode()).hexdigest()
    spoken = {"retries.attempts": 2, "limits.active_jobs": {}, "tips.gap": None, "resources.md.scheduler_lines": []}
    assert digest_of(CampaignSpec.model_validate(changed(spoken))) == digest_of(CampaignSpec.model_validate(GOOD))
