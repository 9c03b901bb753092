"""What a viewer may ask of the loop, read from JSON."""

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from sam2lite.contracts.arguments import shown, whole_number
from sam2lite.errors import ArgumentError, PromptError
from sam2lite.files.json_reading import parse_json
from sam2lite.runtimes.commands.frame_record import object_record
from sam2lite.runtimes.prompts import MAX_ID, Prompt
from sam2lite.runtimes.rules.interface import MAX_FRAMES
from sam2lite.runtimes.serve.loop import ServedLoop
from sam2lite.runtimes.serve.orders import Answer

PROMPT_FORM = (
    '{"object": 1, "frame": 120, "points": [[x, y]], "labels": [1], "box": [x1, y1, x2, y2]}'
)
REMOVE_FORM = '{"object": 1}'
PAUSE_FORM = '{"paused": true}'

Wish = Callable[[ServedLoop], Answer]


def read_prompt(body: bytes) -> Wish:
    """Read what `POST /prompt` takes.

    Raises:
        ArgumentError: it is malformed, or says nothing.
    """
    data = _read(body, PROMPT_FORM, ("object", "frame", "points", "labels", "box"))
    object_id = whole_number("object", data.get("object", 1), 1, MAX_ID)
    index: Optional[int] = None
    if data.get("frame") is not None:
        index = whole_number("frame", data["frame"], 0, MAX_FRAMES)
    prompt = Prompt(data.get("points"), data.get("labels"), data.get("box"))

    def give(loop: ServedLoop) -> Answer:
        frame_index, found = loop.prompt(object_id, prompt, index)
        return {"object": object_id, "frame": frame_index, **object_record(found)}

    return give


def read_remove(body: bytes) -> Wish:
    """Read what `POST /remove` takes; raises as `read_prompt` does."""
    data = _read(body, REMOVE_FORM, ("object",))
    object_id = whole_number("object", data.get("object"), 1, MAX_ID)

    def remove(loop: ServedLoop) -> Answer:
        loop.remove(object_id)
        return {"object": object_id}

    return remove


def read_pause(body: bytes) -> Wish:
    """Read what `POST /pause` takes; raises as `read_prompt` does."""
    wanted = _read(body, PAUSE_FORM, ("paused",)).get("paused")
    if not isinstance(wanted, bool):
        raise ArgumentError("paused is {}; the form is {}".format(shown(wanted), PAUSE_FORM))
    is_wanted: bool = wanted

    def pause(loop: ServedLoop) -> Answer:
        loop.pause(is_wanted)
        return {"paused": is_wanted}

    return pause


def _read(body: bytes, form: str, known: Tuple[str, ...]) -> Mapping[str, Any]:
    data = parse_json(body, "the request", PromptError, "the form is {}".format(form), max_depth=4)
    if not isinstance(data, dict):
        raise PromptError("the request is {}; the form is {}".format(shown(data), form))
    for key in data:
        if key not in known:
            raise PromptError(
                "unknown key {} in the request; the form is {}".format(shown(key), form)
            )
    found: Dict[str, Any] = data
    return found
