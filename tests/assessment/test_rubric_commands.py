"""`advisor rubric` as an operator meets it."""

import json
from importlib.resources import files
from pathlib import Path

from tests.assessment.commands import rubric

PACKAGED = Path(str(files("services.assessment") / "rubrics" / "2026-11.yaml"))


def drafted(folder: Path, *changes: tuple[str, str]) -> Path:
    text = PACKAGED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    draft = folder / "draft.yaml"
    draft.write_text(text, encoding="utf-8")
    return draft


def test_checking_a_good_rubric_says_what_holds_and_ends_well() -> None:
    ended = rubric("check", PACKAGED)
    assert (ended.returncode, ended.stderr) == (0, "")
    *gates, last = ended.stdout.splitlines()
    assert {line.split()[0] for line in gates} == {"holds"}
    assert last == "Rubric 2026-11 for questionnaire 2026-11 passes every gate."


def test_checking_a_rubric_with_faults_names_file_and_line_of_each_and_ends_badly(tmp_path: Path) -> None:
    draft = drafted(tmp_path, ("weight_bp: 597", "weight_bp: 598"), ("margin_for_clear: 24", "margin_for_clear: 11"))
    ended = rubric("check", draft)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"- {draft}:3: the weights add up to 10001, not to 10000: lower some by 1 in all." in ended.stdout
    assert f"- {draft}:187: a lead is clear from 11 points" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "To mend: 2. What waits is tried once the rest holds."


def test_checking_in_json_tells_each_gate_s_state_and_what_to_mend(tmp_path: Path) -> None:
    draft = drafted(tmp_path, ("weight_bp: 597", "weight_bp: 598"))
    ended = rubric("check", draft, "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["holds"]) == (1, False)
    assert {gate["name"]: gate["state"] for gate in told["gates"]} == {
        "fields": "holds",
        "questions": "holds",
        "weights": "to_mend",
        "capacities": "holds",
        "levels": "holds",
        "thresholds": "holds",
        "contradictions": "holds",
        "verdicts": "waits",
        "golden cases": "waits",
    }
    (mend,) = next(gate["mends"] for gate in told["gates"] if gate["name"] == "weights")
    assert (mend["file"], mend["line"]) == (str(draft), 3)


def test_a_file_that_cannot_be_read_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("größe".encode("latin-1"))
    for name, sentence in (
        ("none.yaml", "cannot be read"),
        ("latin.yaml", "is not a text in UTF-8"),
        (".", "cannot be"),
    ):
        ended = rubric("check", tmp_path / name)
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert line.startswith(f"advisor: {tmp_path / name} {sentence}")


def test_every_packaged_rubric_passes_every_gate() -> None:
    for packaged in sorted(PACKAGED.parent.iterdir()):
        assert rubric("check", packaged).returncode == 0
