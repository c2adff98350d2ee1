"""Measured files: units, several cycles and devices, and what cannot be read."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import constants

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.measured import MeasuredTrace, joined, read_measured

G0 = constants.physical_constants["conductance quantum"][0]


def written(folder: Path, text: str, encoding: str = "utf-8", name: str = "wire_3.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        read_measured(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    return str(refused.value)


HEADERS = [
    "time_s,voltage_V,current_uA",
    "Time (ms),Voltage [mV],Current / nA",
    "t (s),V (V),I (A)",
    "time/min,bias_mv,i_ua",
    "Time {us}, U (V), current (\u00b5A)",
    "time_h,v_V,current_\u03bcA",
]
FACTORS = [(1, 1, 1e-6), (1e-3, 1e-3, 1e-9), (1, 1, 1), (60, 1e-3, 1e-6), (1e-6, 1, 1e-6), (3600, 1, 1e-6)]


@pytest.mark.parametrize(("header", "factors"), zip(HEADERS, FACTORS, strict=True))
def test_units_are_read_from_the_header(tmp_path: Path, header: str, factors: tuple[float, float, float]) -> None:
    trace = read_measured(written(tmp_path, f"{header}\n1,200,15\n2,200,30\n"))
    assert trace.time_s == pytest.approx(np.array([1, 2]) * factors[0])
    assert trace.voltage_v == pytest.approx(np.array([200, 200]) * factors[1])
    assert trace.current_a == pytest.approx(np.array([15, 30]) * factors[2])
    assert trace.conductance_g0 == pytest.approx(np.array([15, 30]) * factors[2] / (200 * factors[1]) / G0)


@pytest.mark.parametrize(
    ("title", "quanta"), [("conductance_G0", 1), ("G (S)", 1 / G0), ("conductance [µS]", 1e-6 / G0), ("G (2e2/h)", 1)]
)
def test_a_conductance_is_taken_as_it_is(tmp_path: Path, title: str, quanta: float) -> None:
    trace = read_measured(written(tmp_path, f"{title}\n1.5\n-2\n"))
    assert trace.conductance_g0 == pytest.approx([1.5 * quanta, -2 * quanta])
    assert trace.voltage_v is None


def test_a_voltage_too_small_to_divide_by_gives_no_conductance(tmp_path: Path) -> None:
    path = written(tmp_path, "voltage_V,current_A\n0,1e-9\n-0.0005,1e-9\n-0.1,-1e-5\n0.1,1e-5\n")
    trace = read_measured(path)
    assert np.isnan(trace.conductance_g0).tolist() == [True, True, False, False]
    assert trace.conductance_g0[2:] == pytest.approx(1e-4 / G0)
    assert trace.undefined == 2
    assert read_measured(path, smallest_voltage_v=1e-4).undefined == 1


def test_cycles_and_devices_are_told_apart(tmp_path: Path) -> None:
    lines = ["cycle,device,conductance_G0", "1,A,1.0", "1,A,1.1", "2,A,2.0", "1,wire B,3.0", "2,A,2.1"]
    trace = read_measured(written(tmp_path, "\n".join(lines)))
    found = [(device, cycle, trace.conductance_g0[chosen].tolist()) for device, cycle, chosen in trace.cycles()]
    assert found == [("A", 1, [1.0, 1.1]), ("A", 2, [2.0, 2.1]), ("wire B", 1, [3.0])]


def test_without_columns_of_them_it_is_one_cycle_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "conductance_G0,remark\n1,x\n2,y\n")
    trace = read_measured(path)
    assert [(device, cycle, chosen.tolist()) for device, cycle, chosen in trace.cycles()] == [("wire_3", 0, [0, 1])]
    assert trace.not_read == ("remark",)
    assert read_measured(path, device="w").devices == ("w",)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_decimal_comma_is_read(tmp_path: Path, separator: str) -> None:
    lines = [("voltage (mV)", "current (µA)"), ("100,5", "1,25e0"), ("200", "2,5")]
    text = "\r\n".join(separator.join(cells) for cells in lines)
    trace = read_measured(written(tmp_path, text, "cp1252"))
    assert trace.voltage_v == pytest.approx([0.1005, 0.2])
    assert trace.current_a == pytest.approx([1.25e-6, 2.5e-6])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "cp1252"])
def test_comments_marks_and_empty_lines_do_not_matter(tmp_path: Path, encoding: str) -> None:
    text = '# Keithley µ\n\n"conductance (G0)","device"\n\n"1.0","Gerät, 1"\n\n2.0,"Gerät, 1"\n\n'
    trace = read_measured(written(tmp_path, text, encoding))
    assert trace.conductance_g0.tolist() == [1.0, 2.0]
    assert trace.devices == ("Gerät, 1",)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("voltage,current_A", "column 'voltage' = no unit: must be a voltage in one of V, mV"),
        ("voltage_V,current_ohm", "column 'current_ohm' = unit 'ohm'"),
        ("voltage_A,current_A", "column 'voltage_A' = unit 'A'"),
        ("time_s,voltage_V", "columns = 'time_s', 'voltage_V': must be a conductance, or a voltage and a current"),
        ("a,b", "columns = 'a', 'b'"),
        ("voltage_V,v (mV),current_A", "'voltage_V' and 'v (mV)': must be one voltage"),
        ("conductance_G0,cycle (s)", "without a unit"),
        ("1.0,2.0", "columns = '1.0', '2.0'"),
    ],
)
def test_wrong_columns_and_units_are_refused(tmp_path: Path, header: str, words: str) -> None:
    assert words in refusal(written(tmp_path, f"{header}\n1,2\n"))


BAD = [
    "voltage_V,current_A,cycle",
    "0.1,1e-5,1",
    "0.1,nan,1",
    "0.1,1e-5",
    "0.1,1e-5,1,4",
    "0.1,,1",
    "0.1,1e-5,1.5",
    "x_y,inf,1",
    "0.2,2e-5,2",
]


def test_bad_lines_are_counted_and_the_first_five_are_shown(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, "\n".join(BAD)))
    assert "lines = 6 of 8 of wire_3.csv cannot be read" in said
    assert "line 3: current_A is 'nan', no finite number" in said
    assert "line 4: 2 columns instead of 3; line 5: 4 columns instead of 3" in said
    assert "line 6: current_A is '', no finite number; line 7: cycle is '1.5', no whole number" in said
    assert "line 8" not in said


def test_bad_lines_are_left_out_if_that_is_wanted(tmp_path: Path) -> None:
    trace = read_measured(written(tmp_path, "\n".join(BAD)), skip_bad_lines=True)
    assert trace.voltage_v is not None
    assert trace.voltage_v.tolist() == [0.1, 0.2]
    assert (trace.cycle.tolist(), trace.left_out) == ([1, 2], 6)


def test_lines_one_by_one_give_what_all_at_once_give(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{v!r},{i!r},{n % 7},D{n % 3}" for n, (v, i) in enumerate(rng.normal(size=(500, 2)).tolist())]
    header = "voltage_V,current_A,cycle,device"
    good = read_measured(written(tmp_path, "\n".join([header, *lines])))
    worse = read_measured(written(tmp_path, "\n".join([header, *lines, "x,1,1,D0"])), skip_bad_lines=True)
    for name in ("conductance_g0", "voltage_v", "current_a", "cycle", "device"):
        assert np.array_equal(getattr(good, name), getattr(worse, name)), name
    assert good.devices == worse.devices


def test_a_million_bad_lines_are_counted_in_seconds(tmp_path: Path) -> None:
    path = written(tmp_path, "time_s,conductance_G0\n" + "1.0,overload\n" * 1_000_000)
    begin = time.process_time()
    said = refusal(path)
    seconds = time.process_time() - begin
    print(f"a million bad lines: {seconds:.1f} s")
    assert seconds < 10
    assert "1000000 of 1000000" in said
    assert said.count("line ") == 5
    assert len(said) < 500


def test_a_million_good_lines_are_read_in_a_second(tmp_path: Path) -> None:
    path = written(tmp_path, "time_s,conductance_G0\n" + "".join(f"{n},1.{n % 100}\n" for n in range(1_000_000)))
    begin = time.process_time()
    trace = read_measured(path)
    assert time.process_time() - begin < 2
    assert len(trace.conductance_g0) == 1_000_000
    assert trace.time_s is not None
    assert trace.time_s[-1] == 999_999


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "with a line that names the columns"),
        (b"# only\n\n", "with a line that names the columns"),
        (b"conductance_G0\n", "no line of wire_3.csv holds one, none is there"),
        (b"\0\1\2", "must be text"),
        ("conductance_G0\n1\n".encode("utf-16"), "must be text"),
    ],
)
def test_what_is_no_file_of_columns_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "wire_3.csv"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    trace = read_measured(written(tmp_path, 'conductance_G0,device\n1,"A\n2,B\n'))
    assert (trace.conductance_g0.tolist(), trace.devices) == ([1.0, 2.0], ("A", "B"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "a file that exists" in refusal(tmp_path / "none.csv")
    assert "a file that exists" in refusal(tmp_path)


def test_nothing_but_bad_lines_leaves_nothing(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, "conductance_G0\nx\n"), skip_bad_lines=True)
    assert "holds one, 1 cannot be read: line 2: conductance_G0 is 'x', no finite number" in said


def test_a_smallest_voltage_of_zero_is_refused(tmp_path: Path) -> None:
    assert "smallest_voltage_v" in refusal(written(tmp_path, "conductance_G0\n1\n"), smallest_voltage_v=0.0)


def test_files_are_put_together_without_mixing_their_cycles(tmp_path: Path) -> None:
    def read(name: str, text: str) -> MeasuredTrace:
        return read_measured(written(tmp_path, text, name=name))

    first = read("a.csv", "conductance_G0,device,cycle\n1,A,1\n2,A,2\n3,B,5\n")
    second = read("b.csv", "conductance_G0,device,cycle\n4,B,1\n5,A,1\n")
    both = joined([first, second])
    found = {(device, cycle): both.conductance_g0[chosen].tolist() for device, cycle, chosen in both.cycles()}
    assert found == {("A", 1): [1], ("A", 2): [2], ("A", 3): [5], ("B", 5): [3], ("B", 6): [4]}
    third = read("c.csv", "voltage_V,current_A\n0,1\n")
    more = joined([both, third])
    assert (more.devices, more.undefined, more.voltage_v) == (("A", "B", "c"), 1, None)
    assert math.isnan(more.conductance_g0[-1])
    with pytest.raises(InvalidInput, match="traces = none"):
        joined([])
