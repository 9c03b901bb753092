"""What an export makes where no precision is asked for: help, recipes and exporters agree on it."""

from typing import Any

import pytest
import typer

from sam2lite.cli.export.main import app
from sam2lite.contracts.backends import get_backend
from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.recipe import Recipe
from sam2lite.targets.registry import list_targets

DEFAULTS = {"onnx": "fp32", "ort": "fp32", "trt": "fp16", "coreml": "fp16", "web": "fp16"}
COMMANDS: Any = typer.main.get_command(app)


@pytest.mark.parametrize(("backend", "precision"), DEFAULTS.items())
def test_help_and_behaviour_agree(backend: str, precision: str) -> None:
    (option,) = (each for each in COMMANDS.commands[backend].params if each.name == "precision")
    assert option.show_default == precision
    target = next((each.id for each in list_targets() if each.backend == backend), None)
    exporter = exporter_of(get_backend(backend).name)
    recipe = Recipe(backend=backend, target=target)
    assert exporter.choose(recipe, exporter.target(recipe)).name == precision
    listed = option.help.partition(";")[0].rstrip(".").replace(" or ", ", ").split(", ")
    assert listed == list(exporter.precisions(exporter.target(recipe)))


@pytest.mark.parametrize("profile", list_targets(), ids=lambda profile: profile.id)
def test_a_command_has_the_option_that_its_refusal_names(profile: Any) -> None:
    refused = [entry for entry in profile.precisions if not entry.served]
    params = COMMANDS.commands[profile.backend].params
    options = {option for param in params for option in param.opts}
    assert not refused or "--fallback" in options
    exporter = exporter_of(profile.backend)
    known = exporter.precisions(profile)
    for entry in (entry for entry in refused if entry.name in known):
        recipe = Recipe(
            backend=profile.backend, target=profile.id, precision=entry.name, fallback=True
        )
        scheme = exporter.choose(recipe, exporter.target(recipe))
        assert scheme.name == entry.instead
        assert "fallback" in exporter.uses(recipe, profile, scheme)
