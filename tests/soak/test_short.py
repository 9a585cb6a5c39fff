"""The random truth, short and with a fixed seed; `make soak` is the long one."""

from collections.abc import Iterator

import pytest

from tests.soak.campaign import Campaign
from tests.soak.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """Both daemons and a cable between them."""
    with Site() as site:
        yield site


def test_the_vault_is_the_tree_after_changes_cuts_and_kills(site: Site) -> None:
    """Three hands at once, the line cut, both ends killed: what is newest and each restore are the tree."""
    campaign = Campaign(site, seed=7, most=400)
    try:
        for fault in ("cuts", "storm"):
            campaign.round(80, fault)
        assert campaign.operations.total() > 50
        site.demand(campaign.moments[0], file="room")
        site.demand(campaign.moments[-1], file="vault", now=True)
        site.verify(file="vault")
    finally:
        campaign.close()
