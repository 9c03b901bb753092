"""Where `python3 device.pyz` starts."""

from sam2lite.runtimes.commands.interrupts import leave_at_once

if __name__ == "__main__":
    leave_at_once()  # importing takes its time
    from sam2lite.device.app import run

    run()
