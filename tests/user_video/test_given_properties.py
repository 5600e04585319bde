"""Families of mask files, by Hypothesis: what a person sees stays the same, however a program wrote it."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.mask_files import BOX, DAVIS, DISK, HEIGHT, IDS, WIDTH, X, Y, indexed
from osmn.user_video.given.masks import read_mask
from osmn.user_video.prompts import parse_prompt, read

few = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(picture, folder, name="mask.png", **save):
    picture.save(folder / name, **save)
    return read_mask(folder / name).labels


@few
@given(order=st.permutations(range(1, 20)), ids=st.lists(st.integers(1, 19), min_size=2, max_size=2, unique=True))
def test_davis_colors_give_davis_ids_at_any_index(tmp_path, order, ids):
    places = [0, *order]
    palette = np.zeros((20, 3), int)
    palette[places] = DAVIS[:20]
    table = [places[0], places[ids[0]], places[ids[1]]]
    np.testing.assert_array_equal(written(indexed(table, palette), tmp_path), np.asarray([0, *ids])[IDS])


@few
@given(order=st.permutations(range(12)), values=st.lists(st.integers(1, 31), min_size=2, max_size=2, unique=True))
def test_grays_of_a_palette_are_ids_at_any_index(tmp_path, order, values):
    palette = np.full((12, 3), 77)
    table = order[:3]
    for index, value in zip(table, [0, *values], strict=True):
        palette[index] = value
    np.testing.assert_array_equal(written(indexed(table, palette), tmp_path), np.asarray([0, *values])[IDS])


bright = st.tuples(*[st.sampled_from((0, 128, 255))] * 3).filter(lambda color: max(color) == 255)


@few
@given(order=st.permutations(range(3)), chosen=st.lists(bright, min_size=2, max_size=2, unique=True))
def test_black_is_the_background_at_any_index(tmp_path, order, chosen):
    palette = np.zeros((3, 3), int)
    for index, color in zip(order, [(0, 0, 0), *chosen], strict=True):
        palette[index] = color
    labels = written(indexed(order, palette), tmp_path)
    assert len({int(labels[34, 34]), int(labels[50, 80]), int(labels[2, 2])}) == 3
    np.testing.assert_array_equal(labels == 0, IDS == 0)


@few
@given(
    back=st.sampled_from([(0, 0, 0), (255, 255, 255)]),
    chosen=st.sampled_from([((255, 0, 0), (0, 255, 0)), ((0, 0, 255), (255, 255, 0)), ((200, 0, 200), (0, 160, 160))]),
    scale=st.sampled_from((2, 3, 4, 8)),
    shift=st.floats(0, 1),
    form=st.sampled_from(("RGB", "indexed")),
)
def test_soft_borders_make_no_objects(tmp_path, back, chosen, scale, shift, form):
    y, x = (np.mgrid[: HEIGHT * scale, : WIDTH * scale] + 0.5) / scale - 0.5
    ids = ((x - 34 - shift) ** 2 + (y - 34) ** 2 < 400) + 2 * ((abs(x - 85 - shift) < 15) & (abs(y - 53 - shift) < 13))
    picture = Image.fromarray(np.asarray([back, *chosen], np.uint8)[ids])
    picture = picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    covered = np.stack([(ids == i).reshape(HEIGHT, scale, WIDTH, scale).mean(axis=(1, 3)) for i in range(3)])
    labels = written(picture.quantize(128) if form == "indexed" else picture, tmp_path)
    assert np.unique(labels).tolist() == [0, 1, 2]
    clear = covered.max(axis=0) > 0.7
    np.testing.assert_array_equal(labels[clear], covered.argmax(axis=0)[clear])


@few
@given(
    back=st.sampled_from([(0, 0, 0), (255, 255, 255)]),
    chosen=st.sampled_from([((255, 0, 0), (0, 255, 0)), ((0, 0, 255), (255, 255, 0)), ((230, 25, 75), (60, 180, 75))]),
    half=st.integers(3, 6),
    place=st.tuples(st.integers(70, 110), st.integers(10, 70)),
    lossy=st.sampled_from([("jpg", 0), ("jpg", 2), ("webp", 0)]),
    quality=st.sampled_from((75, 85, 95)),
)
def test_a_small_object_apart_from_others_survives_a_lossy_compression(
    tmp_path, back, chosen, half, place, lossy, quality
):
    small = (abs(X - place[0]) < half) & (abs(Y - place[1]) < half)
    picture = Image.fromarray(np.asarray([back, *chosen], np.uint8)[DISK + 2 * small])
    ending, subsampling = lossy
    options = {"subsampling": subsampling} if ending == "jpg" else {}
    labels = written(picture, tmp_path, f"mask.{ending}", quality=quality, **options)
    assert np.unique(labels).tolist() == [0, 1, 2]
    own = labels[place[1], place[0]]
    assert own != labels[34, 34] and ((labels == own) & small).sum() > 0.4 * ((labels == own) | small).sum()


@few
@given(first=st.sampled_from((128, 192)), scale=st.sampled_from((2, 4)), shift=st.floats(0, 1))
def test_shades_of_daviss_colors_are_no_objects(tmp_path, first, scale, shift):
    """Half of (128, 0, 0) is (64, 0, 0), which is DAVIS's, too."""
    y, x = (np.mgrid[: HEIGHT * scale, : WIDTH * scale] + 0.5) / scale - 0.5
    ids = ((x - 34 - shift) ** 2 + (y - 34) ** 2 < 400) + 2 * ((abs(x - 85 - shift) < 15) & (abs(y - 53) < 13))
    picture = Image.fromarray(np.asarray([(0, 0, 0), (first, 0, 0), (0, 128, 0)], np.uint8)[ids])
    labels = written(picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX).quantize(128), tmp_path)
    assert len(np.unique(labels)) == 3 and labels[34, 34] and labels[53, 85] and not labels[2, 2]


@few
@given(radius=st.floats(0, 6), top=st.sampled_from((255, 65535)), name=st.sampled_from(("mask.png", "mask.tif")))
def test_one_feathered_object_is_cut_at_half(tmp_path, radius, top, name):
    away = 20 - np.hypot(X - 34, Y - 34)
    cover = np.clip(0.5 + away / (2 * radius + 1), 0, 1)
    values = np.round(cover * top).astype(np.uint8 if top == 255 else np.uint16)
    labels = written(Image.fromarray(values), tmp_path, name)
    np.testing.assert_array_equal(labels, (values.astype(int) * 2 >= top).astype(int))


@few
@given(ids=st.lists(st.integers(1, 20), min_size=2, max_size=2, unique=True), width=st.integers(1, 3))
def test_255_around_small_ids_is_void(tmp_path, ids, width):
    labels = np.asarray([0, *ids], np.uint8)[IDS]
    ring = np.zeros(IDS.shape, bool)
    for dy in range(-width, width + 1):
        for dx in range(-width, width + 1):
            ring |= np.roll(IDS, (dy, dx), (0, 1)) != IDS
    found = written(Image.fromarray(np.where(ring, np.uint8(255), labels)), tmp_path)
    np.testing.assert_array_equal(found, np.where(ring, 0, labels))


@few
@given(
    ending=st.sampled_from(("png", "bmp", "tif", "webp")),
    numbers=st.lists(st.integers(1, 99), min_size=2, max_size=2, unique=True),
)
def test_a_file_for_each_object_is_an_object_each(tmp_path_factory, ending, numbers):
    folder = tmp_path_factory.mktemp("objects")
    options = {"lossless": True} if ending == "webp" else {}
    masks = dict(zip(numbers, (DISK, BOX), strict=True))
    for number, mask in masks.items():
        picture = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
        picture.save(folder / f"object_{number}.{ending}", **options)
    given_masks = [parse_prompt(str(folder / f"object_{number}.{ending}")) for number in numbers]
    found = read(given_masks, (WIDTH, HEIGHT))
    assert {i: mask.tolist() for each in found for i, mask in each.objects.items()} == {
        number: mask.tolist() for number, mask in masks.items()
    }
