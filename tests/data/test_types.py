"""Videos shared out to many machines."""

import numpy as np

from osmn.data.types import Reference, Video, shard_of


def videos_of(*work):
    """Return videos of so many frames, one object each."""
    starts = {0: Reference(None, (1,))}
    return [Video(f"v{n}", tuple(range(count)), starts) for n, count in enumerate(work)]


def test_shards_are_deterministic_disjoint_complete_and_keep_the_order():
    videos = videos_of(*np.random.default_rng(0).integers(1, 60, 40))
    shards = [shard_of(videos, (index, 7)) for index in range(7)]
    assert sorted(video.name for shard in shards for video in shard) == sorted(video.name for video in videos)
    assert shards == [shard_of(videos, (index, 7)) for index in range(7)]
    for shard in shards:
        assert shard == [video for video in videos if video in shard]


def test_shards_are_balanced_by_frames_times_objects():
    videos = videos_of(*np.random.default_rng(0).integers(1, 60, 200))
    loads = [sum(len(v.frames) for v in shard_of(videos, (index, 7))) for index in range(7)]
    assert max(loads) - min(loads) <= 5
    starts = {0: Reference(None, (1, 2)), 3: Reference(None, (3, 4, 5))}
    many = Video("many", tuple(range(10)), starts)  # As much as 50 frames.
    assert shard_of([*videos_of(20, 20, 10), many], (0, 2)) == [many]


def test_more_shards_than_videos_leave_some_empty():
    assert [len(shard_of(videos_of(3, 4), (index, 4))) for index in range(4)] == [1, 1, 0, 0]


def test_there_may_be_any_number_of_shares():
    shares = [shard_of(videos_of(3, 4), (index, 10**15)) for index in (0, 1, 2, 10**15 - 1)]
    assert [len(share) for share in shares] == [1, 1, 0, 0]
