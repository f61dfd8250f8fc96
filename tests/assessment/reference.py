"""The method once more, slowly: exact fractions over the published rubric, every completion tried in turn."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import floor

from services.assessment.domain.rubric import as_published
from shared.questionnaire import UNKNOWN
from tests.assessment.published import QUESTIONNAIRE, RUBRIC

PUBLISHED = as_published(RUBRIC, QUESTIONNAIRE)
RULE = PUBLISHED["rule"]
HYBRIDS = PUBLISHED["hybrids"]
UNSCORED = {
    question.id: {
        "id": question.id,
        "weight_bp": 0,
        "can_change": HYBRIDS["unscored"][question.id],
        "levels": [{"key": level.key, "continuity": 0, "execution": 0} for level in question.levels],
    }
    for question in QUESTIONNAIRE.questions
    if question.id in HYBRIDS["unscored"]
}
QUESTIONS = {question["id"]: question for question in PUBLISHED["questions"]}
QUESTIONS = {question.id: (QUESTIONS | UNSCORED)[question.id] for question in QUESTIONNAIRE.questions}
VALUES = {name: {level["key"]: level for level in question["levels"]} for name, question in QUESTIONS.items()}


@dataclass(frozen=True)
class Points:
    continuity: Fraction
    execution: Fraction

    @property
    def margin(self) -> Fraction:
        return self.continuity - self.execution


def points(answers: Mapping[str, str], questions: Iterable[str]) -> Points:
    """Of known answers, over the capacity of these questions; those without points add nothing."""
    questions = tuple(question for question in questions if question not in UNSCORED)

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


def is_split(answers: Mapping[str, str]) -> bool:
    """Whether a split is said, and each of its portions shown."""
    return any(
        answers[split["question"]] in split["answers"]
        and all(
            any(answers[question] in keys for question, keys in portion["shown_by"].items())
            for portion in split["portions"]
        )
        for split in HYBRIDS["splits"]
    )


def verdict(answers: Mapping[str, str]) -> str:
    """Of answers that are all known, but for those without points."""
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
    if (
        min(whole.continuity, whole.execution) >= HYBRIDS["floor"]
        and abs(whole.margin) < HYBRIDS["max_margin"]
        and is_split(answers)
    ):
        return "both"
    if whole.margin >= RULE["margin_needed"] and whole.continuity >= RULE["leader_floor"]:
        return "continuity"
    if whole.margin <= -RULE["margin_needed"] and whole.execution >= RULE["leader_floor"]:
        return "execution"
    return "unclear"


def completions(answers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Every way in which the unknown answers with points could fall."""
    unknown = [question for question in QUESTIONS if answers[question] == UNKNOWN and question not in UNSCORED]
    for levels in product(*(VALUES[question] for question in unknown)):
        yield dict(answers) | dict(zip(unknown, levels, strict=True))


def misfits(answers: Mapping[str, str]) -> set[str]:
    """What these answers must not be: the contradictions they contain, and what an implication leaves no room for."""
    found = {
        rule.id
        for rule in QUESTIONNAIRE.contradictions
        if all(answers[question] in keys for question, keys in rule.when.items())
    }
    for rule in QUESTIONNAIRE.implications:
        if all(answers[question] in keys for question, keys in rule.when.items()):
            found |= {f"{question} not {key}" for question, key in rule.then.items() if answers[question] != key}
    return found


def calls_for_a_talk(found: set[str]) -> bool:
    severities = [rule.severity for rule in QUESTIONNAIRE.contradictions if rule.id in found]
    return "hard" in severities or severities.count("soft") >= RULE["soft_contradictions_for_call"]


def outlook(answers: Mapping[str, str], given: Mapping[str, str] | None = None) -> Counter[str]:
    """How many of the completions that fit together, and have what is given, lead to each verdict."""
    before = misfits(answers)
    led: Counter[str] = Counter()
    for completion in completions({**answers, **(given or {})}):
        new = misfits(completion) - before
        if not calls_for_a_talk(misfits(completion)) and not any(" not " in name for name in new):
            led[verdict(completion)] += 1
    return led


@dataclass(frozen=True)
class Integers:
    """The points of known answers as numerators, for loops over tens of thousands of them."""

    continuity: int
    execution: int

    @classmethod
    def of(cls, question: str, level: str) -> "Integers":
        weight, values = QUESTIONS[question]["weight_bp"], VALUES[question][level]
        return cls(weight * values["continuity"], weight * values["execution"])

    def verdict(self, answers: Mapping[str, str]) -> str:
        """But for contradictions."""
        most = PUBLISHED["capacity"]
        continuity, execution = 100 * self.continuity, 100 * self.execution
        margin = continuity * most["execution"] - execution * most["continuity"]
        point = most["continuity"] * most["execution"]
        high = RULE["hybrid_floor"]
        if (
            continuity >= high * most["continuity"]
            and execution >= high * most["execution"]
            and abs(margin) < RULE["hybrid_max_margin"] * point
        ):
            return "both"
        if (
            continuity >= HYBRIDS["floor"] * most["continuity"]
            and execution >= HYBRIDS["floor"] * most["execution"]
            and abs(margin) < HYBRIDS["max_margin"] * point
            and is_split(answers)
        ):
            return "both"
        if margin >= RULE["margin_needed"] * point and continuity >= RULE["leader_floor"] * most["continuity"]:
            return "continuity"
        if margin <= -RULE["margin_needed"] * point and execution >= RULE["leader_floor"] * most["execution"]:
            return "execution"
        return "unclear"


def counterfactuals(answers: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Every set of at most three changes tried: for each other verdict the two best of the smallest, in order."""
    before = misfits(answers)
    present = verdict(answers)
    open_to_change = [name for name, question in QUESTIONS.items() if question["can_change"] != "never"]
    steps = {name: list(VALUES[name]) for name in QUESTIONS}
    here = {name: Integers.of(name, answers[name]) for name in QUESTIONS}
    continuity = sum(each.continuity for each in here.values())
    execution = sum(each.execution for each in here.values())
    gains = {
        (name, level): (
            Integers.of(name, level).continuity - here[name].continuity,
            Integers.of(name, level).execution - here[name].execution,
        )
        for name in open_to_change
        for level in steps[name]
    }
    found: list[tuple[str, dict[str, str]]] = []
    for size in (1, 2, 3):
        reached: dict[str, list[tuple[int, int, int, dict[str, str]]]] = {}
        order = 0
        for names in combinations(open_to_change, size):
            for levels in product(*([level for level in steps[name] if level != answers[name]] for name in names)):
                order += 1
                more_continuity, more_execution = continuity, execution
                for name, level in zip(names, levels, strict=True):
                    gain = gains[name, level]
                    more_continuity += gain[0]
                    more_execution += gain[1]
                changed = dict(zip(names, levels, strict=True))
                after = Integers(more_continuity, more_execution).verdict({**answers, **changed})
                if after == present or any(after == already for already, _ in found):
                    continue
                left = misfits({**answers, **changed})
                if left <= before and not calls_for_a_talk(left):
                    far = sum(abs(steps[n].index(level) - steps[n].index(answers[n])) for n, level in changed.items())
                    by_events = sum(QUESTIONS[name]["can_change"] == "by_events" for name in names)
                    reached.setdefault(after, []).append((far, by_events, order, changed))
        best = [
            (each[:3], after, each[3])
            for after, sets in reached.items()
            for each in sorted(sets, key=lambda each: each[:3])[:2]
        ]
        found += [(after, changed) for _, after, changed in sorted(best, key=lambda each: each[0])]
    return found


def shown(exact: Fraction) -> float:
    """One decimal, half up."""
    return floor(exact * 10 + Fraction(1, 2)) / 10
