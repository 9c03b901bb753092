"""What `examples/ros2_node.py` uses of ROS 2: modules with those names alone, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


@dataclass
class Image:
    """Of sensor_msgs.msg; `pixels` stands for its data."""

    header: Any = None
    encoding: str = ""
    pixels: Any = None


@dataclass
class RegionOfInterest:
    """Of sensor_msgs.msg."""

    x_offset: int = 0
    y_offset: int = 0
    width: int = 0
    height: int = 0


@dataclass
class Bool:
    """Of std_msgs.msg."""

    data: bool = False


class CvBridge:
    """Of cv_bridge."""

    def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
        assert encoding == message.encoding == "bgr8"
        return np.asarray(message.pixels)

    def cv2_to_imgmsg(self, pixels: np.ndarray, encoding: str) -> Image:
        assert pixels.dtype == np.uint8
        assert (pixels.ndim, encoding) == (2, "mono8")
        return Image(None, encoding, pixels)


@dataclass
class Node:
    """Of rclpy.node; what it was told is in its fields.

    Attributes:
        parameters: those that a launch file would set.
    """

    name: str
    published: dict[str, list[Any]] = field(default_factory=dict)
    subscribed: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    services: dict[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    parameters = {}  # type: dict[str, Any]  # noqa: RUF012

    def declare_parameter(self, name: str, default: Any) -> Any:
        return SimpleNamespace(value=self.parameters.get(name, default))

    def create_publisher(self, kind: type, topic: str, depth: int) -> Any:
        sent = self.published.setdefault(topic, [])

        def publish(message: Any) -> None:
            assert type(message) is kind
            sent.append(message)

        return SimpleNamespace(publish=publish)

    def create_subscription(
        self, kind: type, topic: str, callback: Callable[[Any], None], profile: Any
    ) -> None:
        assert (kind, profile.depth) == (Image, 1)
        self.subscribed[topic] = callback

    def create_service(self, kind: type, name: str, callback: Callable[[Any, Any], Any]) -> None:
        self.services[name] = callback

    def get_logger(self) -> Any:
        return SimpleNamespace(error=self.errors.append)


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module


def modules() -> dict[str, ModuleType]:
    """Return the modules by the names under which they are imported."""
    qos = {
        "HistoryPolicy": SimpleNamespace(KEEP_LAST=1),
        "ReliabilityPolicy": SimpleNamespace(BEST_EFFORT=2),
        "QoSProfile": SimpleNamespace,
    }
    return {
        "rclpy": _module("rclpy"),
        "rclpy.node": _module("rclpy.node", Node=Node),
        "rclpy.qos": _module("rclpy.qos", **qos),
        "cv_bridge": _module("cv_bridge", CvBridge=CvBridge),
        "sensor_msgs": _module("sensor_msgs"),
        "sensor_msgs.msg": _module(
            "sensor_msgs.msg", Image=Image, RegionOfInterest=RegionOfInterest
        ),
        "sensor_msgs.srv": _module("sensor_msgs.srv", SetCameraInfo=SimpleNamespace),
        "std_msgs": _module("std_msgs"),
        "std_msgs.msg": _module("std_msgs.msg", Bool=Bool),
    }
