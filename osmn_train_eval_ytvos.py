"""Train OSMN on YouTube-VOS, and propagate masks through one of its splits."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_ytvos_options(parser)
    parser.add_argument("--whole_model_path", default="", help="start from this whole model, not ImageNet")
    parser.add_argument("--only_testing", action="store_true", help="no training: segment")
    parser.add_argument("--use_cached_list", action="store_true", help="keep the list of valid guides beside meta.json")
    arguments.add_network_options(parser)
    arguments.add_guide_options(parser, im_size=[448, 256])
    arguments.add_training_options(parser, data_aug_scales=[1.0])
    arguments.add_imagenet_options(parser)
    arguments.add_guide_choice_options(parser)
    arguments.add_distractor_options(parser)
    arguments.add_coco_mixing_options(parser)
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    if not args.only_testing:
        arguments.check_embedding_start(args)
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Here, because TensorFlow takes seconds to import.
    from osmn import checkpoints, coco, datasets, devices, inference, pipeline, replicas, training, ytvos

    precision = devices.configure(args)
    videos = ytvos.videos(args.data_path, args.test_split, args.all_frames)
    with replicas.strategy().scope():
        network = checkpoints.open_network(args, precision if args.only_testing else devices.training_policy(precision))
        if not args.only_testing:
            checkpoints.start_from_imagenet(network, args)
            validity = (args.label_valid_ratio, args.bbox_valid_ratio) if args.randomize_guide else None
            examples = ytvos.examples(args.data_path, tuple(args.im_size), validity, args.use_cached_list)
            sources = [pipeline.video_source(examples, args.flip_target)]
            sources = pipeline.mixed(sources, coco.sources(args.coco_path), args.coco_share)
            batches = pipeline.Pipeline(sources, arguments.pipeline_options(args)).batches
            trainer = training.Trainer(network, args.seed, args.loss, args.ema)
            training.train(trainer, batches, arguments.training_options(args), args.model_save_path)
        trained = None if args.only_testing else checkpoints.newest_checkpoint(args.model_save_path)
        if not replicas.is_chief():
            return
    videos = ytvos.unfinished(datasets.share(videos, args.shard), args.result_path, args.save_score, trained)
    print(f"propagating through {'every frame' if args.all_frames else 'the frames that meta.json lists'}")
    inference.segment_videos(network, videos, args, precision)
    print(f"masks and merged PNGs are in {args.result_path}; ytvos_merge_result.py makes the submission of them")


if __name__ == "__main__":
    main()
