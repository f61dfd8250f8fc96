from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommendation.domain.offer import Kind
from services.recommendation.domain.proposal import DECIDING_QUESTIONS
from shared.contracts.assessment import Check, Outlook, Verdict
from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import UNKNOWN, matches
from tests.assessment.archetypes import (
    DISCOVERY_THEN_CONTINUING_WORK,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    HARD_DATE_THEN_ROADMAP,
    MARKETING_SITE,
    SAAS_SCALE_UP,
    SETTLED_PART_BESIDE_A_CHANGING_ONE,
    START_UP_MVP,
    VAGUE_SMALL_JOB,
)
from tests.assessment.published import assessed
from tests.recommendation.situations import PLAYBOOK, QUESTIONNAIRE, TYPICAL, judged, proposal_of

VERDICTS: tuple[Verdict, ...] = ("continuity", "execution", "both", "unclear", "incomplete", "contradictory")


@pytest.mark.parametrize(
    ("verdict", "model", "kind"),
    [
        ("continuity", "dedicated_team", None),
        ("execution", "project_based", None),
        ("both", "hybrid", None),
        ("unclear", "discovery_call", "undecided"),
        ("incomplete", "discovery_call", "incomplete"),
        ("contradictory", "discovery_call", "contradictory"),
    ],
)
def test_the_verdict_gives_the_model_or_the_kind_of_call(verdict: Verdict, model: Model, kind: Kind | None) -> None:
    assessment = assessed(TYPICAL[verdict])
    assert assessment.verdict == verdict
    proposal = proposal_of(assessment)
    assert (proposal.model, proposal.kind) == (model, kind)
    assert proposal.strength == assessment.strength
    assert (proposal.leaning is None) == (kind is None)
    assert (proposal.playbook.version, proposal.playbook.hash) == (PLAYBOOK.version, PLAYBOOK.hash)


@pytest.mark.parametrize(
    ("verdict", "answers", "veto", "asked"),
    [
        ("continuity", {"price_rule": "mandatory"}, "fixed_price_mandatory", ("price_rule",)),
        (
            "continuity",
            {"horizon": "under_3_months", "after_release": "hand_over"},
            "too_short_for_a_team",
            ("horizon", "after_release"),
        ),
        (
            "execution",
            {"requirements": "problem_only", "change_rate": "weekly"},
            "no_scope_to_fix",
            ("requirements", "change_rate"),
        ),
    ],
)
def test_a_veto_on_the_model_calls_for_a_talk_about_it(
    verdict: Verdict, answers: dict[str, str], veto: str, asked: tuple[str, ...]
) -> None:
    proposal = proposal_of(judged(verdict, TYPICAL[verdict] | answers))
    assert (proposal.model, proposal.kind, proposal.strength) == ("discovery_call", "veto", None)
    assert proposal.leaning is not None
    assert proposal.leaning.model == {"continuity": "dedicated_team", "execution": "project_based"}[verdict]
    assert proposal.vetoes == (veto,)
    assert proposal.deciding_questions == asked
    rule = next(rule for rule in proposal.rules if rule.about == "veto")
    assert rule.id == veto
    assert rule.answers == answers
    assert rule.reason
    assert rule.instead
    assert proposal.conditions == ()


def test_a_veto_on_another_model_does_not_matter() -> None:
    project = proposal_of(judged("execution", TYPICAL["execution"] | {"price_rule": "mandatory"}))
    assert (project.model, project.vetoes) == ("project_based", ())
    team = proposal_of(
        judged("continuity", TYPICAL["continuity"] | {"requirements": "problem_only", "change_rate": "weekly"})
    )
    assert (team.model, team.vetoes) == ("dedicated_team", ())


def test_a_hybrid_stands_with_one_side_vetoed_and_falls_with_both() -> None:
    one = {"price_rule": "mandatory"}
    standing = proposal_of(judged("both", TYPICAL["both"] | one))
    assert (standing.model, standing.vetoes) == ("hybrid", ("fixed_price_mandatory",))
    assert standing.commercial_form == standing.second_line == "milestones"
    both = one | {"requirements": "problem_only", "change_rate": "weekly"}
    fallen = proposal_of(judged("both", TYPICAL["both"] | both))
    assert (fallen.model, fallen.kind) == ("discovery_call", "veto")
    assert fallen.vetoes == ("fixed_price_mandatory", "no_scope_to_fix")
    assert fallen.leaning is not None
    assert fallen.leaning.model == "hybrid"


@pytest.mark.parametrize(
    ("verdict", "answers", "conditions"),
    [
        ("continuity", {"priority_owner": "nobody"}, ("needs_product_owner",)),
        ("continuity", {"vendor_people": "1_to_2"}, ("specialists_not_a_team",)),
        ("continuity", {"change_rate": "weekly"}, ()),
        ("execution", {"change_rate": "every_2_3_weeks"}, ("needs_change_budget",)),
        ("execution", {"change_rate": "weekly"}, ("needs_change_budget",)),
        ("execution", {"priority_owner": "nobody"}, ("needs_somebody_who_decides",)),
        ("execution", {"phases": "piece_then_decide"}, ("look_again_after_the_first_piece",)),
        ("continuity", {"scarce_skill": "wholly", "operator": "mostly_client"}, ("specialists_need_a_lead",)),
        (
            "both",
            {"priority_owner": "nobody", "vendor_people": "1_to_2", "change_rate": "weekly"},
            (
                "needs_product_owner",
                "specialists_not_a_team",
                "needs_somebody_who_decides",
                "needs_change_budget",
            ),
        ),
        ("unclear", {"priority_owner": "nobody"}, ()),
    ],
)
def test_conditions_come_with_the_model_that_needs_them(
    verdict: Verdict, answers: dict[str, str], conditions: tuple[str, ...]
) -> None:
    proposal = proposal_of(judged(verdict, TYPICAL[verdict] | answers))
    assert proposal.conditions == conditions


SETTLED = {"requirements": "written", "change_rate": "monthly"}
OPEN_PROJECT = {"requirements": "outline", "overrun_risk": "shared", "funding": "yearly_reviewed", "price_rule": "no"}
UNDIVIDED = {"parts": "all_changing", "phases": "as_a_whole"}
UNHURRIED = {"deadline": "wished", "aim": "steady_growth", **UNDIVIDED}
UNCAPPED = {"funding": "yearly_reviewed", "overrun_risk": "shared"}
NO_CARE = {"after_release": "hand_over", "live_service": "none"}


@pytest.mark.parametrize(
    ("verdict", "answers", "rule", "form"),
    [
        ("unclear", {}, "discovery_on_its_own", "fixed_price"),
        ("execution", {"requirements": "problem_only"}, "discovery_before_the_project", "fixed_price"),
        ("execution", {"price_rule": "mandatory"}, "purchasing_rules_decide", "milestones"),
        ("both", {"price_rule": "mandatory"}, "purchasing_rules_decide", "milestones"),
        (
            "execution",
            {**SETTLED, "horizon": "under_3_months", "vendor_people": "1_to_2"},
            "small_and_settled",
            "fixed_price",
        ),
        ("execution", {**OPEN_PROJECT, **SETTLED}, "sum_agreed_beforehand", "milestones"),
        ("execution", {**OPEN_PROJECT, "overrun_risk": "vendor_fully"}, "sum_agreed_beforehand", "milestones"),
        ("execution", {**OPEN_PROJECT, "funding": "fixed_sum"}, "sum_agreed_beforehand", "milestones"),
        ("execution", {**OPEN_PROJECT, "price_rule": "strongly"}, "sum_agreed_beforehand", "milestones"),
        ("execution", OPEN_PROJECT, "content_still_open", "capped_time_and_materials"),
        ("continuity", {"parallel_streams": "less_than_one"}, "less_than_one_stream", "retainer"),
        ("continuity", {"vendor_people": "1_to_2"}, "named_specialists", "time_and_materials"),
        ("continuity", {"scarce_skill": "mostly"}, "named_specialists", "time_and_materials"),
        ("continuity", {"scarce_skill": "wholly"}, "named_specialists", "time_and_materials"),
        ("continuity", {"funding": "fixed_sum"}, "sum_or_risk_is_limited", "capped_time_and_materials"),
        ("continuity", {"funding": "fixed_with_reserve"}, "sum_or_risk_is_limited", "capped_time_and_materials"),
        ("continuity", {"overrun_risk": "vendor_fully"}, "sum_or_risk_is_limited", "capped_time_and_materials"),
        ("continuity", {"overrun_risk": "vendor_with_cap"}, "sum_or_risk_is_limited", "capped_time_and_materials"),
        ("continuity", {}, "standing_team", "monthly_team"),
        ("execution", {"phases": "discovery_then_continue"}, "discovery_before_the_project", "fixed_price"),
        ("both", {}, "settled_piece_by_results", "milestones"),
        ("both", {**UNHURRIED, "parts": "mostly_changing"}, "settled_piece_by_results", "milestones"),
        ("both", {**UNHURRIED, "deadline": "firm"}, "date_for_the_first_release", "capped_time_and_materials"),
        (
            "both",
            {**UNHURRIED, "aim": "first_version_then_improve"},
            "date_for_the_first_release",
            "capped_time_and_materials",
        ),
        ("both", UNHURRIED, "bounded_part_by_results", "milestones"),
    ],
)
def test_the_first_rule_that_matches_gives_the_commercial_form(
    verdict: Verdict, answers: dict[str, str], rule: str, form: CommercialForm
) -> None:
    levels = TYPICAL[verdict] | answers
    proposal = proposal_of(judged(verdict, levels))
    applied = next(rule for rule in proposal.rules if rule.about == "commercial_form")
    assert (applied.id, proposal.commercial_form) == (rule, form)
    assert applied.reason
    assert matches({question: (level,) for question, level in applied.answers.items()}, levels)


@pytest.mark.parametrize(
    ("verdict", "answers", "rule", "form"),
    [
        ("both", {"price_rule": "mandatory"}, "phases_throughout", "milestones"),
        ("both", {"parallel_streams": "less_than_one"}, "hours_beside_the_bounded_part", "retainer"),
        ("both", {"funding": "fixed_sum"}, "ceiling_on_the_team", "capped_time_and_materials"),
        ("both", {**UNCAPPED, "overrun_risk": "vendor_with_cap"}, "ceiling_on_the_team", "capped_time_and_materials"),
        ("both", {**UNCAPPED, "deadline": "immovable"}, "team_after_the_first_release", "monthly_team"),
        ("both", {**UNCAPPED, **UNHURRIED}, "team_beside_the_bounded_part", "monthly_team"),
        ("continuity", {"phases": "discovery_then_continue"}, "discovery_priced_apart", "fixed_price"),
        ("execution", {**NO_CARE, "after_release": "fixes_only"}, "care_after_release", "retainer"),
        ("execution", {**NO_CARE, "live_service": "extended"}, "care_after_release", "retainer"),
        ("execution", NO_CARE, None, None),
        ("continuity", {}, None, None),
        ("unclear", {}, None, None),
    ],
)
def test_a_second_part_of_the_work_is_paid_on_a_line_of_its_own(
    verdict: Verdict, answers: dict[str, str], rule: str | None, form: CommercialForm | None
) -> None:
    proposal = proposal_of(judged(verdict, TYPICAL[verdict] | answers))
    assert proposal.second_line == form
    assert [applied.id for applied in proposal.rules if applied.about == "second_line"] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("levels", "staging", "stages"),
    [
        (
            DISCOVERY_THEN_CONTINUING_WORK,
            "discovery_then_team",
            [
                (1, "discovery", "project_based", "fixed_price", "discovery_before_the_team"),
                (2, "continuing_work", "dedicated_team", "capped_time_and_materials", "ceiling_on_the_team"),
            ],
        ),
        (
            FIRST_PIECE_THEN_CONTINUING_WORK,
            "first_piece_then_team",
            [
                (1, "first_piece", "project_based", "milestones", "settled_piece_by_results"),
                (2, "continuing_work", "dedicated_team", "capped_time_and_materials", "ceiling_on_the_team"),
            ],
        ),
        (
            SETTLED_PART_BESIDE_A_CHANGING_ONE | UNCAPPED | {"deadline": "wished", "aim": "steady_growth"},
            "parts_side_by_side",
            [
                (1, "settled_part", "project_based", "milestones", "settled_piece_by_results"),
                (1, "changing_part", "dedicated_team", "monthly_team", "team_beside_the_bounded_part"),
            ],
        ),
    ],
)
def test_a_hybrid_says_which_part_or_phase_is_done_by_whom_in_which_order_and_how_each_is_paid(
    levels: dict[str, str], staging: str, stages: list[tuple[int, str, str, str, str]]
) -> None:
    assessment = assessed(levels)
    proposal = proposal_of(assessment)
    found = [(stage.order, stage.portion, stage.side, stage.paid_by, stage.payment_rule) for stage in proposal.staging]
    assert (proposal.model, found) == ("hybrid", stages)
    assert {stage.rule for stage in proposal.staging} == {staging}
    (rule,) = (rule for rule in proposal.rules if rule.about == "staging")
    (split,) = assessment.splits
    assert rule.answers.items() <= levels.items()
    assert rule.answers[split.question] == split.answer
    for stage, portion in zip(proposal.staging, split.portions, strict=True):
        assert (stage.portion, stage.answers) == (portion.id, portion.answers)


@pytest.mark.parametrize(
    ("answers", "staging", "orders"),
    [
        ({}, "first_piece_then_team", [1, 2]),
        ({"phases": "as_a_whole"}, "parts_side_by_side", [1, 1]),
        ({**UNDIVIDED, "deadline": "firm"}, "first_release_then_team", [1, 2]),
        (UNHURRIED, "packages_beside_a_team", [1, 1]),
    ],
)
def test_two_high_needs_are_staged_by_their_split_or_else_by_their_answers(
    answers: dict[str, str], staging: str, orders: list[int]
) -> None:
    proposal = proposal_of(judged("both", HARD_DATE_THEN_ROADMAP | answers))
    assert proposal.model == "hybrid"
    assert {stage.rule for stage in proposal.staging} == {staging}
    assert [stage.order for stage in proposal.staging] == orders
    assert {stage.side: stage.paid_by for stage in proposal.staging} == {
        "project_based": proposal.commercial_form,
        "dedicated_team": proposal.second_line,
    }


def test_only_a_hybrid_is_staged() -> None:
    for verdict, levels in TYPICAL.items():
        assert bool(proposal_of(assessed(levels)).staging) == (verdict == "both")


def test_an_undecided_case_first_asks_what_would_make_it_a_hybrid() -> None:
    proposal = proposal_of(assessed(START_UP_MVP | {"phases": UNKNOWN}))
    assert (proposal.kind, proposal.deciding_questions[0]) == ("undecided", "phases")


def test_the_form_follows_from_the_model_and_the_answers_never_from_the_model_alone() -> None:
    forms = {
        (model, PLAYBOOK.commercial_form(model, levels)[0].form)
        for model in ("dedicated_team", "project_based", "hybrid")
        for levels in TYPICAL.values()
    }
    assert len(forms) > len({model for model, _ in forms})


def test_an_incomplete_case_asks_key_questions_first_and_then_the_most_decisive() -> None:
    by_decisiveness = ("after_release", "operator", "horizon", "start")
    assessment = assessed({}).model_copy(update={"unknown": by_decisiveness})
    assert proposal_of(assessment).deciding_questions == ("horizon", "after_release", "operator")


def test_a_contradictory_case_asks_what_is_hard_before_what_is_soft() -> None:
    checks = (
        Check(id="outcomes_without_owner", severity="soft", questions=("success_measure", "priority_owner")),
        Check(id="written_yet_changing_weekly", severity="hard", questions=("requirements", "change_rate")),
    )
    assessment = assessed(TYPICAL["contradictory"]).model_copy(update={"checks": checks})
    assert proposal_of(assessment).deciding_questions == ("requirements", "change_rate", "success_measure")


def test_an_undecided_case_asks_what_could_move_the_margin_furthest() -> None:
    assessment = assessed(START_UP_MVP)
    asked = proposal_of(assessment).deciding_questions
    reach = {
        item.question: max(item.high - item.margin, item.margin - item.low)
        for item in assessment.contributions
        if item.margin is not None
    }
    assert len(asked) == DECIDING_QUESTIONS
    assert min(reach[question] for question in asked) >= max(reach[other] for other in reach if other not in asked)


@pytest.mark.parametrize(
    ("answers", "leaning", "share"),
    [
        (SAAS_SCALE_UP | {"horizon": UNKNOWN}, "dedicated_team", 1.0),
        (MARKETING_SITE | {"horizon": UNKNOWN}, "project_based", 1.0),
        (START_UP_MVP | {"horizon": UNKNOWN}, None, None),
        (VAGUE_SMALL_JOB, "project_based", None),
        ({}, None, None),
    ],
)
def test_a_call_leans_only_where_most_ways_lead_or_the_margin_is_certain_of_its_side(
    answers: dict[str, str], leaning: Model | None, share: float | None
) -> None:
    proposal = proposal_of(assessed(answers))
    assert proposal.model == "discovery_call"
    assert proposal.leaning is not None
    assert (proposal.leaning.model, proposal.leaning.share) == (leaning, share)


def test_the_outlook_leads_where_there_is_one() -> None:
    outlook = Outlook(shares={"execution": 0.79, "unclear": 0.21}, leading="execution", ways=400, exact=False)
    leaning = proposal_of(assessed({}).model_copy(update={"outlook": outlook})).leaning
    assert leaning is not None
    assert (leaning.model, leaning.share) == ("project_based", 0.79)


def test_a_veto_on_what_a_call_leans_to_is_shown() -> None:
    proposal = proposal_of(assessed(SAAS_SCALE_UP | {"horizon": UNKNOWN, "price_rule": "mandatory"}))
    assert (proposal.kind, proposal.vetoes) == ("incomplete", ("fixed_price_mandatory",))


LEVELS: dict[str, list[str]] = {
    question.id: [UNKNOWN, *(level.key for level in question.levels)] for question in QUESTIONNAIRE.questions
}


@given(st.fixed_dictionaries({question: st.sampled_from(levels) for question, levels in LEVELS.items()}), st.data())
def test_every_assessment_gets_one_whole_proposal(levels: dict[str, str], data: Any) -> None:
    verdict = data.draw(st.sampled_from(VERDICTS))
    proposal = proposal_of(judged(verdict, levels))
    is_call = proposal.model == "discovery_call"
    assert (proposal.kind is not None) == (proposal.leaning is not None) == is_call
    assert len(proposal.deciding_questions) == len(set(proposal.deciding_questions)) <= DECIDING_QUESTIONS
    assert proposal.commercial_form in PLAYBOOK.models[proposal.model].forms
    ids = {about: tuple(rule.id for rule in proposal.rules if rule.about == about) for about in ("veto", "condition")}
    assert ids == {"veto": proposal.vetoes, "condition": proposal.conditions}
    assert sum(rule.about == "commercial_form" for rule in proposal.rules) == 1
    for rule in proposal.rules:
        assert UNKNOWN not in rule.answers.values()
        assert rule.answers.items() <= levels.items()
