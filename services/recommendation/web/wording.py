"""The words for what was proposed."""

from collections.abc import Mapping
from typing import Any, Literal

from services.recommendation.domain.blueprint import EditAction
from services.recommendation.domain.blueprint_rules import Kind as LineKind
from services.recommendation.domain.blueprint_rules import Level as RiskLevel
from services.recommendation.domain.blueprint_rules import Party
from services.recommendation.domain.offer import Kind
from services.recommendation.domain.outcome import Due
from services.recommendation.store.cases import CaseFile
from services.recommendation.store.queue import Queued
from shared.contracts.assessment import Strength
from shared.contracts.recommendation import DeclineReason, Model, Outcome
from shared.pages.formats import of_hundred

FITS: dict[Model, str] = {
    "dedicated_team": "A dedicated team fits",
    "project_based": "A project fits",
    "hybrid": "A team and a project together fit",
    "discovery_call": "Call first",
}
HOW_SURELY: dict[Strength | None, str] = {"clear": ", clearly", "leaning": ", though not clearly", None: ""}
WHY_CALL: dict[Kind, str] = {
    "incomplete": "too little is known yet",
    "contradictory": "some answers do not fit together",
    "undecided": "the answers do not settle it",
    "veto": "what fits cannot be offered",
}
RULED_OUT: dict[Model | None, str] = {
    "dedicated_team": "a dedicated team would fit, but cannot be offered",
    "project_based": "a project would fit, but cannot be offered",
    "hybrid": "a team and a project would fit, but cannot be offered",
}


LEANS: dict[Model | None, str] = {
    "dedicated_team": "The answers lean to a dedicated team.",
    "project_based": "The answers lean to a project.",
    "hybrid": "The answers lean to a team and a project together.",
    None: "The answers lean to neither side.",
}

LEANS_BRIEFLY: dict[Model, str] = {
    "dedicated_team": "leans to a dedicated team",
    "project_based": "leans to a project",
    "hybrid": "leans to a team and a project together",
}

DECLINED: dict[DeclineReason, str] = {
    "price": "The price or how it is paid",
    "timing": "The time does not suit",
    "way_of_working": "We want to work in another way",
    "own_people": "Our own people will do it",
    "another_partner": "Somebody else will do it",
    "no_longer_needed": "It is not needed any more",
    "other": "Another reason",
}

OUTCOMES: dict[Outcome, str] = {
    "signed": "It was signed",
    "lost": "It was lost",
    "unchanged": "It runs as it was signed",
    "rescoped": "It was re-scoped",
    "renewed": "It was renewed",
}

DUE: dict[Due | Literal["question"], str] = {
    "question": "A question waits for a reply",
    "acceptance": "Accepted two weeks ago: was it signed?",
    "discovery": "The call is over: decide again with what it told",
    "first_release": "The first release was planned for now: does the model still fit?",
    "three_months": "Three months in: re-scoped or as signed?",
    "six_months": "Six months in: does the model still fit?",
}

COLUMNS: dict[LineKind, tuple[tuple[str, str], ...]] = {
    "role": (("Role", "role"), ("Does", "does"), ("Time", "time")),
    "responsibility": (
        ("Activity", "activity"),
        ("Accountable", "accountable"),
        ("Responsible", "responsible"),
        ("Consulted", "consulted"),
        ("Informed", "informed"),
    ),
    "handoff": (("Document", "document"), ("From", "giver"), ("To", "receivers"), ("Complete when", "complete")),
    "meeting": (("Meeting", "meeting"), ("How often", "rhythm"), ("How long", "length"), ("Who", "who")),
    "step": (("When", "period"), ("What", "text")),
    "risk": (
        ("Risk", "risk"),
        ("How likely here", "level"),
        ("Early sign", "sign"),
        ("Watched by", "owner"),
        ("Response", "response"),
    ),
    "agenda_item": (("Minutes", "minutes"), ("What", "item"), ("Ends with", "output")),
}
"""What each kind of line in a blueprint says, as columns of a label and the field; points are no table."""

FIELDS: dict[LineKind, tuple[tuple[str, str], ...]] = {
    **COLUMNS,
    "point": (("Heading", "title"), ("Text", "text")),
    "role": (("On whose side", "party"), *COLUMNS["role"]),
}
"""What is asked of whoever writes a line of each kind, likewise."""

EDITED: dict[EditAction, str] = {
    "add": "added it",
    "change": "changed it",
    "drop": "dropped it",
    "undo": "took the last edit back",
}

PARTIES: dict[Party, str] = {"client": "Client's side", "vendor": "Our side"}
RISK_LEVELS: dict[RiskLevel, str] = {"watch": "Watch", "raised": "Raised", "high": "High"}
CHOICES: dict[str, Mapping[Any, str]] = {"party": PARTIES, "level": RISK_LEVELS}
"""The words of the fields that are chosen from a list."""


def heading(case: CaseFile) -> str:
    """What was proposed, in one sentence."""
    if case.state == "erased" or case.model is None or case.proposal is None:
        return "This case was erased on request"
    kind, leaning = case.proposal.kind, case.proposal.leaning
    if kind is None:
        return FITS[case.model] + HOW_SURELY[case.strength]
    why = RULED_OUT[leaning.model] if kind == "veto" and leaning else WHY_CALL[kind]
    return f"{FITS[case.model]}: {why}"


def leaning(case: CaseFile) -> str:
    """Where the answers of a discovery call lean; empty where that is plain without it."""
    if case.proposal is None or case.proposal.leaning is None or case.proposal.kind == "veto":
        return ""
    lean = case.proposal.leaning
    if lean.share is None:
        return LEANS[lean.model]
    return f"{LEANS[lean.model]} So do {of_hundred(lean.share)} ways in which the open answers could fall."


def worth_a_look(item: Queued) -> list[str]:
    """What is unusual about a case, by name, worst first."""
    found = [f"{item.waiting_for.name} needs a second signature"] if item.waiting_for else []
    found += [WHY_CALL[item.kind]] if item.kind else []
    found += [LEANS_BRIEFLY[item.leaning]] if item.leaning and item.kind != "veto" else []
    found += [rule.replace("_", " ") for rule in (*(item.vetoes or ()), *(item.conditions or ()))]
    found += _counted(item.checks, "contradiction", "contradictions")
    found += _counted(item.unknown, "open answer", "open answers")
    found += [f"revision {item.revision}"] if item.revision > 1 else []
    return found


def _counted(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] if count else []
