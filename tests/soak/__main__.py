"""`python -m tests.soak [--seconds N] [--seed N] [--report FILE] [--only PART ...]`: the random truth, for an hour.

Without `--only`: changes of a real tree by several processes at once, with both daemons killed and the line between
them cut; and trees from outside. Each ends with the vault's plain files and restores equal to the tree. By name only:
`line`, a bad line with cuts of a minute; `disk`, both ends killed at every step and the vault's power cut; `huge`, a
file past 4 GiB. The first thing that is not so ends the run with 1, and the daemons' folders and logs stay.
"""

import argparse
import platform
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.soak import disk, huge, line, outside
from tests.soak.campaign import Campaign
from tests.soak.site import Site, told

#: States kept by one vault, in bytes, before a new one is begun: a soak must not fill the disk.
_FULL = 6_000_000_000
_DEFAULT = ["churn", *outside.STORIES]
_BY_NAME: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "line": lambda asked: line.main(asked.seconds, asked.seed, asked.changes),
    "disk": lambda asked: disk.main(asked.seed),
    "huge": lambda asked: huge.main(asked.gib),
}


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--hands", type=int, default=3)
    parser.add_argument("--changes", type=int, default=1_000_000, help="of `line`, in all its cuts")
    parser.add_argument("--gib", type=float, default=5, help="of `huge`")
    parser.add_argument("--only", nargs="*", choices=[*_DEFAULT, *_BY_NAME], default=_DEFAULT)
    asked = parser.parse_args()
    report: dict[str, object] = {
        "seed": asked.seed,
        "machine": f"{platform.machine()} Linux {platform.release()}",
        "began": time.strftime("%FT%TZ", time.gmtime()),
    }
    end, good = time.monotonic() + asked.seconds, True
    for name in asked.only:
        if name in _BY_NAME:
            good = _apart(name, asked, report) and good
        elif name != "churn":
            good = _outside(name, asked.seed, report) and good
    seed = asked.seed
    while good and "churn" in asked.only and time.monotonic() < end:
        good = _churn(seed, asked.hands, end, report)
        seed += 1
    report["ended"], report["good"] = time.strftime("%FT%TZ", time.gmtime()), good
    told(report, asked.report)
    _say(told(report, None))
    return 0 if good else 1


def _apart(name: str, asked: argparse.Namespace, report: dict[str, object]) -> bool:
    """A campaign with ends of its own."""
    began = time.monotonic()
    try:
        done = _BY_NAME[name](asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the report's
        report["failure"] = f"{name}: {error}"
        _say(traceback.format_exc())
        return False
    report[name] = {**done, "took": round(time.monotonic() - began)}
    return True


def _outside(name: str, seed: int, report: dict[str, object]) -> bool:
    began, found = time.monotonic(), report.setdefault("outside", {})
    assert isinstance(found, dict)
    site = Site()
    try:
        with site:
            found[name] = outside.STORIES[name](site, random.Random(seed))
            found[name] |= {"checks": site.checks, "seconds": round(time.monotonic() - began)}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the report's
        _failed(report, f"{name}: {error}", site)
        return False
    _say(f"{name}: {found[name]}")
    return True


def _churn(seed: int, hands: int, end: float, report: dict[str, object]) -> bool:
    site = Site()
    totals = report.setdefault("churn", {})
    assert isinstance(totals, dict)
    try:
        with site:
            campaign = Campaign(site, seed, hands=hands)
            try:
                _rounds(campaign, site, end)
            finally:
                campaign.close()
                _count(totals, campaign, site)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the report's
        _failed(report, f"churn, seed {seed}: {error}", site)
        return False
    return True


def _rounds(campaign: Campaign, site: Site, end: float) -> None:
    chance = random.Random(site.office.ports["stream"])
    while time.monotonic() < end and (campaign.rounds % 10 or site.vault_bytes() < _FULL):
        campaign.round(chance.choice([50, 300, 1000, 2000]))
        _say(
            f"{time.strftime('%T')} round {campaign.rounds}: {campaign.operations.total()} operations, "
            f"{site.position()} states, {len(campaign.moments[-1].whole)} paths, {dict(campaign.faults)}"
        )
    campaign.end()


def _count(totals: dict[str, object], campaign: Campaign, site: Site) -> None:
    """Add what one vault's rounds came to."""
    kinds = campaign.operations
    for name, value in {
        "vaults": 1,
        "rounds": campaign.rounds,
        "operations": kinds.total(),
        "checks": site.checks,
        "bytes kept": site.vault_bytes(),
        "bytes on the line": site.cable.bytes,
    }.items():
        before = totals.get(name, 0)
        assert isinstance(before, int)
        totals[name] = before + value
    for name, counts in (("by kind", kinds), ("rounds by fault", campaign.faults)):
        each = totals.setdefault(name, {})
        assert isinstance(each, dict)
        for key, value in counts.items():
            each[key] = each.get(key, 0) + value


def _failed(report: dict[str, object], text: str, site: Site) -> None:
    report["failure"], report["folder"] = text, str(site.office.root)
    _say(f"{text}\n{site.office.logs()}\nall of it is in {site.office.root}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
