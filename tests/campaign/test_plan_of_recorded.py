"""What a plan takes from the record of its campaign, in the place of asking the chains' work chain."""

import uuid
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from made_conductances import end_process
from small_campaigns import make_spec

from aiida_rewire.campaign import similar
from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.ingredients import Unsuitable
from aiida_rewire.campaign.planning import found_leads, profile_tables
from aiida_rewire.campaign.record import is_recorded, record_campaign
from aiida_rewire.campaign.similar import leads_used, recent_jobs


@pytest.fixture
def computer(aiida_profile: Any) -> orm.Computer:
    """Where the leads are."""
    name = f"leads-{uuid.uuid4().hex[:8]}"
    return orm.Computer(name, "localhost", transport_type="core.local", scheduler_type="core.direct").store()


def make_lead(computer: orm.Computer) -> orm.RemoteData:
    """The folder of a lead."""
    lead: orm.RemoteData = orm.RemoteData(remote_path=f"/scratch/{uuid.uuid4()}", computer=computer).store()
    return lead


def use(lead: orm.RemoteData, label: str, *, link: str = "left_lead") -> None:
    """The job of a snapshot that takes a lead."""
    job = orm.CalcJobNode(label=label, process_type="aiida.calculations:rewire.junction", computer=lead.computer)
    job.base.links.add_incoming(lead, link_type=LinkType.INPUT_CALC, link_label=link)
    job.store()


def test_a_campaign_is_recorded_as_long_as_its_file_says_the_same(aiida_profile: Any) -> None:
    spec = make_spec()
    assert not is_recorded(spec)
    record_campaign(spec, "")
    assert is_recorded(make_spec(spec.label))
    assert not is_recorded(make_spec(spec.label, energies=[0.5]))


def test_leads_that_jobs_of_a_campaign_took_the_latest_first(computer: orm.Computer) -> None:
    end = uuid.uuid4().hex[:8]
    old, cleaned, new, other, density = (make_lead(computer) for _ in range(5))
    for number, lead in enumerate((old, cleaned, new, new, old)):
        use(lead, f"le_ads{end}/2V-s1/snapshot_{number:04d}")
    use(density, f"le_ads{end}/2V-s1/snapshot_0000", link="density_folder")
    # an underscore matches any character in a pattern of SQL
    for look_alike in (f"leXads{end}", f"LE_ADS{end}", f"le_ads{end}-2"):
        use(other, f"{look_alike}/2V-s1/snapshot_0000")
    cleaned.base.extras.set("cleaned", True)
    assert leads_used(profile_tables(), f"le_ads{end}") == [new.uuid, old.uuid]
    assert leads_used(profile_tables(), f"le_ads{end}-") == []


def test_the_only_lead_of_a_recorded_campaign_is_that_of_its_jobs(computer: orm.Computer) -> None:
    spec, lead = make_spec(), make_lead(computer)
    record_campaign(spec, "")
    use(lead, f"{spec.label}/2V-s1/snapshot_0000")
    values, tables = chains_of(spec)[0].values, profile_tables()
    assert found_leads(spec, None, values, tables) == [lead.uuid]
    # of another file, and where a contact may need a wider one, leads are looked for by content: by their code
    changed = make_spec(spec.label, energies=[0.5])
    wider = {**values, "junction": {**values["junction"], "largest_supercell": values["junction"]["supercell"] + 1}}
    for those in ((changed, values), (spec, wider)):
        with pytest.raises(Unsuitable, match="pw@study"):
            found_leads(those[0], None, those[1], tables)


def test_jobs_before_many_bad_ones_are_looked_at_too(computer: orm.Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "MOST_LOOKED_AT", 2)
    monkeypatch.setattr(similar, "MOST_JOBS", 2)
    code = orm.InstalledCode(label="pw", computer=computer, filepath_executable="/usr/bin/pw.x").store()
    # of the oldest nobody asks, for two good ones came after
    jobs = [job_of(code, status, 60.0 + number) for number, status in enumerate((0, 0, 0, 420, 0, 330, 420))]
    found = recent_jobs(profile_tables(), "rewire.junction", [code.pk])
    assert [job.pk for job in found] == [jobs[4], jobs[2], jobs[1]]
    assert [job.values for job in found] == [{"scf_wall_s": seconds} for seconds in (64.0, 62.0, 61.0)]
    monkeypatch.setattr(similar, "MOST_BATCHES", 1)
    assert recent_jobs(profile_tables(), "rewire.junction", [code.pk]) == []
    assert recent_jobs(profile_tables(), "rewire.pw", [code.pk]) == []


def job_of(code: orm.InstalledCode, status: int, seconds: float) -> int:
    """The job of a snapshot that ended, with its results."""
    job = orm.CalcJobNode(process_type="aiida.calculations:rewire.junction", computer=code.computer)
    job.base.links.add_incoming(code, link_type=LinkType.INPUT_CALC, link_label="code")
    job.store()
    results = orm.Dict({"scf_wall_s": seconds})
    results.base.links.add_incoming(job, link_type=LinkType.CREATE, link_label="results")
    results.store()
    return int(end_process(job, exit_status=status).pk)
