"""Segment objects in a video of your own: give a mask of its first frame, or boxes; get masks and an overlay to watch.

"osmn_segment.py holiday.mp4 --mask first.png --result_path out" writes out/masks/<frame>.png (indexed, of the video's
size) and out/overlay.mp4. Without a mask, --box or --click finds the object: out/first_mask.png shows what was found,
beside out/first_frame.png to draw on.
"""

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.errors import InputError
from osmn.inference.options import SegmentingOptions
from osmn.user_video.options import FinetuningOptions, UserVideoOptions, VideoOptions


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(VideoOptions, "input", "result_path", "mask", "mask_reading")
    to.add(VideoOptions, "box", "click", "no_click", "box_by", "click_model", "start", "end", "stride", "both_ways")
    to.add(SegmentingOptions, "save_score")
    to.add(VideoOptions, "cutout", "output_format")
    to.add(SegmentingOptions, *options.REFINEMENT, "shard")
    to.add(FinetuningOptions)
    to.add(SegmentingOptions, "overwrite", help="replace the results of another run")
    options.add_user_model_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "result_path")
    if not (args.mask or args.box or args.click or args.no_click):
        raise InputError("give --mask FILE, or --box X Y W H or --click X Y where there is no mask")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn.user_video import boxes, segment, tracking

    chosen = UserVideoOptions(
        read(args, VideoOptions),
        read(args, FinetuningOptions),
        given=options.model_options(args),
        **options.values(
            args, "im_size", "precision", "save_score", "overwrite", *options.FOLLOWING, *options.REFINEMENT
        ),
    )
    index, count = args.shard
    loaded, jobs = None, tracking.jobs(args.input, args.mask, args.result_path)
    if index >= len(jobs):
        print(f"share {index}/{count} of {len(jobs)} videos has none: there is nothing to do")
    inputs = [path for job in jobs for path in (job.path, *(each.path for each in job.given))]
    options.check_user_model(args)  # Before seconds are spent.
    pointed = boxes.pointing(chosen.video) if chosen.video.pointed else None
    for job in jobs[index::count]:
        with segment.opened(job, chosen, pointed) as (frames, given):
            # After the first look at what is given: it takes seconds.
            loaded = loaded or options.load_user_model(args)
            segment.segment_job(job, frames, given, *loaded, chosen, inputs, pointed)


if __name__ == "__main__":
    main()
