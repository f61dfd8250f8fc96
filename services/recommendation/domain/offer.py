"""Which model a verdict stands for, and whether the playbook's vetoes leave it standing."""

from typing import Literal, NamedTuple, TypeAlias

from services.recommendation.domain.playbook import Playbook, Side, Veto
from shared.contracts.assessment import Verdict
from shared.contracts.recommendation import Model
from shared.questionnaire import matches

Kind: TypeAlias = Literal["incomplete", "contradictory", "undecided", "veto"]

MODELS: dict[Verdict, Model] = {"continuity": "dedicated_team", "execution": "project_based", "both": "hybrid"}
KINDS: dict[Verdict, Kind] = {
    "incomplete": "incomplete",
    "contradictory": "contradictory",
    "unclear": "undecided",
}
SIDES: dict[Model | None, tuple[Side, ...]] = {
    "dedicated_team": ("dedicated_team",),
    "project_based": ("project_based",),
    "hybrid": ("dedicated_team", "project_based"),
}


class Offer(NamedTuple):
    """The model to propose; a discovery call has the kind of question that it settles."""

    model: Model
    kind: Kind | None


def vetoes_on(model: Model | None, answers: dict[str, str], playbook: Playbook) -> list[Veto]:
    """The vetoes that these answers meet on any side of a model."""
    sides = SIDES.get(model, ())
    return [veto for veto in playbook.vetoes if veto.model in sides and matches(veto.when, answers)]


def stands(model: Model, answers: dict[str, str], playbook: Playbook) -> bool:
    """Whether a side of the model is without a veto: a hybrid has two, so one veto leaves it standing."""
    return not {veto.model for veto in vetoes_on(model, answers, playbook)}.issuperset(SIDES[model])


def forbidden(model: Model, answers: dict[str, str], playbook: Playbook) -> bool:
    """Whether vetoes leave nothing of a model standing."""
    return model in SIDES and not stands(model, answers, playbook)


def offered(verdict: Verdict, answers: dict[str, str], playbook: Playbook) -> Offer:
    """What to propose where answers have this verdict."""
    fitting = MODELS.get(verdict)
    if fitting is None:
        return Offer("discovery_call", KINDS[verdict])
    if not stands(fitting, answers, playbook):
        return Offer("discovery_call", "veto")
    return Offer(fitting, None)
