"""
Measures proxies side by side on this machine, and prints what it found.

The resource server, the token endpoint and every proxy are started here, on loopback
and with folders of their own. Nothing is judged but whether it works: exit code 1 if
an answer was not 200, or a measurement could not be made.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark import (
    expiries,
    idle,
    large,
    machine,
    matrix,
    ready,
    rules,
    storm,
    watched,
)
from benchmark.figures import Section
from benchmark.lines import MeasureError
from benchmark.stage import Stage

CASES: dict[str, ModuleType] = {
    "matrix": matrix,
    "ready": ready,
    "rules": rules,
    "storm": storm,
    "expiries": expiries,
    "large": large,
    "idle": idle,
    "watched": watched,
}
USUAL = ("matrix", "ready", "rules", "storm")
"""What runs unless cases are named; the others take minutes each."""

STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Run:
    """One run of some cases."""

    stage: Stage
    quick: bool
    sections: dict[str, list[Section]] = field(default_factory=dict)

    def case(self, name: str) -> bool:
        """Run a case, print its tables as they come; tell whether it worked."""
        module = CASES[name]
        worked = True
        found = self.sections.setdefault(name, [])
        try:
            for section in module.run(self.stage, self._size(module)):
                found.append(section)
                sys.stdout.write("\n" + "\n".join(section.lines()) + "\n")
                sys.stdout.flush()
                worked = worked and not section.failures
        except (MeasureError, AssertionError, OSError) as failure:
            sys.stdout.write(f"\nFAILED {name}: {failure}\n")
            return False
        finally:
            # The next case has the machine for itself.
            self.stage.clear()
        return worked

    def _size(self, module: ModuleType) -> Any:
        return module.QUICK if self.quick else module.FULL


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 0: everything that was to be measured was."""
    given = _parsed(arguments)
    _allow_many_connections()
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    told = machine.told()
    sys.stdout.write("\n".join(f"{name}: {v}" for name, v in told.items()) + "\n")
    if given.quick:
        sys.stdout.write("quick: only whether it works; its figures mean nothing\n")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="everbearer-bench-") as folder:
        run = Run(Stage(Path(folder)), given.quick)
        try:
            worked = [run.case(name) for name in given.case]
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted\n")
            return 130
        finally:
            # Whoever presses twice would leave processes behind.
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
            run.stage.close()
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s\n")
    if given.json:
        cases = {k: [each.json() for each in v] for k, v in run.sections.items()}
        everything = {"machine": told, "quick": given.quick, "cases": cases}
        given.json.write_text(json.dumps(everything, indent=1))
    return 0 if all(worked) else 1


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="every case, as small as it can be: whether they work, not how fast",
    )
    parser.add_argument(
        "--case",
        action="append",
        choices=CASES,
        help=f"this one, may be repeated; default: {', '.join(USUAL)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it")
    given = parser.parse_args(arguments)
    given.case = given.case or (CASES if given.quick else USUAL)
    return given


def _allow_many_connections() -> None:
    """Let us and all that we start have as many connections as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
