"""A throw-away AiiDA profile for all tests, and what tests of several folders share."""

import os
import tempfile
from pathlib import Path

import pytest

# importing aiida makes folders where AIIDA_PATH points, by default in the user's home
_configuration = tempfile.TemporaryDirectory(prefix="aiida-rewire-tests-", ignore_cleanup_errors=True)
os.environ["AIIDA_PATH"] = _configuration.name

pytest_plugins = ["aiida.tools.pytest_fixtures"]


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the small inputs and recorded outputs."""
    return Path(__file__).parents[1] / "fixtures"
