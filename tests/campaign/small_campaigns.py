"""Small campaigns for tests of what does not need their codes."""

from __future__ import annotations

import uuid
from typing import Any

from aiida_rewire.campaign.specification import CampaignSpec


def make_spec(label: str | None = None, **changes: Any) -> CampaignSpec:
    """A campaign of two chains, of protocol demo, with an own label where none is given."""
    values: dict[str, Any] = {
        "label": label or f"test-{uuid.uuid4().hex[:10]}",
        "protocol": "demo",
        "codes": {"md": "md@study", "pw": "pw@study", "pp": "pp@study", "pwcond": "pwcond@study"},
        "pseudo_family": "rewire/frozen-d",
        "md": {"voltages": [2.0, 8.0], "seeds": [1]},
    }
    return CampaignSpec.model_validate({**values, **changes})
