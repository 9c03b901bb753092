"""Where `python3 device.pyz` starts."""

from sam2lite.device.app import run

if __name__ == "__main__":
    run()
