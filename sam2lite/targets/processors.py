"""What data sheets of several backends say of the same processors."""

from sam2lite.targets.profile import Fact

# `platform.machine()` in lower case.
X86_MACHINES = ("x86_64", "amd64")
ARM_MACHINES = ("aarch64", "arm64")
# Flags of /proc/cpuinfo. Without one of them, sums of two products of bytes saturate at 16 bits.
VNNI = ("avx512_vnni", "avx_vnni")

ANY_MEMORY = Fact((), "depends on the machine")
ANY_BANDWIDTH = Fact(None, "depends on the machine")
ALL_CORES = Fact(None, "one thread per physical core; hyper-threads share the vector units")
PYTHON = Fact("3.11 or newer", "what sam2lite requires")
RAPL = Fact(
    "/sys/class/powercap/intel-rapl:0/energy_uj",
    "docs.kernel.org, Power Capping Framework; needs root; absent in most virtual machines",
)
FP32_REFERENCE = "the reference: every other precision is compared with it"
FP16_STORED = "FP16 is storage only: weights take half the space and are computed with in FP32"
INT8_SATURATES = (
    "sums of two products saturate at 16 bits, so weights keep 7 bits; a speed-up is not assured: "
    "benchmark it against FP32"
)
