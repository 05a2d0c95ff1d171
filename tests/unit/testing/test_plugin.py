"""The pytest plugin, used as a third party uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from bot_v2.testing.cards import all_cards
from bot_v2.testing.collection import CARD

# Loaded before pytester remembers which modules there are: after each run it forgets the others,
# and a suite that is loaded anew would not be the one that the plugin knows.
assert CARD == "contract_card"

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.venue import PaperVenue

@pytest.fixture
def brokerage():
    return PaperBrokerage()

@pytest.fixture
def venue(brokerage):
    return PaperVenue(brokerage)
"""

SUITE = """
from bot_v2.testing.suite import BrokerageContract

class TestMine(BrokerageContract):
    {body}
"""

HAS_ENTRY_POINT = any(
    one.value == "bot_v2.testing.plugin" for one in entry_points(group="pytest11")
)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in this process, with the plugin as it would be found."""
    plugin = () if HAS_ENTRY_POINT else ("-p", "bot_v2.testing.plugin")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *plugin, *arguments)


@pytest.fixture
def certification(pytester: pytest.Pytester) -> pytest.Pytester:
    """The certification of a third party: two files."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_mine=SUITE.format(body="pass"))
    return pytester


def test_a_certification_is_short() -> None:
    """The two files that a third party writes have fewer than 20 lines together."""
    lines = (CONFTEST + SUITE.format(body="pass")).splitlines()
    assert len([line for line in lines if line.strip()]) < 20


def test_every_card_is_a_test_with_its_id_in_its_name(certification: pytest.Pytester) -> None:
    """One test for each, and it can be chosen by its id."""
    listed = run(certification, "--collect-only", "-q")
    for card_id in all_cards():
        listed.stdout.fnmatch_lines([f"*TestMine::test_*[[]{card_id}[]]"])
    run(certification, "-k", "BC-S010").assert_outcomes(passed=1, deselected=len(all_cards()) - 1)


def test_a_card_carries_its_marker(certification: pytest.Pytester) -> None:
    """The marker is registered, so that --strict-markers does not mind."""
    result = run(certification, "--strict-markers", "-m", "contract_card", "-k", "BC-S010")
    result.assert_outcomes(passed=1, deselected=len(all_cards()) - 1)


def test_the_result_is_shown_and_written(certification: pytest.Pytester) -> None:
    """The table counts what passed, and names why a card was skipped; both files are written."""
    files = ("--contract-json", "r.json", "--contract-markdown", "r.md")
    result = run(certification, "-k", "BC-S010 or BC-W070", *files)
    result.assert_outcomes(passed=1, skipped=1, deselected=len(all_cards()) - 2)
    result.stdout.fnmatch_lines(
        [
            "*contract: *TestMine*",
            "paper conforms to the contract (simulator): 1 passed, 1 skipped, * not run",
            "skipped: needs a venue with a wire*: BC-W070",
        ]
    )
    data = json.loads((certification.path / "r.json").read_text())
    status = {card["id"]: card["status"] for card in data["cards"]}
    assert (status["BC-S010"], status["BC-W070"]) == ("passed", "skipped")
    assert status["BC-S020"] == "not run"
    assert data["brokerage"] == "paper"
    assert "| BC-S010 | connect() returns True. | passed |" in (
        certification.path / "r.md"
    ).read_text(encoding="utf-8")


def test_a_violation_names_the_sentence(certification: pytest.Pytester) -> None:
    """The failure has the id, the sentence, what was expected and what was seen."""
    certification.makeconftest(
        CONFTEST.replace("return PaperBrokerage()", "return Broken()")
        + """
class Broken(PaperBrokerage):
    def connect(self):
        super().connect()
        return 1
"""
    )
    result = run(certification, "-k", "BC-S010")
    result.assert_outcomes(failed=1, deselected=len(all_cards()) - 1)
    result.stdout.fnmatch_lines(
        [
            "*BC-S010: connect() returns True.*",
            "*Expected True from connect(); saw 1.*",
            "paper does not conform to the contract*",
            "BC-S010   failed   connect() returns True.",
        ]
    )


def test_an_exemption_shows_its_reason(certification: pytest.Pytester) -> None:
    """The card is not run, and the table says why."""
    body = 'exemptions = {"BC-S010": "the broker says 1"}'
    certification.makepyfile(test_mine=SUITE.format(body=body))
    result = run(certification, "-k", "BC-S010 or BC-S020")
    result.assert_outcomes(passed=1, skipped=1, deselected=len(all_cards()) - 2)
    result.stdout.fnmatch_lines(["BC-S010   exempt *", "*the broker says 1"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('exemptions = {"BC-S011": "why"}', "*TestMine: the exemption 'BC-S011' names no card*"),
        ('exemptions = {"BC-S010": " "}', "*TestMine: the exemption BC-S010 gives no reason*"),
        (
            "def test_session(self):\n        pass",
            "*TestMine overrides test_session of the contract suite*",
        ),
        ("test_session = None", "*TestMine overrides test_session of the contract suite*"),
        (
            "def check_card(self, request, card):\n        pass",
            "*TestMine overrides check_card of the contract suite*",
        ),
        ("pytestmark = pytest.mark.skip", "*is marked skip: use `exemptions`*"),
        ("pytestmark = pytest.mark.xfail", "*is marked xfail: use `exemptions`*"),
    ],
)
def test_what_would_hide_a_violation_is_refused(
    certification: pytest.Pytester, body: str, message: str
) -> None:
    """At collection, before anything is run."""
    certification.makepyfile(test_mine="import pytest\n" + SUITE.format(body=body))
    result = run(certification)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_an_override_further_up_is_refused_too(certification: pytest.Pytester) -> None:
    """It does not help to hide it in a class between."""
    body = "pass\nclass TestOther(TestMine):\n    test_session = None"
    certification.makepyfile(test_mine=SUITE.format(body=body))
    result = run(certification)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*TestOther overrides test_session*"])


def test_a_mixin_cannot_override_either(certification: pytest.Pytester) -> None:
    """Nor in a class beside."""
    certification.makepyfile(
        test_mine="""
from bot_v2.testing.suite import BrokerageContract

class Mixin:
    test_session = None

class TestMine(Mixin, BrokerageContract):
    pass
"""
    )
    result = run(certification)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Mixin overrides test_session*"])


def test_a_venue_is_not_needed(certification: pytest.Pytester) -> None:
    """A brokerage that says that it is simulated is run without one; what needs one is skipped."""
    certification.makeconftest(CONFTEST.partition("@pytest.fixture\ndef venue")[0])
    result = run(certification, "-k", "BC-S010 or BC-W010")
    result.assert_outcomes(passed=1, skipped=1, deselected=len(all_cards()) - 2)
    result.stdout.fnmatch_lines(["skipped: needs a simulated venue: BC-W010"])


def test_a_fixture_that_is_broken_is_not_taken_for_absent(certification: pytest.Pytester) -> None:
    """A venue that asks for a fixture that there is not is an error."""
    certification.makeconftest(CONFTEST.replace("def venue(brokerage)", "def venue(brokerag)"))
    result = run(certification, "-k", "BC-S010")
    result.assert_outcomes(failed=1, deselected=len(all_cards()) - 1)
    result.stdout.fnmatch_lines(["*fixture 'brokerag' not found*"])


def test_a_brokerage_that_cannot_be_made_fails_its_cards(certification: pytest.Pytester) -> None:
    """The table says so, in place of a result."""
    certification.makeconftest(
        CONFTEST.replace("return PaperBrokerage()", "raise OSError('no such broker')")
    )
    result = run(certification, "-k", "BC-S010")
    result.assert_outcomes(failed=1, deselected=len(all_cards()) - 1)
    result.stdout.fnmatch_lines(["BC-S010   failed   *", "*call failed: *no such broker*"])


def test_live_mode_refuses_a_simulator(certification: pytest.Pytester) -> None:
    """And anything that is no sandbox or paper endpoint, before it is connected."""
    result = run(certification, "-k", "BC-S010", "--contract-mode", "live")
    result.assert_outcomes(failed=1, deselected=len(all_cards()) - 1)
    result.stdout.fnmatch_lines(["*EnvironmentRefusedError: *it says 'simulator'*"])


def test_cassette_mode_says_that_nothing_is_recorded(certification: pytest.Pytester) -> None:
    """A card without a cassette is skipped with that reason."""
    result = run(certification, "-k", "BC-S010", "--contract-mode", "cassette")
    result.assert_outcomes(skipped=1, deselected=len(all_cards()) - 1)
    result.stdout.fnmatch_lines(["skipped: no cassette is recorded for it: BC-S010"])


def test_a_suite_may_say_its_mode(certification: pytest.Pytester) -> None:
    """The fixture `contract_mode` counts, whatever the option says; the table shows the mode."""
    body = "@pytest.fixture\n    def contract_mode(self):\n        return 'cassette'"
    certification.makepyfile(test_mine="import pytest\n" + SUITE.format(body=body))
    result = run(certification, "-k", "BC-S010 or BC-S120", "--contract-mode", "simulator")
    result.assert_outcomes(skipped=2, deselected=len(all_cards()) - 2)
    result.stdout.fnmatch_lines(
        [
            "paper * contract (cassette): *",
            "skipped: no cassette is recorded for it: BC-S010",
            "skipped: needs a simulated venue: BC-S120",
        ]
    )


def test_the_plugin_is_idle_where_no_suite_is_used() -> None:
    """In a new interpreter it loads next to nothing, and no part of the suite."""
    code = (
        "import sys, types, bot_v2.testing.plugin as p; p.pytest_collection_modifyitems([]); "
        "p.pytest_terminal_summary(types.SimpleNamespace(stats={'passed': [object()]})); "
        "print([n for n in ('attrs', 'attr', 'hypothesis', 'vcr', 'pytest', "
        "'bot_v2.testing.suite') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "[]"


def test_results_of_other_processes_are_shown() -> None:
    """A process that never loaded the suite shows what its workers report."""
    code = (
        "import sys, types, bot_v2.testing.plugin as p\n"
        "report = types.SimpleNamespace(user_properties=[('contract_card', 'BC-D010')])\n"
        "shown = types.ModuleType('bot_v2.testing.collection')\n"
        "shown.show_conformance = lambda reporter: print(reporter.stats['passed'] == [report])\n"
        "import bot_v2.testing; bot_v2.testing.collection = shown\n"
        "p.pytest_terminal_summary(types.SimpleNamespace(stats={'passed': [report]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "True"


def test_a_run_without_a_suite_is_not_touched(pytester: pytest.Pytester) -> None:
    """No table is shown, and no file written."""
    pytester.makepyfile(test_own="def test_own():\n    pass")
    result = run(pytester, "--contract-json", "r.json")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*contract:*")
    assert not (pytester.path / "r.json").exists()
