"""The questionnaire that all three services read: its published versions, immutable once used."""

import hashlib
import json
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from shared.language import gettext_noop

PUBLISHED = "2026-12"
UNKNOWN = "unknown"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(_Part):
    """One possible answer, as a fact."""

    key: str
    text: str


class Question(_Part):
    """A question with its levels in order; every question also takes `unknown`."""

    id: str
    dimension: str
    key_question: bool = False
    text: str
    why: str
    levels: tuple[Level, ...]

    def level_text(self, key: str) -> str:
        """The words of a level, or of not knowing."""
        return next((level.text for level in self.levels if level.key == key), gettext_noop("Not known yet"))


class DimensionText(_Part):
    """One of the four groups of questions, with a line on what it covers."""

    key: str
    text: str


Condition = dict[str, tuple[str, ...]]


class Implication(_Part):
    """When the answers match, further answers follow from them."""

    when: Condition
    then: dict[str, str]
    text: str


class Contradiction(_Part):
    """Answers that do not go together, with the sentence that asks them back."""

    id: str
    severity: Literal["hard", "soft"]
    when: Condition
    ask: str


class Questionnaire(_Part):
    """One immutable version: questions, what follows from what, and what contradicts what."""

    version: str
    dimensions: tuple[DimensionText, ...]
    questions: tuple[Question, ...]
    implications: tuple[Implication, ...]
    contradictions: tuple[Contradiction, ...]

    @model_validator(mode="after")
    def _names_only_what_exists(self) -> Self:
        levels = {question.id: {level.key for level in question.levels} for question in self.questions}
        dimensions = {dimension.key for dimension in self.dimensions}
        for question in self.questions:
            if question.dimension not in dimensions:
                raise ValueError(f"question {question.id}: there is no dimension {question.dimension}")
            if UNKNOWN in levels[question.id] or len(levels[question.id]) != len(question.levels):
                raise ValueError(f"question {question.id}: level keys must differ, and none may be '{UNKNOWN}'")
        conditions = [(rule.id, rule.when) for rule in self.contradictions]
        conditions += [("implication", rule.when) for rule in self.implications]
        conditions += [("implication", {q: (level,) for q, level in rule.then.items()}) for rule in self.implications]
        for name, when in conditions:
            for question_id, keys in when.items():
                unheard = set(keys) - levels.get(question_id, set())
                if unheard:
                    raise ValueError(f"{name}: question {question_id} has no level {', '.join(sorted(unheard))}")
        return self

    def question(self, question_id: str) -> Question:
        """The question with this id; KeyError when there is none."""
        return self._by_id[question_id]

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    def of_dimension(self, dimension: str) -> tuple[Question, ...]:
        """The questions of one dimension, in order."""
        return tuple(question for question in self.questions if question.dimension == dimension)

    def refusals(self, answers: dict[str, str]) -> dict[str, str]:
        """Question id to what is wrong with it, for answers that name an unheard question or level."""
        by_id = self._by_id
        refused = {}
        for question_id, key in answers.items():
            if question_id not in by_id:
                refused[question_id] = f"Questionnaire {self.version} has no question '{question_id}'. Leave it out."
            elif key != UNKNOWN and all(key != level.key for level in by_id[question_id].levels):
                choices = ", ".join(level.key for level in by_id[question_id].levels)
                refused[question_id] = f"'{key}' is not one of its answers. Choose one of {choices}, or {UNKNOWN}."
        return refused

    def completed(self, answers: dict[str, str]) -> dict[str, str]:
        """Every question with an answer: what was given, what follows from it, else `unknown`."""
        everything = {question.id: answers.get(question.id, UNKNOWN) for question in self.questions}
        for rule in self.implications:
            if matches(rule.when, everything):
                everything |= {q: level for q, level in rule.then.items() if everything[q] == UNKNOWN}
        return everything

    def open_contradictions(self, answers: dict[str, str]) -> tuple[Contradiction, ...]:
        """The contradictions that these answers contain, in catalogue order."""
        return tuple(rule for rule in self.contradictions if matches(rule.when, answers))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return canonical_hash(self)


def matches(when: Condition, answers: dict[str, str]) -> bool:
    """True when each named question is answered with one of the named levels."""
    for question_id, keys in when.items():  # noqa: SIM110 - all() with a generator takes twice as long, a hundred times each
        if answers.get(question_id) not in keys:
            return False
    return True


def canonical_hash(document: BaseModel) -> str:
    """SHA-256 over JSON with sorted keys and no spaces: the same for the same content on every machine."""
    content = json.dumps(document.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


@cache
def load(version: str = PUBLISHED) -> Questionnaire:
    """A packaged version; KeyError when there is no such version."""
    source = files(__name__) / f"{version}.yaml"
    if not source.is_file():
        raise KeyError(f"there is no questionnaire {version}")
    return Questionnaire.model_validate(yaml.load(source.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


@cache
def versions() -> tuple[str, ...]:
    """Every packaged version, oldest first."""
    names = (source.name for source in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))
