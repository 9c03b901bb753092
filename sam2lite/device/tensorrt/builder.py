"""Build one engine with whatever TensorRT a board has, from 8.2 to 11.

What differs between releases is asked of the module, never of its version number:

    8.2 to 8.3    config.max_workspace_size; only networks with EXPLICIT_BATCH take ONNX
    8.4 to 10     config.set_memory_pool_limit; from 10 on STRONGLY_TYPED, and EXPLICIT_BATCH idle
    11            no FP16, INT8 and precision flags, no calibrators, no EXPLICIT_BATCH

Sources: NVIDIA/TensorRT, python/src/infer/pyCore.cpp and pyGraph.cpp and
python/src/parsers/pyOnnx.cpp at release/8.2; the bindings of 8.6.1, 10.3.0 and 11.4.0 as
`make trt-api` imports them.
"""

from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from sam2lite.contracts.build_plan import GraphPlan
from sam2lite.device.tensorrt.calibration import make_calibrator
from sam2lite.device.tensorrt.log import last_errors, make_logger, remedy_for
from sam2lite.device.tensorrt.pins import pin_to_fp32
from sam2lite.errors import SessionError

SHOWN_PARSER_ERRORS = 3


class Request(NamedTuple):
    """What to build.

    Attributes:
        key: the graph's, for messages.
        plan: of the graph.
        onnx_path: absolute; the weights lie beside it.
        calibration_cache: content of the plan's file; None if it names none.
        strongly_typed: whether types stand in the graph.
        workspace_mb: memory to try kernels in, MiB.
        timing_cache: what TensorRT measured before; empty if nothing.
    """

    key: str
    plan: GraphPlan
    onnx_path: str
    calibration_cache: Optional[bytes]
    strongly_typed: bool
    workspace_mb: int
    timing_cache: bytes


class Built(NamedTuple):
    """What came out.

    Attributes:
        engine: a buffer of bytes.
        timing_cache: what TensorRT measured, the old included.
        notes: what the user should know, one sentence each.
    """

    engine: Any
    timing_cache: bytes
    notes: Tuple[str, ...]


def build_engine(trt: Any, request: Request, say: Optional[Callable[[str], None]] = None) -> Built:
    """Build an engine. There must be a CUDA device: without one TensorRT may end the process.

    Args:
        trt: the module `tensorrt`.
        request: what to build.
        say: told the warnings of TensorRT; None for silence.

    Raises:
        SessionError: this TensorRT lacks what the plan asks for, does not take the graph, or gave
            no engine, out of memory included; the message has the graph, the reason and the remedy.
    """
    logger = make_logger(trt, say)
    try:
        return _build(trt, request, logger)
    except SessionError:
        raise
    except Exception as error:  # pybind11 raises what C++ throws under several names
        logger.errors.append("{}: {}".format(type(error).__name__, error))
        raise failure(trt, request, logger.errors) from error


def _build(trt: Any, request: Request, logger: Any) -> Built:
    builder = trt.Builder(logger)  # a TypeError where CUDA does not work
    network = builder.create_network(_network_flags(trt, request))
    parser = _parse(trt, network, logger, request)
    config = builder.create_builder_config()
    notes = _configure(trt, config, network, request)
    calibrator = None
    if request.calibration_cache is not None:
        calibrator = make_calibrator(trt, request.calibration_cache)
        config.int8_calibrator = calibrator
    damaged = _attach_timing_cache(config, request.timing_cache)
    engine = builder.build_serialized_network(network, config)
    del parser  # not before: it owns weights that the network points to
    if engine is None:
        if calibrator is not None and calibrator.asked_for_images:
            raise _refused_cache(trt, request)
        raise failure(trt, request, logger.errors)
    return Built(memoryview(engine), _timing_cache(config), (*notes, *damaged))


def _network_flags(trt: Any, request: Request) -> int:
    known = trt.NetworkDefinitionCreationFlag
    flags = 0
    if hasattr(known, "EXPLICIT_BATCH"):
        flags |= 1 << int(known.EXPLICIT_BATCH)
    if request.strongly_typed:
        if not hasattr(known, "STRONGLY_TYPED"):
            raise _lacks(trt, request, "strongly typed networks")
        flags |= 1 << int(known.STRONGLY_TYPED)
    return flags


def _parse(trt: Any, network: Any, logger: Any, request: Request) -> Any:
    parser = trt.OnnxParser(network, logger)
    # By path: the parser looks for the weights beside the file.
    if parser.parse_from_file(request.onnx_path):
        return parser
    errors = [_describe(parser.get_error(index)) for index in range(parser.num_errors)]
    said = errors[:SHOWN_PARSER_ERRORS] or logger.errors[-1:] or ["it gave no reason"]
    raise SessionError(
        "{}: the parser of TensorRT {} does not take the graph: {}; export the bundle again for "
        "this TensorRT".format(request.key, trt.__version__, "; ".join(said))
    )


def _describe(error: Any) -> str:
    """Return a parser's error as `node 7 (Softmax /attention/Softmax): reason`."""
    reason = " ".join(str(error.desc()).split())
    if error.node() < 0:  # inputs, outputs, or the file
        return reason
    # 10 and newer name the node; before, the reason does in most cases.
    named = hasattr(error, "node_name") and hasattr(error, "node_operator")
    name = " ({} {})".format(error.node_operator(), error.node_name()) if named else ""
    return "node {}{}: {}".format(error.node(), name, reason)


def _configure(trt: Any, config: Any, network: Any, request: Request) -> Tuple[str, ...]:
    """Set workspace, flags and pins; return notes."""
    workspace_bytes = request.workspace_mb << 20
    if hasattr(config, "set_memory_pool_limit"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
    else:
        config.max_workspace_size = workspace_bytes
    # Ampere and newer would round the factors of FP32 products to 10 bits, which is what the nodes
    # that stay in FP32 are to be spared.
    config.clear_flag(trt.BuilderFlag.TF32)
    if request.strongly_typed:
        return ()
    for name in request.plan.flags:
        if not hasattr(trt.BuilderFlag, name):
            raise _lacks(trt, request, "the builder flag " + name)
        config.set_flag(getattr(trt.BuilderFlag, name))
    if not request.plan.fp32_nodes:
        return ()
    # OBEY and not PREFER: what overflows FP16 is wrong, however fast it is.
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    return pin_nodes(trt, network, request)


def pin_nodes(trt: Any, network: Any, request: Request) -> Tuple[str, ...]:
    """Keep the nodes of the plan in FP32; return a note if some are not found.

    Args:
        trt: the module `tensorrt`.
        network: made from the request's graph.
        request: what is built.
    """
    with open(request.onnx_path, "rb") as stream:
        found = pin_to_fp32(trt, network, request.plan.fp32_nodes, stream.read())
    lost = [node for node in request.plan.fp32_nodes if node not in found]
    if not lost:
        return ()
    return (
        "{}: TensorRT made no layer of {} of the {} nodes that stay in FP32 ({}{})".format(
            request.key,
            len(lost),
            len(request.plan.fp32_nodes),
            ", ".join(lost[:3]),
            ", ..." if len(lost) > 3 else "",
        ),
    )


def _attach_timing_cache(config: Any, content: bytes) -> Tuple[str, ...]:
    """Give TensorRT what it measured before; return a note if it does not take it."""
    if content:
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return ()
    config.set_timing_cache(config.create_timing_cache(b""), False)
    return ("TensorRT refused the timing cache; a new one is begun",) if content else ()


def _timing_cache(config: Any) -> bytes:
    cache = config.get_timing_cache()
    return b"" if cache is None else bytes(memoryview(cache.serialize()))


def _lacks(trt: Any, request: Request, what: str) -> SessionError:
    return SessionError(
        "{}: TensorRT {} has not {}; export the bundle again for this TensorRT".format(
            request.key, trt.__version__, what
        )
    )


def _refused_cache(trt: Any, request: Request) -> SessionError:
    return SessionError(
        "{}: TensorRT {} built no engine (it did not take the calibration cache); export the "
        "bundle again for this TensorRT, or as FP16".format(request.key, trt.__version__)
    )


def failure(trt: Any, request: Request, errors: List[str]) -> SessionError:
    """Return what to raise where no engine came out.

    Args:
        trt: the module `tensorrt`.
        request: what was asked for.
        errors: what TensorRT logged as errors.
    """
    return SessionError(
        "{}: TensorRT {} built no engine ({}); {}".format(
            request.key, trt.__version__, last_errors(errors), remedy_for(errors)
        )
    )
