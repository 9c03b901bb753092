"""Commands that make a recipe of their options and export it: what they share."""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any, get_args

from sam2lite.cli.export import options, request
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson

# Options by the names of their parameters, in the order of help. A command takes those that its
# backend makes something of, and adds its own between them.
FIRST: Mapping[str, object] = {
    "output": options.Output,
    "model": options.MaybeModel,
    "variant": options.Variant,
}
SIZES: Mapping[str, object] = {"rungs": options.Rungs, "image_sizes": options.ImageSizes}
SHORT: Mapping[str, object] = {"fp16": options.Fp16, "int8": options.Int8}
FOOTAGE: Mapping[str, object] = {
    "calib": quantize.Source,
    "calib_frames": quantize.Frames,
    "calib_seed": quantize.MaybeSeed,
}
CALIBRATION: Mapping[str, object] = {
    **FOOTAGE,
    "observer": quantize.MaybeObserver,
    "ranges": quantize.Ranges,
    "keep_float": quantize.KeepFloat,
    "max_drop": quantize.MaxDrop,
    "accept_drop": quantize.AcceptDrop,
    "skip_pass": options.SkipPass,
}
LAST: Mapping[str, object] = {
    "recipe": options.RecipeFile,
    "save_recipe": options.SaveRecipe,
    "force": options.Force,
    "dry_run": options.DryRun,
    "as_json": ToJson,
}

Export = Callable[[request.Asked], None]


def export_command(**kinds: object) -> Callable[[Export], Callable[..., None]]:
    """Make a command of a function that exports what was asked for.

    The function is called like its backend, and its docstring is the command's help.

    Args:
        kinds: annotation of every option, by the name of its parameter, in the order of help.
            Options that are not given are None, flags False.
    """

    def decorate(export: Export) -> Callable[..., None]:
        def command(**given: Any) -> None:
            export(_asked(export.__name__, given))

        command.__name__, command.__doc__ = export.__name__, export.__doc__
        command.__annotations__ = dict(kinds)
        parameters = [_parameter(name, kind) for name, kind in kinds.items()]
        vars(command)["__signature__"] = Signature(parameters)
        return command

    return decorate


def _parameter(name: str, kind: object) -> Parameter:
    default = False if get_args(kind)[0] is bool else None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _asked(backend: str, given: dict[str, Any]) -> request.Asked:
    """Return the recipe that options ask for; two that mean the same become one field of it."""
    sizes = options.parse_sizes(given.pop("rungs"), given.pop("image_sizes"))
    short = {name: given.pop(name) for name in SHORT if name in given}
    precision = options.choose_precision(given.pop("precision"), **short)
    skipped = given.pop("skip_pass", None)
    return request.ask(backend, sizes=sizes, precision=precision, skip_passes=skipped, **given)
