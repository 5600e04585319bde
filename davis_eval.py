"""Score DAVIS results: the published mIU and the benchmark's J and F. Start with `python davis_eval.py -h`."""

import argparse

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name
from osmn.evaluation.davis import DATASET
from osmn.files import locks
from osmn.report.write import score_and_report


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, print and write the tables."""
    parser = argparse.ArgumentParser(
        description="Print mIU (the mean IoU of the objects) and the official J and F of DAVIS results, without the "
        "first and last frames, and write RESULT_PATH/iou.txt and RESULT_PATH/per_object.csv. 2016: "
        "RESULT_PATH/<sequence>/<frame>.png, foreground where not 0. 2017: score files "
        "RESULT_PATH/<sequence>/<object>/<frame>.npy where a sequence has some, else merged indexed PNGs "
        "RESULT_PATH/<sequence>/<frame>.png. Results of another size than the annotations are resized."
    )
    parser.add_argument("data_path", metavar="DATA_PATH", help="the DAVIS folder, with Annotations/480p and ImageSets")
    parser.add_argument("result_path", metavar="RESULT_PATH", help="the results, one folder per sequence")
    parser.add_argument("version", metavar="DATASET_VERSION", type=int, choices=(2016, 2017), help="2016 or 2017")
    parser.add_argument(
        "split", type=file_name, metavar="DATASET_SPLIT", help="a list of ImageSets/DATASET_VERSION, such as val"
    )
    parser.add_argument("vis_path", metavar="VIS_PATH", nargs="?", help="gets the scored results as indexed PNGs")
    arguments.add_report_option(parser)
    args = parser.parse_args(argv)
    where, selection = (args.data_path, args.result_path), {"version": args.version, "split": args.split}
    with locks.writing(args.result_path):
        score_and_report(DATASET, *where, selection, args.report, args.against, vis_path=args.vis_path)


if __name__ == "__main__":
    main()
