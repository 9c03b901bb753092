"""Record what every graph is fed while the float loop tracks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from sam2lite.calibration.following import follow
from sam2lite.calibration.footage import CalibrationClip, content_sha256
from sam2lite.contracts.family import Family
from sam2lite.errors import CalibrationError
from sam2lite.files.reading import printable
from sam2lite.files.staging import cached_folder
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.tensor_files import claimed_tensors

FORMAT = 1  # of a recording; part of its key
_REMEDY = "delete its folder, and it is made again"
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Recording:
    """A folder with one file for each call of a graph, named by graph, rung and number.

    Floating-point inputs are stored as FP16: with 11 bits of mantissa, what they feed is seen to a
    fraction of an INT8 step.

    Attributes:
        folder: of the files.
        data_sha256: of the frames and prompts that were tracked.
        family: of the network.
    """

    folder: Path
    data_sha256: str
    family: Family

    def calls(self, graph: str, rung: int | None = None) -> Iterator[tuple[int, list[Tensor]]]:
        """Yield rung and inputs of every call of a graph, or of those at one rung, in order."""
        for path in self._paths(graph, rung):
            yield int(path.stem.rpartition("@")[2].partition("-")[0]), self._inputs(path, graph)

    def sample(self, graph: str, rung: int, most: int) -> list[list[Tensor]]:
        """Return the inputs of about so many calls at one rung, spread over all of them."""
        paths = self._paths(graph, rung)
        return [self._inputs(path, graph) for path in paths[:: max(1, len(paths) // most)]]

    def count(self, graph: str) -> int:
        """Return how many calls of a graph there are."""
        return len(self._paths(graph, None))

    def _paths(self, graph: str, rung: int | None) -> list[Path]:
        return sorted(self.folder.glob(f"{graph}@{rung or '*'}-*{_SUFFIX}"))

    def _inputs(self, path: Path, graph: str) -> list[Tensor]:
        claimed_tensors(path, CalibrationError, _REMEDY)
        try:
            tensors = safetensors.torch.load_file(path)
            return [_restored(tensors[name]) for name in self.family.graph(graph).input_names]
        except (KeyError, OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise CalibrationError(
                f"{printable(path)} is no recording of {graph} ({error}); {_REMEDY}"
            ) from None


def record(
    loaded: LoadedModel,
    clips: Sequence[CalibrationClip],
    rungs: Sequence[int],
    cache: Path,
    report: Callable[[str], None] = lambda name: None,
) -> Recording:
    """Run the float loop over clips and keep every graph's inputs, or find them in the cache.

    Rungs take turns, from the largest down, and change half way through a clip, so that every one
    meets empty, filling and full banks, and memory that was written at another.

    Args:
        loaded: the network.
        clips: to track through.
        rungs: input sides to use.
        cache: folder in which recordings are kept, by what they were made from.
        report: told the name of each clip when it is done.

    Raises:
        OutputError: the cache cannot be written.
    """
    data_sha256 = content_sha256(clips)
    folder = cache / _key(loaded, data_sha256, rungs)
    recording = Recording(folder, data_sha256, loaded.family)
    if recording.folder.is_dir():
        return recording
    fused = loaded.fused()
    with cached_folder(recording.folder) as staging, ExitStack() as stack:
        writer = _Writer(staging, loaded.family.image_encoder.name)
        for spec in loaded.family.graphs:
            hook = writer.hook(spec.name, spec.input_names)
            module = fused.module(spec.name)
            stack.callback(module.register_forward_pre_hook(hook).remove)
        sides = sorted(rungs, reverse=True)
        for index, clip in enumerate(clips):
            halves = [sides[(2 * index + half) % len(sides)] for half in (0, 1)]
            for _ in follow(fused, clip, halves):
                pass
            report(clip.name)
    return recording


class _Writer:
    """Writes the inputs of every call; the last image tells the rung."""

    def __init__(self, folder: Path, image_encoder: str) -> None:
        self._folder, self._image_encoder = folder, image_encoder
        self._number, self._rung = 0, 0

    def hook(
        self, graph: str, names: Sequence[str]
    ) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def write(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if graph == self._image_encoder:
                self._rung = int(inputs[0].shape[-1])
            tensors = {n: _stored(x) for n, x in zip(names, inputs, strict=True)}
            path = self._folder / f"{graph}@{self._rung}-{self._number:06d}{_SUFFIX}"
            safetensors.torch.save_file(tensors, path)
            self._number += 1

        return write


def _key(loaded: LoadedModel, data_sha256: str, rungs: Sequence[int]) -> str:
    parts = f"{FORMAT} {loaded.sha256} {data_sha256} {sorted(rungs)} {loaded.aspect.text}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _stored(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous().clone()


def _restored(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
