"""A draft beside what was said of stored cases: transitions, flips, calls and margins."""

import json
from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from services.assessment.domain.rubric import Rubric, parse
from services.assessment.domain.scoring import assess
from services.assessment.domain.shadow import Report, Shadow, Stored
from shared.contracts.assessment import Assessment
from shared.postgres import Database
from shared.questionnaire import UNKNOWN
from tests.assessment.archetypes import ARCHETYPES, DEADLINE_MIGRATION, MIDDLE_OF_EVERYTHING, SAAS_SCALE_UP
from tests.assessment.commands import Operator, draft
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, RUBRIC_TEXT, assessed, said
from tests.assessment.test_edges import hear, submitted

WIDER = parse(
    RUBRIC_TEXT.replace("margin_needed: 12", "margin_needed: 5").replace("hybrid_floor: 60", "hybrid_floor: 75"),
    QUESTIONNAIRE,
)


def stored(
    levels: Mapping[str, str], intake_id: UUID | None = None, questionnaire: str = QUESTIONNAIRE.version
) -> Stored:
    assessment: Assessment = assessed(levels)
    return Stored(
        intake_id=intake_id or uuid4(),
        questionnaire=questionnaire,
        rubric=RUBRIC.version,
        verdict=assessment.verdict,
        strength=assessment.strength,
        margin=(assessment.margin.low, assessment.margin.high),
        reasons=assessment.reasons,
        answers={question: answer.level for question, answer in assessment.answers.items()},
    )


def compared(rubric: Rubric, *pages: list[Stored]) -> Report:
    shadow = Shadow(rubric, QUESTIONNAIRE)
    for page in pages:
        shadow.add(page)
    return shadow.report()


CASES = [*ARCHETYPES.values(), SAAS_SCALE_UP | {"aim": UNKNOWN}, {}]


def test_the_same_rubric_changes_nothing() -> None:
    found = compared(RUBRIC, [stored(levels) for levels in CASES])
    assert found.cases == sum(one.cases for one in found.transitions) == len(CASES)
    assert all(one.before == one.after for one in found.transitions)
    assert found.flipped == ()
    assert found.call_rate is not None
    assert found.call_rate.before == found.call_rate.after == 0.3846
    assert found.margin_shift is not None
    assert {*found.margin_shift.low.values(), *found.margin_shift.high.values()} == {0}


def test_each_flipped_case_is_told_with_its_reasons_before_and_after() -> None:
    before = {uuid4(): levels for levels in CASES}
    after = {intake_id: assess(said(levels), WIDER, QUESTIONNAIRE) for intake_id, levels in before.items()}
    found = compared(WIDER, [stored(levels, intake_id) for intake_id, levels in before.items()])
    expected = {one for one in before if after[one].verdict != assessed(before[one]).verdict}
    assert {flip.intake_id for flip in found.flipped} == expected != set()
    for flip in found.flipped:
        assert (flip.before.verdict, flip.before.strength) == (
            assessed(before[flip.intake_id]).verdict,
            assessed(before[flip.intake_id]).strength,
        )
        assert (flip.after.verdict, flip.after.strength) == (
            after[flip.intake_id].verdict,
            after[flip.intake_id].strength,
        )
        margin = after[flip.intake_id].margin
        assert flip.after.margin == (margin.low, margin.high)
        assert 0 < len(flip.after.reasons) <= 3
        assert {*flip.after.reasons} <= {*after[flip.intake_id].reasons}
        assert flip.after.reasons[0].points == max(reason.points for reason in after[flip.intake_id].reasons)


def test_a_draft_that_settles_less_raises_the_share_of_calls() -> None:
    strict = parse(RUBRIC_TEXT.replace("leader_floor: 45", "leader_floor: 100"), QUESTIONNAIRE)
    found = compared(strict, [stored(DEADLINE_MIGRATION), stored(SAAS_SCALE_UP), stored(MIDDLE_OF_EVERYTHING)])
    assert found.call_rate is not None
    assert (found.call_rate.before, found.call_rate.after) == (0.3333, 1)


def test_margins_move_by_what_the_draft_adds() -> None:
    louder = parse(RUBRIC_TEXT.replace("outline: {continuity: 50", "outline: {continuity: 60"), QUESTIONNAIRE)
    found = compared(louder, [stored(SAAS_SCALE_UP), stored(DEADLINE_MIGRATION)])
    moved = assess(said(SAAS_SCALE_UP), louder, QUESTIONNAIRE).margin.low - assessed(SAAS_SCALE_UP).margin.low
    assert found.margin_shift is not None
    assert found.margin_shift.low == found.margin_shift.high
    assert found.margin_shift.low[0] == 0
    assert moved > 0
    assert found.margin_shift.low[100] == pytest.approx(moved)


def test_a_case_of_another_questionnaire_is_named_and_not_scored() -> None:
    elsewhere = stored(SAAS_SCALE_UP, questionnaire="2025-01")
    found = compared(RUBRIC, [stored(DEADLINE_MIGRATION), elsewhere])
    assert (found.cases, found.other_questionnaires) == (1, {"2025-01": (elsewhere.intake_id,)})


def test_pages_of_any_size_give_the_same_report() -> None:
    cases = [stored(levels) for levels in CASES]
    assert compared(WIDER, cases) == compared(WIDER, *([case] for case in cases)) == compared(WIDER, [], cases, [])


def test_without_cases_there_is_nothing_to_report() -> None:
    found = compared(RUBRIC)
    assert (found.cases, found.transitions, found.call_rate, found.margin_shift) == (0, (), None, None)


async def test_an_operator_compares_a_draft_with_the_current_revisions(
    operator: Operator,
    rubrics: Database,
) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    await hear(rubrics, submitted(first), submitted(second), submitted(first, 2), submitted(third))
    async with rubrics.transaction() as connection:
        await connection.execute(
            """
            update assessment set assessment = jsonb_set(assessment, '{questionnaire,version}', '"2025-01"')
            where intake_id = $1
            """,
            third,
        )
    report = operator.folder / "report.json"
    text = (
        draft("strict").replace("leader_floor: 45", "leader_floor: 95").replace("hybrid_floor: 60", "hybrid_floor: 95")
    )
    ended = await operator("shadow", operator.file(text), "--json", report)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["transitions"] == [{"before": ["execution", "clear"], "after": ["unclear", None], "cases": 2}]
    assert {flip["intake_id"] for flip in told["flipped"]} == {str(first), str(second)}
    assert told["other_questionnaires"] == {"2025-01": [str(third)]}
    assert "Calls: 0.0% of cases before, 100.0% after." in ended.stdout
    assert f"{first}  (assessed under {RUBRIC.version})" in ended.stdout
    assert str(third) in ended.stdout
    assert "Nordlicht" not in ended.stdout + report.read_text(encoding="utf-8")


async def test_a_draft_that_cannot_score_is_refused_with_what_to_mend(operator: Operator) -> None:
    text = draft("next").replace("weight_bp: 597", "weight_bp: 596")
    ended = await operator("shadow", operator.file(text))
    assert ended.returncode == 1
    assert "the weights add up to 9999" in ended.stdout
    assert "cannot score anything yet" in ended.stderr
