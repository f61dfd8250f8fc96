from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from services.assessment.domain.rubric import RubricRefused, as_published, capacity, parse
from services.assessment.domain.weight_bank import bank_of
from tests.assessment.first_version import QUESTIONNAIRE, RUBRIC, RUBRIC_TEXT

WEIGHTS = tuple(question.weight_bp for question in RUBRIC.questions)

Document = dict[str, Any]


def levels(document: Document, question_id: str) -> Document:
    return next(question["levels"] for question in document["questions"] if question["id"] == question_id)


def silence_execution_in_structure(document: Document) -> None:
    for question_id in ("start", "scarce_skill"):
        for values in levels(document, question_id).values():
            values["execution"] = 0


def test_the_published_rubric_has_the_capacities_that_make_both_axes_0_to_100() -> None:
    assert capacity(RUBRIC.questions) == (716_790, 665_460)


def test_the_same_content_has_the_same_hash_and_other_content_another() -> None:
    document = yaml.safe_load(RUBRIC_TEXT)
    again = parse(yaml.safe_dump(document), QUESTIONNAIRE)
    document["rule"]["leader_floor"] = 46
    changed = parse(yaml.safe_dump(document), QUESTIONNAIRE)
    assert again.hash == RUBRIC.hash != changed.hash


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda document: document["questions"][0].update(weight_bp=598),
            "the weights add up to 10001, not to 10000: lower some by 1 in all",
        ),
        (
            lambda document: document["questions"].pop(0),
            "question aim is missing: add it",
        ),
        (
            lambda document: document["questions"].append(deepcopy(document["questions"][0])),
            "question aim is there already: keep one",
        ),
        (
            lambda document: document["questions"][0].update(id="goal"),
            "question aim is missing: add it; question goal is not in the questionnaire: take it out",
        ),
        (
            lambda document: levels(document, "funding").pop("fixed_sum"),
            "question funding level fixed_sum is missing: add it",
        ),
        (
            lambda document: levels(document, "funding").update(grant={"continuity": 0, "execution": 0}),
            "question funding level grant is not in the questionnaire: take it out",
        ),
        (
            lambda document: levels(document, "funding")["fixed_sum"].update(execution=101),
            "question funding levels fixed_sum execution: 101 is too high: give at most 100",
        ),
        (
            lambda document: levels(document, "funding")["fixed_sum"].update(continuity=-1),
            "question funding levels fixed_sum continuity: -1 is too low: give at least 0",
        ),
        (
            lambda document: levels(document, "funding")["fixed_sum"].update(execution=99.5),
            "question funding levels fixed_sum execution: 99.5 is not a whole number: give one, without quotes and "
            "decimals",
        ),
        (
            lambda document: document["questions"][0].pop("id"),
            "question number 1 id: this is missing: add it",
        ),
        (
            lambda document: document["rule"].pop("leader_floor"),
            "rule leader_floor: this is missing: add it",
        ),
        (
            lambda document: document["rule"].update(margin_needed=0),
            "rule margin_needed: 0 is too low: give at least 1",
        ),
        (
            lambda document: document["rule"].update(robustness_for_clear=50),
            "rule robustness_for_clear: 50 is too low: give more than 50",
        ),
        (
            lambda document: document["questions"][0].update(can_change="sometimes"),
            "question aim can_change: sometimes is not one of the choices: give 'by_choice', 'by_events' or 'never'",
        ),
        (
            lambda document: document.update(author="somebody"),
            "author: no such field is known here: take it out, or mend its spelling",
        ),
        (
            lambda document: document.update(questionnaire="2026-12"),
            "questionnaire: the rubric is for 2026-12, and this is 2026-11; give the version that it scores",
        ),
        (
            silence_execution_in_structure,
            "dimension Structure: nothing in it speaks for execution: raise a level or a weight",
        ),
    ],
)
def test_a_rubric_that_cannot_score_is_refused_with_what_to_mend(
    spoil: Callable[[Document], object], message: str
) -> None:
    document = yaml.safe_load(RUBRIC_TEXT)
    spoil(document)
    with pytest.raises(RubricRefused) as refused:
        parse(yaml.safe_dump(document), QUESTIONNAIRE)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [("questions: [", "this is not YAML ("), ("", "the whole file: nothing stands where fields")],
)
def test_a_text_that_is_no_rubric_is_refused_with_what_to_mend(text: str, message: str) -> None:
    with pytest.raises(RubricRefused) as refused:
        parse(text, QUESTIONNAIRE)
    assert str(refused.value).startswith(message)


def test_the_published_form_names_every_level_in_catalogue_order() -> None:
    published = as_published(RUBRIC, QUESTIONNAIRE)
    assert published["version"] == published["questionnaire"] == "2026-11"
    assert published["hash"] == RUBRIC.hash
    assert published["capacity"] == {"continuity": 716_790, "execution": 665_460}
    assert [
        (question["id"], question["dimension"], [level["key"] for level in question["levels"]])
        for question in published["questions"]
    ] == [
        (question.id, question.dimension, [level.key for level in question.levels])
        for question in QUESTIONNAIRE.questions
    ]
    assert published["questions"][0]["weight_bp"] == 597
    changes = {question["id"]: question["can_change"] for question in published["questions"]}
    assert (changes["aim"], changes["deadline"], changes["regulation"]) == ("by_choice", "by_events", "never")
    assert published["questions"][0]["levels"][1] == {
        "key": "first_version_then_decide",
        "continuity": 30,
        "execution": 80,
    }


def test_the_published_rule_says_how_the_verdict_is_reached() -> None:
    assert as_published(RUBRIC, QUESTIONNAIRE)["rule"] == {
        "min_answered_weight": 0.8,
        "key_required": ["aim", "horizon", "requirements", "change_rate", "success_measure", "overrun_risk"],
        "soft_contradictions_for_call": 3,
        "hybrid_floor": 60,
        "hybrid_max_margin": 20,
        "margin_needed": 12,
        "leader_floor": 45,
        "margin_for_clear": 24,
        "robustness_for_clear": 0.95,
        "weight_bank": {"distribution": "Dirichlet(60*w)", "n": 10_000, "hash": bank_of(WEIGHTS).hash},
    }
