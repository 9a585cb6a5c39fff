"""Tests of a watch that this machine does not allow are not collected."""

from tests.replicator.source.eyes import allowed

collect_ignore = [] if allowed() else ["test_filesystem.py"]
