"""Which past cases are like one: by the share of equal answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np

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


def nearest(
    levels: Mapping[str, str], questionnaire: Questionnaire, fingerprint: bytes, others: bytes
) -> list[Likeness]:
    """The cases most like the one with this fingerprint, the nearest first and of equals the latest.

    `others` holds the id and the fingerprint of each, one after another. Key questions, size and industry count double;
    what is not known in this case counts nothing.
    """
    questions = [questionnaire.question(question) for question in sorted(levels)]
    weights = [0 if levels[one.id] == UNKNOWN else WEIGHS_DOUBLE if one.key_question else 1 for one in questions] + [
        WEIGHS_DOUBLE
    ] * COMPANY_FACTS
    rows = np.frombuffer(others, np.uint8).reshape(-1, ID_BYTES + len(fingerprint))
    facts = np.ascontiguousarray(rows[:, ID_BYTES:]).view(np.uint16)
    equal = (facts == np.frombuffer(fingerprint, np.uint16)) & (np.array(weights) > 0)
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
