"""Whether the rules of a blueprint can be used: each names what exists, can apply, and has its words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar, get_args

from services.recommendation.domain.blueprint_rules import (
    Applying,
    BlueprintRules,
    Rule,
    SectionRules,
    Structure,
    StructureRule,
    told_stage,
)
from services.recommendation.domain.offer import SIDES, Kind
from services.recommendation.domain.playbook import FormRule, Misread, Playbook, Staging, covers, read
from shared.contracts.intake import Headcount, Industry
from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import UNKNOWN, Condition, Questionnaire

CALL: Model = "discovery_call"
OF_A_CALL = {"kind", "leaning"}
COUNTRY_LETTERS = 2

Earlier: TypeAlias = StructureRule | FormRule | Staging
Unsplit = TypeVar("Unsplit", FormRule, Staging)


class BlueprintRefused(ValueError):
    """The rules cannot be used; the message says what to mend, in which file."""


def parse(text: str, file: str, playbook: Playbook, questionnaire: Questionnaire) -> BlueprintRules:
    """The rules in this text of a file; BlueprintRefused unless each can apply under playbook and questionnaire."""
    try:
        rules = read(text, BlueprintRules)
    except Misread as error:
        raise BlueprintRefused(f"{file}: {error}") from error
    if rules.questionnaire != questionnaire.version:
        raise BlueprintRefused(f"{file}: questionnaire: it is for {rules.questionnaire}, not {questionnaire.version}")
    faults = [
        *_twice(rules),
        *_unheard(rules, playbook, questionnaire),
        *_nameless(rules),
    ] or [*_gaps(rules), *_untold(rules, playbook), *_unreachable(rules, playbook, questionnaire)]
    if faults:
        raise BlueprintRefused(f"{file}: {'; '.join(faults)}")
    return rules


def _all_rules(rules: BlueprintRules) -> list[Rule | StructureRule]:
    return [*rules.structures, *_lines(rules)]


def _lines(rules: BlueprintRules) -> list[Rule]:
    return [rule for section in rules.sections for rule in section.rules]


def _twice(rules: BlueprintRules) -> Iterator[str]:
    names = [f"section {section.id}" for section in rules.sections]
    names += [f"rule {rule.id}" for rule in _all_rules(rules)]
    for section in rules.sections:
        names += [f"line {slot}" for slot in {rule.slot for rule in section.rules if rule.slot}]
        names += [f"line {rule.id}" for rule in section.rules if not rule.slot]
    yield from (f"{name} is there {count} times: keep one" for name, count in Counter(names).items() if count > 1)


def _conditions(rules: BlueprintRules) -> Iterator[tuple[str, Condition]]:
    for rule in _all_rules(rules):
        yield from ((rule.id, condition) for condition in rule.when)
    for section in rules.sections:
        yield from ((f"{section.id} titles", condition) for title in section.titles for condition in title.when)


def _unheard(rules: BlueprintRules, playbook: Playbook, questionnaire: Questionnaire) -> Iterator[str]:
    values: dict[str, set[str]] = {
        "headcount": set(get_args(Headcount)),
        "industry": set(get_args(Industry)),
        "structure": set(get_args(Structure)),
        "commercial_form": set(get_args(CommercialForm)),
        "second_line": set(get_args(CommercialForm)),
        "staging": {staging.id for staging in playbook.stagings},
        "kind": set(get_args(Kind)),
        "leaning": set(get_args(Model)) - {CALL},
    }
    levels = {question.id: {level.key for level in question.levels} | {UNKNOWN} for question in questionnaire.questions}
    for name, condition in _conditions(rules):
        for fact, keys in condition.items():
            known = levels.get(fact) or values.get(fact)
            if fact == "country":
                known = {key for key in keys if len(key) == COUNTRY_LETTERS and key.isalpha() and key.isupper()}
            if known is None:
                yield f"{name}: there is no question or fact {fact}"
            elif not keys:
                yield f"{name}: {fact} needs a level"
            else:
                yield from (f"{name}: {fact} has no level {key}" for key in keys if key not in known)


def _nameless(rules: BlueprintRules) -> Iterator[str]:
    for rule in _lines(rules):
        yield from (f"{rule.id}: there is no role {role}" for role in sorted(rule.says.roles() - rules.roles.keys()))


def _gaps(rules: BlueprintRules) -> Iterator[str]:
    of_size_alone = [condition for rule in rules.structures for condition in rule.when if {*condition} == {"headcount"}]
    for size in get_args(Headcount):
        if not any(size in condition["headcount"] for condition in of_size_alone):
            yield f"structures: {size} needs one by its headcount alone"
    for section in rules.sections:
        for model in section.models:
            if not any({} in title.when and model in (title.models or section.models) for title in section.titles):
                yield f"{section.id}: {model} needs a last title without `when`"


def _untold(rules: BlueprintRules, playbook: Playbook) -> Iterator[str]:
    spoken = [rule.id for rule in (*playbook.vetoes, *playbook.conditions)]
    spoken += [rule.id for rule in (*playbook.commercial_forms, *playbook.second_lines)]
    for staging in playbook.stagings:
        spoken += [staging.id, *(told_stage(staging.id, place) for place in range(1, len(staging.stages) + 1))]
    yield from (f"told: {name} is missing" for name in spoken if name not in rules.told)
    yield from (f"told: the playbook has no rule {name}" for name in rules.told if name not in spoken)


def _unreachable(rules: BlueprintRules, playbook: Playbook, questionnaire: Questionnaire) -> Iterator[str]:
    """The rules that can never apply to a model they are for, and alternatives that can to none of theirs."""
    ways = _Ways(rules, playbook, questionnaire)
    for place, structure in enumerate(rules.structures):
        if all(_taken(condition, rules.structures[:place]) for condition in structure.when):
            yield f"{structure.id} is never reached: an earlier structure takes all its cases"
    for section in rules.sections:
        for place, rule in enumerate(section.rules):
            before = [earlier for earlier in section.rules[:place] if rule.slot and earlier.slot == rule.slot]
            yield from _faults(rule, section, before, ways)


def _faults(rule: Rule, section: SectionRules, before: Sequence[Rule], ways: "_Ways") -> Iterator[str]:
    models = rule.models or section.models
    if elsewhere := set(models) - set(section.models):
        yield f"{rule.id} is never reached: {section.id} is not for {', '.join(sorted(elsewhere))}"
        return
    reached = {
        (model, place)
        for model in models
        for place, condition in enumerate(rule.when)
        if ways.exists(model, condition, [earlier for earlier in before if model in (earlier.models or section.models)])
    }
    for model in models:
        if not any((model, place) in reached for place in range(len(rule.when))):
            yield f"{rule.id} can never apply to {model}: mend its `when`, or leave the model out"
    for place, condition in enumerate(rule.when):
        if not any((model, place) in reached for model in models):
            yield f"{rule.id}: the alternative {condition} can never apply"


def _taken(condition: Condition, earlier: Iterable[Applying | Earlier]) -> bool:
    return any(covers(wider, condition) for rule in earlier for wider in rule.when)


class _Ways:
    """The answers and company facts under which a condition holds, with facts that follow from others unfolded."""

    def __init__(self, rules: BlueprintRules, playbook: Playbook, questionnaire: Questionnaire) -> None:
        self._rules = rules
        self._playbook = playbook
        self._questionnaire = questionnaire
        self._following = {model: self._follows(model) for model in get_args(Model)}

    def exists(self, model: Model, condition: Condition, before: Sequence[Rule]) -> bool:
        """Whether a proposal of this model can meet the condition where no rule before takes the case."""
        if model != CALL and OF_A_CALL & condition.keys():
            return False
        return any(
            not _taken(condition, before) and not _taken(way, before) and (model == CALL or self._proposes(model, way))
            for way in self._unfolded(model, condition)
        )

    def _unfolded(self, model: Model, condition: Condition) -> Iterator[Condition]:
        following = self._following[model]
        ways = [{name: keys for name, keys in condition.items() if name not in following}]
        for name, given in following.items():
            if name in condition:
                ways = [
                    joined
                    for way in ways
                    for value, alternative, earlier in given
                    if value in condition[name]
                    and (joined := _joined(way, alternative)) is not None
                    and not _taken(joined, earlier)
                ]
        yield from ways

    def _follows(self, model: Model) -> dict[str, list[tuple[str, Condition, Sequence[Earlier]]]]:
        """For each fact that follows from others: its values, the alternative that gives each, and the rules before."""
        structures = self._rules.structures
        staged = self._playbook.stagings if model == "hybrid" else ()
        first = [rule for rule in self._playbook.commercial_forms if model in rule.models]
        second = [rule for rule in self._playbook.second_lines if model in rule.models]
        return {
            "structure": [(r.structure, a, structures[:place]) for place, r in enumerate(structures) for a in r.when],
            "commercial_form": [
                (r.form, a, _of_any_split(first[:place])) for place, r in enumerate(first) for a in r.when
            ],
            "staging": [(s.id, a, _of_any_split(staged[:place])) for place, s in enumerate(staged) for a in s.when],
            "second_line": [
                (r.form, a, _of_any_split(second[:place])) for place, r in enumerate(second) for a in r.when
            ],
        }

    def _proposes(self, model: Model, way: Condition) -> bool:
        """Whether no vetoes, hard contradiction or missing key answer lies in all of these answers."""
        vetoed = {veto.model for veto in self._playbook.vetoes if covers(veto.when, way)}
        clash = any(rule.severity == "hard" and covers(rule.when, way) for rule in self._questionnaire.contradictions)
        missing = any(
            question.key_question and way.get(question.id) == (UNKNOWN,) for question in self._questionnaire.questions
        )
        return not (vetoed.issuperset(SIDES[model]) or clash or missing)


def _of_any_split(rules: Sequence[Unsplit]) -> list[Unsplit]:
    """Those that need no split; the others leave cases to the rules behind them."""
    return [rule for rule in rules if rule.split is None]


def _joined(first: Condition, second: Condition) -> Condition | None:
    """What meets both conditions; None where nothing does."""
    joined = first | {name: tuple(key for key in keys if key in first.get(name, keys)) for name, keys in second.items()}
    return joined if all(joined.values()) else None
