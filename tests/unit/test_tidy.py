"""The habits of the code base that a reader would otherwise have to watch for.

Each list of exceptions carries its reasons, and an exception that is no longer needed fails.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
BROKERAGES = "src/bot_v2/features/brokerages"
NOT_TEXT = {".parquet", ".sqlite", ".tape", ".png", ".gz", ".zip"}
SKIPPED_FOLDERS = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis"}

MODULE_LINES = 400
FUNCTION_LINES = 70

# Modules that may be longer than a module should be, and why.
LONG_MODULES: dict[str, str] = {
    f"{BROKERAGES}/core/interfaces.py": "a list of the names that bots import, and nothing else",
}

# Functions (path::name) that may be longer than a function should be, and why.
LONG_FUNCTIONS: dict[str, str] = {}

# Modules that may call time.sleep, and why. All others wait on an event or on an injected clock.
SLEEPERS: dict[str, str] = {}

# Where money is handled, a float may be made only in these modules, and why it is not money.
FLOAT_MAKERS: dict[str, str] = {
    f"{BROKERAGES}/core/settings.py": "seconds of time-outs and intervals",
}
MONEY_FOLDERS = (
    f"{BROKERAGES}/core",
    f"{BROKERAGES}/paper",
    "src/bot_v2/simulation",
    "src/bot_v2/orchestration",
)

# Parts that serve every broker name none. A module here may, for the reason given.
BROKER_NAMES = re.compile(
    r"coinbase|alpaca|ibkr|interactive.?brokers|ib_async|kraken|zerodha|kiteconnect|binance|oanda"
    r"|schwab|robinhood|etrade|tastytrade|upstox|icici|kotak|snaptrade",
    re.IGNORECASE,
)
NEUTRAL_FOLDERS = (f"{BROKERAGES}/core", "src/bot_v2/orchestration", "src/bot_v2/testing")
NAMES_A_BROKER = {
    "src/bot_v2/orchestration/broker_factory.py": "the name that is used when none is given",
}

# What core may import beside the standard library.
CORE_IMPORTS = ("attrs", f"{BROKERAGES[4:].replace('/', '.')}.core", "bot_v2.shared.types")

# Where the home of one person shows.
HOME_PATH = re.compile(r"(?:^|[\s\"'=(])(?:/(?:home|Users)/\w|[A-Z]:\\\\?Users\\)")
# Written in pieces, so that this file does not contain what it looks for.
UNFINISHED = re.compile(r"#\s*(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
TYPE_IGNORE = re.compile(r"#\s*type:\s*" + r"ignore(?P<code>\[[\w, -]+\])?(?P<reason>.*)$")
NOQA = re.compile(r"#\s*no" + r"qa(?P<codes>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<reason>.*)$")
REASON = re.compile(r"\w+\s+\w+")


@cache
def tracked() -> tuple[str, ...]:
    """The path of each text file of the project, as git knows it or as it lies in the tree."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()]
    return tuple(
        sorted(
            path
            for path in listed
            if path
            and Path(path).suffix not in NOT_TEXT
            and not SKIPPED_FOLDERS.intersection(Path(path).parts)
            and (ROOT / path).is_file()
        )
    )


def modules(*folders: str) -> list[str]:
    """The Python modules of some folders."""
    return [
        path
        for path in tracked()
        if path.endswith(".py") and any(path.startswith(f"{folder}/") for folder in folders)
    ]


@cache
def text_of(path: str) -> str:
    """The contents of a file."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(text_of(path), filename=path)


def matches(pattern: re.Pattern[str], paths: Iterator[str] | list[str]) -> list[str]:
    """Each line of some files that a pattern finds, as path:line: text."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def compare(found: set[str], allowed: dict[str, str], what: str) -> None:
    """Fail for what is found and not allowed, and for what is allowed and no longer found."""
    assert not found - set(allowed), f"{what}: {sorted(found - set(allowed))}"
    assert not set(allowed) - found, f"no longer needed: {sorted(set(allowed) - found)}"


def calls(path: str, *names: str) -> bool:
    """Whether a module calls a function by one of these dotted names."""
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in names
        for node in ast.walk(tree_of(path))
    )


def test_modules_are_short() -> None:
    """A module has at most 400 lines."""
    long = {path for path in modules("src") if len(text_of(path).splitlines()) > MODULE_LINES}
    compare(long, LONG_MODULES, f"longer than {MODULE_LINES} lines")


def test_functions_are_short() -> None:
    """A function has at most 70 lines, its docstring included."""
    long = {
        f"{path}::{node.name}"
        for path in modules("src")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    }
    compare(long, LONG_FUNCTIONS, f"longer than {FUNCTION_LINES} lines")


def test_nothing_is_left_for_later() -> None:
    """No comment says that something is still to be done: an issue says it better."""
    assert matches(UNFINISHED, modules("src", "tests", "tools", "benchmarks")) == []


def test_nothing_sleeps() -> None:
    """The library waits on events and injected clocks, so that a test never waits for real."""
    sleepers = {path for path in modules("src") if calls(path, "time.sleep", "sleep")}
    compare(sleepers, SLEEPERS, "calls time.sleep")


def test_no_float_is_made_where_money_is() -> None:
    """A float made where money is handled would one day be money."""
    makers = {path for path in modules(*MONEY_FOLDERS) if calls(path, "float")}
    compare(makers, FLOAT_MAKERS, "calls float()")


def test_what_is_ignored_says_which_and_why() -> None:
    """Each silenced type error or lint carries its code, and a type error its reason."""
    paths = modules("src", "tests", "tools", "benchmarks")
    bad = [
        line
        for line in matches(TYPE_IGNORE, paths)
        if (found := TYPE_IGNORE.search(line))
        and not (found["code"] and REASON.search(found["reason"]))
    ]
    bad += [
        line for line in matches(NOQA, paths) if (found := NOQA.search(line)) and not found["codes"]
    ]
    assert bad == []


def test_neutral_parts_name_no_broker() -> None:
    """What serves every broker is written without any of them in mind."""
    named = {path for path in modules(*NEUTRAL_FOLDERS) if BROKER_NAMES.search(text_of(path))}
    compare(named, NAMES_A_BROKER, "names a broker")


def imported_at_run_time(tree: ast.Module) -> Iterator[str]:
    """The dotted name of each module that a module imports, type-checking blocks left out."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
        waiting.extend(ast.iter_child_nodes(node))


def test_core_imports_almost_nothing() -> None:
    """Core imports the standard library, attrs, itself and the shared aliases, and no more."""
    foreign = {
        f"{path}: {name}"
        for path in modules(f"{BROKERAGES}/core")
        for name in imported_at_run_time(tree_of(path))
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == own or name.startswith(f"{own}.") for own in CORE_IMPORTS)
    }
    assert foreign == set()


def test_every_adapter_is_under_the_import_rules() -> None:
    """Each adapter's folder is named in the import contracts: as a layer, and as out of reach."""
    rules = text_of(".importlinter")
    folders = {Path(path).parts[4] for path in modules(BROKERAGES) if len(Path(path).parts) > 5}
    for adapter in sorted(folders - {"core", "http", "streaming"}):
        assert rules.count(f"bot_v2.features.brokerages.{adapter}") >= 4, adapter


def test_nothing_is_tied_to_one_place() -> None:
    """No file holds a path into somebody's home."""
    assert matches(HOME_PATH, list(tracked())) == []


def test_the_locks_hold_pins_and_hashes_and_no_address() -> None:
    """Each line of a lock is a comment, a pinned requirement or a hash: where from is not said."""
    locks = [path for path in tracked() if re.fullmatch(r"requirements/[\w-]+\.txt", path)]
    assert locks
    line = re.compile(r"\s*(?:#[^/]*|[\w.\[\]-]+==[\w.!+]+[^/]*|--hash=sha256:[0-9a-f]{64} ?\\?)?")
    odd = [
        each for path in locks for each in text_of(path).splitlines() if not line.fullmatch(each)
    ]
    assert odd == []
