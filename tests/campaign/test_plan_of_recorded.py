"""What a plan takes from the record of its campaign, in the place of asking the chains' work chain."""

import uuid
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from small_campaigns import make_spec

from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.ingredients import Unsuitable
from aiida_rewire.campaign.planning import found_leads, profile_tables
from aiida_rewire.campaign.record import is_recorded, record_campaign
from aiida_rewire.campaign.similar import leads_used


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
