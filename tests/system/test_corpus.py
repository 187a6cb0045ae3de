"""Real bounce reports, through pbbounce: the same code as the daemon's.

The mails are not part of the project; they are looked for in ../shared/corpus,
or where PB_CORPUS says. The figures here are floors, below what is reached.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from lib.places import ROOT

CORPUS = pathlib.Path(os.environ.get("PB_CORPUS", pathlib.Path(__file__).parents[3] / "shared" / "corpus"))
SCORE = CORPUS.parent / "tools" / "bounce_score.py"

FLOORS = {"kind": 97.0, "addr": 97.0, "exact": 93.0, "class": 96.0, "status": 92.0, "permanent": 95.0}

pytestmark = pytest.mark.skipif(not (CORPUS / "expected.jsonl").exists(),
                                reason=f"no corpus of reports in {CORPUS}")


def classify(names: list[str]) -> list[dict]:
    """One pbbounce over all; its paths are those of the expectations."""
    run = subprocess.run([ROOT / "bin" / "pbbounce", "classify", *names], cwd=CORPUS,
                         capture_output=True, text=True, timeout=100, check=True)
    assert run.stderr == ""
    return [json.loads(line) for line in run.stdout.splitlines()]


def names_of(listing: str) -> list[str]:
    with open(CORPUS / listing, encoding="utf-8") as lines:
        return sorted({json.loads(line)["file"] for line in lines})


@pytest.fixture(scope="module")
def results() -> list[dict]:
    return classify(names_of("expected.jsonl"))


def test_reports_are_understood_as_often_as_promised(results, tmp_path):
    got = tmp_path / "got.jsonl"
    got.write_text("".join(json.dumps(row) + "\n" for row in results), encoding="utf-8")
    out = subprocess.run([sys.executable, SCORE, "--expected", CORPUS / "expected.jsonl", "--got", got],
                         capture_output=True, text=True, check=True).stdout
    figures = {words[0]: float(words[-2]) for words in map(str.split, out.splitlines())}
    short = {name: figures[name] for name, floor in FLOORS.items() if figures[name] < floor}
    assert not short, out


def test_other_mail_is_read_and_condemns_nobody():
    """Mail that is no report, in all its odd forms, must not suppress anyone."""
    names = names_of("unlabelled.jsonl")
    rows = classify(names)
    assert len(rows) == len(names)
    for row in rows:
        if row["kind"] != "bounce":
            assert not any(r.get("hard") for r in row["recipients"]), row


def test_only_failures_for_good_are_hard(results):
    for row in results:
        for recipient in row["recipients"]:
            if recipient.get("hard"):
                assert recipient["action"] == "failed" and recipient["permanent"], row
