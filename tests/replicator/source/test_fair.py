"""A small document does not wait for the large ones that are on their way over a slow line."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from replicator.link import Sent
from replicator.local import LocalArchive
from tests.replicator.source.far import far_vault, near
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.support.wan import Quality, wan

_MIB = 1024 * 1024
_LARGE = [b"large-%d" % number for number in range(4)]
_SMALL = [b"small-%d" % number for number in range(5)]


def _acknowledged(running: Running) -> list[bytes]:
    """The paths that the vault acknowledges from now on, in its order."""
    (source,) = running.replicator._sources
    order: list[bytes] = []
    done = source.done

    def heard(sent: Sent) -> None:
        order.append(sent.path)
        done(sent)

    source.done = heard  # type: ignore[method-assign]
    return order


async def _write(tree: Path, running: Running, halves: Callable[[], int], hurry: Callable[[], Awaitable[None]]) -> None:
    """Small documents while the large ones are under way; `hurry` ends the line's slowness.

    Raises:
        AssertionError: the vault acknowledged a large one before a small one.
    """
    order = _acknowledged(running)
    for name in _LARGE:
        (tree / name.decode()).write_bytes(os.urandom(8 * _MIB))
    await until(lambda: halves() >= 2)
    for name in _SMALL:
        (tree / name.decode()).write_bytes(os.urandom(20_000))
        await until(lambda name=name: name in order)  # type: ignore[misc]
    assert [path for path in order if path] == _SMALL
    await hurry()
    await running.settle()


def _halves(root: Path) -> int:
    """Large files that have begun to arrive."""
    return sum(path.stat().st_size > 0 for path in (root / "partial").iterdir())


def _in_order(root: Path) -> None:
    """Whether the vault's own record has the small ones first."""
    with LocalArchive(root) as archive:
        at = {path: next(iter(archive.past("docs", path))).position for path in _SMALL + _LARGE}
    assert max(at[path] for path in _SMALL) < min(at[path] for path in _LARGE)


def test_small_documents_pass_large_ones_under_a_limit(tmp_path: Path) -> None:
    """With `bandwidth` at 300 kB/s and 32 MiB on their way, each small one is acknowledged before any large one."""
    tree, root = tmp_path / "tree", tmp_path / "vault"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(root) as server:
            config = settings(tmp_path / "state", server.port, tree, bandwidth=300_000)
            async with replicating(config) as running:
                await running.settle()
                await _write(tree, running, lambda: _halves(root), lambda: running.replicator.evacuate("fire"))
                await equal(tree, root)
                _in_order(root)

    asyncio.run(scenario())


def test_small_documents_pass_large_ones_on_a_slow_line(tmp_path: Path) -> None:
    """At 10 Mbit/s nothing is limited by us: what counts is how little stands before them in the buffers."""
    tree, root = tmp_path / "tree", tmp_path / "vault-root"
    tree.mkdir()

    with wan(Quality(delay=0.01, rate=10e6 / 8)) as line, far_vault(line, tmp_path, tree) as far:

        async def faster() -> None:
            line.quality = Quality()

        async def scenario() -> None:
            async with replicating(far.config) as running:
                await running.settle()
                await _write(tree, running, lambda: _halves(root), faster)
                await equal(tree, root)
                _in_order(root)

        near(line, scenario)
