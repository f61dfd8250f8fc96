"""Which past cases are like one: by the share of equal answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import numpy as np

from shared.contracts.intake import Company
from shared.questionnaire import UNKNOWN, Questionnaire

NEAREST = 5
WEIGHS_DOUBLE = 2
ID_BYTES = 16
COMPANY_FACTS = 2


@dataclass(frozen=True)
class Likeness:
    """How many of a case's `given` answers are the `same` in another case, and whether size and industry are."""

    intake_id: UUID
    same: int
    given: int
    same_size: bool
    same_industry: bool


def fingerprint(levels: Mapping[str, str], company: Company) -> bytes:
    """Two bytes for each answer, in the order of the questions' ids, then for the company's size and its industry.

    Equal where those are. As one run of bytes ten thousand cases are compared in a moment; their JSON is not.
    """
    facts = [*(levels[question] for question in sorted(levels)), company.headcount, company.industry]
    return b"".join(map(_mark, facts))


@lru_cache(maxsize=1024)
def _mark(fact: str) -> bytes:
    return hashlib.md5(fact.encode(), usedforsecurity=False).digest()[:2]


def nearest(levels: Mapping[str, str], questionnaire: Questionnaire, own: bytes, others: bytes) -> list[Likeness]:
    """The cases most like the one whose `own` fingerprint this is, the nearest first and of equals the latest.

    `others` holds the id and the fingerprint of each, one after another. Key questions, size and industry count double;
    what is not known in this case counts nothing.
    """
    questions = [questionnaire.question(question) for question in sorted(levels)]
    weights = [0 if levels[one.id] == UNKNOWN else WEIGHS_DOUBLE if one.key_question else 1 for one in questions] + [
        WEIGHS_DOUBLE
    ] * COMPANY_FACTS
    rows = np.frombuffer(others, np.uint8).reshape(-1, ID_BYTES + len(own))
    facts = np.ascontiguousarray(rows[:, ID_BYTES:]).view(np.uint16)
    equal = (facts == np.frombuffer(own, np.uint16)) & (np.array(weights) > 0)
    earlier, later = ~np.ascontiguousarray(rows[:, :ID_BYTES]).view(">u8").T
    order = np.lexsort((later, earlier, -(equal @ np.array(weights))))[:NEAREST]
    given = sum(weight > 0 for weight in weights) - COMPANY_FACTS
    return [
        Likeness(
            intake_id=UUID(bytes=rows[place, :ID_BYTES].tobytes()),
            same=int(equal[place, :-COMPANY_FACTS].sum()),
            given=given,
            same_size=bool(equal[place, -2]),
            same_industry=bool(equal[place, -1]),
        )
        for place in order
    ]
