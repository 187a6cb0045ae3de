#!/usr/bin/python3
"""Sums up test results: tally.py (unit DIR | system FILE)...

unit DIR: the .trs files that `make check` left in DIR (one result a TAP line).
system FILE: pytest's JUnit file. Prints what failed and, as the last line,
`N passed, N failed`; exit code 1 if anything failed, or if nothing was run.
"""

import pathlib
import sys
import xml.etree.ElementTree

PASSED, FAILED, SKIPPED = {"PASS", "XFAIL"}, {"FAIL", "XPASS", "ERROR"}, {"SKIP"}


def passed_again(file: pathlib.Path) -> set[str]:
    """Tests that failed beside others and passed alone."""
    if not file.exists():
        return set()
    return {f"{case.get('classname')}::{case.get('name')}"
            for case in xml.etree.ElementTree.parse(file).iter("testcase")
            if not {child.tag for child in case} & {"failure", "error", "skipped"}}


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def fail(self, name: str):
        self.failed += 1
        print(f"FAILED {name}")

    def unit(self, directory: pathlib.Path):
        """A program that crashed has no results, or an ERROR among them."""
        files = sorted(p for p in directory.rglob("*.trs") if (directory / "root") not in p.parents)
        if not files:
            self.fail(f"no unit test results in {directory}")
        for file in files:
            words = [line.split() for line in file.read_text().splitlines() if line.startswith(":test-result:")]
            if not words:
                self.fail(f"{file.stem}: no result")
            for _, kind, *rest in words:
                if kind in FAILED:
                    self.fail(f"{file.stem}: {' '.join(rest)}")
                self.passed += kind in PASSED
                self.skipped += kind in SKIPPED

    def system(self, file: pathlib.Path):
        try:
            cases = list(xml.etree.ElementTree.parse(file).iter("testcase"))
        except (OSError, xml.etree.ElementTree.ParseError) as e:
            self.fail(f"system tests: no result ({e})")
            return
        if not cases:
            self.fail("system tests: none was run")
        good_alone = passed_again(file.with_name(f"{file.stem}-again.xml"))
        for case in cases:
            kinds = {child.tag for child in case}
            name = f"{case.get('classname')}::{case.get('name')}"
            if kinds & {"failure", "error"} and name in good_alone:
                print(f"passed only when run alone: {name}")
                self.passed += 1
            elif kinds & {"failure", "error"}:
                self.fail(name)
            elif "skipped" in kinds:
                self.skipped += 1
            else:
                self.passed += 1


def main(arguments: list[str]) -> int:
    tally = Tally()
    for kind, path in zip(arguments[::2], arguments[1::2]):
        getattr(tally, kind)(pathlib.Path(path))
    if tally.skipped:
        print(f"({tally.skipped} skipped)")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
