"""Keeps one core busy while it is told to. Runs as a process of its own; see `load`.

Standard input is the remote control: `1` is work, `0` is rest, and its end is the end. It closes
with the process that holds the other side, however that one dies, so nobody is left behind.
"""

import os
import select
import sys

import numpy as np

REST = b"0"
WORK = b"1"
READY = b"r"
_SIDE = 256  # a product takes about a millisecond: long enough to be work, short enough to obey


def obey(commands: int, replies: int) -> None:
    """Work and rest as told, until the commands end.

    Args:
        commands: file descriptor to read from.
        replies: file descriptor that gets `READY` once, when the first command can be obeyed.
    """
    matrix = np.random.default_rng(0).random((_SIDE, _SIDE), dtype=np.float32)
    product = np.empty_like(matrix)
    os.write(replies, READY)
    command = REST
    while command:
        patience_s = 0.0 if command == WORK else None
        if select.select([commands], [], [], patience_s)[0]:
            command = os.read(commands, 1)
        if command == WORK:
            np.matmul(matrix, matrix, out=product)


if __name__ == "__main__":
    obey(sys.stdin.fileno(), sys.stdout.fileno())
