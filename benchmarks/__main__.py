"""Run the benchmarks, and print each one's table.

python -m benchmarks                 all of them
python -m benchmarks import_cost     only these
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import benchmarks


def names() -> list[str]:
    """The benchmarks that there are: the modules of this package, in order of the alphabet."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def main(arguments: list[str]) -> int:
    """Run the benchmarks that the command line names, or all; 1 when a bound of any is broken."""
    if unknown := sorted(set(arguments) - set(names())):
        sys.exit(f"no such benchmark: {', '.join(unknown)}. There are: {', '.join(names())}")
    broken = []
    for name in arguments or names():
        print(f"\n── {name} ──", flush=True)
        if import_module(f"benchmarks.{name}").main():
            broken.append(name)
    print(f"\nbounds: {'broken in ' + ', '.join(broken) if broken else 'all kept'}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
