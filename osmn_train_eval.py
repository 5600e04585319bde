"""Finetune OSMN on DAVIS (stage 2), propagate masks through a split and score them."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_davis_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights to start from: checkpoint, or folder (newest)")
    parser.add_argument("--only_testing", action="store_true", help="no training: segment and score")
    parser.add_argument("--use_full_res", action="store_true", help="read JPEGImages/Full-Resolution in testing")
    arguments.add_network_options(parser)
    arguments.add_guide_options(parser, im_size=[854, 480])
    arguments.add_training_options(parser, data_aug_scales=[0.5, 0.8, 1.0])
    arguments.add_guide_choice_options(parser)
    arguments.add_distractor_options(parser)
    arguments.add_coco_mixing_options(parser)
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Here, because TensorFlow takes seconds to import.
    from osmn import checkpoints, coco, datasets, devices, inference, pipeline, replicas, training
    from osmn.evaluation import score_if_annotated

    precision = devices.configure(args)
    videos = datasets.davis_videos(args.data_path, args.data_version, args.test_split, args.use_full_res)
    with replicas.strategy().scope():
        network = checkpoints.open_network(args, precision if args.only_testing else devices.training_policy(precision))
        if not args.only_testing:
            resumes = checkpoints.newest_checkpoint(args.model_save_path) and not args.restart_training
            if not (args.whole_model_path or resumes):
                print("no --whole_model_path: training starts from random weights")
            validity = (args.label_valid_ratio, args.bbox_valid_ratio) if args.randomize_guide else None
            examples = datasets.davis_examples(args.data_path, args.data_version, "train", validity)
            sources = [pipeline.video_source(examples, args.flip_target)]
            sources = pipeline.mixed(sources, coco.sources(args.coco_path), args.coco_share)
            batches = pipeline.Pipeline(sources, arguments.pipeline_options(args)).batches
            trainer = training.Trainer(network, args.seed, args.loss, args.ema)
            training.train(trainer, batches, arguments.training_options(args), args.model_save_path)
        if not replicas.is_chief():
            return
    inference.segment_videos(network, datasets.share(videos, args.shard), args, precision)
    score_if_annotated(args, videos)


if __name__ == "__main__":
    main()
