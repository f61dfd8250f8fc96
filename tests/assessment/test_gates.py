"""Each gate lets the published rubric through, and refuses what is planted with its line and what to do."""

import re
from collections.abc import Sequence
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.document import read
from services.assessment.domain.gates import Checked, check
from services.assessment.domain.gates.source import Source
from tests.assessment.first_version import RUBRIC, RUBRIC_TEXT

CATALOGUE_TEXT = (files("shared.questionnaire") / "2026-11.yaml").read_text(encoding="utf-8")
GOLDEN_TEXT = (files("services.assessment") / "golden_cases" / "2026-11.yaml").read_text(encoding="utf-8")

Changes = Sequence[tuple[str, str]]
Refusal = tuple[str, str, int, str]


def changed(text: str, changes: Changes) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def checked(rubric: Changes = (), catalogue: Changes = (), golden: Changes = ()) -> Checked:
    return check(
        Source("draft.yaml", read(changed(RUBRIC_TEXT, rubric))),
        Source("questionnaire.yaml", read(changed(CATALOGUE_TEXT, catalogue))),
        Source("golden.yaml", read(changed(GOLDEN_TEXT, golden))),
        ["2026-11"],
    )


def refusals(found: Checked) -> list[Refusal]:
    return [(gate.name, *mend) for gate in found.gates for mend in gate.mends or ()]


def waiting(found: Checked) -> list[str]:
    return [gate.name for gate in found.gates if gate.mends is None]


def line_of(text: str, words: str) -> int:
    assert text.count(words) == 1, words
    return text[: text.index(words)].count("\n") + 1


def test_the_published_rubric_passes_every_gate() -> None:
    found = checked()
    assert (refusals(found), waiting(found), found.holds) == ([], [], True)
    assert found.rubric is not None
    assert found.rubric.hash == RUBRIC.hash


@pytest.mark.parametrize(
    ("gate", "old", "new", "message"),
    [
        ("fields", 'version: "2026-11"', "version: 2026", "version: 2026 is not text: give some, in quotes"),
        (
            "fields",
            'version: "2026-11"',
            "version: next year",
            "version: next year is not written as a name should be: use letters, digits, dots, dashes and underscores",
        ),
        (
            "fields",
            'version: "2026-11"',
            "version: current",
            "version: current is how the version in force is asked for: give another name",
        ),
        (
            "fields",
            "margin_needed: 12",
            "margin_neded: 12",
            "rule margin_neded: no such field is known here: take it out, or mend its spelling",
        ),
        (
            "fields",
            "many_integrations: {continuity: 70",
            "many_integrations: {continuity: 101",
            "question technical_setting levels many_integrations continuity: 101 is too high: give at most 100",
        ),
        (
            "fields",
            "many_integrations: {continuity: 70",
            "many_integrations: {continuity: -1",
            "question technical_setting levels many_integrations continuity: -1 is too low: give at least 0",
        ),
        (
            "fields",
            "margin_for_clear: 24",
            'margin_for_clear: "24"',
            "rule margin_for_clear: 24 is not a whole number: give one, without quotes and decimals",
        ),
        (
            "fields",
            "hybrid_floor: 60",
            "hybrid_floor: 60.5",
            "rule hybrid_floor: 60.5 is not a whole number: give one, without quotes and decimals",
        ),
        (
            "fields",
            "robustness_for_clear: 95",
            "robustness_for_clear: 50",
            "rule robustness_for_clear: 50 is too low: give more than 50",
        ),
        (
            "fields",
            "weight_bp: 268\n    can_change: never",
            "weight_bp: 268\n    can_change: seldom",
            "question price_rule can_change: seldom is not one of the choices: give 'by_choice', 'by_events' or "
            "'never'",
        ),
        (
            "fields",
            "leader_floor: 45",
            "leader_floor: 45\n  margin_needed: 14",
            "margin_needed is already said on line 185: keep one",
        ),
        (
            "questions",
            "strongly: {",
            "strong: {",
            "question price_rule level strong is not in the questionnaire: take it out",
        ),
        ("questions", "id: regulation", "id: rules", "question rules is not in the questionnaire: take it out"),
        ("questions", "id: regulation", "id: funding", "question funding is there already: keep one"),
        (
            "levels",
            "shared: {continuity: 65, execution: 35}",
            "shared: {continuity: 20, execution: 35}",
            "question overrun_risk: continuity goes 0, 25, 20, 100 from level to level, and turns back at shared: "
            "let it only rise or only fall",
        ),
        (
            "thresholds",
            "margin_for_clear: 24",
            "margin_for_clear: 11",
            "a lead is clear from 11 points, but needs 12 to count at all: give margin_for_clear at least 12",
        ),
        (
            "thresholds",
            "hybrid_floor: 60",
            "hybrid_floor: 44",
            "both needs are called high from 44 points, where one alone must reach 45 to lead: give hybrid_floor at "
            "least 45",
        ),
        (
            "thresholds",
            "hybrid_max_margin: 20",
            "hybrid_max_margin: 10",
            "two high needs that are 10 to 12 points apart would get no verdict: give hybrid_max_margin at least 12",
        ),
        (
            "contradictions",
            "soft_contradictions_for_call: 3",
            "soft_contradictions_for_call: 8",
            "8 soft contradictions lead to a call, but at most 7 can be open at once, so they never do: give at most 7",
        ),
        (
            "verdicts",
            "hybrid_floor: 60",
            "hybrid_floor: 80",
            "no answers bring both needs above 76.2 points, so they are never both high: raise levels that speak for "
            "both, or lower hybrid_floor",
        ),
    ],
)
def test_a_planted_fault_is_refused_on_its_line_with_what_to_do(gate: str, old: str, new: str, message: str) -> None:
    found = [refusal for refusal in refusals(checked([(old, new)])) if refusal[3] == message]
    assert [(name, file) for name, file, *_ in found] == [(gate, "draft.yaml")]
    text = changed(RUBRIC_TEXT, [(old, new)])
    (line,) = (line for _, _, line, _ in found)
    assert new.splitlines()[-1] in text.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("598", "the weights add up to 10001, not to 10000: lower some by 1 in all"),
        ("500", "the weights add up to 9903, not to 10000: raise some by 97 in all"),
    ],
)
def test_weights_that_do_not_make_up_the_whole_are_refused(weight: str, message: str) -> None:
    found = checked([("weight_bp: 597", f"weight_bp: {weight}")])
    assert refusals(found) == [("weights", "draft.yaml", 3, message)]
    assert waiting(found) == ["verdicts", "golden cases"]


def test_a_dimension_in_which_nothing_speaks_for_a_need_is_refused() -> None:
    head, start, skill = RUBRIC_TEXT.rpartition("  - id: start")
    silent = re.sub(r"execution: \d+", "execution: 0", start + skill)
    found = check(
        Source("draft.yaml", read(head + silent)),
        Source("questionnaire.yaml", read(CATALOGUE_TEXT)),
        Source("golden.yaml", read(GOLDEN_TEXT)),
        ["2026-11"],
    )
    assert refusals(found) == [
        (
            "capacities",
            "draft.yaml",
            3,
            "dimension Structure: nothing in it speaks for execution: raise a level or a weight",
        ),
        *(
            (
                "capacities",
                "draft.yaml",
                line_of(RUBRIC_TEXT, f"id: {question}\n") + below,
                f"question {question}: all levels have the same values, so its weight of 333 moves nothing: tell the "
                "levels apart, or give the weight to another question",
            )
            for question, below in (("start", 2), ("scarce_skill", 3))
        ),
    ]
    assert waiting(found) == ["verdicts", "golden cases"]


def test_every_fault_is_told_at_once_and_what_needs_them_mended_waits() -> None:
    found = checked(
        [
            ("weight_bp: 597", "weight_bp: 598"),
            ("margin_for_clear: 24", "margin_for_clear: 11"),
            ("strongly: {", "strong: {"),
            ("wished: {", "wished: {weight: 1, "),
            ("shared: {continuity: 65", "shared: {continuity: 20"),
        ],
        [("when: {requirements: [written], change_rate: [weekly]}", "when: {requirements: [perfect]}")],
    )
    assert {gate for gate, *_ in refusals(found)} == {
        "fields",
        "questions",
        "weights",
        "levels",
        "thresholds",
        "contradictions",
    }
    assert waiting(found) == ["capacities", "verdicts", "golden cases"]
    assert not found.holds


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            "{requirements: [perfect], change_rate: [weekly]}",
            "written_yet_changing_weekly can never come up as written: requirements has no level perfect: name some of "
            "written, mostly_written, outline, problem_only",
        ),
        (
            "{colour: [blue], change_rate: [weekly]}",
            "written_yet_changing_weekly can never come up: colour is not asked: name a question that is",
        ),
        (
            "{requirements: [], change_rate: [weekly]}",
            "written_yet_changing_weekly can never come up: it names no level of requirements: name one",
        ),
    ],
)
def test_a_contradiction_that_can_never_come_up_is_refused_in_the_questionnaire(new: str, message: str) -> None:
    old = "{requirements: [written], change_rate: [weekly]}"
    found = checked(catalogue=[(old, new)])
    assert refusals(found) == [("contradictions", "questionnaire.yaml", line_of(CATALOGUE_TEXT, old), message)]
    assert waiting(found) == []


def test_a_soft_contradiction_that_a_hard_one_always_outdoes_is_refused() -> None:
    old = "when: {after_release: [rolling_roadmap], end_event: [signed_off]}"
    found = checked(
        catalogue=[(old, "when: {aim: [finish_and_stop], after_release: [rolling_roadmap], start: [at_once]}")]
    )
    assert refusals(found) == [
        (
            "contradictions",
            "questionnaire.yaml",
            line_of(CATALOGUE_TEXT, old) - 2,
            "signed_off_end_yet_rolling_roadmap can never count: stop_yet_rolling_roadmap is hard and comes up "
            "whenever it does: take it out, or narrow one of the two",
        )
    ]


def test_a_golden_case_that_changes_is_told_by_name_and_how_to_intend_it() -> None:
    found = checked([("leader_floor: 45", "leader_floor: 60"), ("hybrid_floor: 60", "hybrid_floor: 72")])
    assert refusals(found) == [
        (
            "golden cases",
            "draft.yaml",
            1,
            "hard date, then a roadmap is unclear and should be both: change the rubric, or write "
            '"hard date, then a roadmap: unclear" under intended_changes',
        )
    ]


@pytest.mark.parametrize(
    ("intended", "message"),
    [
        ("unclear", None),
        (
            "execution",
            "hard date, then a roadmap is unclear and should be execution: change the rubric, or write "
            '"hard date, then a roadmap: unclear" under intended_changes',
        ),
    ],
)
def test_a_change_passes_only_as_it_is_intended(intended: str, message: str | None) -> None:
    marked = ("rule:\n", f"intended_changes:\n  hard date, then a roadmap: {intended}\nrule:\n")
    found = checked([marked, ("hybrid_floor: 60", "hybrid_floor: 72")])
    assert [mend for *_, mend in refusals(found)] == ([] if message is None else [message])


@pytest.mark.parametrize(
    ("intended", "message"),
    [
        ("marketing site: execution", "marketing site keeps its verdict: take out the intended change"),
        ("moon landing: both", "there is no golden case moon landing: take it out, or mend its name"),
    ],
)
def test_an_intended_change_that_does_not_happen_is_refused(intended: str, message: str) -> None:
    found = checked([("rule:\n", f"intended_changes:\n  {intended}\nrule:\n")])
    assert refusals(found) == [("golden cases", "draft.yaml", line_of(RUBRIC_TEXT, "rule:\n") + 1, message)]


def test_intended_changes_leave_the_hash_as_it_is() -> None:
    found = checked([("rule:\n", "intended_changes: {marketing site: execution}\nrule:\n")])
    assert found.rubric is not None
    assert found.rubric.hash == RUBRIC.hash


def test_a_golden_case_with_an_answer_that_is_not_asked_is_refused_in_its_own_file() -> None:
    ((gate, file, line, message),) = refusals(
        checked(
            golden=[
                (
                    "  - name: marketing site\n    verdict: execution\n    answers:\n      aim: finish_and_stop",
                    "  - name: marketing site\n    verdict: execution\n    answers:\n      aim: finish",
                )
            ]
        )
    )
    assert (gate, file, line) == ("golden cases", "golden.yaml", line_of(GOLDEN_TEXT, "name: marketing site"))
    assert message.startswith("marketing site: aim: 'finish' is not one of its answers. Choose one of")


def test_a_questionnaire_that_is_not_there_is_refused_and_what_needs_it_waits() -> None:
    draft = Source("draft.yaml", read(changed(RUBRIC_TEXT, [('questionnaire: "2026-11"', 'questionnaire: "2030-01"')])))
    found = check(draft, None, None, ["2026-11", "2026-12"])
    assert refusals(found) == [
        ("fields", "draft.yaml", 2, "there is no questionnaire 2030-01: name 2026-11 or 2026-12")
    ]
    assert waiting(found) == ["questions", "capacities", "levels", "contradictions", "verdicts", "golden cases"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the whole file: nothing stands where fields with their values belong: give those"),
        ("- a\n- b\n", 1, "the whole file: a group of values stands where fields with their values belong: give those"),
        (
            "version: x\nquestions: [\n",
            3,
            "this is not YAML (expected the node content, but found '<stream end>'): mend it here, or just above",
        ),
        (
            "a: &a [1]\nb: *a\n",
            2,
            "this is not YAML (a part refers to another with *; write it out): mend it here, or just above",
        ),
        ("a: 1\n---\nb: 1\n", 2, "this is not YAML (but found another document): mend it here, or just above"),
        ("a: !!python/object:x 1\n", 1, None),
        ("a: 2026-13-45\n", 1, None),
        ("a: b\x00c\n", 1, None),
        ("[" * 10_000, 1, None),
        ("? [a]\n: 1\n", 1, "this is not YAML (a key is not a word): mend it here, or just above"),
    ],
)
def test_a_text_that_is_no_rubric_is_refused_on_its_line(text: str, line: int, message: str | None) -> None:
    found = refusals(check(Source("draft.yaml", read(text)), None, None, ["2026-11"]))
    assert found[0][:3] == ("fields", "draft.yaml", line)
    assert message is None or found[0][3] == message


@given(st.data())
def test_a_rubric_that_is_spoiled_anywhere_is_told_by_line_and_never_breaks_the_check(data: st.DataObject) -> None:
    lines = RUBRIC_TEXT.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        spoiled = lines[place][:-1] + data.draw(st.sampled_from(["", "x", ":", "{", "]", "0", "'", "&a", "\n- 1"]))
        lines[place] = data.draw(st.sampled_from(["", spoiled, lines[place].lstrip(), lines[place - 1]]))
    found = check(
        Source("draft.yaml", read("\n".join(lines))),
        Source("questionnaire.yaml", read(CATALOGUE_TEXT)),
        Source("golden.yaml", read(GOLDEN_TEXT)),
        ["2026-11"],
    )
    for _, _, line, message in refusals(found):
        assert message
        assert 1 <= line <= len(RUBRIC_TEXT.splitlines()) + 4
    assert found.holds == (refusals(found) == [] == waiting(found))


def test_a_split_that_never_counts_is_refused() -> None:
    def packaged(package: str, folder: str) -> str:
        return (files(package) / folder / "2026-12.yaml").read_text(encoding="utf-8")

    text = changed(
        packaged("services.assessment", "rubrics"),
        [("hybrids:\n  floor: 35\n  max_margin: 40", "hybrids:\n  floor: 60\n  max_margin: 20")],
    )
    found = check(
        Source("draft.yaml", read(text)),
        Source("questionnaire.yaml", read(packaged("shared.questionnaire", ""))),
        Source("golden.yaml", read(packaged("services.assessment", "golden_cases"))),
        ["2026-12"],
    )
    assert [refusal for refusal in refusals(found) if refusal[0] == "thresholds"] == [
        (
            "thresholds",
            "draft.yaml",
            line_of(text, "  floor: 60"),
            "two needs that reach 60 points less than 20 apart are both high without a split, so splits never count: "
            "lower the floor of hybrids, or raise their max_margin",
        )
    ]
