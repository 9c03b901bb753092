"""What is known about a device that bundles are made for."""

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple


class Precision(NamedTuple):
    """How a target stands to one number format.

    Attributes:
        name: `fp32`, `fp16`, `int8` or one of Core ML's, as in `--precision`.
        in_silicon: whether every chip of the target has arithmetic for it.
        served: whether bundles can be made in it; what is not served is refused at export.
        note: what to expect, or why it is refused.
        source: where `note` comes from.
        instead: the nearest precision that is served, where this one is not.
    """

    name: str
    in_silicon: bool
    served: bool
    note: str
    source: str
    instead: Optional[str] = None


class QdqStyle(NamedTuple):
    """How an INT8 graph is written, with QuantizeLinear and DequantizeLinear, for a target.

    Attributes:
        activation_dtype: NumPy's name for the type.
        activation_zero_point: the one that the target requires; None where it follows the range.
        weight_dtype: NumPy's name for the type. Weights are symmetric: zero point 0.
        weight_bits: 8, or 7 where products of 8-bit weights overflow an accumulator.
        per_channel: whether each output channel of a weight has its own scale.
        codes_stored: whether weights and biases are stored as codes; where not, they stay float,
            weights with QuantizeLinear and DequantizeLinear behind them, biases without.
        block_size: how many weights of a channel share a scale; None where all of them do.
    """

    activation_dtype: str
    activation_zero_point: Optional[int]
    weight_dtype: str
    weight_bits: int
    per_channel: bool
    codes_stored: bool = True
    block_size: Optional[int] = None

    def to_json(self) -> Dict[str, Any]:
        """Return the fields as a plain dictionary, without a block size where there is none."""
        data = dict(self._asdict())
        if self.block_size is None:
            del data["block_size"]
        return data


class Detection(NamedTuple):
    """The marks by which a machine is recognised from within. All that are given must hold.

    Attributes:
        machines: `platform.machine()` in lower case, one of them.
        cpu_flags: of /proc/cpuinfo, one of them; empty where any CPU will do.
        compatible: the chip's name in the device tree; None where any chip will do.
        boards: of the device tree, one of them or a variant of it (`p3701` finds `p3701-0005`);
            empty where any board with the chip will do.
        models: words of the processor's name, one of them; empty where any name will do.
    """

    machines: Tuple[str, ...]
    cpu_flags: Tuple[str, ...] = ()
    compatible: Optional[str] = None
    boards: Tuple[str, ...] = ()
    models: Tuple[str, ...] = ()


class JetPack(NamedTuple):
    """One release of the system of NVIDIA's Jetson boards.

    Attributes:
        name: of the newest release that has these versions.
        l4t: version of its Linux, as /etc/nv_tegra_release has it.
        cuda: version of CUDA.
        cudnn: version of cuDNN.
        tensorrt: version of TensorRT that it installs.
        python: version of the system's Python, which TensorRT's bindings are made for.
        source: where these come from.
        other_tensorrt: a version that can be installed instead; None where there is none.
        also: names of older releases with the same CUDA, TensorRT and Python.
    """

    name: str
    l4t: str
    cuda: str
    cudnn: str
    tensorrt: str
    python: str
    source: str
    other_tensorrt: Optional[str] = None
    also: Tuple[str, ...] = ()


class TensorRt(NamedTuple):
    """What only targets with TensorRT have.

    Attributes:
        version: the TensorRT that graphs are made for.
        compute_capability: of the GPU, as CUDA numbers it.
        parser_opset: the newest ONNX opset that this TensorRT's parser knows.
        dla: the deep learning accelerators beside the GPU; None where there are none.
        other_formats: number formats that the GPU or TensorRT has and bundles do not use.
        sources: where each of the fields above comes from, under its name.
        jetpack: name of the release that `version` belongs to; None where there is no JetPack.
        jetpacks: the releases that the board has, oldest first.
        versions: the TensorRTs to choose from where there is no JetPack, oldest first.
    """

    version: str
    compute_capability: str
    parser_opset: int
    dla: Optional[str]
    other_formats: str
    sources: Mapping[str, str]
    jetpack: Optional[str] = None
    jetpacks: Tuple[JetPack, ...] = ()
    versions: Tuple[str, ...] = ()

    def to_json(self) -> Dict[str, Any]:
        """Return the fields as plain dictionaries and tuples."""
        data = dict(self._asdict())
        data["jetpacks"] = [dict(jetpack._asdict()) for jetpack in self.jetpacks]
        data["sources"] = dict(self.sources)
        return data


class CoreMl(NamedTuple):
    """What only targets with Core ML have.

    Attributes:
        deployment_target: as coremltools calls it.
        specification: version of Core ML's specification, which packages declare.
        multifunction: whether one package can hold a graph at several rungs, its weights once.
        compute_units: where a graph may run, as coremltools' `ComputeUnit` calls it: `ranks` for
            graphs that end in a choice (`GraphSpec.ranks`), `others` for the rest.
        sources: where each of the fields above comes from, under its name.
    """

    deployment_target: str
    specification: int
    multifunction: bool
    compute_units: Mapping[str, str]
    sources: Mapping[str, str]

    def to_json(self) -> Dict[str, Any]:
        """Return the fields as plain dictionaries."""
        data = dict(self._asdict())
        data["compute_units"] = dict(self.compute_units)
        data["sources"] = dict(self.sources)
        return data


class OpenVino(NamedTuple):
    """What only targets with OpenVINO have.

    Attributes:
        device: that graphs are compiled for, as OpenVINO calls it.
        float_types: what is not in INT8 is computed in, by the precision of the graph: `f32`,
            `f16` or `bf16`, as OpenVINO calls them. Where the device has no BF16, `bf16` is `f32`.
        sources: where each of the fields above comes from, under its name.
    """

    device: str
    float_types: Mapping[str, str]
    sources: Mapping[str, str]

    def to_json(self) -> Dict[str, Any]:
        """Return the fields as plain dictionaries."""
        data = dict(self._asdict())
        data["float_types"] = dict(self.float_types)
        data["sources"] = dict(self.sources)
        return data


class TargetProfile(NamedTuple):
    """One device or family of devices.

    Attributes:
        id: the name on the command line and in the manifest.
        title: the name that people know.
        backend: name of the one that its bundles are for, as in `--backend`.
        precisions: every precision that the exporter knows, served or not.
        detection: the marks by which this target is found from within; None where it never is.
        chip: processor, cores and clock.
        architecture: as `uname -m` prints it on Linux.
        memory_mb: the sizes it is sold with, MiB; empty where it may have any.
        bandwidth_gb_s: theoretical peak of its memory, GB/s; None where it may have any.
        os: the operating system that the versions below belong to.
        runtime: the inference runtime and its versions.
        python: versions of Python that can run a bundle there.
        opset: the opset that export uses: ONNX's, or MIL's for Core ML.
        qdq: how INT8 graphs are written.
        threads: default number of threads; None for the physical cores of the machine.
        arena: whether every graph keeps a memory arena of its own between frames.
        power_sensor: a file or command that reads power or energy; None where there is none.
        sources: where each of the facts from `chip` on comes from, under the name of the field.
        tensorrt: what the backend `trt` needs beside; None for other backends.
        coreml: what the backend `coreml` needs beside; None for other backends.
        openvino: what the backend `openvino` needs beside; None for other backends.
    """

    id: str
    title: str
    backend: str
    precisions: Tuple[Precision, ...]
    detection: Optional[Detection]
    chip: str
    architecture: str
    memory_mb: Tuple[int, ...]
    bandwidth_gb_s: Optional[float]
    os: str
    runtime: str
    python: str
    opset: int
    qdq: QdqStyle
    threads: Optional[int]
    arena: bool
    power_sensor: Optional[str]
    sources: Mapping[str, str]
    tensorrt: Optional[TensorRt] = None
    coreml: Optional[CoreMl] = None
    openvino: Optional[OpenVino] = None

    def to_json(self) -> Dict[str, Any]:
        """Return the profile as plain dictionaries and tuples."""
        data = dict(self._asdict())
        data["precisions"] = [dict(precision._asdict()) for precision in self.precisions]
        data["detection"] = self.detection and dict(self.detection._asdict())
        data["qdq"] = self.qdq.to_json()
        data["sources"] = dict(self.sources)
        data["tensorrt"] = self.tensorrt and self.tensorrt.to_json()
        data["coreml"] = self.coreml and self.coreml.to_json()
        data["openvino"] = self.openvino and self.openvino.to_json()
        return data


class Fact(NamedTuple):
    """A value of a data sheet and where it comes from."""

    value: Any
    source: str


def data_sheet(
    name: str,
    title: str,
    backend: str,
    precisions: Tuple[Precision, ...],
    detection: Optional[Detection] = None,
    tensorrt: Optional[TensorRt] = None,
    **facts: Fact,
) -> TargetProfile:
    """Build a profile from facts that are written beside their sources.

    Args:
        name: the id of the profile.
        title: the name that people know.
        backend: name of the one that its bundles are for, as in `--backend`.
        precisions: every precision that the exporter knows.
        detection: the marks by which this target is found from within; None where it never is.
        tensorrt: what the backend `trt` needs beside.
        facts: every field of `TargetProfile` from `chip` to `power_sensor`.
    """
    return TargetProfile(
        id=name,
        title=title,
        backend=backend,
        precisions=precisions,
        detection=detection,
        tensorrt=tensorrt,
        sources={field: fact.source for field, fact in facts.items()},
        **{field: fact.value for field, fact in facts.items()},
    )


def tensorrt_sheet(
    jetpacks: Tuple[JetPack, ...] = (),
    jetpack: Optional[str] = None,
    versions: Tuple[str, ...] = (),
    **facts: Fact,
) -> TensorRt:
    """Build the TensorRT part of a profile from facts that are written beside their sources.

    Args:
        jetpacks: the releases that the board has, oldest first.
        jetpack: the one of them that the profile is for.
        versions: the TensorRTs to choose from where there is no JetPack.
        facts: every field of `TensorRt` before `sources`.
    """
    return TensorRt(
        jetpack=jetpack,
        jetpacks=jetpacks,
        versions=versions,
        sources={field: fact.source for field, fact in facts.items()},
        **{field: fact.value for field, fact in facts.items()},
    )
