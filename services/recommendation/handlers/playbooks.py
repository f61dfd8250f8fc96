"""The playbooks and the rules of blueprints, read and checked when the service starts."""

from importlib.resources import files

from services.recommendation.domain.blueprint_checks import parse as parse_blueprint
from services.recommendation.domain.playbook import parse
from shared.questionnaire import load

PLAYBOOKS = {
    (version := source.name.removesuffix(".yaml")): parse(source.read_text(encoding="utf-8"), load(version))
    for source in (files("services.recommendation") / "playbook").iterdir()
}
"""The playbook for each version of the questionnaire, checked when the service starts."""

BLUEPRINTS = {
    (version := source.name.removesuffix(".yaml")): parse_blueprint(
        source.read_text(encoding="utf-8"), source.name, PLAYBOOKS[version], load(version)
    )
    for source in (files("services.recommendation") / "blueprint").iterdir()
}
"""The rules of the blueprint for the versions of the questionnaire that have them, checked likewise."""
