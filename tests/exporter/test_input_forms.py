"""A bundle for inputs that are not square, from the command that makes it to the masks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import sam2lite
from sam2lite.calibration.ranges import ActivationRanges, load_ranges
from sam2lite.cli.app import app
from sam2lite.cli.export.main import app as export_app
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import ArgumentError, BundleError, CalibrationError, RecipeError
from sam2lite.runtimes.bundle import open_bundle
from tests.models.sam2.conftest import small
