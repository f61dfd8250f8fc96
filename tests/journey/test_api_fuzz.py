"""Whatever is sent to the APIs, they answer in words and never break."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from shared.contracts.intake import Role
from tests.chaos.systems import Laptop

ROLES: tuple[Role, ...] = ("sales", "account_manager", "rubric_owner", "admin")
EXAMPLES = 10


@pytest.mark.parametrize("service", ["intake", "assessment", "recommendation"])
def test_no_call_breaks_the_api(laptop: Laptop, service: str) -> None:
    key = laptop.command("key", "add", "fuzz", *(word for role in ROLES for word in ("--role", role))).stdout.strip()
    schema = schemathesis.openapi.from_url(laptop.url(f"/api/{service}/openapi.json"))
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert operations
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers_in_words(case: "schemathesis.Case[Any]") -> None:
            answer = case.call(headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"], answer.text
                assert json.loads(answer.content)["detail"]

        answers_in_words()
