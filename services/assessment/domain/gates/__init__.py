"""The gates before a rubric is published: each says what holds, or what is wrong, where, and what to do."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.assessment.domain.document import Fault
from services.assessment.domain.gates.catalogue import catalogue_of, too_many
from services.assessment.domain.gates.golden import golden_cases
from services.assessment.domain.gates.source import Mend, Model, Source, at, has_levels, validated
from services.assessment.domain.gates.values import idle, thresholds, turns, verdicts
from services.assessment.domain.rubric import Rubric, Rule, imbalances, mismatches, silences
from services.assessment.domain.splits import Hybrids
from shared.questionnaire import Questionnaire


@dataclass(frozen=True)
class Gate:
    """What one gate promises and what it found wrong; None where it waits for others to hold first."""

    name: str
    promise: str
    mends: tuple[Mend, ...] | None


@dataclass(frozen=True)
class Checked:
    """What every gate found, and the questionnaire; the rubric is there where it can score, gates or not."""

    gates: tuple[Gate, ...]
    rubric: Rubric | None
    questionnaire: Questionnaire | None

    @property
    def holds(self) -> bool:
        """True when every gate holds."""
        return all(gate.mends == () for gate in self.gates)


def check(draft: Source, catalogue: Source | None, golden: Source | None, known: Collection[str]) -> Checked:
    """Every gate, on the texts of a rubric, of the questionnaire it names and of that one's golden cases.

    `known` are the questionnaires that it could name. A gate that needs what another found wrong is left waiting; all
    others are tried, so one run tells of everything.
    """
    content = draft.document.content
    rubric, fields = validated(Rubric, draft)
    match content:
        case {"questionnaire": str(version)} if catalogue is None:
            choices = " or ".join(known)
            fields += at(draft, [Fault(("questionnaire",), f"there is no questionnaire {version}: name {choices}")])
    questionnaire, unheard = (None, []) if catalogue is None else catalogue_of(catalogue)
    entries, rule, hybrids = _entries(content), _part(Rule, content, "rule"), _part(Hybrids, content, "hybrids")
    matches = weights = levels = silent = None
    if questionnaire is not None and entries is not None:
        matches = mismatches([(entry["id"], list(entry["levels"])) for entry in entries], hybrids, questionnaire)
        levels = [fault for index, entry in enumerate(entries) for fault in turns(index, entry, questionnaire)]
    if entries is not None and all(type(entry.get("weight_bp")) is int for entry in entries):
        weights = imbalances(entry["weight_bp"] for entry in entries)
    if rubric is not None and questionnaire is not None and matches == []:
        silent = [*silences(rubric.questions, questionnaire), *idle(rubric.questions)]
    fit = rubric if not fields and matches == weights == silent == [] else None
    gates = (
        Gate("fields", "Every field is there once, known and of the right kind.", tuple(fields)),
        _gate("questions", "Exactly what is asked has values, or makes a split.", draft, matches),
        _gate("weights", "The weights add up to 10000.", draft, weights),
        _gate("capacities", "Both needs can be spoken for, and every question can move the result.", draft, silent),
        _gate("levels", "From level to level each need only rises or only falls.", draft, levels),
        _gate("thresholds", "The thresholds fit together.", draft, None if rule is None else thresholds(rule, hybrids)),
        Gate(
            "contradictions",
            "Every contradiction can come up, and can lead to a call.",
            None if catalogue is None else (*unheard, *at(draft, too_many(rule, questionnaire))),
        ),
        _gate("verdicts", "Answers can lead to each verdict, and to a clear one.", draft, verdicts(fit, questionnaire)),
        Gate("golden cases", *golden_cases(draft, golden, fit, questionnaire)),
    )
    return Checked(gates, fit, questionnaire)


def _gate(name: str, promise: str, source: Source, faults: list[Fault] | None) -> Gate:
    return Gate(name, promise, None if faults is None else tuple(at(source, faults)))


def _entries(content: Any) -> list[dict[str, Any]] | None:
    """The questions of a draft, where each at least has an id and levels with keys."""
    match content:
        case {"questions": [*questions]} if all(has_levels(question, dict) for question in questions):
            return questions
    return None


def _part(model: type[Model], content: Any, name: str) -> Model | None:
    try:
        return model.model_validate(content[name])
    except (ValidationError, TypeError, KeyError):
        return None
