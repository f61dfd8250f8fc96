from importlib.resources import files
from typing import Any

import pytest
import yaml

from services.recommendation.domain.playbook import Playbook, PlaybookRefused, parse
from services.recommendation.handlers.playbooks import PLAYBOOKS
from shared.questionnaire import PUBLISHED, load
from tests.recommendation.situations import QUESTIONNAIRE

PACKAGED = files("services.recommendation") / "playbook" / f"{PUBLISHED}.yaml"


def document() -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(PACKAGED.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return content


def parsed(content: dict[str, Any]) -> Playbook:
    return parse(yaml.dump(content, Dumper=yaml.CSafeDumper), QUESTIONNAIRE)


def test_the_packaged_playbook_is_good_and_has_the_agreed_vetoes_and_conditions() -> None:
    playbook = parse(PACKAGED.read_text(encoding="utf-8"), QUESTIONNAIRE)
    assert {(veto.id, veto.model) for veto in playbook.vetoes} == {
        ("fixed_price_mandatory", "dedicated_team"),
        ("too_short_for_a_team", "dedicated_team"),
        ("no_scope_to_fix", "project_based"),
    }
    assert {(condition.id, condition.model) for condition in playbook.conditions} == {
        ("needs_product_owner", "dedicated_team"),
        ("needs_somebody_who_decides", "project_based"),
        ("specialists_need_a_lead", "dedicated_team"),
        ("look_again_after_the_first_piece", "project_based"),
        ("specialists_not_a_team", "dedicated_team"),
        ("needs_change_budget", "project_based"),
    }


def test_there_is_a_playbook_for_the_published_questionnaire() -> None:
    assert PUBLISHED in PLAYBOOKS
    assert all(playbook.questionnaire == version for version, playbook in PLAYBOOKS.items())


def test_the_hash_is_of_the_content_alone() -> None:
    assert parsed(document()).hash == PLAYBOOKS[PUBLISHED].hash
    content = document()
    content["vetoes"][0]["reason"] += " Really."
    assert parsed(content).hash != PLAYBOOKS[PUBLISHED].hash


RULE = {"id": "extra", "models": ["hybrid"], "form": "milestones", "reason": "Because."}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("vetoes", 0, "when"), {"wish": ["no"]}, "fixed_price_mandatory: there is no question wish"),
        (
            ("conditions", 0, "when"),
            {"priority_owner": ["nobody", "someone"]},
            "needs_product_owner: question priority_owner has no level someone",
        ),
        (
            ("commercial_forms", 1, "when"),
            [{"requirements": []}],
            "discovery_before_the_project: question requirements needs a level",
        ),
        (("vetoes", 0, "when"), {}, "vetoes fixed_price_mandatory when"),
        (("vetoes", 1, "id"), "fixed_price_mandatory", "rule fixed_price_mandatory is there 2 times"),
        (("conditions", 0, "id"), "no_scope_to_fix", "rule no_scope_to_fix is there 2 times"),
        (("override_reasons", 1, "code"), "client_constraint", "override reason client_constraint is there 2 times"),
        (("vetoes", 2, "reason"), " ", "vetoes no_scope_to_fix reason"),
        (("vetoes", 2, "instead"), None, "vetoes no_scope_to_fix instead"),
        (("override_reasons", 0, "text"), "", "override_reasons client_constraint text"),
        (("models", "hybrid", "name"), "", "models hybrid name"),
        (("vetoes", 0, "model"), "hybrid", "vetoes fixed_price_mandatory model"),
        (("commercial_forms", 0, "form"), "barter", "commercial_forms discovery_on_its_own form"),
        (("commercial_forms", 0, "weight"), 3, "commercial_forms discovery_on_its_own weight"),
        (("models", "hybrid", "forms"), ["milestones"], "date_for_the_first_release: hybrid is not offered as"),
        (("stagings", 0, "order"), "at_random", "stagings discovery_then_team order"),
        (("stagings", 0, "stages", 0, "side"), "dedicated_team", "one stage has to be a project"),
        (("stagings", 0, "stages", 0, "portion"), None, "a staging of a split names its portions"),
        (("stagings", 3, "when"), [{"deadline": ["soon"]}], "first_release_then_team: question deadline has no level"),
        (("stagings", 4, "when"), [{"deadline": ["firm"]}], "a hybrid needs a last one without"),
        (("stagings", 1, "id"), "discovery_then_team", "staging discovery_then_team is there 2 times"),
        (("questionnaire",), "2031-01", "the playbook is for 2031-01"),
    ],
)
def test_a_playbook_that_cannot_be_used_is_refused_by_name(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    content: Any = document()
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(PlaybookRefused, match=message):
        parsed(content)


@pytest.mark.parametrize("section", ["commercial_forms", "second_lines"])
@pytest.mark.parametrize(
    "when",
    [
        None,
        [{"price_rule": ["no"]}],
        [{"price_rule": ["no"]}, {"deadline": ["firm"], "aim": ["steady_growth"]}],
    ],
)
def test_a_rule_behind_one_that_always_matches_is_refused(
    section: str, when: list[dict[str, list[str]]] | None
) -> None:
    content = document()
    content[section].append(RULE if when is None else RULE | {"when": when})
    with pytest.raises(PlaybookRefused, match="extra is never reached"):
        parsed(content)


def test_a_rule_is_reached_while_one_of_its_cases_is_left() -> None:
    content = document()
    narrow = RULE | {"id": "narrow", "when": [{"price_rule": ["no"]}]}
    wider = RULE | {"id": "wider", "when": [{"price_rule": ["no", "preferred"]}]}
    content["commercial_forms"][:0] = [narrow, wider]
    assert parsed(content).commercial_forms[1].id == "wider"
    content["commercial_forms"][:2] = [wider, narrow]
    with pytest.raises(PlaybookRefused, match="narrow is never reached"):
        parsed(content)


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [("models", "hybrid", "models: hybrid is missing"), ("forms", "retainer", "forms: retainer is missing")],
)
def test_every_model_and_form_needs_its_words(section: str, key: str, message: str) -> None:
    content = document()
    del content[section][key]
    with pytest.raises(PlaybookRefused, match=message):
        parsed(content)


def test_every_model_needs_a_form_for_all_answers() -> None:
    content = document()
    content["commercial_forms"] = [rule for rule in content["commercial_forms"] if rule["id"] != "standing_team"]
    with pytest.raises(PlaybookRefused, match="dedicated_team needs a last rule"):
        parsed(content)


def test_a_staged_hybrid_needs_a_form_for_its_team() -> None:
    content = document()
    content["second_lines"] = [rule for rule in content["second_lines"] if "hybrid" not in rule["models"]]
    with pytest.raises(PlaybookRefused, match="second_lines: hybrid needs a last rule"):
        parsed(content)


def test_a_rule_for_one_split_leaves_the_rest_to_those_behind_it() -> None:
    content = document()
    content["commercial_forms"].insert(0, RULE | {"split": "settled_and_changing_parts"})
    assert parsed(content).commercial_forms[0].split == "settled_and_changing_parts"
    content["commercial_forms"].insert(1, RULE | {"id": "again", "split": "settled_and_changing_parts"})
    with pytest.raises(PlaybookRefused, match="again is never reached"):
        parsed(content)


def test_the_playbook_published_before_keeps_its_hash() -> None:
    assert PLAYBOOKS["2026-11"].hash == "1f054bc293fa98aba68037aa357da16943c29bc565335a95f5646cff290207c2"


def test_what_is_not_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(PlaybookRefused, match="line 2"):
        parse("version: '1\nforms: [", load())


@pytest.mark.parametrize("text", ["", "[]", "3"])
def test_what_is_not_a_playbook_at_all_is_refused(text: str) -> None:
    with pytest.raises(PlaybookRefused):
        parse(text, load())
