"""Follow objects in live pictures: a camera, a stream, a pipe, or a file that is played in real time.

"osmn_live.py 0" opens the first camera: the page whose address it prints shows the pictures. There, click on an object,
drag a box around it or paint it, and correct it whenever it goes wrong. Frames for which there is no time are left
out, so that what is shown is never late. Ctrl-C ends it, and a last line says what was shown and written.
"""

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.errors import InputError
from osmn.inference.options import SegmentingOptions
from osmn.user_video.live.options import LiveOptions
from osmn.user_video.options import VideoOptions


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(LiveOptions, "input", "result_path")
    of = "in the first frame; several times for several"
    to.add(VideoOptions, "mask", help="mask of the first frame; several times for several objects", metavar="FILE")
    to.add(VideoOptions, "mask_reading")
    at = "X Y", "OBJECT"
    boxes = f"instead: a box around an object {of} objects: 1, 2, ..., or as OBJECT says"
    to.add(VideoOptions, "box", help=boxes, metavar=("X Y W H", "OBJECT"))
    to.add(VideoOptions, "click", help=f"instead, or with boxes: a pixel on object 1, or on OBJECT, {of}", metavar=at)
    to.add(VideoOptions, "no_click", help=f"with boxes or clicks: a pixel that is not the object's, {of}", metavar=at)
    to.add(VideoOptions, "box_by", "click_model")
    to.add(LiveOptions, "raw_size", "raw_format", "camera_size", "lost_after", "host", "port", "no_page")
    to.add(SegmentingOptions, "overwrite", help="replace the results of another run")
    options.add_user_model_options(to, window=False)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    pointed = bool(args.box or args.click or args.no_click)
    if args.mask and pointed:
        raise InputError("give --mask FILE, or --box X Y W H or --click X Y where there is no mask, and not both")
    if args.no_page and not (args.mask or pointed):
        raise InputError("without a page, --mask FILE, --box X Y W H or --click X Y gives the object")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn.user_video.live import run

    live, video = read(args, LiveOptions), read(args, VideoOptions, input=())
    asked = run.Asked(live, video, **options.values(args, "im_size", "overwrite", *options.FOLLOWING))
    options.check_user_model(args)  # Before seconds are spent.
    masks = run.masks_of(video)
    source = run.open_source(live, masks)
    pointed = run.pointed_of(video)
    page = run.page_server(live, video)
    model, engine = options.load_user_model(args)
    run.run(asked, model, engine, source, masks, pointed, page and page.serving)


if __name__ == "__main__":
    main()
