"""The manifest of a result folder: whose results it holds, and what of them is finished."""

import json
import os
import shutil

import pytest

from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.results import finished_parts, identity, manifest


def made_by(model="m.ckpt", sha="aa", scale=1.0, **options):
    options = {"im_size": (64, 48), "crf_postprocessing": False} | options
    return manifest.provenance(model, sha, ModelConfig(scale_value=scale), options)


def open_run(folder, *arguments, overwrite=False, **options):
    """Return the `Run`, for tests that need no lock."""
    with manifest.open_run(
        folder, made_by(*arguments, **options), "--result_path", manifest.Existing.of(overwrite)
    ) as run:
        return run


def write(folder, name, content="x"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def test_run_json_says_what_made_the_results(tmp_path):
    open_run(tmp_path)
    content = json.loads((tmp_path / "run.json").read_text())
    assert content.pop("crc32") and content == made_by()
    assert content["options"]["im_size"] == [64, 48]
    assert content["config"]["base_model"] == "osvos"
    assert content["program"].startswith("osmn ")
    assert manifest.read_run(tmp_path) == content


def test_a_part_is_finished_when_it_was_finished_and_its_files_are_there(tmp_path):
    run = open_run(tmp_path)
    write(tmp_path, "car/1.png")
    assert not run.is_finished("car", ["car/1.png"])
    run.finish("car", ["car/1.png"])
    assert run.is_finished("car", ["car/1.png"])
    assert not run.is_finished("car", ["car/1.png", "car/2.png"])
    assert not run.is_finished("dog", [])
    for other in ("longer", "y", ""):
        write(tmp_path, "car/1.png", other)
        assert not run.is_finished("car", ["car/1.png"])
    (tmp_path / "car/1.png").unlink()
    assert not run.is_finished("car", ["car/1.png"])


def test_the_same_run_knows_what_is_finished_in_a_copy_without_times(tmp_path):
    run = open_run(tmp_path / "a")
    write(tmp_path / "a", "car/1.png")
    run.finish("car", ["car/1.png"])
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    assert open_run(tmp_path / "b").is_finished("car", ["car/1.png"])


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"crf_postprocessing": True}, "crf_postprocessing was false, is true"),
        ({"im_size": (32, 24)}, r"im_size was \[64, 48\], is \[32, 24\]"),
        ({"learning_rate": 0.1}, "learning_rate was null, is 0.1"),
        ({"scale": 0.5}, "scale_value was 1.0, is 0.5"),
        ({"model": "n.ckpt", "sha": "bb"}, "model was m.ckpt, is n.ckpt"),
    ],
)
def test_results_of_another_run_are_named_and_refused(tmp_path, changed, said):
    open_run(tmp_path)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(InputError, match=said + r"\); give another --result_path, or --overwrite"):
        open_run(tmp_path, **changed)
    assert (tmp_path / "run.json").read_bytes() == before


def test_overwriting_forgets_what_the_other_run_finished(tmp_path):
    run = open_run(tmp_path)
    write(tmp_path, "car/1.png")
    run.finish("car", ["car/1.png"])
    other = open_run(tmp_path, im_size=(32, 24), overwrite=True)
    assert not other.is_finished("car", ["car/1.png"])
    assert json.loads((tmp_path / "run.json").read_text())["options"]["im_size"] == [32, 24]
    assert not open_run(tmp_path, overwrite=True).is_finished("car", ["car/1.png"])


def test_overwriting_removes_what_the_other_run_made_finished_or_not_and_nothing_else(tmp_path):
    run = open_run(tmp_path)
    for name in ("car/1.png", "car/2.png", "mine.png", "car/mine.png", "hidden/../../out.png"):
        write(tmp_path / "results", name)
    run = open_run(tmp_path / "results")
    run.finish("car", ["car/1.png", "car/2.png"])
    with run.making("dog") as tell:
        tell("dog/1.png", "dog/2.png", "dog")
        write(tmp_path / "results", "dog/1.png")
    for name, text in (
        ("bad.making", '"mine.png'),
        ("a.json", '{"files": {"../out.png": 1}}'),
        ("b.making", '"../out.png"\n'),
    ):
        write(tmp_path / "results/.osmn-finished", name, text)
    with manifest.open_run(
        tmp_path / "results",
        made_by(sha="bb"),
        "--result_path",
        manifest.Existing.REPLACE_ALL,
        read=[tmp_path / "results/car/2.png"],
    ):
        assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
            *("out.png", "results/car/2.png", "results/car/mine.png", "results/mine.png")
        ]
        assert not (tmp_path / "results/dog").exists()


def test_a_part_that_is_finished_is_not_being_made_any_more_however_the_run_ended(tmp_path):
    run = open_run(tmp_path)
    with run.making("car") as tell:
        tell("car/1.png")
    write(tmp_path, "car/1.png")
    journal = tmp_path / f".osmn-finished/car{finished_parts.MAKING}"
    content = journal.read_bytes()
    run.finish("car", ["car/1.png"])
    assert not journal.exists()
    journal.write_bytes(content)  # As after a kill between the two.
    assert run.is_finished("car", ["car/1.png"])
    assert not journal.exists()


def test_the_same_weights_under_another_path_or_script_are_the_same_run(tmp_path):
    run = open_run(tmp_path)
    write(tmp_path, "car/1.png")
    run.finish("car", ["car/1.png"])
    assert open_run(tmp_path, "elsewhere/m.ckpt").is_finished("car", ["car/1.png"])


def test_what_must_not_be_taken_for_the_new_run_s_is_cleared_before_it_is_written_down(tmp_path):
    open_run(tmp_path)
    seen = []

    def clear():
        seen.append(json.loads((tmp_path / "run.json").read_text())["model_sha256"])

    for _ in range(2):
        with manifest.open_run(
            tmp_path, made_by(sha="bb"), "--result_path", manifest.Existing.REPLACE_ALL, clear=clear
        ):
            pass
    assert seen == ["aa"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": {}, "options": {}}', "[" * 100_000])
def test_a_damaged_manifest_is_named(tmp_path, text):
    write(tmp_path, "run.json", text)
    with pytest.raises(InputError, match=r"run\.json is damaged .*; remove it"):
        open_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": 1}', '{"run": "x", "files": []}', "[" * 100_000])
def test_a_damaged_note_of_a_finished_part_means_that_it_is_done_again(tmp_path, text):
    run = open_run(tmp_path)
    write(tmp_path, "car/1.png")
    run.finish("car", ["car/1.png"])
    write(tmp_path, ".osmn-finished/car.json", text)
    assert not run.is_finished("car", ["car/1.png"])


def test_parts_of_parts_are_finished_on_their_own(tmp_path):
    run = open_run(tmp_path)
    write(tmp_path, "car/1/1.png")
    run.finish("car/1", ["car/1/1.png"])
    assert run.is_finished("car/1", ["car/1/1.png"])
    assert not run.is_finished("car", [])


def test_a_file_that_no_run_has_made_stays_unless_it_may_be_overwritten(tmp_path):
    write(tmp_path, "car/1.png", "mine")
    with (
        pytest.raises(InputError, match=r"car/1\.png would be replaced, and no run has noted .* or --overwrite to"),
        manifest.open_run(tmp_path, made_by(), "--result_path", writes=["car/0.png", "car/1.png"]),
    ):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.png", "car"]
    run = open_run(tmp_path)
    with run.making("car") as tell:
        tell("car/0.png")
        with pytest.raises(InputError, match=r"car/1\.png would be replaced"):
            tell("car/1.png")
    with open_run(tmp_path, overwrite=True).making("car") as tell:
        tell("car/1.png")


@pytest.mark.parametrize("ended", ["killed", "killed in mid-line", "finished", "forgotten", "damaged"])
def test_files_that_a_run_has_made_are_made_again_however_it_ended(tmp_path, ended):
    run = open_run(tmp_path)
    with run.making("car") as tell:
        tell("car/1.png", "car/2.png")
        write(tmp_path, "car/1.png")
        write(tmp_path, "car/2.png")
    if "killed" not in ended:
        run.finish("car", ["car/1.png"])  # The other one is remembered too.
    if ended == "forgotten":
        run.forget()
        assert not run.is_finished("car", [])
    if ended == "damaged":
        write(tmp_path, ".osmn-finished/car.json", "{")
    if ended == "killed in mid-line":
        with (tmp_path / ".osmn-finished/car.making").open("a") as journal:
            journal.write('"car/3.p')
    for _ in range(2):
        with open_run(tmp_path).making("car") as tell:
            tell("car/1.png", "car/2.png", "car/4.png")
            write(tmp_path, "car/4.png")


@pytest.mark.parametrize("name", ["v" * 250, "v" * 255, "é" * 127])
def test_a_part_may_have_any_name_that_a_folder_may_have(tmp_path, name):
    run = open_run(tmp_path)
    for part in (name, f"{name}/1"):
        with run.making(part) as tell:
            tell(f"{name}/1.png")
            write(tmp_path, f"{name}/1.png")
        run.finish(part, [f"{name}/1.png"])
        assert run.is_finished(part, [f"{name}/1.png"])
    assert not run.is_finished(name[:-1] + "w", [])


def test_data_are_the_same_where_the_path_leads_to_the_same_place_from_any_folder(tmp_path, monkeypatch):
    for folder in ("a/data", "b/data"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    open_run(tmp_path / "out", data_path="data")
    open_run(tmp_path / "out", data_path=str(tmp_path / "a/data"))
    monkeypatch.chdir(tmp_path / "b")
    open_run(tmp_path / "out", data_path="../a/data")
    with pytest.raises(InputError, match=r"holds results of another run .data_path was .*/a/data"):
        open_run(tmp_path / "out", data_path="data")


def test_what_earlier_versions_finished_is_finished(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = made_by(data_path="data", save_score=False)
    before["options"]["data_path"] = "data"
    monkeypatch.setattr(identity, "as_now", lambda made_by: made_by)
    with manifest.open_run("out", before, "--result_path") as run:
        write(tmp_path / "out", "car/1.png")
        run.finish("car", ["car/1.png"])
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert open_run("out", data_path="data").is_finished("car", ["car/1.png"])
    assert manifest.read_run("out")["options"]["data_path"] == str(tmp_path / "data")


@pytest.mark.parametrize("name", ["run.json", ".osmn-finished/car.json", ".osmn-finished/car.making", "car/1.png"])
def test_a_pipe_in_a_files_place_does_not_stop_a_run_for_ever(tmp_path, name):
    run = open_run(tmp_path)
    write(tmp_path, "car/1.png")
    run.finish("car", ["car/1.png"])
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    if name == "run.json":
        with pytest.raises(InputError, match=r"run\.json is damaged .*not a regular file"):
            open_run(tmp_path)
        return
    run = open_run(tmp_path)
    if name.endswith(".making"):
        with pytest.raises(InputError, match=r"car\.making is not a regular file"), run.making("car"):
            pass
    else:
        assert not run.is_finished("car", ["car/1.png"])


def test_a_part_is_done_once_and_what_it_announced_is_its_files(tmp_path):
    run, done = open_run(tmp_path), []
    for _ in range(2):
        with run.part("car", ["car/1.png"]) as part:
            if not part.finished:
                part.announce("car/1.png")
                write(tmp_path, "car/1.png")
                done.append(part.files)
    assert done == [["car/1.png"]]
    with run.part("car", ["car/1.png", "car/2.png"]) as part:
        assert not part.finished


def test_a_part_that_fails_is_not_finished_and_its_files_stay_known(tmp_path):
    with pytest.raises(ZeroDivisionError), open_run(tmp_path).part("car") as part:
        part.announce("car/1.png")
        write(tmp_path, "car/1.png")
        raise ZeroDivisionError
    run = open_run(tmp_path)
    assert not run.is_finished("car", [])
    run.check_free(["car/1.png"])


@pytest.mark.parametrize("name", ["file", "file/deeper"])
def test_a_file_in_the_place_of_a_folder_of_results_is_named(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=f"^{tmp_path}/file is a file; give a folder for the results$"):
        manifest.refuse_others(tmp_path / name, "--result_path", {})
