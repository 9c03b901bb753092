"""The `sam2lite` command."""

from sam2lite.cli.app import make_app, run_app
from sam2lite.cli.bundle.bench import bench
from sam2lite.cli.bundle.compare import compare
from sam2lite.cli.bundle.everything import everything
from sam2lite.cli.bundle.features import features
from sam2lite.cli.bundle.inspect import inspect
from sam2lite.cli.bundle.report import report
from sam2lite.cli.bundle.serve import serve
from sam2lite.cli.bundle.track import track
from sam2lite.cli.bundle.verify import verify
from sam2lite.cli.clean import clean
from sam2lite.cli.clips import clips
from sam2lite.cli.demo import demo
from sam2lite.cli.doctor import doctor
from sam2lite.cli.download import download
from sam2lite.cli.export.main import app as export_app
from sam2lite.cli.network.ablate import ablate
from sam2lite.cli.network.budget import budget
from sam2lite.cli.network.calibrate import calibrate
from sam2lite.cli.network.distill import distill
from sam2lite.cli.network.distill_encoder import distill_encoder
from sam2lite.cli.network.eval import eval as evaluate
from sam2lite.cli.network.merge_lora import merge_lora
from sam2lite.cli.network.models import models
from sam2lite.cli.network.sensitivity import sensitivity
from sam2lite.cli.network.train import train
from sam2lite.cli.targets import targets

app = make_app(
    "Promptable video segmentation on edge devices: track, check, compare, train and score.",
    [
        ("export", export_app),
        track,
        everything,
        clean,
        bench,
        serve,
        evaluate,
        inspect,
        report,
        verify,
        compare,
        features,
        models,
        targets,
        doctor,
        clips,
        download,
        calibrate,
        sensitivity,
        train,
        distill,
        distill_encoder,
        merge_lora,
        ablate,
        budget,
        demo,
    ],
)


def run() -> None:
    """Entry point of `sam2lite`."""
    run_app(app)
