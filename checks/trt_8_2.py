"""TensorRT 8.2 by its differences from 8.6: there are no bindings of 8.2 for PCs.

Source: NVIDIA/TensorRT at tag 8.2.1 (6f38570), python/src/infer/pyCore.cpp, pyGraph.cpp, pyInt8.cpp
and pyFoundationalTypes.cpp, python/src/parsers/pyOnnx.cpp: the names in `.def...("name"` and
`.value("NAME"`, compared with what the bindings of 8.6.1 have when they are imported. The classes
are those of `trt_api.CLASSES`.
"""

from __future__ import annotations

ABSENT_CLASSES = ("MemoryPoolType", "TensorIOMode")
ABSENT = {
    "Builder": "get_plugin_registry max_threads",
    "BuilderFlag": "ENABLE_TACTIC_HEURISTIC EXCLUDE_LEAN_RUNTIME FP8 VERSION_COMPATIBLE",
    "DataType": "FP8 UINT8",
    "IBuilderConfig": "builder_optimization_level get_memory_pool_limit get_preview_feature "
    "hardware_compatibility_level max_aux_streams plugins_to_serialize set_memory_pool_limit "
    "set_preview_feature",
    "ICudaEngine": "get_tensor_bytes_per_component get_tensor_components_per_element "
    "get_tensor_dtype get_tensor_format get_tensor_format_desc get_tensor_location "
    "get_tensor_mode get_tensor_name get_tensor_profile_shape get_tensor_shape "
    "get_tensor_vectorized_dim hardware_compatibility_level is_shape_inference_io "
    "num_aux_streams num_io_tensors",
    "IExecutionContext": "execute_async_v3 get_input_consumed_event get_max_output_size "
    "get_output_allocator get_tensor_address get_tensor_shape get_tensor_strides infer_shapes "
    "nvtx_verbosity persistent_cache_limit set_aux_streams set_input_consumed_event "
    "set_input_shape set_output_allocator set_tensor_address temporary_allocator",
    "ILayer": "metadata",
    "INetworkDefinition": "add_cast add_grid_sample add_nms add_non_zero add_normalization "
    "add_one_hot add_reverse_sequence builder",
    "ITensor": "get_dimension_name set_dimension_name",
    "OnnxParser": "clear_flag flags get_flag get_used_vc_plugin_libraries set_flag",
    "Runtime": "engine_host_code_allowed get_plugin_registry load_runtime max_threads "
    "tempfile_control_flags temporary_directory",
}
ADDED = {"INetworkDefinition": "serialize"}


def members_of_8_2(members_of_8_6: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the members of 8.2 by class.

    Args:
        members_of_8_6: the same of 8.6; under `tensorrt` the names of the module.
    """
    found = {
        name: sorted(set(members) - set(ABSENT.get(name, "").split()) | set(_added(name)))
        for name, members in members_of_8_6.items()
        if name not in ABSENT_CLASSES
    }
    found["tensorrt"] = [name for name in found["tensorrt"] if name not in ABSENT_CLASSES]
    return found


def _added(name: str) -> list[str]:
    return ADDED.get(name, "").split()
