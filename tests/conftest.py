"""Settings of every test: how hard Hypothesis searches, and what is recorded.

`HYPOTHESIS_PROFILE=nightly` searches long; the default is short, and in CI the same every time.
`--record-live BROKER` records a broker's cassettes anew, on its sandbox; see cassettes/README.md.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
)
settings.register_profile(
    "nightly",
    max_examples=10_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

RECORDABLE = ("coinbase", "alpaca")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that records."""
    parser.addoption(
        "--record-live",
        metavar="BROKER",
        choices=RECORDABLE,
        help="record the cassettes of a broker anew on its sandbox, and run nothing else; "
        "the credentials come from the environment. One of: " + ", ".join(RECORDABLE),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of what records and replays."""
    config.addinivalue_line("markers", "cassette(broker): replays or records a broker's cassettes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run nothing but what records, where something is to be recorded."""
    broker = config.getoption("record_live")
    if broker is None:
        return
    recording = [
        item for item in items if any(broker in mark.args for mark in item.iter_markers("cassette"))
    ]
    kept = set(recording)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = recording
