"""Whether every contradiction of a questionnaire can come up, and can lead to a call."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.assessment.domain.document import Document, Fault
from services.assessment.domain.gates.source import Mend, Source, at, has_levels, validated
from services.assessment.domain.rubric import Rule
from shared.questionnaire import Condition, Questionnaire


def catalogue_of(source: Source) -> tuple[Questionnaire | None, list[Mend]]:
    """The questionnaire but for contradictions that can never come up, and what is wrong with it."""
    content, faults = source.document.content, []
    match content:
        case {"questions": [*questions], "contradictions": [*contradictions]}:
            asked = {entry["id"]: _keys(entry["levels"]) for entry in questions if has_levels(entry, list)}
            faults = [fault for index, one in enumerate(contradictions) for fault in _never(index, one, asked)]
            hopeless = {fault.path[1] for fault in faults}
            content = content | {
                "contradictions": [one for index, one in enumerate(contradictions) if index not in hopeless]
            }
    possible = Source(source.file, Document(content, source.document.lines, source.document.faults))
    questionnaire, mends = validated(Questionnaire, possible)
    if questionnaire is not None:
        places = {one["id"]: index for index, one in enumerate(source.document.content["contradictions"])}
        faults += [Fault(("contradictions", places[of]), message) for of, message in _outdone(questionnaire)]
    return questionnaire, mends + at(source, faults)


def _keys(levels: Iterable[Any]) -> list[Any]:
    return [level.get("key") for level in levels if isinstance(level, dict)]


def _never(index: int, contradiction: Any, asked: Mapping[str, Sequence[Any]]) -> Iterator[Fault]:
    """Why a contradiction, of whatever shape, can never come up."""
    match contradiction:
        case {"id": str(name), "when": dict(when)}:
            for question, keys in when.items():
                path = ("contradictions", index, "when", question)
                if question not in asked:
                    yield Fault(path, f"{name} can never come up: {question} is not asked: name a question that is")
                elif keys == []:
                    yield Fault(path, f"{name} can never come up: it names no level of {question}: name one")
                elif isinstance(keys, list) and (unheard := [str(key) for key in keys if key not in asked[question]]):
                    choices = ", ".join(map(str, asked[question]))
                    yield Fault(
                        path,
                        f"{name} can never come up as written: {question} has no level {', '.join(unheard)}: "
                        f"name some of {choices}",
                    )


def _outdone(questionnaire: Questionnaire) -> Iterator[tuple[str, str]]:
    """The soft contradictions that never count, because a hard one comes up whenever they do."""
    for soft in questionnaire.contradictions:
        for hard in questionnaire.contradictions:
            if soft.severity == "soft" and hard.severity == "hard" and _is_within(soft.when, hard.when):
                yield (
                    soft.id,
                    (
                        f"{soft.id} can never count: {hard.id} is hard and comes up whenever it does: "
                        "take it out, or narrow one of the two"
                    ),
                )


def _is_within(narrow: Condition, wide: Condition) -> bool:
    return all(question in narrow and set(narrow[question]) <= set(keys) for question, keys in wide.items())


def too_many(rule: Rule | None, questionnaire: Questionnaire | None) -> list[Fault]:
    """Whether more soft contradictions are asked for than can be open at once."""
    if rule is None or questionnaire is None:
        return []
    soft = [contradiction.when for contradiction in questionnaire.contradictions if contradiction.severity == "soft"]
    most = _most_at_once(soft, {})
    if not soft or rule.soft_contradictions_for_call <= most:
        return []
    return [
        Fault(
            ("rule", "soft_contradictions_for_call"),
            f"{rule.soft_contradictions_for_call} soft contradictions lead to a call, but at most {most} can be open "
            f"at once, so they never do: give at most {most}",
        )
    ]


def _most_at_once(conditions: Sequence[Condition], answers: Mapping[str, frozenset[str]]) -> int:
    """How many of these conditions one set of answers can meet, beside those that left these answers."""
    if not conditions:
        return 0
    first, *others = conditions
    met = {question: frozenset(keys) & answers.get(question, frozenset(keys)) for question, keys in first.items()}
    without = _most_at_once(others, answers)
    return max(without, 1 + _most_at_once(others, {**answers, **met})) if all(met.values()) else without
