"""The rules of the blueprint: what each line says, and the models, answers and company facts that put it there."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from string import Formatter
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.recommendation.domain.playbook import Key, Text
from shared.contracts.recommendation import Model
from shared.questionnaire import Condition, canonical_hash, matches

Structure: TypeAlias = Literal["both_hats", "separate", "project_office"]
Party: TypeAlias = Literal["client", "vendor"]
Level: TypeAlias = Literal["watch", "raised", "high"]
Addition: TypeAlias = Literal["payment", "staging", "conditions", "deciding_questions"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Content(_Part):
    """What a line says. `ROLES` are the fields that hold roles by key; other words may name one in braces."""

    ROLES: ClassVar[frozenset[str]] = frozenset()

    def roles(self) -> set[str]:
        """The keys of the roles that are named."""
        found = set()
        for name, value in self:
            for text in _texts(value):
                found |= {text} if name in self.ROLES else set(_in_braces(text))
        return found

    def named(self, names: Mapping[str, str]) -> Self:
        """The same with names in the place of the roles' keys."""

        def spelled(name: str, text: str) -> str:
            return names[text] if name in self.ROLES else text.format_map(names)

        return self.model_copy(
            update={
                name: tuple(dict.fromkeys(spelled(name, text) for text in value))
                if isinstance(value, tuple)
                else spelled(name, value)
                for name, value in self
            }
        )


def _texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _in_braces(text: str) -> list[str]:
    """The roles by key, also those with a capital for a sentence's start."""
    return [name[:1].lower() + name[1:] for _, name, _, _ in Formatter().parse(text) if name is not None]


class Point(Content):
    """A statement under a short heading."""

    kind: Literal["point"] = "point"
    title: Text
    text: Text


class Role(Content):
    """Who somebody is in this work, on which side, what that person does, and how much time it takes."""

    ROLES = frozenset({"role"})

    kind: Literal["role"] = "role"
    party: Party
    role: Text
    does: Text
    time: Text


class Responsibility(Content):
    """One activity: the one who is accountable, those who do it, and who is asked before or told after."""

    ROLES = frozenset({"accountable", "responsible", "consulted", "informed"})

    kind: Literal["responsibility"] = "responsibility"
    activity: Text
    accountable: Text
    responsible: Annotated[tuple[Text, ...], Field(min_length=1)]
    consulted: tuple[Text, ...] = ()
    informed: tuple[Text, ...] = ()

    def named(self, names: Mapping[str, str]) -> Self:
        """The same with names, each person once: who does it is not asked, and who is asked is not told."""
        named = super().named(names)
        consulted = [name for name in named.consulted if name not in {named.accountable, *named.responsible}]
        known = {named.accountable, *named.responsible, *consulted}
        informed = [name for name in named.informed if name not in known]
        return named.model_copy(update={"consulted": tuple(consulted), "informed": tuple(informed)})


class Handoff(Content):
    """A document, who gives it to whom, and when it is complete."""

    ROLES = frozenset({"giver", "receivers"})

    kind: Literal["handoff"] = "handoff"
    document: Text
    giver: Text
    receivers: Annotated[tuple[Text, ...], Field(min_length=1)]
    complete: Text


class Meeting(Content):
    """What people meet for, or write instead; how often, how long, and who takes part."""

    ROLES = frozenset({"who"})

    kind: Literal["meeting"] = "meeting"
    meeting: Text
    rhythm: Text
    length: Text
    who: Annotated[tuple[Text, ...], Field(min_length=1)]


class Step(Content):
    """What happens in a stretch of time."""

    kind: Literal["step"] = "step"
    period: Text
    text: Text


class Risk(Content):
    """What may go wrong, how one sees it early, who looks out for it, and what is done then."""

    ROLES = frozenset({"owner"})

    kind: Literal["risk"] = "risk"
    risk: Text
    sign: Text
    owner: Text
    response: Text
    level: Level = "watch"


class AgendaItem(Content):
    """A stretch of a call, in minutes from its start, and what it ends with."""

    kind: Literal["agenda_item"] = "agenda_item"
    minutes: Text
    item: Text
    output: Text


Says: TypeAlias = Annotated[
    Point | Role | Responsibility | Handoff | Meeting | Step | Risk | AgendaItem, Field(discriminator="kind")
]
Kind: TypeAlias = Literal["point", "role", "responsibility", "handoff", "meeting", "step", "risk", "agenda_item"]


class Applying(_Part):
    """When something applies: to which models (none means all of its section), and to which alternatives of facts."""

    models: tuple[Model, ...] = ()
    when: Annotated[tuple[Condition, ...], Field(min_length=1)] = ({},)

    def met(self, model: Model, facts: dict[str, str]) -> list[Condition]:
        """The alternatives that these facts meet."""
        if self.models and model not in self.models:
            return []
        return [condition for condition in self.when if matches(condition, facts)]


class Title(Applying):
    """The heading of a section."""

    text: Text


class Rule(Applying):
    """One line, and when it is there. Of the rules that share a `slot`, the first that applies gives the line."""

    id: Key
    slot: Key | None = None
    says: Says

    @model_validator(mode="after")
    def _has_whole_braces(self) -> Self:
        self.says.roles()
        return self


def _of_one_kind(section: Any) -> Any:
    """The section with its kind written to each of its rules, where a person need not repeat it."""
    match section:
        case {"kind": str(kind), "rules": [*rules]}:
            return section | {"rules": [_of_kind(rule, kind) for rule in rules]}
    return section


def _of_kind(rule: Any, kind: str) -> Any:
    match rule:
        case {"says": {**says}}:
            return rule | {"says": {"kind": kind} | says}
    return rule


class SectionRules(_Part):
    """One part of the blueprint: lines of one kind, for some models. `adds` is what the proposal itself puts first."""

    id: Key
    kind: Kind
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    adds: Addition | None = None
    titles: Annotated[tuple[Title, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()


class StructureRule(_Part):
    """How a client of this size divides what is wanted from when and for how much, the first that matches."""

    id: Key
    structure: Structure
    when: Annotated[tuple[Condition, ...], Field(min_length=1)]


class Told(_Part):
    """What a client is told for a rule of the playbook."""

    title: Text | None = None
    text: Text


class RoleName(_Part):
    """What a role is called, and where a structure calls it otherwise."""

    name: Text
    names: dict[Structure, Text] = {}

    def under(self, structure: Structure) -> str:
        """The name that is used under this structure."""
        return self.names.get(structure, self.name)


class BlueprintRules(_Part):
    """One immutable version of the rules of the blueprint, over one version of the questionnaire."""

    version: Text
    questionnaire: Text
    roles: dict[Key, RoleName]
    structures: Annotated[tuple[StructureRule, ...], Field(min_length=1)]
    told: dict[Key, Told]
    sections: tuple[Annotated[SectionRules, BeforeValidator(_of_one_kind)], ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return canonical_hash(self)

    def structure(self, facts: dict[str, str]) -> tuple[StructureRule, Condition]:
        """The first structure that these facts meet, and the alternative met; there always is one."""
        return next(
            (rule, condition) for rule in self.structures for condition in rule.when if matches(condition, facts)
        )

    def names(self, structure: Structure) -> dict[str, str]:
        """What each role is called under a structure, by its key, and by its capitalised key for a sentence's start."""
        named = {key: role.under(structure) for key, role in self.roles.items()}
        return named | {key.capitalize(): name[:1].upper() + name[1:] for key, name in named.items()}

    def renamed(self, structure: Structure) -> set[str]:
        """The roles that this structure calls otherwise."""
        return {key for key, role in self.roles.items() if structure in role.names}


def told_stage(staging: str, place: int) -> str:
    """The key of what is told of a stage."""
    return f"{staging}_{place}"


def first_of_slots(rules: Iterable[tuple[Rule, list[Condition]]]) -> Iterator[tuple[Rule, list[Condition]]]:
    """The rules that apply, of those with one slot the first."""
    filled: set[str] = set()
    for rule, met in rules:
        if met and rule.slot not in filled:
            filled |= {rule.slot} if rule.slot else set()
            yield rule, met
