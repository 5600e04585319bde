"""Draw frames of DAVIS sequences with the masks of a result folder, and the true masks below."""

import dataclasses
from dataclasses import field

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.options import file_name, option, positive
from osmn.report.contact_sheet import contact_sheet


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What is drawn, and where."""

    data_path: str = field(metadata=option("DAVIS folder", metavar="DATA_PATH", positional=True))
    result_path: str = field(metadata=option("holds <sequence>/<frame>.png", metavar="RESULT_PATH", positional=True))
    out_path: str = field(metadata=option("picture to write, .png or .jpg", metavar="OUT", positional=True))
    sequences: tuple[str, ...] = field(
        metadata=option("a row for each", file_name, nargs="+", metavar="SEQUENCE", positional=True)
    )
    frames: int = field(default=5, metadata=option("frames in a row", positive(int)))
    no_truth: bool = field(default=False, metadata=option("leave out the true masks"))
    no_photographs: bool = field(default=False, metadata=option("masks on a plain ground, not over the frames"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(Sheet)
    return to


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    sheet = read(parser().parse(argv), Sheet)
    contact_sheet(
        sheet.data_path,
        sheet.result_path,
        sheet.sequences,
        sheet.out_path,
        sheet.frames,
        truth=not sheet.no_truth,
        photographs=not sheet.no_photographs,
    )
    print(f"{sheet.out_path}: {len(sheet.sequences)} sequences")


if __name__ == "__main__":
    main()
