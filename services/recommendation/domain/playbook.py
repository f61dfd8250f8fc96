"""The playbook: which models may not be offered, on what conditions, how they are paid, and why a person may differ."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Literal, Self, TypeAlias, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import Condition, Questionnaire, canonical_hash, matches

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Rules = TypeVar("Rules", bound=BaseModel)
Side: TypeAlias = Literal["dedicated_team", "project_based"]


class PlaybookRefused(ValueError):
    """The playbook cannot be used; the message says what to mend."""


class Misread(ValueError):
    """Text is not YAML, or not the rules that were expected; the message says where."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Offer(_Part):
    """A model as it is named, and the commercial forms it can be sold in."""

    name: Text
    forms: Annotated[tuple[CommercialForm, ...], Field(min_length=1)]


class SideRule(_Part):
    """A condition on an offer: answers that ask for something to be settled first, and what that is."""

    id: Key
    model: Side
    when: Annotated[Condition, Field(min_length=1)]
    reason: Text


class Veto(SideRule):
    """Answers that rule a model out, why, and the nearest form that can be offered instead."""

    instead: Text


class FormRule(_Part):
    """How one of these models is paid when any of the alternatives in `when` matches, and why.

    A rule with a `split` applies where the assessment found that one.
    """

    id: Key
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    split: Key | None = Field(default=None, exclude_if=lambda split: split is None)
    when: Annotated[tuple[Condition, ...], Field(min_length=1)] = ({},)
    form: CommercialForm
    reason: Text

    def matched(self, model: Model, answers: dict[str, str], splits: Collection[str | None]) -> Condition | None:
        """The first alternative that these answers meet, or None where the rule does not apply."""
        if model not in self.models or (self.split and self.split not in splits):
            return None
        return next((condition for condition in self.when if matches(condition, answers)), None)


class StageRule(_Part):
    """What is done in one stage of a hybrid, and whether as a project or by a team; `portion` is the split's name."""

    portion: Key | None = None
    side: Side
    name: Text
    text: Text


class Staging(_Part):
    """In what order a hybrid is done, and why: where the assessment found `split`, or an alternative matches."""

    id: Key
    split: Key | None = None
    when: Annotated[tuple[Condition, ...], Field(min_length=1)] = ({},)
    order: Literal["one_after_the_other", "side_by_side"]
    reason: Text
    stages: tuple[StageRule, StageRule]

    @model_validator(mode="after")
    def _has_both_sides(self) -> Self:
        if {stage.side for stage in self.stages} != set(get_args(Side)):
            raise ValueError("one stage has to be a project and the other a team's")
        if any((stage.portion is None) != (self.split is None) for stage in self.stages):
            raise ValueError("a staging of a split names its portions, and no other does")
        return self


class OverrideReason(_Part):
    """Why a reviewer may decide otherwise, as a code that can be counted."""

    code: Key
    text: Text


class Playbook(_Part):
    """One immutable version of the rules from a verdict to an offer, over one version of the questionnaire."""

    version: Text
    questionnaire: Text
    models: dict[Model, Offer]
    forms: dict[CommercialForm, Text]
    vetoes: tuple[Veto, ...]
    conditions: tuple[SideRule, ...]
    commercial_forms: tuple[FormRule, ...]
    second_lines: tuple[FormRule, ...]
    stagings: tuple[Staging, ...] = Field(default=(), exclude_if=lambda stagings: not stagings)
    override_reasons: Annotated[tuple[OverrideReason, ...], Field(min_length=1)]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return canonical_hash(self)

    def commercial_form(
        self, model: Model, answers: dict[str, str], splits: Collection[str | None] = ()
    ) -> tuple[FormRule, Condition]:
        """The first rule for this model that answers and splits meet, and the alternative met; there always is one."""
        return next(_matching(self.commercial_forms, model, answers, splits))

    def second_line(
        self, model: Model, answers: dict[str, str], splits: Collection[str | None] = ()
    ) -> tuple[FormRule, Condition] | None:
        """The same for a second part of the work, where it has one."""
        return next(_matching(self.second_lines, model, answers, splits), None)

    def staging(self, answers: dict[str, str], splits: Collection[str | None]) -> tuple[Staging, Condition] | None:
        """How a hybrid is staged, and the alternative that the answers meet; None where the playbook does not say."""
        for staging in self.stagings:
            if staging.split is None or staging.split in splits:
                for condition in staging.when:
                    if matches(condition, answers):
                        return staging, condition
        return None


def _matching(
    rules: Iterable[FormRule], model: Model, answers: dict[str, str], splits: Collection[str | None]
) -> Iterator[tuple[FormRule, Condition]]:
    for rule in rules:
        if (condition := rule.matched(model, answers, splits)) is not None:
            yield rule, condition


def parse(text: str, questionnaire: Questionnaire) -> Playbook:
    """The playbook in this YAML text; PlaybookRefused unless each rule can apply under this questionnaire."""
    try:
        playbook = read(text, Playbook)
    except Misread as error:
        raise PlaybookRefused(str(error)) from error
    if playbook.questionnaire != questionnaire.version:
        raise PlaybookRefused(
            f"questionnaire: the playbook is for {playbook.questionnaire}, and this is {questionnaire.version}"
        )
    faults = [
        *_twice(playbook),
        *_unheard(playbook, questionnaire),
        *_gaps(playbook),
        *_unreachable(playbook.commercial_forms),
        *_unreachable(playbook.second_lines),
        *_unstaged(playbook),
    ]
    if faults:
        raise PlaybookRefused("; ".join(faults))
    return playbook


def read(text: str, kind: type[Rules]) -> Rules:
    """Rules of this kind from YAML text; Misread, naming every place to mend, where it does not have their shape."""
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)  # as safe as the other, and seven times as fast
        return kind.model_validate(document)
    except yaml.YAMLError as error:
        raise Misread(f"the text is not YAML; mend it here: {error}") from error
    except ValidationError as error:
        raise Misread(
            "; ".join(f"{_place_of(fault['loc'], document)}: {fault['msg']}" for fault in error.errors())
        ) from error


def _place_of(path: tuple[int | str, ...], document: object) -> str:
    """Where a fault lies, with a rule by its id where it has one."""
    places = []
    for step in path:
        match document, step:
            case [*items], int(index):
                document = items[index]
                match document:
                    case {"id": str(name)} | {"code": str(name)}:
                        places.append(name)
                    case _:
                        places.append(str(index))
            case {**content}, _:
                document = content.get(step)
                places.append(str(step))
            case _:
                places.append(str(step))
    return " ".join(places) or "playbook"


def _twice(playbook: Playbook) -> Iterator[str]:
    keys = [f"rule {veto.id}" for veto in playbook.vetoes]
    keys += [f"rule {condition.id}" for condition in playbook.conditions]
    keys += [f"rule {rule.id}" for rule in (*playbook.commercial_forms, *playbook.second_lines)]
    keys += [f"staging {staging.id}" for staging in playbook.stagings]
    keys += [f"override reason {reason.code}" for reason in playbook.override_reasons]
    yield from (f"{key} is there {count} times: keep one" for key, count in Counter(keys).items() if count > 1)


def _unheard(playbook: Playbook, questionnaire: Questionnaire) -> Iterator[str]:
    levels = {question.id: {level.key for level in question.levels} for question in questionnaire.questions}
    conditions = [(veto.id, veto.when) for veto in playbook.vetoes]
    conditions += [(condition.id, condition.when) for condition in playbook.conditions]
    conditions += [
        (rule.id, condition) for rule in (*playbook.commercial_forms, *playbook.second_lines) for condition in rule.when
    ]
    conditions += [(staging.id, condition) for staging in playbook.stagings for condition in staging.when]
    for rule_id, condition in conditions:
        for question, keys in condition.items():
            if question not in levels:
                yield f"{rule_id}: there is no question {question}"
            elif not keys:
                yield f"{rule_id}: question {question} needs a level"
            else:
                yield from (
                    f"{rule_id}: question {question} has no level {key}" for key in keys if key not in levels[question]
                )


def _gaps(playbook: Playbook) -> Iterator[str]:
    yield from (f"forms: {form} is missing" for form in get_args(CommercialForm) if form not in playbook.forms)
    for model in get_args(Model):
        if model not in playbook.models:
            yield f"models: {model} is missing"
            continue
        rules = [rule for rule in playbook.commercial_forms if model in rule.models]
        if not any({} in rule.when and rule.split is None for rule in rules):
            yield f"commercial_forms: {model} needs a last rule without `when`"
        yield from (
            f"{rule.id}: {model} is not offered as {rule.form}"
            for rule in rules
            if rule.form not in playbook.models[model].forms
        )


def _unstaged(playbook: Playbook) -> Iterator[str]:
    """What a hybrid lacks where the playbook stages it: a last staging, and how the team is paid."""
    if not playbook.stagings:
        return
    if not any({} in staging.when and staging.split is None for staging in playbook.stagings):
        yield "stagings: a hybrid needs a last one without `split` and `when`"
    if not any("hybrid" in rule.models and {} in rule.when and rule.split is None for rule in playbook.second_lines):
        yield "second_lines: hybrid needs a last rule without `when`, for its team"


def _unreachable(rules: Sequence[FormRule]) -> Iterator[str]:
    """The rules whose every case an earlier rule has taken already."""
    for place, rule in enumerate(rules):
        if all(
            any(
                model in earlier.models
                and earlier.split in (None, rule.split)
                and any(covers(wider, condition) for wider in earlier.when)
                for earlier in rules[:place]
            )
            for model in rule.models
            for condition in rule.when
        ):
            yield f"{rule.id} is never reached: an earlier rule takes all its cases"


def covers(wider: Condition, narrower: Condition) -> bool:
    """Whether whatever meets the narrower condition meets the wider one too."""
    return all(question in narrower and set(narrower[question]) <= set(keys) for question, keys in wider.items())
