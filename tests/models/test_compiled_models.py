"""Graphs compiled once: the same numbers, named by what they are made of, whole or not there, bounded, never needed."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from helpers import ROOT, zero_networks
from osmn.config import ModelConfig
from osmn.models import checkpoints, compiled_models, openvino_model
from osmn.models.engines import APPEARANCE, FRAME, GUIDE
from osmn.models.engines import openvino as engine_module

pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
LITE = ModelConfig("lite", mean_value=(127.5, 120.5, 110.5), scale_value=0.00787)
pytestmark = pytest.mark.usefixtures("devices_stay")
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), np.uint8)
MASK = np.zeros((32, 64), bool)
MASK[8:24, 10:40] = True


def save(folder, seed=0):
    network = zero_networks.build(LITE)
    zero_networks.randomize(network, {"beta": 0.3}, seed)
    path = folder / "model.ckpt-1"
    checkpoints.write_variables(path, checkpoints.model_values(network), LITE)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OSMN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/compiled"


@pytest.fixture
def compilations(monkeypatch):
    """Return a list that gets {input: shape} of each graph that is compiled; the guide's graph has none."""
    found, compile_at = [], engine_module.compiled_at

    def noted(core, graph, shapes, options):
        found.append(shapes)
        return compile_at(core, graph, shapes, options)

    monkeypatch.setattr(engine_module, "compiled_at", noted)
    return found


def start(path):
    return openvino_model.load(path, precision="float32").start_engine()


def answers(engine, width=64):
    """Return an object's gammas and its probabilities in two frames, cut to a width."""
    frames, mask = FRAMES[:, :, :width], MASK[:, :width]
    gammas = engine.gammas(frames[0], mask)
    return [*gammas, *(engine.segment(frame, mask[None], gammas)[0] for frame in frames)]


def same(found, wanted):
    return all(map(np.array_equal, found, wanted))


def test_what_is_compiled_once_gives_the_same_bits_in_later_runs(model, cache, compilations):
    first = answers(start(model))
    assert len(compilations) == 2
    assert first[-1].std() > 0.01
    states = {path: path.stat().st_size for path in cache.iterdir()}
    assert len(states) == 2
    assert same(answers(start(model)), first)
    assert len(compilations) == 2
    assert {path: path.stat().st_size for path in cache.iterdir()} == states


def test_a_run_that_finds_its_graphs_reads_no_weights(model, cache, monkeypatch):
    first = answers(start(model))
    monkeypatch.setattr(openvino_model.OpenVinoModel, "graphs", lambda self: pytest.fail("the weights are read"))
    assert same(answers(start(model)), first)


def test_a_guides_graph_that_is_kept_is_read_while_the_caller_goes_on(model, cache, monkeypatch):
    first = answers(start(model))
    goes_on, find = threading.Event(), compiled_models.CompiledGraphs.find

    def find_later(*arguments):
        assert goes_on.wait(60)
        return find(*arguments)

    monkeypatch.setattr(compiled_models.CompiledGraphs, "find", find_later)
    engine = start(model)
    goes_on.set()
    assert same(answers(engine), first)


def test_another_object_after_a_frame_has_the_gammas_of_the_first(model, cache):
    engine = start(model)
    first = answers(engine)
    assert same(answers(engine), first)


def test_each_size_and_number_of_objects_is_compiled_once(model, cache, compilations):
    for _ in range(2):
        engine = start(model)
        answers(engine)
        answers(engine, 32)
        gammas = [np.concatenate([each] * 2) for each in engine.gammas(FRAMES[0], MASK)]
        engine.segment(FRAMES[0], np.stack([MASK] * 2), gammas)
    assert len(compilations) == 4
    assert len(list(cache.iterdir())) == 4


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs Linux's /proc/self/smaps")
def test_a_kept_graph_leaves_memory_to_others_after_its_first_run(model, cache):
    answers(start(model))
    engine = start(model)
    gammas = engine.gammas(FRAMES[0], MASK)
    engine.segment(FRAMES[0], MASK[None], gammas)
    mapped = in_memory(cache)
    assert len(mapped) == 1  # The guide's graph is gone.
    assert max(mapped.values()) < min(path.stat().st_size for path in cache.iterdir()) / 4


def in_memory(folder):
    """Return {path: bytes in memory} of the files of a folder that are mapped."""
    found, path = {}, ""
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        first = line.split()[0]
        if not first.endswith(":"):
            path = line.split(maxsplit=5)[5] if len(line.split()) > 5 else ""
        elif first == "Rss:" and path.startswith(str(folder)):
            found[path] = found.get(path, 0) + 1024 * int(line.split()[1])
    return found


@pytest.mark.parametrize("change", [Path.unlink, lambda path: os.replace(next(path.parent.glob("other*")), path)])
def test_a_file_that_goes_or_is_replaced_leaves_a_running_graph_as_it_is(model, cache, change):
    first = answers(start(model))
    engine = start(model)
    assert same(answers(engine), first)
    kept = list(cache.iterdir())
    for path in kept:
        (cache / f"other {path.name}").write_bytes(bytes(path.stat().st_size))
    for path in kept:
        change(path)
    frames = [engine.segment(frame, MASK[None], first[:-2])[0] for frame in FRAMES]
    assert same(frames, first[-2:])


def test_new_weights_in_the_same_place_are_another_model(tmp_path, cache):
    path = save(tmp_path, 1)
    old = answers(start(path))
    save(tmp_path, 2)
    assert not np.allclose(answers(start(path))[-1], old[-1])


def test_another_precision_and_other_instructions_have_files_of_their_own(model, cache, monkeypatch):
    answers(start(model))
    answers(openvino_model.load(model, precision="bfloat16").start_engine())
    assert len(list(cache.iterdir())) == 3  # The guide's graph is in float32.
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    answers(start(model))
    assert len(list(cache.iterdir())) == 5


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: c[:-1] + bytes([c[-1] ^ 1]), lambda c: b""])
def test_a_damaged_file_is_compiled_again_and_replaced(model, cache, compilations, damage):
    first = answers(start(model))
    whole = {path: path.read_bytes() for path in cache.iterdir()}
    for path, content in whole.items():
        path.write_bytes(damage(content))
    assert same(answers(start(model)), first)
    assert len(compilations) == 4
    assert same(answers(start(model)), first)
    assert len(compilations) == 4


def test_what_openvino_does_not_take_is_compiled_again(model, cache, compilations):
    first = answers(start(model))
    for path in cache.iterdir():
        path.write_bytes(hashlib.sha256(b"of another version").digest() + b"of another version")
    assert same(answers(start(model)), first)
    assert len(compilations) == 4


def test_without_a_place_to_keep_them_graphs_are_compiled_in_silence(model, tmp_path, monkeypatch, caplog):
    first = answers(start(model))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OSMN_CACHE", str(tmp_path / "file"))
    assert same(answers(start(model)), first)
    assert not caplog.records


def test_graphs_used_longest_ago_go_when_there_are_too_many(model, cache, monkeypatch):
    engine = start(model)
    answers(engine)
    guide, frame = sorted(cache.iterdir(), key=lambda path: path.stat().st_size)[::-1]
    monkeypatch.setattr(engine._kept, "_limit", guide.stat().st_size + frame.stat().st_size + 1000)
    os.utime(guide, (1, 1))
    os.utime(frame, (2, 2))
    start(model)  # It uses the guide's graph.
    answers(engine, 32)
    left = set(cache.iterdir())
    assert guide in left
    assert frame not in left
    assert len(left) == 2


def test_a_graph_that_is_too_large_is_not_kept(model, cache, monkeypatch):
    monkeypatch.setattr(compiled_models, "LARGEST", 1000)
    first = answers(start(model))
    assert not cache.exists()
    assert same(answers(start(model)), first)


def test_processes_at_once_all_segment_and_leave_whole_files(model, tmp_path, cache):
    code = "import sys, numpy as np\nfrom osmn.models import openvino_model\n"
    code += "engine = openvino_model.load(sys.argv[1], precision='float32').start_engine()\n"
    code += "frame, mask = np.zeros((32, 32, 3), np.uint8), np.ones((32, 32), bool)\n"
    code += "print(engine.segment(frame, mask[None], engine.gammas(frame, mask))[0].sum())\n"
    command = [sys.executable, "-c", code, str(model)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate(timeout=300)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(printed) == 1
    assert len(list(cache.iterdir())) == 2
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout in printed


def test_a_network_that_is_trained_in_this_process_leaves_no_file(cache):
    from osmn.models import export, tensorflow_model

    network = zero_networks.build(LITE)
    trained = tensorflow_model.Model(network, "float32")
    answers(export.start_openvino(trained))
    assert not cache.exists()


def test_the_converter_of_openvino_comes_with_its_first_call():
    code = "import sys\nfrom osmn.models.engines import engine_import\nopenvino = engine_import('openvino')\n"
    code += "assert 'openvino.tools.ovc' not in sys.modules\nassert callable(openvino.convert_model)\n"
    code += "import numpy, openvino.opset13 as ops\nx = ops.parameter([1], numpy.float32)\n"
    code += "try: openvino.convert_model('/nowhere')\nexcept Exception: pass\n"
    code += "assert 'openvino.tools.ovc' in sys.modules\nfrom openvino.tools import ovc\n"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_graphs_are_named(model):
    assert {FRAME, GUIDE, APPEARANCE} == set(openvino_model.load(model).graphs())
