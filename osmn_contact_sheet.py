"""Draw frames of DAVIS sequences with the masks of a result folder, and the true masks below."""

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name, positive
from osmn.report.contact_sheet import contact_sheet


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    parser = arguments.parser(__doc__)
    parser.add_argument("data_path", metavar="DATA_PATH", help="DAVIS folder")
    parser.add_argument("result_path", metavar="RESULT_PATH", help="holds <sequence>/<frame>.png")
    parser.add_argument("out_path", metavar="OUT", help="picture to write, .png or .jpg")
    parser.add_argument("sequences", type=file_name, metavar="SEQUENCE", nargs="+", help="a row for each")
    parser.add_argument("--frames", type=positive(int), default=5, help="frames in a row")
    parser.add_argument("--no_truth", action="store_true", help="leave out the true masks")
    parser.add_argument("--no_photographs", action="store_true", help="masks on a plain ground, not over the frames")
    args = parser.parse_args(argv)
    contact_sheet(
        args.data_path,
        args.result_path,
        args.sequences,
        args.out_path,
        args.frames,
        truth=not args.no_truth,
        photographs=not args.no_photographs,
    )
    print(f"{args.out_path}: {len(args.sequences)} sequences")


if __name__ == "__main__":
    main()
