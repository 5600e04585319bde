"""Train OSMN on YouTube-VOS, and propagate masks through one of its splits."""

from osmn.cli import options as arguments
from osmn.cli import training
from osmn.cli.entry import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_ytvos_options(parser)
    parser.add_argument("--whole_model_path", default="", help="start from this whole model, not ImageNet")
    parser.add_argument("--only_testing", action="store_true", help="no training: segment")
    parser.add_argument("--use_cached_list", action="store_true", help="keep the list of valid guides beside meta.json")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [448, 256])
    training.add_training_options(parser, data_aug_scales=[1.0])
    training.add_imagenet_options(parser)
    training.add_guide_choice_options(parser)
    training.add_distractor_options(parser)
    training.add_coco_mixing_options(parser)
    training.add_validation_options(parser)
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    if not args.only_testing:
        arguments.check_embedding_start(args)
    arguments.check_validation(args)
    return args


def train(args):
    """Train as asked for; return the model to test."""
    from osmn.data import ytvos
    from osmn.inputs import sources
    from osmn.models import tensorflow_model

    model = tensorflow_model.new_for_training(
        args.im_size, **arguments.beginning(args), pretrained=arguments.pretrained(args)
    )
    print(model.summary(args.im_size))
    validity = (args.label_valid_ratio, args.bbox_valid_ratio) if args.randomize_guide else None
    examples = ytvos.examples(args.data_path, tuple(args.im_size), validity, args.use_cached_list)
    found = sources.with_stills(examples, args.flip_target, args.coco_path, args.coco_share)
    return arguments.training_run(args).train(model, found)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import ytvos

    videos = ytvos.videos(args.data_path, args.test_split, args.all_frames)
    if args.only_testing:
        checks.check_model(args)
    else:
        folder = None if args.restart_training else args.model_save_path
        checks.check_start(args, folder, arguments.pretrained(args))
        ytvos.check_listed(args.data_path, "train")
        checks.check_stills(args.coco_path)
        checks.check_validation_videos(args)
        checks.check_folder(args.model_save_path)
    checks.check_results(args.result_path, videos, args.shard)
    from osmn.inference import segmenting
    from osmn.networks import devices, replicas

    devices.configure(args.gpu_id, args.deterministic)
    if args.only_testing:
        model = arguments.load_model(args)
        print(model.summary(args.im_size))
    else:
        with replicas.strategy().scope():
            model = train(args)
            if not replicas.is_chief():
                return
    print(f"propagating through {'every frame' if args.all_frames else 'the frames that meta.json lists'}")
    origin = arguments.values(args, "data_path", "all_frames")
    segmenting.segment_videos(model, videos, arguments.testing_options(args), origin, replace=not args.only_testing)
    print(f"masks and merged PNGs are in {args.result_path}; ytvos_merge_result.py makes the submission of them")


if __name__ == "__main__":
    main()
