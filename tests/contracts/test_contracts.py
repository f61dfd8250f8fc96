import json
import re
from typing import Any

import pytest

from shared.contracts.base import Event
from shared.service import PREFIXES
from tests.contracts.schemas import FOLDER, events, fields, path, schema

EVENTS = {event.topic: event for event in events()}

# What anybody may read on the bus for seven days: keys of closed lists, versions, campaigns, and the names of firm and
# staff.
TEXTS = {
    "answer",
    "answers",
    "campaign",
    "country",
    "dimension",
    "document_hash",
    "from",
    "hash",
    "id",
    "language",
    "level",
    "medium",
    "name",
    "question",
    "questionnaire",
    "questions",
    "reason_code",
    "source",
    "to",
    "unknown",
    "version",
    "weight_bank",
    "zone",
}

IDS_OF_THE_EXAMPLES = {
    "assessment.completed.v1": "3335085b-2d91-5d19-9f8b-58ca5f2ce769",
    "intake.erased.v1": "f8a2cd2c-8946-5d4b-8d80-4eb850a4592c",
    "intake.staff-changed.v1": "76b2f75b-1a54-51ac-8146-6a7185c41940",
    "intake.submitted.v1": "a944557c-84c5-55d7-ac4d-49ea4491f765",
    "intake.withdrawn.v1": "c081b36f-5c65-5726-91d3-ee37a7b4391e",
    "recommendation.answered.v1": "6e32103f-8337-5b9c-a3fe-e3de5aaa3c7f",
    "recommendation.call-booked.v1": "cac6e5e7-f829-506c-9ffc-4830db4bbc5a",
    "recommendation.expired.v1": "7fb8b949-9404-584a-b237-e09672de1bce",
    "recommendation.link-closed.v1": "f58426ed-6def-5707-882b-3fd8b9428a41",
    "recommendation.outcome-recorded.v1": "10572593-3d89-594f-9f92-5b3f965831f3",
    "recommendation.replied.v1": "729d1fc9-78c6-587b-90cd-8c8e88b859de",
    "recommendation.opened.v1": "15d3ba21-f721-557b-8bc6-818ac07639fb",
    "recommendation.released.v1": "5b95880d-0856-501f-8ece-2e8a60d15851",
    "recommendation.assigned.v1": "93f5adbb-1b4a-547e-abe0-b89e7a13f3d5",
    "recommendation.proposed.v1": "2aea4321-eeca-563e-8925-e99bf83a30af",
    "recommendation.reviewed.v1": "b30c9687-a34a-57c6-aed5-33c56036589a",
}


@pytest.fixture(params=EVENTS)
def event(request: pytest.FixtureRequest) -> type[Event]:
    return EVENTS[request.param]


def example(event: type[Event], kind: str) -> bytes:
    return path(event, kind).read_bytes()


def holds(whole: Any, part: Any) -> bool:
    """True when all of `part` stands in `whole`, which may have more fields."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and holds(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def test_an_event_has_the_agreed_shape(event: type[Event]) -> None:
    agreed = json.loads(path(event, "schema").read_text())
    assert schema(event) == agreed, (
        f"{event.topic} has changed. If you only added an optional field, write its new shape down with "
        "`python -m tests.contracts.schemas`. Any other change breaks whoever reads it: make a new class with the "
        "next .v number in its topic, and publish both until nobody reads the old one."
    )


def test_every_agreed_shape_still_belongs_to_an_event() -> None:
    kept = {file.name for file in FOLDER.glob("*.json")}
    assert kept == {path(event, kind).name for event in events() for kind in ("schema", "full", "minimal")}


@pytest.mark.parametrize("kind", ["full", "minimal"])
def test_what_was_once_said_can_still_be_read_and_means_the_same(event: type[Event], kind: str) -> None:
    read = event.model_validate_json(example(event, kind))
    said_again = read.model_dump_json(by_alias=True)
    assert holds(json.loads(said_again), json.loads(example(event, kind)))
    assert event.model_validate_json(said_again) == read


def test_a_field_that_a_newer_publisher_has_added_is_passed_over(event: type[Event]) -> None:
    newer = json.loads(example(event, "full")) | {"added_later": {"anything": 1}}
    assert event.model_validate_json(json.dumps(newer)) == event.model_validate_json(example(event, "full"))


def test_an_event_cannot_be_changed_once_made(event: type[Event]) -> None:
    read = event.model_validate_json(example(event, "full"))
    with pytest.raises(ValueError, match="frozen"):
        read.version = 9  # type: ignore[misc]


def test_an_events_id_follows_from_topic_thing_and_version_alone(event: type[Event]) -> None:
    full, minimal = (event.model_validate_json(example(event, kind)) for kind in ("full", "minimal"))
    assert str(full.event_id) == str(minimal.event_id) == IDS_OF_THE_EXAMPLES[event.topic]
    assert full.model_copy(update={"version": full.version + 1}).event_id != full.event_id


def test_no_event_has_a_field_for_contact_details_or_free_text(event: type[Event]) -> None:
    texts = {name for name, shape in fields(schema(event)) if is_text(shape)}
    assert texts <= TEXTS, (
        f"{sorted(texts - TEXTS)} can hold anything. Where only keys, versions or digests go into a field, add its "
        "name to TEXTS; what a person wrote stays in the service where it was typed."
    )


def is_text(shape: dict[str, Any]) -> bool:
    """True for a string, or strings, of no closed list and no format."""
    if shape.get("type") == "string":
        return not {"enum", "const", "format"} & shape.keys()
    parts = [*shape.get("anyOf", ()), shape.get("items"), shape.get("additionalProperties")]
    return any(is_text(part) for part in parts if isinstance(part, dict))


def test_a_topic_names_its_service_fact_and_version(event: type[Event]) -> None:
    assert re.fullmatch(rf"({'|'.join(PREFIXES)})\.[a-z]+(-[a-z]+)*\.v[1-9]", event.topic)


def test_busy_topics_have_six_partitions_and_rare_ones_one() -> None:
    busy = {"intake.submitted.v1", "assessment.completed.v1", "recommendation.proposed.v1"}
    assert {event.topic: event.partitions for event in events()} == {
        topic: 6 if topic in busy else 1 for topic in EVENTS
    }
