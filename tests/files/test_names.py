"""Names that data files give to files and folders, and numbers that they give to objects: none leads elsewhere."""

import json

import pytest
from PIL import Image

import davis_eval
import ytvos_merge_result
from helpers.scripts import words
from osmn.data import coco, davis, youtube_objects, ytvos
from osmn.errors import InputError
from osmn.files.names import path_inside, plain_name

LEADING_ELSEWHERE = ["../up", "/etc", "a/b", "a\\b", "..", ".", ".hidden", "a/../../b", "./a", "a/", "nul\0", "line\n"]
IMPOSSIBLE = "half \udfff"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def meta(root, videos, split="valid"):
    return write(root / split / "meta.json", json.dumps({"videos": videos}))


def video(frames=("00000", "00005"), object_id="1", **more):
    return {"objects": {object_id: {"frames": list(frames), **more}}}


@pytest.mark.parametrize("name", [*LEADING_ELSEWHERE, IMPOSSIBLE, "", None, 3, ["a"]])
def test_a_name_that_leads_elsewhere_is_none(name):
    with pytest.raises(ValueError, match="is not the name of a visible file or folder"):
        plain_name(name)


@pytest.mark.parametrize("name", ["a", "frame 1.jpg", "-rf", "a..b", "ünïcode", "00000", "a.b.c", "~"])
def test_other_names_are_taken_as_they_are(name):
    assert plain_name(name) == name


@pytest.mark.parametrize("name", [name for name in LEADING_ELSEWHERE if "\n" not in name])
def test_no_list_of_sequences_leads_elsewhere(tmp_path, name):
    path = write(tmp_path / "ImageSets/2017/val.txt", f"good\n{name}\n")
    with pytest.raises(InputError, match=r"val\.txt: .* is not the name of a visible file or folder; correct it"):
        davis.sequence_names(tmp_path, 2017, "val")
    path.rename(tmp_path / "all.txt")
    with pytest.raises(InputError, match=r"all\.txt: "):
        youtube_objects.sequence_names(tmp_path)


@pytest.mark.parametrize("name", [*LEADING_ELSEWHERE, IMPOSSIBLE])
def test_no_video_and_no_frame_of_meta_json_leads_elsewhere(tmp_path, name):
    for videos in ({name: video()}, {"v": video(("00000", name))}):
        meta(tmp_path, videos)
        with pytest.raises(InputError, match=r"meta\.json .* is not the name of a visible file or folder"):
            ytvos.read_listings(tmp_path, "valid")


@pytest.mark.parametrize(
    "name", ["../up", "/etc", "..", "a/../../b", "cam0\\..\\..\\b", "C:\\a.jpg", "C:a", "\\\\x\\y", "nul\0", "", "."]
)
def test_no_image_of_coco_leads_out_of_its_folder(tmp_path, name):
    images = [{"id": 1, "file_name": name, "height": 4, "width": 4}]
    content = {"images": images, "annotations": []}
    write(tmp_path / "annotations/instances_val2017.json", json.dumps(content))
    with pytest.raises(InputError, match=r"instances_val2017\.json .* leads out of the folder"):
        coco.read_instances(tmp_path, "val2017")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("cam0/a.jpg", "cam0/a.jpg"),
        ("./cam0/./a.jpg", "cam0/a.jpg"),
        ("cam0\\a b.jpg", "cam0/a b.jpg"),
        ("a..b", "a..b"),
        (".a/b", ".a/b"),
    ],
)
def test_a_path_inside_a_folder_may_lead_through_sub_folders(name, path):
    assert path_inside(name) == path


@pytest.mark.parametrize("object_id", ["0", "-1", "256", "01", "1.0", "one", "", " 1", "²"])
def test_ids_of_meta_json_are_numbers_from_1_to_255(tmp_path, object_id):
    meta(tmp_path, {"v": video(object_id=object_id)})
    with pytest.raises(InputError, match=r"meta\.json .* is not an object's id, 1 to 255"):
        ytvos.read_listings(tmp_path, "valid")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (video(()), "listed for no frame"),
        (video(("00000", "00000")), "more than once"),
        (video(category=["dog"]), "the category of object 1 is not a text"),
        (video((1, 2)), "is not the name of a visible file"),
        ({"objects": [1]}, "has no attribute"),
        ({"objects": {"1": None}}, "not subscriptable"),
        ({"objects": {"1": {"frames": 3}}}, "not iterable"),
        ([], "indices"),
    ],
)
def test_a_video_of_another_shape_is_one_line_that_names_the_file(tmp_path, entry, complaint):
    meta(tmp_path, {"v": entry})
    with pytest.raises(InputError, match=rf"meta\.json is not a YouTube-VOS meta.json .*{complaint}"):
        ytvos.read_listings(tmp_path, "valid")


@pytest.mark.parametrize("content", ["[" * 100000, "", "{", '{"videos": {}}x', b"\xff\xfe{\0}\0", b"\x89PNG"])
def test_a_file_that_is_no_json_is_one_line_that_names_it(tmp_path, content):
    write(tmp_path / "valid/meta.json", content)
    with pytest.raises(InputError, match=r"meta\.json is not a YouTube-VOS"):
        ytvos.read_listings(tmp_path, "valid")
    write(tmp_path / "annotations/instances_val2017.json", content)
    with pytest.raises(InputError, match=r"instances_val2017\.json is not COCO"):
        coco.read_instances(tmp_path, "val2017")


def test_a_byte_order_mark_is_no_part_of_a_name_and_another_encoding_is_named(tmp_path):
    path = write(tmp_path / "all.txt", b"\xef\xbb\xbfdog_1 cat_1")
    assert youtube_objects.sequence_names(tmp_path) == ["dog_1", "cat_1"]
    path.write_bytes("dog_1 cat_1".encode("utf-16"))
    with pytest.raises(InputError, match=r"all\.txt cannot be read \(not UTF-8\)"):
        youtube_objects.sequence_names(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"all\.txt cannot be read \(Is a directory\)"):
        youtube_objects.sequence_names(tmp_path)


def test_a_name_that_is_listed_twice_is_named(tmp_path):
    write(tmp_path / "all.txt", "dog_1 cat_1 dog_1")
    with pytest.raises(InputError, match=r"all\.txt names dog_1 more than once"):
        youtube_objects.sequence_names(tmp_path)


@pytest.mark.parametrize("script", [davis_eval, ytvos_merge_result])
def test_nothing_is_written_outside_the_result_folder(tmp_path, capsys, script):
    data, results, output = tmp_path / "data", tmp_path / "results", tmp_path / "output"
    Image.new("L", (4, 4)).save(write(tmp_path / "escape/00000.png", b""))
    results.mkdir()
    write(data / "ImageSets/2017/val.txt", "../../escape")
    meta(data, {"../../escape": video()})
    before = sorted(tmp_path.rglob("*"))
    arguments = [data, results, "2017", "val", output] if script is davis_eval else [data, results, output, "valid"]
    with pytest.raises(SystemExit) as stopped:
        script.main(words(*arguments))
    assert stopped.value.code == 2
    assert "escape' is not the name of a visible file or folder" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
