"""Write a trained model without what only training needs: to ship it, or for the published program."""

from osmn import args as arguments
from osmn.errors import InputError, reports_input_errors

FORMATS = ("checkpoint",)


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--whole_model_path", default="", help="the model: checkpoint, or folder (newest)")
    parser.add_argument("--output", default="", help="prefix of the files to write")
    parser.add_argument("--format", choices=FORMATS, default="checkpoint", help="checkpoint: TF1's, as published")
    parser.add_argument("--v1", action="store_true", help="a single file, as TensorFlow wrote them at first")
    parser.add_argument("--half", action="store_true", help="float16 weights: half the size, to be computed in float32")
    arguments.add_model_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "output")
    if args.v1 and args.half:
        raise InputError("--v1 and --half: TensorFlow does not read float16 from such a file; leave one out")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn import checkpoints, devices, models  # TensorFlow takes seconds to import

    devices.configure([])  # A training may have all of the GPU's memory.
    model = models.load(args.whole_model_path, arguments.model_options(args), "float32")
    values = checkpoints.model_values(model.network)
    if args.half:
        values = checkpoints.in_half_precision(values)
    checkpoints.write_variables(args.output, values, model.network.config, args.v1)
    print(f"{args.output}: {len(values)} variables")


if __name__ == "__main__":
    main()
