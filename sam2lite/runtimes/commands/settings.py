"""What is set of a family's frame rules on the command line: `--set NAME=VALUE`."""

from typing import Any, Dict, Optional, Sequence

from sam2lite.contracts.arguments import shown
from sam2lite.errors import ArgumentError

_WORDS = {"true": True, "false": False, "none": None}


def read_settings(entries: Optional[Sequence[str]]) -> Dict[str, Any]:
    """Return settings by name, as `VideoSegmenter` takes them.

    Args:
        entries: `NAME=VALUE` each; a value is a number, `true`, `false`, `none`, or a word.

    Raises:
        ArgumentError: one is of another form, or a name is there twice.
    """
    settings: Dict[str, Any] = {}
    for entry in entries or ():
        name, sign, text = entry.partition("=")
        if not (name.isidentifier() and sign and text):
            raise ArgumentError("--set {} is no NAME=VALUE".format(shown(entry)))
        if name in settings:
            raise ArgumentError("--set {} is given twice; give it once".format(name))
        settings[name] = _value(text)
    return settings


def memory_settings(
    policy: Optional[str] = None, tokens: Optional[int] = None, window: Optional[int] = None
) -> Dict[str, Any]:
    """Return those of the settings that commands have a flag for, if they were given.

    Args:
        policy: of memory pruning.
        tokens: memory budget of an object.
        window: stored frames kept beside the prompted one; 0 for no limit.
    """
    given = {"policy": policy, "tokens": tokens, "window": window}
    settings = {name: value for name, value in given.items() if value is not None}
    return dict(settings, window=None) if window == 0 else settings


def joined_settings(entries: Dict[str, Any], flags: Dict[str, Any]) -> Dict[str, Any]:
    """Return the settings of `--set` and those of flags of their own together.

    Raises:
        ArgumentError: a name is among both.
    """
    for name in flags:
        if name in entries:
            raise ArgumentError("--{0} and --set {0} are one setting; give it once".format(name))
    return dict(entries, **flags)


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text
