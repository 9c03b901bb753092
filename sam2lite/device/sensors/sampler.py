"""Reads the sensors again and again while something else is measured."""

import threading
from types import TracebackType
from typing import List, Optional, Type

from sam2lite.device.sensors.find import Reading, Sensors, read_sensors

INTERVAL_S = 0.1


class Sampler:
    """A context manager that reads at its start, at its end and, in a thread, between them.

    Without sensors it does nothing.

    Attributes:
        sensors: that are read.
        readings: so far, in order of time.
    """

    def __init__(self, sensors: Sensors, interval_s: float = INTERVAL_S) -> None:
        """Read nothing yet.

        Args:
            sensors: to read.
            interval_s: between readings.
        """
        self.sensors = sensors
        self.readings: List[Reading] = []
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def __enter__(self) -> "Sampler":
        if any(self.sensors):
            self._read()
            self._thread = threading.Thread(target=self._read_on, name="sensors", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._read()

    def _read(self) -> None:
        self.readings.append(read_sensors(self.sensors))

    def _read_on(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._read()
