"""What the API cannot take is refused in words that help, and nothing comes of it."""

from typing import Any

import pytest

from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.journey.caller import COMPANY, CONTACT, Caller, submission

ADDRESS = "/api/intake/intakes"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (submission(answers={"favourite_colour": "blue"}), "favourite_colour"),
        (submission(answers={"aim": "to_win"}), "aim"),
        (submission(answers={"aim": 3}), "answers.aim"),
        (submission(answers="all"), "answers"),
        (submission(company=COMPANY | {"name": "x" * 201}), "company.name"),
        (submission(company=COMPANY | {"name": "a\u0007b"}), "company.name"),
        (submission(company=COMPANY | {"name": "a\u0000b"}), "company.name"),
        (submission(company=COMPANY | {"name": "  "}), "company.name"),
        (submission(company=COMPANY | {"name": 7}), "company.name"),
        (submission(company=COMPANY | {"headcount": "many"}), "company.headcount"),
        (submission(company=COMPANY | {"country": "XX"}), "company.country"),
        (submission(contact=CONTACT | {"email": "somebody"}), "contact.email"),
        (submission(contact=None), "contact"),
        (submission(consent=False), "consent"),
        ({name: value for name, value in submission().items() if name != "consent"}, "consent"),
        (submission(note="please"), "note"),
        (submission(company=COMPANY | {"vat": "IE1"}), "company.vat"),
        ([submission()], "body"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(staff: Caller, body: object, named: str) -> None:
    answer = await staff.ask("POST", ADDRESS, json=body)
    problem = told(answer.status_code, answer.headers["content-type"], answer.json())
    assert answer.status_code == 422
    assert named in problem["detail"]


@pytest.mark.parametrize(
    ("body", "status", "advice"),
    [
        (b"{", 400, "JSON"),
        (b"\xff\xfe", 400, "UTF-8"),
        (b'{"answers": {}, "answers": {}}', 400, "'answers'"),
        (b'{"answers": {"aim": "unknown", "aim": "unknown"}}', 400, "'aim'"),
        (b"[" * 100_000, 400, "JSON"),
        (b'{"answers": "' + b"x" * 10_000_000 + b'"}', 413, "256 KB"),
    ],
    ids=["half", "not UTF-8", "repeated key", "repeated key inside", "deep", "10 MB"],
)
async def test_a_body_that_cannot_be_read_is_refused(staff: Caller, body: bytes, status: int, advice: str) -> None:
    answer = await staff.ask("POST", ADDRESS, content=body, headers={"Content-Type": "application/json"})
    problem = told(answer.status_code, answer.headers["content-type"], answer.json())
    assert answer.status_code == status
    assert advice in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{ADDRESS}/00000000-0000-4000-8000-000000000000", 404),
        ("GET", f"{ADDRESS}/no-id", 422),
        ("GET", "/api/assessment/intakes/00000000-0000-4000-8000-000000000000", 404),
        ("GET", "/api/recommendation/intakes/00000000-0000-4000-8000-000000000000", 404),
        ("GET", "/api/recommendation/reviews?state=mislaid", 422),
        ("GET", "/api/assessment/rubrics/none", 404),
        ("GET", "/api/intake/nothing", 404),
        ("PUT", ADDRESS, 405),
    ],
)
async def test_what_is_not_there_is_said_to_be_missing(staff: Caller, method: str, path: str, status: int) -> None:
    answer = await staff.ask(method, path)
    told(answer.status_code, answer.headers["content-type"], answer.json())
    assert answer.status_code == status


async def test_a_caller_without_a_key_is_asked_for_one(staff: Caller) -> None:
    answer = await staff.ask("POST", ADDRESS, json=submission(), headers={"Authorization": "Bearer nonsense"})
    told(answer.status_code, answer.headers["content-type"], answer.json())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_key_of_an_idempotent_request_has_to_be_short(staff: Caller) -> None:
    answer = await staff.ask("POST", ADDRESS, json=submission(), headers={"Idempotency-Key": "k" * 201})
    told(answer.status_code, answer.headers["content-type"], answer.json())
    assert answer.status_code == 400


async def test_an_answer_that_is_unknown_in_a_preview_is_named(staff: Caller) -> None:
    answer = await staff.ask("POST", "/api/assessment/preview", json={"answers": SAAS_SCALE_UP | {"aim": "to_win"}})
    problem = told(answer.status_code, answer.headers["content-type"], answer.json())
    assert answer.status_code == 422
    assert "aim" in problem["detail"]


def told(status: int, content_type: str, problem: dict[str, Any]) -> dict[str, Any]:
    """The problem, if it has what RFC 9457 asks for and no word that only its makers understand."""
    assert content_type == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "invalid" not in f"{problem['title']} {problem['detail']}".lower()
    assert "Traceback" not in problem["detail"]
    return problem
