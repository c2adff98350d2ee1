"""A Slurm cluster of one host in a folder: munged, slurmctld and a slurmd for each node."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import signal
import subprocess
from pathlib import Path

import psutil
from tests.real.services.accounting import Accounting
from tests.real.services.program import (
    LOOPBACK,
    Program,
    ServiceFailure,
    account,
    answers,
    await_that,
    find_program,
    free_ports,
    own_folder,
    write_secret,
)

PACKAGE = "slurm-wlm"
PARTITION = "test"
SHORT = "short"
"""Partition with limits: a node and ten minutes, and whoever wants more is refused."""

JOBS_TIMEOUT_S = 15.0
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"

CONFIGURATION = """\
ClusterName=rewire
SlurmctldHost=localhost({loopback})
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=2
MessageTimeout=10
SlurmctldTimeout=600
SlurmdTimeout={node_timeout_s}
TCPTimeout=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2
JobCompType=jobcomp/none
{accounting}
NodeName={nodes} NodeHostname=localhost NodeAddr={loopback} Port={node_ports} CPUs={cores} RealMemory=4000
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName={short} Nodes=ALL MaxTime=10 MaxNodes=1 State=UP
EnforcePartLimits=ALL
"""


class Slurm:
    """A cluster whose clients find it by SLURM_CONF.

    Parameters
    ----------
    folder
        Made by `start`; must not exist.
    nodes
        Number of nodes, all of them this host.
    cores
        Cores of a node as the scheduler counts them, whatever the host has.
    accounting
        Whether what jobs used is kept, for `sacct`; takes some seconds more to start.
    node_timeout_s
        How long a node may be silent until the controller takes it as down.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 2,
        cores: int = 2,
        accounting: bool = False,
        node_timeout_s: int = 600,
    ) -> None:
        self.folder = folder
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.port, *self._node_ports = free_ports(1 + nodes)
        self._cores = cores
        self._node_timeout_s = node_timeout_s
        self._accounting = Accounting(folder / "accounting", folder / "munge" / "socket") if accounting else None
        self._munge_user = account("munge")
        self._munged = Program(
            [
                find_program("munged", package="munge"),
                "--foreground",
                *(f"--socket={folder / 'munge' / 'socket'}", f"--key-file={folder / 'munge' / 'key'}"),
                *(f"--pid-file={folder / 'munge' / 'pid'}", f"--seed-file={folder / 'munge' / 'seed'}"),
                f"--log-file={folder / 'munge' / 'log'}",
            ],
            folder=folder,
            log=folder.with_name(f"{folder.name}.log"),
            user=self._munge_user,
        )
        self._controller = self._program("slurmctld", "-D", "-i")
        self._daemons = {name: self._program("slurmd", "-D", "-N", name) for name in self.names}

    def _program(self, name: str, *arguments: str) -> Program:
        return Program(
            [find_program(name, package=PACKAGE), *arguments, "-f", str(self.configuration)],
            folder=self.folder,
            log=self.folder.with_name(f"{self.folder.name}.log"),
            environment=self.environment,
        )

    @property
    def configuration(self) -> Path:
        """The file that clients read."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """By which clients find the cluster."""
        return {"SLURM_CONF": str(self.configuration)}

    def start(self) -> None:
        """Start the cluster; its nodes are idle afterwards.

        Raises
        ------
        ServiceFailure
            If a part does not start.
        """
        self.folder.mkdir(mode=0o755)
        (self.folder / "state").mkdir(mode=0o700)
        munge = own_folder(self.folder / "munge", self._munge_user)
        write_secret(munge / "key", secrets.token_bytes(128), self._munge_user)
        munge.chmod(0o755)  # the socket is for everybody
        self.configuration.write_text(
            CONFIGURATION.format(
                loopback=LOOPBACK,
                port=self.port,
                user=psutil.Process().username(),
                folder=self.folder,
                accounting=NO_ACCOUNTING if self._accounting is None else self._accounting.lines,
                nodes=f"n[1-{len(self.names)}]",
                node_ports=f"[{self._node_ports[0]}-{self._node_ports[-1]}]",
                cores=self._cores,
                partition=PARTITION,
                short=SHORT,
                node_timeout_s=self._node_timeout_s,
            )
        )
        self._munged.start((munge / "socket").exists)
        if self._accounting is not None:
            self._accounting.start()
        self.start_controller()
        for name in self.names:
            self.start_node(name)
        await_that(self.is_idle, "all nodes are idle", 30)

    def client(self, name: str, *arguments: str) -> str:
        """Run a program of Slurm and return what it prints.

        Raises
        ------
        ServiceFailure
            If it fails.
        """
        done = subprocess.run(
            [find_program(name, package="slurm-client"), *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise ServiceFailure(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def is_idle(self) -> bool:
        """Whether no node has anything to do."""
        states = self.client("sinfo", "--noheader", "--Node", f"--partition={PARTITION}", "--format=%T").split()
        return states == ["idle"] * len(self.names)

    def jobs(self) -> dict[str, str]:
        """Return the state of each job that has not ended, by its number."""
        return dict(line.split() for line in self.client("squeue", "--noheader", "--format=%i %T").splitlines())

    def cancel(self, job: str) -> None:
        """Cancel a job, as somebody might."""
        self.client("scancel", job)

    def start_controller(self) -> None:
        """Start the controller, or start it again: it knows its jobs."""
        self._controller.start(self.answers)

    def stop_controller(self) -> None:
        """Stop the controller: jobs run on, and nobody can be asked about them."""
        self._controller.stop()

    def start_node(self, name: str) -> None:
        """Start a node, or start it again."""
        port = self._node_ports[self.names.index(name)]
        self._daemons[name].start(functools.partial(answers, port))

    def kill_node(self, name: str) -> None:
        """Kill a node with all that jobs run on it, as if its power had failed: nobody tells the controller."""
        jobs = [process for process, of_job in self._job_processes() if of_job.get("SLURMD_NODENAME") == name]
        # first who would tell how the job ended
        watching = {step for job in jobs if (step := step_of(job)) is not None}
        self._daemons[name].kill()
        for process in [*watching, *jobs]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def node_of(self, job: str) -> str:
        """Return the node on which a job runs, the first of several."""
        return self.client("squeue", "--noheader", "--format=%B", f"--jobs={job}").strip()

    def answers(self) -> bool:
        """Whether the controller answers."""
        if not answers(self.port):
            return False
        try:
            self.client("scontrol", "ping")
        except ServiceFailure:
            return False
        return True

    def stop(self) -> None:
        """Cancel all jobs and stop the cluster."""
        if self._controller.runs:
            with contextlib.suppress(ServiceFailure, subprocess.TimeoutExpired):
                self.client("scancel", "--full", "--signal=KILL", *self.jobs())
                self.client("scancel", *self.jobs())
                await_that(self.is_idle, "all jobs have ended", JOBS_TIMEOUT_S)
        self._controller.stop()
        for daemon in self._daemons.values():
            daemon.stop()
        self.kill_jobs()
        if self._accounting is not None:
            self._accounting.stop()
        self._munged.stop()

    def kill_jobs(self) -> None:
        """Kill what jobs may have left running."""
        for process, _ in self._job_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def _job_processes(self) -> list[tuple[psutil.Process, dict[str, str]]]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                of_job = process.environ()
                if of_job.get("SLURM_CONF") == str(self.configuration) and "SLURM_JOB_ID" in of_job:
                    found.append((process, of_job))
        return found


def step_of(process: psutil.Process) -> psutil.Process | None:
    """Return the program of Slurm that watches over a process of a job."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for parent in process.parents():
            if parent.name() == "slurmstepd":
                return parent
    return None
