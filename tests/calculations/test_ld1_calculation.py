"""What reaches ld1.x."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_rewire.fixtures import fixture_path


def test_the_input_file_is_the_one_that_was_given(
    prepare: Callable[..., tuple[Path, Any]], aiida_code_installed: Callable[..., orm.InstalledCode]
) -> None:
    source = fixture_path("ld1", "Ag.frozen-d.in")
    inputs = {
        "code": aiida_code_installed(default_calc_job_plugin="rewire.ld1"),
        "generation": orm.SinglefileData(source),
    }
    folder, job = prepare("rewire.ld1", inputs)
    assert (folder / "ld1.in").read_text() == source.read_text()
    (code,) = job.codes_info
    assert (code.stdin_name, code.stdout_name) == ("ld1.in", "ld1.out")
    assert job.retrieve_list == ["ld1.out", ("*.UPF", ".", 0)]
