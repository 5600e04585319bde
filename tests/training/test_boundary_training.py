"""Training of the boundary net: its samples, its loop, and its script."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import osmn_boundary_train
from helpers.scripts import error, words
from osmn.config import MOST_LOGIT
from osmn.data.folders import Folders
from osmn.errors import InputError
from osmn.files.images import write_image, write_labels
from osmn.files.scores import write_scores
from osmn.inference.frames import resized_frame
from osmn.models import boundary_weights, checkpoint_files, checkpoints
from osmn.networks import boundaries as network
from osmn.training import boundaries
from osmn.training.boundary_samples import FARTHEST, SIDE, View, batch, logits_of, read, sample
from osmn.training.options import TrainingOptions
from osmn.training.run import OPTIONS

SIZE, SMALL = (200, 150), (160, 120)  # Of frames, and of their scores.
OPTIONS_OF = TrainingOptions(
    training_iters=6, learning_rate=3e-3, lr_schedule="cosine", warmup_iters=2, save_iters=3, display_iters=2
)


def disc(size, center, radius):
    """Return a mask, bool."""
    y, x = np.mgrid[: size[1], : size[0]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 < radius**2


def wrong_scores(mask):
    """Return scores, float32, that show a mask blurred and at a wrong place."""
    return ndimage.gaussian_filter(np.roll(mask, (4, -4), (0, 1)).astype(np.float32), 3).clip(0, 1)


def picture(masks, random):
    """Return a frame, uint8 (H, W, 3), of objects of their own colors on a ground."""
    image = np.ones((*masks[0].shape, 3)) * random.integers(0, 256, 3)
    for mask in masks:
        image[mask] = random.integers(0, 256, 3)
    return (image + random.normal(0, 4, image.shape)).clip(0, 255).astype(np.uint8)


def write_video(root, name, frames=4, seed=0):
    """Write a video of two discs, objects 1 and 2, into root's frames, masks and scores; the first has no scores."""
    random = np.random.default_rng(seed)
    for kind in ("frames", "masks", "scores"):
        (root / kind / name).mkdir(parents=True)
    for number in range(frames):
        masks = [disc(SIZE, (60 + 3 * number, 80), 35), disc(SIZE, (140, 60 + number), 25)]
        write_image(root / f"frames/{name}/{number}.png", picture(masks, random))
        write_labels(root / f"masks/{name}/{number}.png", masks[0] + 2 * masks[1].astype(np.uint8))
        for object_id, mask in enumerate(masks, 1):
            (root / f"scores/{name}/{object_id}").mkdir(exist_ok=True)
            if number:
                small = np.asarray(Image.fromarray(mask).resize(SMALL, Image.Resampling.BOX))
                write_scores(root / f"scores/{name}/{object_id}/{number}.npy", wrong_scores(small))


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Return a folder of frames, masks and scores of two videos. Not to be written to: copy it."""
    root = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("a", "b")):
        write_video(root, name, seed=seed)
    return root


@pytest.fixture
def copied(videos, tmp_path):
    return shutil.copytree(videos, tmp_path / "videos")


def views_of(root):
    return read(Folders(root / "frames", root / "masks"), root / "scores")


def drawn_views(count, seed):
    """Return views of discs whose logits are blurred and shifted."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        mask = disc((SIDE, SIDE), random.uniform(50, 78, 2), random.uniform(20, 35))
        logits = logits_of(wrong_scores(mask)).astype(np.float16)
        found.append(View(picture([mask], random), logits, 255 * mask.astype(np.uint8)))
    return found


# -- Samples ----------------------------------------------------------------------------------------------------------


def test_a_sample_is_a_pure_function_of_seed_step_and_position(videos):
    views = views_of(videos)
    before = [[part.copy() for part in view] for view in views]
    first = sample(views, 5, 7, 2)
    sample(views, 5, 7, 3)
    for a, b, c in zip(first, sample(views_of(videos), 5, 7, 2), batch(views, 5, 7, 4), strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c[2])
    for other in ((6, 7, 2), (5, 8, 2), (5, 7, 3), (-5, 7, 2)):
        assert not np.array_equal(sample(views, *other).image, first.image)
    for one, two in zip(before, views, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_views_parts_are_of_the_scores_size_and_show_the_same_object(videos):
    views = views_of(videos)
    assert len(views) == 2 * 2 * 3  # Videos, objects, frames with scores.
    mask = disc(SIZE, (63, 80), 35)
    truth = np.asarray(Image.fromarray(255 * mask.astype(np.uint8)).resize(SMALL, Image.Resampling.BOX))
    image = resized_frame(np.asarray(Image.open(videos / "frames/a/1.png")), SMALL)
    scores = np.load(videos / "scores/a/1/1.npy")
    view = views[0]
    height, width = view.truth.shape
    assert (height, width) == (120, 160)  # All of it is within reach.
    assert np.array_equal(view.truth, truth) and np.array_equal(view.image, image)
    assert np.allclose(1 / (1 + np.exp(-view.logits.astype(float))), scores, atol=2e-3)


def full_view(mask, random):
    """Return the view of a frame that shows one object, without anything cut off."""
    logits = logits_of(mask.astype(np.float32)).astype(np.float16)
    return View(picture([mask], random), logits, 255 * mask.astype(np.uint8))


@pytest.mark.parametrize("center", [(300, 200), (8, 200), (300, 6), (632, 355), (0, 0)])
def test_cutting_a_view_off_beyond_its_windows_changes_no_sample(tmp_path, center):
    mask, random = disc((640, 360), center, 20), np.random.default_rng(0)
    for kind in ("frames", "masks", "scores"):
        (tmp_path / kind / "a").mkdir(parents=True)
    whole = full_view(mask, random)
    write_image(tmp_path / "frames/a/0.png", whole.image)
    write_labels(tmp_path / "masks/a/0.png", 255 * mask.astype(np.uint8))
    write_scores(tmp_path / "scores/a/0.npy", mask.astype(np.float32))  # Of an object without id.
    (view,) = views_of(tmp_path)
    assert max(view.truth.shape) <= 2 * (20 + FARTHEST) + 1
    for position in range(20):
        for a, b in zip(sample([view], 0, 0, position), sample([whole], 0, 0, position), strict=True):
            assert np.array_equal(a, b)


def test_logits_and_truth_fit_the_window_of_the_image():
    mask, random = disc((300, 220), (140, 100), 40), np.random.default_rng(0)
    image = np.repeat(np.where(mask, np.uint8(220), np.uint8(20))[..., None], 3, -1)
    view = full_view(mask, random)._replace(image=image)
    mirrored = 0
    for position in range(40):
        found = sample([view], 1, 0, position)
        assert found.image.shape == (SIDE, SIDE, 3) and found.logits.shape == found.truth.shape == (SIDE, SIDE)
        assert 0 < found.truth.mean() < 1  # A boundary is in each.
        inside = found.truth > 0.5
        assert np.array_equal(inside, found.logits > 0) and abs(np.abs(found.logits).mean() - MOST_LOGIT) < 3
        for color in np.moveaxis(found.image, -1, 0):
            assert color[inside].min() > color[~inside].max()
        columns = np.flatnonzero(inside.any(0))
        mirrored += columns.mean() > SIDE / 2
    assert 0 < mirrored < 40


def test_a_small_frame_is_continued_by_its_edge():
    mask, random = disc((60, 40), (30, 20), 12), np.random.default_rng(0)
    found = sample([full_view(mask, random)], 0, 0, 0)
    assert found.image.shape == (SIDE, SIDE, 3)
    assert (found.image[39:] == found.image[39]).all() and found.truth.sum() == mask.sum()


def test_logits_of_certain_scores_are_finite():
    found = logits_of(np.float32([0, 1, 0.5, 1e-30]))
    assert np.allclose(found, [-MOST_LOGIT, MOST_LOGIT, 0, -MOST_LOGIT], atol=1e-4)


# -- Which files are read ---------------------------------------------------------------------------------------------


def test_how_many_masks_are_used_and_left_out_is_said(copied, messages, capsys):
    write_scores(copied / "scores/a/1/1.npy", np.zeros(SMALL[::-1]))  # It has lost the object.
    assert len(views_of(copied)) == 11
    assert "11 masks of objects to learn from; left out: 4 without scores, 1 that the scores" in capsys.readouterr().out


def test_objects_in_folders_of_their_own_are_the_same_views(copied):
    expected = views_of(copied)
    for name in ("a", "b"):
        for path in sorted((copied / "masks" / name).glob("*.png")):
            labels = np.asarray(Image.open(path))
            for object_id in (1, 2):
                folder = copied / f"masks/{name}/{object_id}"
                folder.mkdir(exist_ok=True)
                write_labels(folder / path.name, 255 * (labels == object_id).astype(np.uint8))
            path.unlink()
    for a, b in zip(views_of(copied), expected, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_scores_of_all_objects_as_one_meet_all_labels(copied):
    shutil.rmtree(copied / "scores/b")
    folder = copied / "scores/a"
    for number in (1, 2, 3):
        both = [np.load(folder / f"{object_id}/{number}.npy") for object_id in (1, 2)]
        write_scores(folder / f"{number}.npy", np.max(both, axis=0))
    views = views_of(copied)
    labels = np.asarray(Image.open(copied / "masks/a/1.png"))
    small = Image.fromarray(255 * (labels > 0).astype(np.uint8)).resize(SMALL, Image.Resampling.BOX)
    assert len(views) == 3 and np.array_equal(views[0].truth, np.asarray(small))


# -- The training -----------------------------------------------------------------------------------------------------


def trained(folder, views, **changes):
    path = boundaries.train(views, TrainingOptions(**vars(OPTIONS_OF) | changes), 2, 1, folder)
    return boundary_weights.load(path)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if "tfevents" not in path.name}


def test_a_training_that_was_stopped_ends_with_the_same_bits(tmp_path):
    views = drawn_views(4, 0)
    expected = trained(tmp_path / "whole", views)
    stopped = shutil.copytree(tmp_path / "whole", tmp_path / "stopped")  # As if it had been killed after step 3.
    for path in checkpoint_files.model_files(stopped / "osmn.ckpt-6"):
        path.unlink()
    (stopped / boundaries.WEIGHTS).unlink()
    again = trained(stopped, views)
    assert all(np.array_equal(again[name], value) for name, value in expected.items())
    assert files(stopped) == files(tmp_path / "whole")


def test_weights_come_of_the_seed_and_the_net_adds_nothing_at_first(tmp_path):
    views = drawn_views(2, 0)
    first = trained(tmp_path / "a", views, training_iters=0)
    assert {name: value.shape for name, value in first.items()} == boundary_weights.wanted(32)
    other = boundary_weights.load(
        boundaries.train(views, TrainingOptions(**vars(OPTIONS_OF) | {"training_iters": 0}), 2, 2, tmp_path / "b")
    )
    assert not np.array_equal(first["stem/kernel"], other["stem/kernel"])
    assert not first["score/kernel"].any() and not first["stem/bias"].any()


def test_more_steps_are_trained_on_and_others_options_are_refused(tmp_path, messages, capsys):
    views = drawn_views(2, 0)
    trained(tmp_path, views, training_iters=2)
    trained(tmp_path, views, training_iters=4)
    assert f"resumed from {tmp_path}/osmn.ckpt-2" in capsys.readouterr().out
    with pytest.raises(InputError, match="has been trained with seed 1 instead of 2; give --change seed to go on"):
        boundaries.train(views, OPTIONS_OF, 2, 2, tmp_path)
    boundaries.train(views, OPTIONS_OF, 2, 2, tmp_path, ["seed"])
    assert checkpoint_files.newest_checkpoint(tmp_path).name == "osmn.ckpt-6"
    before = files(tmp_path)
    trained(tmp_path, views)
    assert files(tmp_path) == before
    assert "osmn.ckpt-6 has 6 steps already" in capsys.readouterr().out


def test_restart_training_begins_anew(tmp_path):
    views = drawn_views(2, 0)
    trained(tmp_path / "a", views, training_iters=4)
    trained(tmp_path / "a", views, training_iters=2, restart_training=True)
    trained(tmp_path / "b", views, training_iters=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_loss_that_is_not_finite_ends_the_training_before_anything_is_saved(tmp_path):
    views = [view._replace(logits=np.full_like(view.logits, np.nan)) for view in drawn_views(2, 0)]
    with pytest.raises(InputError, match="the loss is nan at step 2; lower --learning_rate"):
        trained(tmp_path, views)
    assert checkpoint_files.newest_checkpoint(tmp_path) is None


def test_a_folder_of_another_networks_checkpoints_is_refused(tmp_path):
    checkpoints.write_variables(tmp_path / "osmn.ckpt-2", {"net/weights": np.float32([1])})
    with pytest.raises(InputError, match="is of another network, no boundary net; give another"):
        trained(tmp_path, drawn_views(2, 0))


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_trained_net_moves_masks_to_the_images_boundaries(tmp_path):
    weights = trained(tmp_path, drawn_views(30, 1), training_iters=60, warmup_iters=5, save_iters=60, display_iters=60)
    net = network.build()
    for variable in net.trainable_variables:
        variable.assign(weights[variable.path])
    before, after = [], []
    for view in drawn_views(8, 2):
        logits = np.asarray(net(network.inputs_of(view.image[None], view.logits[None])))[0]
        before.append(iou(view.logits > 0, view.truth > 127))
        after.append(iou(logits > 0, view.truth > 127))
    assert np.mean(after) > np.mean(before) + 0.05


# -- The script -------------------------------------------------------------------------------------------------------


def command(root, out, *more):
    paths = (root / kind for kind in ("frames", "masks", "scores"))
    options = ("--training_iters", 2, "--batch_size", 2, "--save_iters", 1)
    return words("--videos", *paths, "--model_save_path", out, *options, *more)


def test_the_script_writes_weights_that_can_be_loaded(videos, tmp_path, capsys):
    osmn_boundary_train.main(command(videos, tmp_path / "out"))
    assert capsys.readouterr().out.endswith(f"written: {tmp_path}/out/boundaries.npz\n")
    assert boundary_weights.load(tmp_path / "out/boundaries.npz")["score/kernel"].any()
    assert (tmp_path / "out" / OPTIONS).is_file()


def test_a_list_chooses_the_videos(videos, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("b\n")
    osmn_boundary_train.main(command(videos, tmp_path / "out", "--list", tmp_path / "list.txt"))
    assert "6 masks of objects to learn from" in capsys.readouterr().out
    (tmp_path / "list.txt").write_text("c\n")
    line = error(capsys, osmn_boundary_train.main, *command(videos, tmp_path / "x", "--list", tmp_path / "list.txt"))
    assert f"{tmp_path}/list.txt names c, but {videos}/frames/c does not exist" in line
    twice = ["--list", tmp_path / "list.txt"] * 2
    line = error(capsys, osmn_boundary_train.main, *command(videos, tmp_path / "x", *twice))
    assert "--list is given for 2 of 1 --videos; give one for each" in line


def test_folders_without_scores_are_named(copied, tmp_path, capsys):
    shutil.rmtree(copied / "scores/a")
    shutil.rmtree(copied / "scores/b/1")
    shutil.rmtree(copied / "scores/b/2")
    line = error(capsys, osmn_boundary_train.main, *command(copied, tmp_path / "out"))
    assert f"{copied}/scores has no scores of the masks in {copied}/masks" in line
    shutil.rmtree(copied / "scores")
    line = error(capsys, osmn_boundary_train.main, *command(copied, tmp_path / "out"))
    assert f"{copied}/scores does not exist" in line
    assert not (tmp_path / "out").exists()


def test_scores_of_other_videos_are_refused(copied, tmp_path, capsys):
    for path in copied.glob("scores/*/*/*.npy"):
        write_scores(path, 1 - np.load(path))
    line = error(capsys, osmn_boundary_train.main, *command(copied, tmp_path / "out"))
    assert f"{copied}/scores has no scores that agree with the masks in {copied}/masks" in line


@pytest.mark.parametrize("name", ["frames/a/2.png", "masks/b/3.png", "scores/a/2/1.npy"])
def test_a_damaged_file_is_named(copied, tmp_path, capsys, name):
    path = copied / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    line = error(capsys, osmn_boundary_train.main, *command(copied, tmp_path / "out"))
    assert str(path) in line
