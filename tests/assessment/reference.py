"""The method once more, slowly: exact fractions over the published rubric, every completion tried in turn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor

from services.assessment.domain.rubric import as_published
from shared.questionnaire import UNKNOWN
from tests.assessment.published import QUESTIONNAIRE, RUBRIC

PUBLISHED = as_published(RUBRIC, QUESTIONNAIRE)
RULE = PUBLISHED["rule"]
QUESTIONS = {question["id"]: question for question in PUBLISHED["questions"]}
VALUES = {name: {level["key"]: level for level in question["levels"]} for name, question in QUESTIONS.items()}


@dataclass(frozen=True)
class Points:
    continuity: Fraction
    execution: Fraction

    @property
    def margin(self) -> Fraction:
        return self.continuity - self.execution


def points(answers: Mapping[str, str], questions: Iterable[str]) -> Points:
    """Of known answers, over the capacity of these questions."""
    questions = tuple(questions)

    def axis(name: str) -> Fraction:
        reached = sum(QUESTIONS[q]["weight_bp"] * VALUES[q][answers[q]][name] for q in questions)
        most = sum(QUESTIONS[q]["weight_bp"] * max(level[name] for level in VALUES[q].values()) for q in questions)
        return Fraction(100 * reached, most)

    return Points(axis("continuity"), axis("execution"))


def contribution(question: str, level: str) -> Fraction:
    weight, values, capacity = QUESTIONS[question]["weight_bp"], VALUES[question][level], PUBLISHED["capacity"]
    return 100 * (
        Fraction(weight * values["continuity"], capacity["continuity"])
        - Fraction(weight * values["execution"], capacity["execution"])
    )


def verdict(answers: Mapping[str, str]) -> str:
    """Of answers that are all known."""
    open_ones = [
        rule.severity
        for rule in QUESTIONNAIRE.contradictions
        if all(answers[question] in keys for question, keys in rule.when.items())
    ]
    if "hard" in open_ones or len(open_ones) >= RULE["soft_contradictions_for_call"]:
        return "contradictory"
    whole = points(answers, QUESTIONS)
    if min(whole.continuity, whole.execution) >= RULE["hybrid_floor"] and abs(whole.margin) < RULE["hybrid_max_margin"]:
        return "both"
    if whole.margin >= RULE["margin_needed"] and whole.continuity >= RULE["leader_floor"]:
        return "continuity"
    if whole.margin <= -RULE["margin_needed"] and whole.execution >= RULE["leader_floor"]:
        return "execution"
    return "unclear"


def completions(answers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Every way in which the unknown answers could fall."""
    unknown = [question for question in QUESTIONS if answers[question] == UNKNOWN]
    for levels in product(*(VALUES[question] for question in unknown)):
        yield dict(answers) | dict(zip(unknown, levels, strict=True))


def shown(exact: Fraction) -> float:
    """One decimal, half up."""
    return floor(exact * 10 + Fraction(1, 2)) / 10
