"""Look at the AiiDA profile embedded in a project's directory, without changing a file there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from aiida_rewire.cli import profile_probe
from aiida_rewire.cli.checks import Check

#: Seconds for AiiDA to open the profile: an import, and a database that may be on another host.
PROBE_TIMEOUT_S = 60.0

ELSEWHERE = "set its permissions right, or choose another with --directory"

Report = dict[str, dict[str, str | None]]


def profile_checks(directory: Path) -> list[Check]:
    """Look at the profile, storage, broker and daemon of `directory`, the AIIDA_PATH of an embedded profile.

    A directory that is not there, or has nothing of AiiDA's, is no defect: the demo makes it.
    """
    configuration = directory if directory.name == ".aiida" else directory / ".aiida"
    none_yet = [Check("profile", "ok", f"none yet: `aiida-rewire demo` makes it in {directory}")]
    try:
        content = (configuration / "config.json").read_bytes()
    except FileNotFoundError:
        if not (configuration / "repository").exists():
            return none_yet
        return [Check("profile", "failure", f"{configuration / 'config.json'} is missing", _make_anew(directory))]
    except OSError as error:
        return [Check("profile", "failure", f"{directory} cannot be read: {error.strerror}", ELSEWHERE)]
    return _judge(_probe(content, configuration), directory, configuration)


def _probe(content: bytes, configuration: Path) -> Report:
    """Let AiiDA open the profile in a process of its own; return what it said, by stage.

    AiiDA gets a copy of config.json in a temporary folder: it makes folders beside it, and rewrites
    one of an older version.
    """
    with tempfile.TemporaryDirectory(prefix="rewire-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / ".aiida"
        copy.mkdir()
        (copy / "config.json").write_bytes(content)
        command = [sys.executable, "-P", "-W", "ignore", profile_probe.__file__]
        environment = {**os.environ, "AIIDA_PATH": folder}
        try:
            finished = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as late:
            report = _stages(late.stdout or b"")
            report["error"] = {"kind": "Timeout", "message": f"no answer within {PROBE_TIMEOUT_S:g} s"}
            return report
    report = _stages(finished.stdout)
    error = report.get("error")
    if error:
        error["message"] = str(error["message"]).replace(str(copy), str(configuration))
    elif "storage" not in report:
        report["error"] = {"kind": "Ended", "message": f"AiiDA ended with status {finished.returncode}"}
    return report


def _stages(printed: bytes) -> Report:
    report: Report = {}
    for line in printed.splitlines():
        if line.startswith(b'{"stage"'):  # AiiDA itself may print as well
            stage = json.loads(line)
            report[stage.pop("stage")] = stage
    return report


def _judge(report: Report, directory: Path, configuration: Path) -> list[Check]:
    error = report.get("error")
    reason = f"{error['message']} ({error['kind']})" if error else ""
    profile = report.get("profile")
    if profile is None:
        return [
            Check(
                "profile",
                "failure",
                f"{configuration / 'config.json'} does not load: {reason}",
                _make_anew(directory),
            )
        ]
    checks = [Check("profile", "ok", f"{profile['name']} in {directory}")]

    storage = report.get("storage")
    if storage:
        checks.append(Check("storage", "ok", f"{storage['backend']}, schema {storage['version']}"))
    elif "broker" in report:
        checks.append(Check("storage", "failure", f"does not open: {reason}", _storage_fix(error, directory)))

    daemon_pid = _daemon_pid(configuration, str(profile["name"]))
    broker = report.get("broker")
    if broker is None:
        checks.append(Check("broker", "failure", f"does not load: {reason}", _make_anew(directory)))
    else:
        service = configuration / "broker" / f"{profile['uuid']}-{profile['name']}"
        checks.append(_broker(broker["backend"], daemon_pid, service, directory))
    checks.append(Check("daemon", "ok", f"running, PID {daemon_pid}" if daemon_pid else "stopped"))
    return checks


def _storage_fix(error: dict[str, str | None] | None, directory: Path) -> str:
    if error and error["kind"] == "IncompatibleStorageSchema":
        return f"{_verdi(directory)} storage migrate    or: {_make_anew(directory)}"
    return _make_anew(directory)


def _make_anew(directory: Path) -> str:
    folder = directory.parent if directory.name == ".aiida" else directory
    return f"aiida-rewire demo --clean --directory {shlex.quote(str(folder))} (what is in it is lost)"


def _verdi(directory: Path) -> str:
    setting = f"AIIDA_PATH={shlex.quote(str(directory))}"
    if shutil.which("verdi") is None:
        # the daemon looks for verdi on PATH as well
        setting = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH {setting}"
    return f"{setting} verdi"


def _broker(backend: str | None, daemon_pid: int | None, service: Path, directory: Path) -> Check:
    if backend is None:
        return Check("broker", "failure", "none: the daemon cannot work without", _make_anew(directory))
    if backend != "core.zeromq":
        return Check("broker", "ok", f"{backend}, a service of its own")
    if daemon_pid is None:
        return Check("broker", "ok", "ZeroMQ, embedded: starts with the daemon")
    broker_pid = _recorded_pid(service / "broker.pid")
    if broker_pid is None or not _runs(broker_pid, "broker"):
        message = "ZeroMQ, embedded: not running, though the daemon is"
        return Check("broker", "failure", message, f"{_verdi(directory)} daemon restart")
    return Check("broker", "ok", f"ZeroMQ, embedded: running, PID {broker_pid}")


def _daemon_pid(configuration: Path, profile: str) -> int | None:
    """Return the PID of the running daemon, or None."""
    # a machine that went down leaves the file behind, and the PID to some other process
    pid = _recorded_pid(configuration / "daemon" / f"circus-{profile}.pid")
    return pid if pid is not None and _runs(pid, "start-circus", "circusd") else None


def _recorded_pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8").split()[-1])  # the broker's has a word before it
    except (OSError, ValueError, IndexError):
        return None


def _runs(pid: int, *any_of: str) -> bool:
    try:
        words = psutil.Process(pid).cmdline()
    except (psutil.Error, ValueError, OverflowError):
        return False
    return any(word.endswith(name) for word in words for name in any_of)
