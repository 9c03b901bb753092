"""A ROS 2 node: images in, mask, box and lost flag out, and a service that says what to follow.

    python3 ros2_node.py --ros-args -p bundle:=/opt/bundle -r image:=/camera/image_raw

    image   sensor_msgs/Image             what is looked at: the newest, older ones are dropped
    mask    sensor_msgs/Image             mono8, 255 on the object, with the image's header
    box     sensor_msgs/RegionOfInterest  around the mask; 0 wide where the object is not seen
    lost    std_msgs/Bool                 whether the object is not seen
    prompt  sensor_msgs/srv/SetCameraInfo `camera_info.roi` is a box on the newest image, or a click
                                          at its offset where it is 0 wide; either corrects an
                                          object that is followed already

SetCameraInfo is borrowed for the service: it comes with ROS 2, and has room for a box. A project of
your own will have a type of its own.
"""

import sys

import numpy as np
import rclpy
from cv_bridge import CvBridge
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, RegionOfInterest
from sensor_msgs.srv import SetCameraInfo
from std_msgs.msg import Bool

NEWEST = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
OBJECT = 1


class FollowNode(Node):
    """Follows one object."""

    def __init__(self):
        """Open the bundle that the parameter `bundle` names."""
        super().__init__("sam2lite")
        bundle = self.declare_parameter("bundle", "bundle").value
        budget_ms = self.declare_parameter("budget_ms", 33.0).value
        sys.path.insert(0, bundle + "/device.pyz")
        from sam2lite import Sam2LiteError, VideoSegmenter

        self.refusal = Sam2LiteError
        self.segmenter = VideoSegmenter(bundle, budget_ms=budget_ms)
        self.bridge = CvBridge()
        self.frame, self.index = None, -1
        self.masks = self.create_publisher(Image, "mask", 1)
        self.boxes = self.create_publisher(RegionOfInterest, "box", 1)
        self.losses = self.create_publisher(Bool, "lost", 1)
        self.create_subscription(Image, "image", self.look, NEWEST)
        self.create_service(SetCameraInfo, "prompt", self.prompt)

    def look(self, message):
        """Follow the object into an image."""
        self.frame = self.bridge.imgmsg_to_cv2(message, "bgr8")
        self.index += 1
        if not self.segmenter.object_ids:
            return
        try:
            found = self.segmenter.track(self.frame, frame_index=self.index).objects[OBJECT]
        except self.refusal as error:  # such as an image of another size
            self.get_logger().error(str(error))
            return
        mask = self.bridge.cv2_to_imgmsg(255 * found.mask.astype(np.uint8), "mono8")
        mask.header = message.header
        self.masks.publish(mask)
        self.boxes.publish(box_of(found.mask))
        self.losses.publish(Bool(data=not found.visible))

    def prompt(self, request, response):
        """Take a box or a click on the newest image."""
        roi = request.camera_info.roi
        x, y = float(roi.x_offset), float(roi.y_offset)
        if self.frame is None:
            response.success, response.status_message = False, "there is no image yet"
            return response
        box = (x, y, x + roi.width, y + roi.height)
        what = {"box": box} if roi.width else {"points": [(x, y)]}
        try:
            self.segmenter.prompt(self.frame, OBJECT, frame_index=self.index, **what)
        except self.refusal as error:
            response.success, response.status_message = False, str(error)
            return response
        response.success, response.status_message = True, f"image {self.index}"
        return response


def box_of(mask_hw):
    """Return the box around a mask; all 0 where it is empty."""
    rows, columns = np.flatnonzero(mask_hw.any(1)), np.flatnonzero(mask_hw.any(0))
    if not len(rows):
        return RegionOfInterest()
    return RegionOfInterest(
        x_offset=int(columns[0]),
        y_offset=int(rows[0]),
        width=int(columns[-1] - columns[0] + 1),
        height=int(rows[-1] - rows[0] + 1),
    )


def main():
    """Run the node until it is stopped."""
    rclpy.init()
    node = FollowNode()
    try:
        rclpy.spin(node)
    finally:
        node.segmenter.close()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
