"""The packages of osmn/ in their order: each imports only from those before it, and what must start at once does."""

import ast
import subprocess
import sys

import pytest

from helpers import ROOT

ORDER = ("errors", "parallel", "progress", "masks", "files", "options", "config")
ORDER += ("data", "networks", "inputs", "results", "evaluation", "models", "inference", "training", "user_video")
ORDER += ("cli", "report")
SCORING = ("osmn.evaluation.tables", "osmn.report.write", "osmn.results.ytvos_submission")
EXPORTED = ("osmn.inference.load", "osmn.models.exported", "osmn.user_video.tracking", "osmn.user_video.model_choice")


def imported(path):
    """Return the packages and lone modules of osmn/ that a file imports, anywhere in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("osmn.")}


def test_each_package_imports_only_from_those_before_it():
    there = {path.stem for path in (ROOT / "osmn").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(ORDER)
    for path in sorted((ROOT / "osmn").rglob("*.py")):
        place = path.relative_to(ROOT / "osmn").with_suffix("").parts[0]
        if place != "__init__":
            allowed = set(ORDER[: ORDER.index(place) + 1])
            assert imported(path) <= allowed, f"{path} imports from a later package than its own, {place}"


def loads_tensorflow(code):
    code += "; sys.exit('tensorflow' in sys.modules)"
    return bool(subprocess.run([sys.executable, "-c", f"import contextlib, sys; {code}"], cwd=ROOT).returncode)


@pytest.mark.parametrize("module", [*SCORING, *EXPORTED])
def test_scoring_and_exported_models_need_no_tensorflow(module):
    assert not loads_tensorflow(f"import {module}")


def test_help_needs_no_tensorflow():
    scripts = sorted(path.stem for path in ROOT.glob("*.py") if path.stem != "demo")
    assert "osmn_train_eval" in scripts
    calls = "".join(
        f"\nwith contextlib.suppress(SystemExit):\n  import {name}; {name}.main(['-h'])" for name in scripts
    )
    assert not loads_tensorflow(f"{calls}\nsys.stdout.flush()")


def test_own_videos_need_no_package_that_the_short_list_lacks():
    from osmn.errors import LEFT_OUT  # What requirements-segment.txt lacks.

    code = "import sys\nfor name in sys.argv[1:]: sys.modules[name] = None\n"
    code += "import osmn_segment, osmn_live, osmn_app, osmn_vos, osmn_export\n"
    code += "from osmn.user_video import segment, tracking, model_choice\nfrom osmn import LiveTracker, Predictor\n"
    code += "from osmn.user_video.live import run\n"
    code += "from osmn.user_video.webapp import session, painting\n"
    code += "from osmn.data.synthetic import write_clip\n"
    code += "from osmn.models import converted_models, openvino_model, exported\n"
    done = subprocess.run([sys.executable, "-c", code, *LEFT_OUT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
