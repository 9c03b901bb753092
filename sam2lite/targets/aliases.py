"""What people call devices, for the ids of their targets; hyphens and capitals do not count."""

from typing import Dict, List, Mapping, Optional, Sequence

ALIASES: Mapping[str, Sequence[str]] = {
    "raspberry-pi-5": ("pi5", "rpi5", "cm5"),
    "raspberry-pi-4": ("pi4", "rpi4", "cm4"),
    "arm64": ("aarch64", "armv8"),
    "x86-64": ("amd64", "x64"),
    "jetson-nano": ("nano",),
    "jetson-tx2": ("tx2",),
    "jetson-xavier-nx": ("xavier-nx",),
    "jetson-agx-xavier": ("agx-xavier",),
    "jetson-orin-nano": ("orin-nano", "orin-nano-super"),
    "jetson-orin-nx": ("orin-nx",),
    "jetson-agx-orin": ("agx-orin", "orin"),
    "jetson-thor": ("thor", "agx-thor"),
    # GPUs in PCs, by examples of their compute capability.
    "cuda-x86-sm75": ("t4", "rtx-2080"),
    "cuda-x86-sm80": ("a100", "a30"),
    "cuda-x86-sm86": ("a10", "rtx-3090", "rtx-3080", "rtx-3060"),
    "cuda-x86-sm89": ("l4", "l40", "rtx-4090", "rtx-4080", "rtx-4060"),
    "cuda-x86-sm90": ("h100", "h200"),
    "cuda-x86-sm100": ("b200",),
    "cuda-x86-sm120": ("rtx-5090", "rtx-5080"),
    # The iOS that an iPhone came with: all of its kind have that one or a newer one.
    "ios16": ("iphone-14",),
    "ios17": ("iphone", "ipad", "iphone-15"),
    "ios18": ("iphone-16", "iphone-17"),
}


def id_of(name: str, ids: Sequence[str]) -> Optional[str]:
    """Return the id that a name stands for; None where it stands for none.

    Args:
        name: an id, however it is spelt, or what else the device is called.
        ids: that there are.
    """
    meant: Dict[str, str] = {_bare(known): known for known in ids}
    for known, others in ALIASES.items():
        for other in others:
            meant.setdefault(_bare(other), known)
    found = meant.get(_bare(name))
    return found if found in ids else None


def aliases_of(target: str) -> List[str]:
    """Return what else a target is called."""
    return list(ALIASES.get(target, ()))


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "-_ ")
