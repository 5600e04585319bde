"""Merge YouTube-VOS results into the challenge's PNGs. Start with `python ytvos_merge_result.py -h`."""

import argparse

from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name
from osmn.results.ytvos_submission import check_archive, merge_videos, zip_submission


@reports_input_errors
def main(argv=None):
    """Parse the arguments, merge, and zip what was merged."""
    parser = argparse.ArgumentParser(
        description="Write one indexed PNG per frame that meta.json lists, of the annotations' size: "
        "OUTPUT_PATH/DATA_SPLIT/Annotations/<video>/<frame>.png. Reads the score files "
        "PRED_PATH/<video>/<object>/<frame>.npy where a video has some (an object's first frame is its true mask), "
        "else merged PNGs PRED_PATH/<video>/<frame>.png."
    )
    parser.add_argument("data_path", metavar="DATA_PATH", help="the YouTube-VOS folder")
    parser.add_argument("pred_path", metavar="PRED_PATH", help="the results of osmn_train_eval_ytvos.py")
    parser.add_argument("output_path", metavar="OUTPUT_PATH", help="gets the merged PNGs")
    parser.add_argument("split", type=file_name, metavar="DATA_SPLIT", help="a folder of DATA_PATH, such as valid")
    parser.add_argument(
        "height",
        metavar="256|480",
        nargs="?",
        type=int,
        choices=(256, 480),
        help="check that the score files have this height (default: any; the size is taken from them)",
    )
    parser.add_argument(
        "--zip", metavar="FILE.zip", help="check the merged PNGs and write the archive for the challenge"
    )
    args = parser.parse_args(argv)
    if args.zip:
        check_archive(args.zip)
    folder = merge_videos(args.data_path, args.pred_path, args.output_path, args.split, args.height)
    print(f"written: {folder}")
    if args.zip:
        zip_submission(args.data_path, args.split, folder, args.zip)
        print(f"written: {args.zip}")


if __name__ == "__main__":
    main()
