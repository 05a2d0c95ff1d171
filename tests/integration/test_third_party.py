"""A brokerage of somebody else: built, installed, found, type-checked and certified on its own.

`tests/contract/acme` is a distribution that knows bot_v2 from the outside only. Its wheel is built
and installed in a folder of its own; programs find it there as they would in an environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.type_checks import CHECKERS, run_both

ACME = Path(__file__).resolve().parents[1] / "contract" / "acme"
CERTIFICATION_LINES = 20
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Installed:
    """The distribution as it was installed."""

    folder: Path

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run Python where the distribution is installed and the source tree is not in sight."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BROKER")
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env={**environment, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def printed_by(self, program: str, cwd: Path) -> object:
        """What a program prints as JSON."""
        done = self.run("-c", program, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from a copy of the sources, and install it; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("third_party")
    source = folder / "source"
    shutil.copytree(ACME, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    made, target = str(folder / "wheels"), str(folder / "installed")
    build = ["wheel", "--no-build-isolation", "--wheel-dir", made, str(source)]
    install = ["install", "--target", target, "--find-links", made, "acme-brokerage"]
    for command in (build, install):
        done = subprocess.run(
            [*PIP, *command, "--no-deps", "--no-index"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return Installed(Path(target))


def test_the_wheel_is_typed(acme: Installed) -> None:
    """The wheel brings its marker that it is typed, and its entry point."""
    assert (acme.folder / "acme_brokerage" / "py.typed").is_file()
    entry_points = next(acme.folder.glob("*.dist-info/entry_points.txt")).read_text("utf-8")
    assert "[bot_v2.brokerages]" in entry_points


def test_it_is_listed_without_being_imported(acme: Installed, tmp_path: Path) -> None:
    """`available_brokerages` finds the entry point, and imports nothing of the adapter."""
    program = """
import json, sys
from bot_v2.orchestration.registry import available_brokerages
print(json.dumps([available_brokerages(), "acme_brokerage" in sys.modules]))
"""
    found = acme.printed_by(program, tmp_path)
    assert isinstance(found, list)
    names, is_imported = found
    assert "acme" in names
    assert "paper" in names
    assert is_imported is False


def test_it_trades_by_its_name(acme: Installed, tmp_path: Path) -> None:
    """`create_brokerage("acme", …)` buys over the wire, and reads the position back exactly."""
    program = """
import json
from decimal import Decimal as D
from acme_venue import AcmeVenue
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.orchestration.broker_factory import create_brokerage

with AcmeVenue(api_key="made-up") as venue:
    venue.set_market("BTC-USD", D("64000.01"), D("64000.07"), D("2"))
    broker = create_brokerage("acme", {"url": venue.url, "api_key": "made-up"})
    broker.connect()
    request = OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=D("0.1234"))
    result = broker.place_order(request)
    position = broker.get_position("BTC-USD")
    order = broker.get_order(result.order_id)
    broker.disconnect()
    print(json.dumps([result.success, str(position.quantity), str(order.average_fill_price)]))
"""
    assert acme.printed_by(program, tmp_path) == [True, "0.1234", "64000.07"]


def test_its_settings_come_from_the_environment(acme: Installed, tmp_path: Path) -> None:
    """A setting that is missing is named as it is called in the environment."""
    program = """
import json
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError
from bot_v2.orchestration.broker_factory import create_brokerage
try:
    create_brokerage("acme", {"url": "http://127.0.0.1:1"})
except InvalidFieldError as error:
    print(json.dumps(error.field))
"""
    assert acme.printed_by(program, tmp_path) == "ACME_API_KEY"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the distribution's packages, alone in a folder."""
    folder = tmp_path_factory.mktemp("sources")
    for package in ("acme_brokerage", "acme_venue"):
        shutil.copytree(ACME / "src" / package, folder / package)
    return folder


def test_its_sources_are_clean_in_both_checkers(sources: Path, pytestconfig: pytest.Config) -> None:
    """`mypy --strict` and pyright's strict mode find nothing in a third party's adapter."""
    found = run_both(sources, pytestconfig.cache.mkdir("mypy-acme"))
    assert {checker: [str(one) for one in found[checker]] for checker in CHECKERS} == {
        checker: [] for checker in CHECKERS
    }


def test_a_wrong_signature_is_an_error_in_both_checkers(
    sources: Path, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """A price as a float makes the adapter no brokerage, where the factory returns it as one."""
    folder = tmp_path / "wrong"
    shutil.copytree(sources / "acme_brokerage", folder / "acme_brokerage")
    adapter = folder / "acme_brokerage" / "adapter.py"
    right = adapter.read_text(encoding="utf-8")
    wrong = re.sub(
        r"def get_price\(self, symbol: str\) -> Decimal:",
        "def get_price(self, symbol: str) -> float:\n        return 1.0\n\n"
        "    def get_exact_price(self, symbol: str) -> Decimal:",
        right,
    )
    assert wrong != right
    adapter.write_text(wrong, encoding="utf-8")
    found = run_both(folder, pytestconfig.cache.mkdir("mypy-acme"))
    for checker in CHECKERS:
        assert {one.file for one in found[checker]} == {"acme_brokerage/factory.py"}, checker
        assert len(found[checker]) == 1


def test_certification_takes_fewer_than_twenty_lines() -> None:
    """What a third party writes to be certified is a fixture or two, and a class."""
    files = list((ACME / "tests").glob("*.py"))
    lines = [
        line for file in files for line in file.read_text("utf-8").splitlines() if line.strip()
    ]
    assert 0 < len(lines) < CERTIFICATION_LINES


@pytest.mark.nightly
@pytest.mark.uncovered
def test_it_is_certified(acme: Installed, tmp_path: Path) -> None:
    """Its own tests run the contract suite on the installed distribution, and no card fails."""
    tests = tmp_path / "tests"
    shutil.copytree(ACME / "tests", tests)
    table = tmp_path / "conformance.json"
    options = ("-q", "-p", "no:cacheprovider", "-W", "error", f"--contract-json={table}")
    done = acme.run("-m", "pytest", *options, str(tests), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d{2,} passed", done.stdout), done.stdout
    assert table.is_file()
