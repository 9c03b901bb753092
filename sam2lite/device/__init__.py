"""The commands of `device.pyz`, for boards with Python 3.6 or newer and nothing installed."""
