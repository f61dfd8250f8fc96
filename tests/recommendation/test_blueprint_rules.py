from importlib.resources import files
from typing import Any

import pytest
import yaml

from services.recommendation.domain.blueprint_checks import BlueprintRefused, parse
from services.recommendation.domain.blueprint_rules import BlueprintRules
from services.recommendation.handlers.playbooks import BLUEPRINTS
from shared.questionnaire import PUBLISHED
from tests.recommendation.situations import PLAYBOOK, QUESTIONNAIRE

FILE = f"{PUBLISHED}.yaml"
PACKAGED = (files("services.recommendation") / "blueprint" / FILE).read_text(encoding="utf-8")
POINT = {"title": "Title", "text": "Text."}


def document() -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(PACKAGED, Loader=yaml.CSafeLoader)
    return content


def parsed(content: dict[str, Any]) -> BlueprintRules:
    return parse(yaml.dump(content, Dumper=yaml.CSafeDumper), FILE, PLAYBOOK, QUESTIONNAIRE)


def section(content: dict[str, Any], section_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(part for part in content["sections"] if part["id"] == section_id)
    return found


def with_rule(section_id: str, **rule: object) -> dict[str, Any]:
    content = document()
    section(content, section_id)["rules"].append({"id": "extra", "says": POINT} | rule)
    return content


def test_the_packaged_rules_are_those_that_the_service_runs_on() -> None:
    assert parse(PACKAGED, FILE, PLAYBOOK, QUESTIONNAIRE).hash == BLUEPRINTS[PUBLISHED].hash


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_rule("why", when=[{"wish": ["no"]}]), "extra: there is no question or fact wish"),
        (with_rule("why", when=[{"aim": ["dream"]}]), "extra: aim has no level dream"),
        (with_rule("why", when=[{"aim": []}]), "extra: aim needs a level"),
        (with_rule("why", when=[{"headcount": ["12"]}]), "extra: headcount has no level 12"),
        (with_rule("why", when=[{"country": ["Germany"]}]), "extra: country has no level Germany"),
        (with_rule("why", when=[{"staging": ["someday"]}]), "extra: staging has no level someday"),
        (with_rule("why", says={"title": "Title", "text": " "}), "extra says point text"),
        (with_rule("why", says={"title": "Title"}), "extra says point text"),
        (with_rule("why", says=POINT | {"owner": "sponsor"}), "extra says point owner"),
        (with_rule("why", says={"title": "Title", "text": "The {king} decides."}), "extra: there is no role king"),
        (
            with_rule("why", says={"title": "Title", "text": "The {SPONSOR} decides."}),
            "extra: there is no role sPONSOR",
        ),
        (
            with_rule("why", says={"title": "Title", "text": "The {sponsor decides."}),
            "extra: .*expected '}'",
        ),
        (
            with_rule("people", says={"party": "client", "role": "king", "does": "Reigns", "time": "Always"}),
            "role king",
        ),
        (with_rule("why", id="meetings_have_a_ceiling"), "rule meetings_have_a_ceiling is there 2 times"),
        (with_rule("why", id="small_company"), "rule small_company is there 2 times"),
        (with_rule("why", slot="roadmap"), "line roadmap is there 2 times"),
        (with_rule("why", models=["discovery_call"]), "extra is never reached: why is not for discovery_call"),
    ],
)
def test_rules_that_name_what_is_not_there_or_lack_words_are_refused_by_name_and_file(
    content: dict[str, Any], message: str
) -> None:
    with pytest.raises(BlueprintRefused, match=f"^{FILE}: .*{message}"):
        parsed(content)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"slot": "purpose"}, "an earlier rule of its slot takes all cases"),
        ({"when": [{"price_rule": ["mandatory"]}], "models": ["dedicated_team"]}, "a veto on the model"),
        ({"when": [{"requirements": ["written"], "change_rate": ["weekly"]}]}, "a hard contradiction"),
        ({"when": [{"aim": ["unknown"]}]}, "a key question has to be answered"),
        ({"when": [{"commercial_form": ["fixed_price"]}], "models": ["dedicated_team"]}, "no such form for the model"),
        ({"when": [{"commercial_form": ["retainer"], "parallel_streams": ["one"]}]}, "the form needs other answers"),
        ({"when": [{"structure": ["both_hats"], "parallel_streams": ["four_or_more"]}]}, "the structure likewise"),
        ({"when": [{"structure": ["project_office"], "headcount": ["1-10"]}]}, "no structure for that size"),
        ({"when": [{"staging": ["parts_side_by_side"]}], "models": ["project_based"]}, "only a hybrid is staged"),
        ({"when": [{"kind": ["veto"]}]}, "only a call has a kind"),
    ],
)
def test_a_rule_that_can_never_apply_to_its_model_is_refused(rule: dict[str, object], reason: str) -> None:
    with pytest.raises(BlueprintRefused, match=f"^{FILE}: .*extra can never apply"):
        parsed(with_rule("why", **rule))


def test_an_alternative_that_can_never_apply_is_refused_beside_one_that_can() -> None:
    content = with_rule("why", when=[{"aim": ["steady_growth"]}, {"aim": ["unknown"]}])
    with pytest.raises(BlueprintRefused, match=r"extra: the alternative .*unknown.* can never apply"):
        parsed(content)


def test_a_structure_behind_one_that_takes_its_cases_is_refused() -> None:
    content = document()
    extra = {"id": "tiny_company", "structure": "both_hats", "when": [{"headcount": ["1-10"]}]}
    content["structures"].insert(-1, extra)
    with pytest.raises(BlueprintRefused, match="tiny_company is never reached"):
        parsed(content)


def test_every_company_has_a_structure() -> None:
    content = document()
    del content["structures"][-1]
    with pytest.raises(BlueprintRefused, match="structures: 1001-5000 needs one by its headcount alone"):
        parsed(content)


def test_every_model_of_a_section_has_a_heading() -> None:
    content = document()
    section(content, "why")["titles"] = section(content, "why")["titles"][:1]
    with pytest.raises(BlueprintRefused, match="why: hybrid needs a last title"):
        parsed(content)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("standing_team", "told: standing_team is missing"),
        ("parts_side_by_side_2", "told: parts_side_by_side_2 is missing"),
    ],
)
def test_a_client_is_told_something_for_every_rule_of_the_playbook(key: str, message: str) -> None:
    content = document()
    del content["told"][key]
    with pytest.raises(BlueprintRefused, match=f"^{FILE}: {message}"):
        parsed(content)


def test_nothing_is_told_for_a_rule_that_the_playbook_lacks() -> None:
    content = document()
    content["told"]["a_whim"] = {"text": "Because."}
    with pytest.raises(BlueprintRefused, match="the playbook has no rule a_whim"):
        parsed(content)


@pytest.mark.parametrize("text", ["", "[]", "version: '1\nsections: ["])
def test_what_is_no_set_of_rules_is_refused_with_its_file(text: str) -> None:
    with pytest.raises(BlueprintRefused, match=f"^{FILE}: "):
        parse(text, FILE, PLAYBOOK, QUESTIONNAIRE)


def test_rules_for_another_questionnaire_are_refused() -> None:
    content = document() | {"questionnaire": "2031-01"}
    with pytest.raises(BlueprintRefused, match="it is for 2031-01"):
        parsed(content)
