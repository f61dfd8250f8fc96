from collections import Counter
from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recommendation.domain.blueprint import Blueprint, Section, compose
from services.recommendation.domain.blueprint_rules import Responsibility, Role
from services.recommendation.handlers.playbooks import BLUEPRINTS
from shared.contracts.assessment import Assessment, Verdict
from shared.contracts.intake import Company, Headcount, Industry
from shared.questionnaire import PUBLISHED
from tests.assessment.archetypes import (
    AUDITED_BANK_PLATFORM,
    DEADLINE_MIGRATION,
    DISCOVERY_THEN_CONTINUING_WORK,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    HARD_DATE_THEN_ROADMAP,
    MARKETING_SITE,
    SAAS_SCALE_UP,
    SETTLED_PART_BESIDE_A_CHANGING_ONE,
)
from tests.assessment.published import assessed
from tests.recommendation.situations import PLAYBOOK, QUESTIONNAIRE, TYPICAL, judged, proposal_of

RULES = BLUEPRINTS[PUBLISHED]
HEADCOUNTS: tuple[Headcount, ...] = get_args(Headcount)
INDUSTRIES: tuple[Industry, ...] = get_args(Industry)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def company(headcount: Headcount = "51-250", industry: Industry = "software", country: str = "DE") -> Company:
    return Company(name="Nordwind", headcount=headcount, industry=industry, country=country)


def composed(assessment: Assessment, client: Company) -> Blueprint:
    return compose(
        proposal_of(assessment), assessment, client, rules=RULES, playbook=PLAYBOOK, questionnaire=QUESTIONNAIRE
    )


def of(levels: Mapping[str, str], client: Company) -> Blueprint:
    return composed(assessed(levels), client)


def section(blueprint: Blueprint, section_id: str) -> Section:
    return next(section for section in blueprint.sections if section.id == section_id)


def said(blueprint: Blueprint, section_id: str) -> list[dict[str, object]]:
    return [line.says.model_dump() for line in section(blueprint, section_id).lines]


levels = st.fixed_dictionaries(
    {
        question.id: st.sampled_from([level.key for level in question.levels] + ["unknown"])
        for question in QUESTIONNAIRE.questions
    }
)
clients = st.builds(
    company,
    headcount=st.sampled_from(HEADCOUNTS),
    industry=st.sampled_from(INDUSTRIES),
    country=st.sampled_from(["DE", "US", "IN", "JP", "CH"]),
)


@settings(deadline=None)
@given(levels, st.sampled_from(VERDICTS), clients)
def test_every_line_of_any_blueprint_is_told_apart_and_rests_on_what_was_said(
    answers: dict[str, str], verdict: Verdict, client: Company
) -> None:
    blueprint = composed(judged(verdict, answers), client)
    lines = [line for part in blueprint.sections for line in part.lines]
    assert max(Counter(line.id for line in lines).values()) == 1
    for line in lines:
        assert line.answers.items() <= answers.items() | {("live_service", "none")}
        assert line.company.items() <= client.model_dump().items()
        assert not any("{" in text for text in line.says.model_dump().values())
    assert Blueprint.model_validate_json(blueprint.model_dump_json()) == blueprint


@settings(deadline=None)
@given(levels, st.sampled_from(("continuity", "execution", "both")), clients)
def test_each_activity_has_one_person_accountable_and_nobody_twice(
    answers: dict[str, str], verdict: Verdict, client: Company
) -> None:
    blueprint = composed(judged(verdict, answers), client)
    rows = [line.says for part in blueprint.sections for line in part.lines if isinstance(line.says, Responsibility)]
    assert bool(rows) == (blueprint.model != "discovery_call")
    assert set(Counter(row.activity for row in rows).values()) <= {1}
    for row in rows:
        asked = [*row.responsible, *row.consulted, *row.informed]
        assert len(asked) == len(set(asked))
        assert row.accountable not in {*row.consulted, *row.informed}


@pytest.mark.parametrize("verdict", ["continuity", "execution", "both"])
@pytest.mark.parametrize(("smaller", "larger"), [("11-50", "251-1000"), ("251-1000", "1001-5000")])
def test_size_alone_changes_structure_responsibilities_and_handoffs(
    verdict: Verdict, smaller: Headcount, larger: Headcount
) -> None:
    answers = TYPICAL[verdict] | {"parallel_streams": "two_or_three", "vendor_people": "3_to_5"}
    small, large = of(answers, company(smaller)), of(answers, company(larger))
    assert small.model == large.model
    assert small.structure != large.structure
    for blueprint, size in ((small, smaller), (large, larger)):
        assert section(blueprint, "structure").lines[0].company == {"headcount": size}
    for part in ("structure", "people", "responsibilities", "handoffs", "cadence"):
        assert said(small, part) != said(large, part), part
    assert [part.title for part in small.sections] != [part.title for part in large.sections]


@settings(deadline=None)
@given(levels, st.sampled_from(VERDICTS), st.sampled_from(HEADCOUNTS[:2]), st.sampled_from(HEADCOUNTS[-2:]))
def test_a_small_and_a_large_company_never_get_the_same_blueprint(
    answers: dict[str, str], verdict: Verdict, smaller: Headcount, larger: Headcount
) -> None:
    assessment = judged(verdict, answers)
    small, large = composed(assessment, company(smaller)), composed(assessment, company(larger))
    parts = ("structure", "responsibilities", "handoffs") if small.model != "discovery_call" else ()
    for part in parts:
        assert said(small, part) != said(large, part), part


def test_one_person_wears_both_hats_in_a_small_company_and_never_signs_alone() -> None:
    answers = DEADLINE_MIGRATION | {"vendor_people": "3_to_5"}
    blueprint = of(answers, company("11-50"))
    assert blueprint.structure == "both_hats"
    names = {line.says.role for line in section(blueprint, "people").lines if line.says.kind == "role"}
    assert "owner" in names
    assert not names & {"product manager", "project manager"}
    rows = {line.id: line.says for line in section(blueprint, "responsibilities").lines}
    assert {rows[row].accountable for row in ("scope_change", "acceptance", "contract")} == {"sponsor"}  # type: ignore[union-attr]  # all are rows


def test_much_at_once_needs_the_next_larger_structure_and_little_the_smallest() -> None:
    much = SAAS_SCALE_UP | {"parallel_streams": "four_or_more"}
    little = MARKETING_SITE | {"parallel_streams": "one", "vendor_people": "1_to_2"}
    assert [of(much, company(size)).structure for size in HEADCOUNTS] == ["separate"] * 2 + ["project_office"] * 4
    assert [of(little, company(size)).structure for size in HEADCOUNTS] == ["both_hats"] * 6
    for size in HEADCOUNTS:
        assert section(of(little, company(size)), "structure").lines[0].company == {"headcount": size}
    line = section(of(much, company("51-250")), "structure").lines[0]
    assert (line.answers, line.company) == ({"parallel_streams": "four_or_more"}, {"headcount": "51-250"})


def test_rules_from_outside_bring_an_officer_a_matrix_and_a_risk() -> None:
    answers = DEADLINE_MIGRATION | {"regulation": "none"}
    free, licensed = of(answers, company()), of(answers | {"regulation": "licensed"}, company())
    assert free.model == licensed.model == "project_based"
    rows = [{line.id: line for line in section(one, "responsibilities").lines} for one in (free, licensed)]
    assert [row["outside_rules"].says.accountable for row in rows] == ["sponsor", "compliance officer"]  # type: ignore[union-attr]  # both are rows
    assert rows[1]["outside_rules"].answers == {"regulation": "licensed"}
    documents = [{line.id for line in section(one, "handoffs").lines} for one in (free, licensed)]
    assert documents[1] - documents[0] == {"responsibility_matrix"}
    risks = [{line.id: line.says for line in section(one, "risks").lines} for one in (free, licensed)]
    assert [one["regulation"].level for one in risks] == ["watch", "raised"]  # type: ignore[union-attr]  # both are risks


@settings(deadline=None)
@given(levels, st.sampled_from(("continuity", "execution", "both")), clients)
def test_each_role_stands_once_among_the_people(answers: dict[str, str], verdict: Verdict, client: Company) -> None:
    blueprint = composed(judged(verdict, answers), client)
    roles = [line.says.role for part in blueprint.sections for line in part.lines if isinstance(line.says, Role)]
    assert len(roles) == len(set(roles))


def test_an_industry_and_a_country_put_their_own_lines_there() -> None:
    bank = of(AUDITED_BANK_PLATFORM, company("over-5000", "finance_and_insurance", "IT"))
    shop = of(AUDITED_BANK_PLATFORM, company("over-5000", "trade", "US"))
    assert bank.model == shop.model
    lines = [{line.id: line for part in one.sections for line in part.lines} for one in (bank, shop)]
    assert lines[0]["eu_finance"].company == {"industry": "finance_and_insurance", "country": "IT"}
    assert {"season_freeze", "time_zone"} <= lines[1].keys() - lines[0].keys()
    assert lines[1]["shared_hours"].rule == "wide_gap"


def test_nobody_to_set_priorities_is_said_first_and_owned_by_the_sponsor() -> None:
    alone = of(SAAS_SCALE_UP | {"priority_owner": "nobody"}, company())
    owned = of(SAAS_SCALE_UP | {"priority_owner": "owner_full_time"}, company())
    added = {line.id for part in alone.sections for line in part.lines} - {
        line.id for part in owned.sections for line in part.lines
    }
    assert {"owner_before_the_first_invoice", "analyst_as_preparer", "needs_product_owner"} <= added


def test_what_is_not_known_is_left_to_the_first_week() -> None:
    answers = SAAS_SCALE_UP | {"operator": "unknown"}
    blueprint = composed(judged("continuity", answers), company())
    line = next(line for line in section(blueprint, "first_week").lines if line.id == "who_runs_it")
    assert line.answers == {"operator": "unknown"}


@pytest.mark.parametrize("verdict", ["unclear", "incomplete", "contradictory"])
def test_a_discovery_call_gets_an_agenda_in_place_of_everything_else(verdict: Verdict) -> None:
    assessment = judged(verdict, TYPICAL[verdict])
    blueprint = composed(assessment, company())
    assert [part.id for part in blueprint.sections] == [
        "call_purpose",
        "call_questions",
        "agenda",
        "call_people",
        "call_after",
    ]
    asked = [line.id.removeprefix("ask_") for line in section(blueprint, "call_questions").lines]
    assert asked == list(proposal_of(assessment).deciding_questions)
    assert list(section(blueprint, "call_purpose").lines[0].answers) == asked


def test_the_riskiest_stands_first_and_two_triggers_make_it_high() -> None:
    answers = DEADLINE_MIGRATION | {"technical_setting": "undocumented_legacy", "cost_of_delay": "contract_or_licence"}
    risks = [line.says for line in section(composed(judged("execution", answers), company()), "risks").lines]
    found = [risk.level for risk in risks if risk.kind == "risk"]
    assert found == sorted(found, key=["high", "raised", "watch"].index)
    assert found[0] == "high"


@pytest.mark.parametrize(
    ("answers", "in_turn"),
    [
        (DISCOVERY_THEN_CONTINUING_WORK, True),
        (FIRST_PIECE_THEN_CONTINUING_WORK, True),
        (HARD_DATE_THEN_ROADMAP, True),
        (SETTLED_PART_BESIDE_A_CHANGING_ONE, False),
    ],
)
def test_a_hybrid_has_a_gate_between_its_stages_or_seams_between_its_parts(
    answers: dict[str, str], in_turn: bool
) -> None:
    blueprint = of(answers, company())
    assert blueprint.model == "hybrid"
    lines = {line.id for part in blueprint.sections for line in part.lines}
    assert {"stage_1", "stage_2"} <= lines
    assert {"start_brief", "gap_between_stages"} <= lines or not in_turn
    assert {"boundary_list", "seams", "not_billed_twice"} <= lines or in_turn
    assert not lines & ({"boundary_list", "seams"} if in_turn else {"start_brief", "gap_between_stages"})


def test_a_blueprint_names_the_versions_that_made_it() -> None:
    blueprint = of(SAAS_SCALE_UP, company())
    assert (blueprint.rules.version, blueprint.rules.hash) == (RULES.version, RULES.hash)
    assert blueprint.playbook.hash == PLAYBOOK.hash
    assert blueprint.questionnaire.hash == QUESTIONNAIRE.hash
