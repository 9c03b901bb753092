from tests.cli.test_export_trt_host import *
from tests.cli.test_export_trt_host import quick as q


def test_int8(faulty, model, tmp_path):
    result = runner.invoke(app, q(model, tmp_path / "b", "--int8", "--accept-drop"))
    print(result.output, result.exception)
    import traceback

    traceback.print_exception(result.exception) if result.exception else None
    print((tmp_path / "b" / "engines" / "verification.json").read_text())
    assert result.exit_code == 0
