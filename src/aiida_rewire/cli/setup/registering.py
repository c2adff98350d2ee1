"""A site written to AiiDA: what differs is said first, and what is the same is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.computers import LIMITS
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.ingredients import PROGRAMS
from aiida_rewire.cli.setup.site import LOCAL, SSH, SSH_ASYNC, Site, SiteCode, SiteComputer

if TYPE_CHECKING:
    from aiida import orm

TEST = "rewire_test"
"""Property of a computer, and extra of a code, with what their test jobs ask for."""

BYTES_OF_KB = 1024

PROPERTIES = {
    "workdir": "work_dir",
    "mpirun_command": "mpirun",
    "default_mpiprocs_per_machine": "cores",
    "default_memory_per_machine": "memory_kb",
    "minimum_scheduler_poll_interval": "poll_interval_s",
    "prepend_text": "prepend",
    LIMITS: "allowed",
    TEST: "test",
}
"""Properties of a computer in AiiDA, and what messages call them."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A value that is not what the file says.

    Attributes
    ----------
    what
        Whose value, and which.
    here, asked
        In AiiDA, and in the file; None where there is none.
    """

    what: str
    here: Any
    asked: Any

    def __str__(self) -> str:
        """Return the difference in a line."""
        return f"{self.what}: {shown(self.here)} in AiiDA, {shown(self.asked)} in the file"


def shown(value: Any) -> str:
    """Return a value as it can be printed in a line."""
    text = "nothing" if _said(value) is None else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def differences(prefix: str, here: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between two sets of values.

    Parameters
    ----------
    prefix
        Of the names of the values.
    here, asked
        In AiiDA, and in the file.
    """
    names = dict.fromkeys([*asked, *here])
    return [
        Difference(f"{prefix}.{name}", here.get(name), asked.get(name))
        for name in names
        if _said(here.get(name)) != _said(asked.get(name))
    ]


def _said(value: Any) -> Any:
    """Return None for what is empty."""
    return None if value in ("", {}, []) else value


def asked_of_computer(computer: SiteComputer) -> Values:
    """Return what the file says of a computer, as AiiDA keeps it."""
    memory_kb = None if computer.memory_gb is None else round(computer.memory_gb * 1e9 / BYTES_OF_KB)
    return {
        "hostname": computer.hostname,
        "description": computer.description,
        "transport": computer.transport,
        "scheduler": computer.scheduler,
        "work_dir": computer.work_dir,
        "mpirun": list(computer.mpirun),
        "cores": computer.cores,
        "memory_kb": memory_kb,
        "poll_interval_s": computer.poll_interval_s,
        "prepend": computer.prepend,
        "allowed": computer.allowed.model_dump(exclude_none=True),
        "test": computer.test.model_dump(exclude_none=True),
    }


def asked_of_connection(computer: SiteComputer) -> Values:
    """Return the parameters of the transport."""
    connection = computer.connection
    asked: Values = {"use_login_shell": connection.login_shell, "safe_interval": connection.safe_interval_s}
    if computer.transport == LOCAL:
        asked["safe_interval"] = connection.safe_interval_s or 0.0
    elif computer.transport == SSH_ASYNC:
        asked["host"] = connection.host or computer.hostname
        asked["backend"] = connection.backend
        asked["max_io_allowed"] = connection.transfers
    elif computer.transport == SSH:
        # unknown hosts are refused: a key that is accepted unseen protects from nobody
        asked |= {"load_system_host_keys": True, "key_policy": "RejectPolicy", "look_for_keys": True}
        asked |= {"allow_agent": True, "compress": True, "timeout": connection.timeout_s or 60}
        asked |= {"username": connection.username, "port": connection.port, "proxy_jump": connection.proxy_jump}
        asked["key_filename"] = connection.key_file
    return {name: value for name, value in asked.items() if value is not None}


def of_computer(computer: orm.Computer) -> Values:
    """Return what AiiDA knows of a computer."""
    known = {name: computer.get_property(key, None) for key, name in PROPERTIES.items()}
    return {
        "hostname": computer.hostname,
        "description": computer.description,
        "transport": computer.transport_type,
        "scheduler": computer.scheduler_type,
        **known,
    }


def of_connection(computer: orm.Computer) -> Values:
    """Return the parameters of the transport of this user; none if there are none yet."""
    from aiida import orm

    user = orm.User.collection.get_default()
    if user is None or not computer.is_user_configured(user):
        return {}
    return dict(computer.get_configuration(user))


def asked_of_code(name: str, code: SiteCode) -> Values:
    """Return what the file says of a code."""
    return {"path": code.path, "prepend": code.prepend, "plugin": PROGRAMS[name][1]}


def of_code(code: orm.AbstractCode) -> Values:
    """Return what AiiDA knows of a code."""
    return {
        "path": str(code.get_executable()),
        "prepend": code.prepend_text,
        "plugin": code.default_calc_job_plugin,
    }


def found_computer(label: str) -> orm.Computer | None:
    """Return the computer of a label, if there is one."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.Computer.collection.get(label=label)
    except NotExistent:
        return None


def found_code(label: str, computer: orm.Computer) -> orm.AbstractCode | None:
    """Return the code of a label on a computer, if there is one.

    Raises
    ------
    DemoFailure
        If there are several.
    """
    from aiida import orm

    query = orm.QueryBuilder().append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    query.append(orm.AbstractCode, filters={"label": label}, with_computer="computer")
    codes = query.all(flat=True)
    if len(codes) > 1:
        raise DemoFailure(f"{len(codes)} codes are called {label}@{computer.label}; `verdi code relabel` all but one")
    return codes[0] if codes else None


def site_differences(site: Site) -> list[Difference]:
    """Return what AiiDA knows of a site otherwise than its file says; what it does not know yet is no difference.

    Raises
    ------
    DemoFailure
        If several codes have the same label.
    """
    label = site.computer.label
    computer = found_computer(label)
    if computer is None:
        return []
    found = differences(label, of_computer(computer), asked_of_computer(site.computer))
    configured = of_connection(computer)
    if configured:
        found += differences(f"{label}.connection", configured, asked_of_connection(site.computer))
    for name, asked in site.named_codes().items():
        code = found_code(asked.label or name, computer)
        if code is not None:
            found += differences(code.full_label, of_code(code), asked_of_code(name, asked))
    return found


def write_site(site: Site) -> tuple[list[str], dict[str, orm.InstalledCode]]:
    """Write a site to AiiDA; what is there and the same is left alone.

    Returns
    -------
    tuple
        Lines that say what was done, and the codes by what they are for.

    Raises
    ------
    DemoFailure
        If the host of a computer with results were to change.
    """
    said = []
    computer = found_computer(site.computer.label)
    if computer is None:
        computer = _made(site.computer)
        said.append(f"computer {computer.label}: made")
    elif _updated(computer, site.computer):
        said.append(f"computer {computer.label}: changed")
    codes = {}
    for name, asked in site.named_codes().items():
        codes[name], done = write_code(name, asked, computer)
        said += [done] if done else []
    return said, codes


def _made(asked: SiteComputer) -> orm.Computer:
    from aiida import orm

    computer = orm.Computer(
        asked.label,
        asked.hostname,
        description=asked.description,
        transport_type=asked.transport,
        scheduler_type=asked.scheduler,
        workdir=asked.work_dir,
    )
    _set_properties(computer, asked)
    computer.store()
    computer.configure(**asked_of_connection(asked))
    return computer


def _set_properties(computer: orm.Computer, asked: SiteComputer) -> None:
    values = asked_of_computer(asked)
    for key, name in PROPERTIES.items():
        if values[name] is None:
            computer.delete_property(key, raise_exception=False)
        else:
            computer.set_property(key, values[name])


def _updated(computer: orm.Computer, asked: SiteComputer) -> bool:
    """Change a computer to what the file says; return whether anything was to be changed."""
    from aiida import orm

    values, connection = asked_of_computer(asked), asked_of_connection(asked)
    differs = differences("", of_computer(computer), values)
    reached_otherwise = differences("", of_connection(computer), connection)
    if any(difference.what == ".hostname" for difference in differs) and has_run(computer):
        raise DemoFailure(
            f"computer.hostname = {asked.hostname}: must be {computer.hostname}, where jobs of {computer.label} have "
            "run, as their provenance says; give the computer another label"
        )
    if differs:
        computer.hostname, computer.description = asked.hostname, asked.description
        computer.transport_type, computer.scheduler_type = asked.transport, asked.scheduler
        _set_properties(computer, asked)
        computer.store()
    if reached_otherwise:
        user = orm.User.collection.get_default()
        if user is not None and computer.is_user_configured(user):
            orm.AuthInfo.collection.delete(pk=computer.get_authinfo(user).pk)
        computer.configure(**connection)
    return bool(differs or reached_otherwise)


def has_run(computer: orm.Computer) -> bool:
    """Whether a job has run on a computer, or is to."""
    from aiida import orm

    query = orm.QueryBuilder().append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    return bool(query.append(orm.CalcJobNode, with_computer="computer", project="id").limit(1).count())


def write_code(name: str, asked: SiteCode, computer: orm.Computer) -> tuple[orm.InstalledCode, str | None]:
    """Write a code to AiiDA, where one that was used is never changed: another takes its label.

    Parameters
    ----------
    name
        What the code is for.
    asked
        Of the file.
    computer
        In AiiDA.

    Returns
    -------
    tuple
        The code, and a line that says what was done; None if nothing.
    """
    from aiida import orm

    label, values, done = asked.label or name, asked_of_code(name, asked), None
    code = found_code(label, computer)
    if code is not None and differences("", of_code(code), values):
        code.label = f"{label}-until-{code.pk}"
        code.is_hidden = True
        done = f"code {label}@{computer.label}: made anew; the one before is hidden, as {code.full_label}"
        code = None
    if code is None:
        code = orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=asked.path,
            default_calc_job_plugin=values["plugin"],
            prepend_text=asked.prepend,
        ).store()
        done = done or f"code {code.full_label}: made"
    test = {"program": name, "ranks": asked.test_ranks}
    if code.base.extras.get(TEST, None) != test:
        code.base.extras.set(TEST, test)
    return code, done
