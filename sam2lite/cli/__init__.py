"""The commands. A signal while they are imported ends the program; see `interrupts`."""

import os
import signal
import sys

PROGRAMS = ("sam2lite", "sam2lite-export", "sam2lite-bench")

# Importing takes a second, before `run` is reached. In anybody else's program nothing is changed.
if os.path.basename(sys.argv[0]) in PROGRAMS:  # noqa: PTH119  # pathlib takes its time, too
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sam2lite.runtimes.commands.interrupts import leave_at_once

    leave_at_once()
