"""A worker that is killed between what a step starts and the next checkpoint: nothing is started twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder

pytestmark = pytest.mark.real
HERE = Path(__file__).parent

RUN = """
import json, sys, time
from aiida import load_profile
load_profile()
from aiida.engine import submit
from rewire_interrupted import Interrupted
node = submit(Interrupted, mark=sys.argv[1], depth=1)
deadline = time.monotonic() + 90
while not node.is_terminated and time.monotonic() < deadline:
    time.sleep(0.1)
called = sorted((child.process_label, child.process_state.value, child.exit_status) for child in node.called)
result = node.outputs.result.value if node.is_finished_ok else None
print(json.dumps({"state": node.process_state.value, "called": called, "result": result}))
"""


@pytest.fixture(scope="module")
def profile() -> Iterator[Profile]:
    """A profile whose daemon has one worker, which knows the work chain of `rewire_interrupted`."""
    with service_folder() as folder:
        made = Profile(folder / "aiida", {"PYTHONPATH": str(HERE)})
        made.create_embedded()
        try:
            made.start_daemon(1)
            yield made
        finally:
            made.stop_daemon()


def test_a_step_that_runs_again_goes_on_with_what_it_has_started(profile: Profile, tmp_path: Path) -> None:
    (worker,) = profile.workers()
    mark = tmp_path / "mark"
    ran = json.loads(profile.python(RUN, str(mark)).splitlines()[-1])
    assert mark.exists()
    assert not worker.is_running()
    assert ran == {
        "state": "finished",
        "called": [["Interrupted", "finished", 0], ["successor", "finished", 0]],
        "result": 2,
    }
