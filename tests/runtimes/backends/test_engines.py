import hashlib
import json
from pathlib import Path

import pytest

from sam2lite.contracts.build_plan import BuildPlan, GraphPlan
from sam2lite.contracts.manifest import FileEntry
from sam2lite.errors import BundleError
from sam2lite.files.atomic import write_atomically
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.engines import (
    EngineEntry,
    engine_file,
    engine_key,
    find_engine,
    input_files,
    read_engines,
    read_plan,
    sealed,
    write_engines,
)
from sam2lite.runtimes.backends.tensorrt.machine_secret import make_secret
from tests.doubles.trt_bundle import GRAPH, KEYS, opened, write_trt_bundle

NANO = CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)
VERSION = "8.2.1.8"
KEY = KEYS[0]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_trt_bundle(tmp_path / "b")


@pytest.fixture
def entry(bundle: Path) -> EngineEntry:
    """An engine of the bundle that may be loaded on a Nano."""
    content = b"engine"
    write_atomically(str(bundle / "engines" / engine_file(KEY)), content)
    made = EngineEntry(
        file=engine_file(KEY),
        key=engine_key(*opened(bundle), KEY, VERSION, NANO),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        seconds=1.0,
        tensorrt=VERSION,
        device=NANO.name,
        compute_capability=NANO.compute_capability,
        built="2026-01-01T00:00:00Z",
    )
    made = sealed(KEY, made, make_secret())
    write_engines(str(bundle), {KEY: made})
    return made


def find(bundle: Path, version: str = VERSION, device: CudaDevice = NANO) -> str:
    return find_engine(str(bundle), *opened(bundle), KEY, version, device)


def test_what_fits_is_found(bundle: Path, entry: EngineEntry) -> None:
    assert find(bundle) == str(bundle / "engines" / entry.file)
    assert read_engines(str(bundle)) == {KEY: entry}


def test_what_was_not_built_says_how(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"is not built yet; run: python3 device\.pyz build"):
        find(bundle)


def test_another_tensorrt_is_named(bundle: Path, entry: EngineEntry) -> None:
    with pytest.raises(BundleError, match=r"by TensorRT 8\.2\.1\.8, and here is 8\.2\.1\.9; run"):
        find(bundle, "8.2.1.9")


@pytest.mark.parametrize(
    "device", [NANO._replace(name="Orin"), NANO._replace(compute_capability="8.7")]
)
def test_another_device_is_named(bundle: Path, entry: EngineEntry, device: CudaDevice) -> None:
    with pytest.raises(BundleError, match=r"built on NVIDIA Tegra X1 .*5\.3\), and here is"):
        find(bundle, device=device)


def test_memory_does_not_matter(bundle: Path, entry: EngineEntry) -> None:
    assert find(bundle, device=NANO._replace(memory_bytes=2 << 30))


def test_a_changed_plan_makes_it_stale(bundle: Path, entry: EngineEntry) -> None:
    data = json.loads((bundle / "plan.json").read_text())
    data["graphs"][KEY]["flags"] = []
    (bundle / "plan.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match="is stale"):
        find(bundle)


@pytest.mark.parametrize(("content", "message"), [(b"enginf", "damaged"), (None, "is missing")])
def test_a_damaged_engine_is_told(
    bundle: Path, entry: EngineEntry, content: bytes | None, message: str
) -> None:
    path = bundle / "engines" / entry.file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=message):
        find(bundle)


def test_everything_that_matters_changes_the_key(bundle: Path) -> None:
    manifest, plan = opened(bundle)
    graph = plan.graphs[KEY]

    def with_graph(changed: GraphPlan) -> BuildPlan:
        return plan._replace(graphs={**plan.graphs, KEY: changed})

    def with_file(name: str) -> object:
        return manifest._replace(files={**manifest.files, name: FileEntry("f" * 64, 1)})

    variants = [
        (manifest, plan, VERSION, NANO),
        (with_file(graph.onnx), plan, VERSION, NANO),
        (with_file("graphs/weights.bin"), plan, VERSION, NANO),
        (manifest, with_graph(graph._replace(flags=())), VERSION, NANO),
        (manifest, with_graph(graph._replace(fp32_nodes=("/Add",))), VERSION, NANO),
        (manifest, plan._replace(strongly_typed=True), VERSION, NANO),
        (manifest, plan._replace(workspace_mb=1), VERSION, NANO),
        (manifest, plan, "8.2.1.9", NANO),
        (manifest, plan, VERSION, NANO._replace(name="Orin")),
        (manifest, plan, VERSION, NANO._replace(compute_capability="8.7")),
    ]
    keys = {engine_key(m, p, KEY, version, device) for m, p, version, device in variants}  # type: ignore[arg-type]
    assert len(keys) == len(variants)
    # What belongs to other graphs does not.
    other = with_file(plan.graphs[KEYS[1]].onnx)
    assert engine_key(other, plan, KEY, VERSION, NANO) in keys  # type: ignore[arg-type]


def test_the_calibration_cache_belongs_to_the_engine(tmp_path: Path) -> None:
    graph = GRAPH._replace(flags=("INT8",), calibration_cache="graphs/c.cache")
    manifest, plan = opened(write_trt_bundle(tmp_path / "b", graph=graph))
    wanted = [plan.graphs[KEY].onnx, "graphs/c.cache", "graphs/weights.bin"]
    assert input_files(manifest, plan, KEY) == wanted


def test_an_unlisted_file_is_refused(bundle: Path) -> None:
    manifest, plan = opened(bundle)
    graph = plan.graphs[KEY]._replace(calibration_cache="../scales")
    with pytest.raises(BundleError, match=r"names \.\./scales, which the manifest does not list"):
        input_files(manifest, plan._replace(graphs={KEY: graph}), KEY)
    with pytest.raises(BundleError, match="no graph 'other'"):
        input_files(manifest, plan, "other")


@pytest.mark.parametrize(
    "change",
    [
        {"engines_version": 3},
        {"engines": {KEY: {"file": "x"}}},
        {"engines": []},
    ],
)
def test_engines_json_that_is_not_understood(
    bundle: Path, entry: EngineEntry, change: dict[str, object]
) -> None:
    path = bundle / "engines" / "engines.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BundleError, match=r"engines\.json cannot be used .*build --force"):
        read_engines(str(bundle))


def test_an_engine_outside_its_folder_is_refused(bundle: Path, entry: EngineEntry) -> None:
    write_engines(str(bundle), {KEY: entry._replace(file="../engine")})
    with pytest.raises(BundleError, match=r"'\.\./engine' may leave the folder"):
        find(bundle)


def test_a_missing_plan_is_told(bundle: Path) -> None:
    (bundle / "plan.json").unlink()
    with pytest.raises(BundleError, match=r"plan\.json: .*; copy the bundle again"):
        read_plan(str(bundle))


def test_a_file_that_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(str(path), "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_engine_of_somebody_else_is_not_loaded(
    bundle: Path, entry: EngineEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fits in every other way: graph, plan, device, version and hash."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    with pytest.raises(BundleError, match=r"not built by this user on this machine.*; run:"):
        find(bundle)
    make_secret()
    with pytest.raises(BundleError, match="not built by this user on this machine"):
        find(bundle)
    write_engines(str(bundle), {KEY: sealed(KEY, entry, make_secret())})
    assert find(bundle)


def test_a_seal_is_of_one_graph_and_one_engine(bundle: Path, entry: EngineEntry) -> None:
    content = b"other!"
    (bundle / "engines" / entry.file).write_bytes(content)
    other = entry._replace(sha256=hashlib.sha256(content).hexdigest())
    write_engines(str(bundle), {KEY: other})
    with pytest.raises(BundleError, match="not built by this user on this machine"):
        find(bundle)
    moved = sealed(KEYS[1], other, make_secret())
    write_engines(str(bundle), {KEY: moved})
    with pytest.raises(BundleError, match="not built by this user on this machine"):
        find(bundle)


def test_engines_from_before_there_were_seals_are_to_be_built_again(
    bundle: Path, entry: EngineEntry
) -> None:
    path = bundle / "engines" / "engines.json"
    data = json.loads(path.read_text())
    del data["engines"][KEY]["seal"]
    path.write_text(json.dumps({**data, "engines_version": 1}))
    with pytest.raises(BundleError, match=r"by an older sam2lite, .*; run: python3 device\.pyz"):
        find(bundle)


@pytest.mark.parametrize("what", ["engines", "engines/engines.json", "engines/{}.engine"])
def test_no_link_leads_out_of_engines(bundle: Path, entry: EngineEntry, what: str) -> None:
    path = bundle / what.format(KEY)
    outside = path.rename(bundle.parent / "outside")
    path.symlink_to(outside)
    with pytest.raises(BundleError, match="is a link, which could lead anywhere"):
        find(bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", f"{KEYS[1]}.engine"),
        ("file", 5),
        ("bytes", -1),
        ("bytes", "6"),
        ("seconds", None),
        ("device", ["a"]),
        ("sha256", "x"),
        ("tensorrt", "\x1b[31m"),
        ("seal", 1),
        ("more", 1),
    ],
)
def test_fields_of_an_engine_are_what_they_say(
    bundle: Path, entry: EngineEntry, field: str, value: object
) -> None:
    path = bundle / "engines" / "engines.json"
    data = json.loads(path.read_text())
    data["engines"][KEY][field] = value
    path.write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"engines\.json cannot be used .*build --force"):
        read_engines(str(bundle))


@pytest.mark.parametrize("key", ["../../x", "/x", "A", "a@b", "", "a" * 100])
def test_a_key_is_a_graphs(bundle: Path, entry: EngineEntry, key: str) -> None:
    write_engines(str(bundle), {key: entry._replace(file=engine_file(key))})
    with pytest.raises(BundleError, match="no graph's key"):
        read_engines(str(bundle))
