"""The options of training that scripts share, in groups; each is defined once."""

from osmn.cli.types import below_one, davis_split, non_negative, positive, seed, share

SCHEDULES = ("constant", "cosine")
LOSSES = ("balanced", "jaccard")


def add_training_options(to, data_aug_scales):
    """Add the options of training and of its samples."""
    group = to.add_argument_group("training")
    group.add_argument("--model_save_path", default="", help="folder of the checkpoints and TensorBoard's summaries")
    group.add_argument("--batch_size", type=positive(int), default=8, help="images in a step, over all devices")
    group.add_argument(
        "--training_iters", type=non_negative(int), default=200000, help="steps in all, resumed ones too"
    )
    group.add_argument(
        "--learning_rate", type=positive(float), default=1e-5, help="of Adam; the loss is a sum of pixels"
    )
    group.add_argument(
        "--lr_schedule",
        choices=SCHEDULES,
        default="constant",
        help="constant: as published; cosine: the rate falls to 0 at --training_iters",
    )
    group.add_argument(
        "--warmup_iters", type=non_negative(int), default=0, help="steps over which the rate rises to --learning_rate"
    )
    group.add_argument(
        "--loss",
        choices=LOSSES,
        default="balanced",
        help="balanced: as published; jaccard: masks nearer to the true size",
    )
    group.add_argument(
        "--ema",
        type=below_one,
        metavar="DECAY",
        help="keep an average of the weights, for testing and export (try 0.998)",
    )
    group.add_argument("--save_iters", type=positive(int), default=1000, help="steps between checkpoints")
    group.add_argument("--max_to_keep", type=positive(int), default=2, help="checkpoints kept")
    group.add_argument("--display_iters", type=positive(int), default=20, help="steps between reports of the loss")
    group.add_argument("--use_image_summary", action="store_true", help="write samples and predictions to TensorBoard")
    group.add_argument("--restart_training", action="store_true", help="ignore the checkpoints in --model_save_path")
    group.add_argument("--fix_bn", action="store_true", help="batch norm always uses its moving statistics")
    group.add_argument("--fix_seg", action="store_true", help="freeze the segmentation net but its last layer")
    group.add_argument(
        "--num_loader", type=non_negative(int, 1024), default=0, help="samples made in parallel; 0: one a processor"
    )
    group.add_argument("--seed", type=seed, default=0, help="of initial weights, order, augmentation and dropout")
    group.add_argument("--deterministic", action="store_true", help="run to run the same bits, slower on a GPU")
    group = to.add_argument_group("augmentation")
    group.add_argument(
        "--data_aug_scales", type=positive(float, 16), nargs="+", default=data_aug_scales, help="of a batch"
    )
    group.add_argument("--vg_random_crop_ratio", type=share, default=0.1, help="guide: sides move by +-r")
    group.add_argument("--vg_random_rotate_angle", type=non_negative(float), default=10.0, help="guide: +-degrees")
    group.add_argument("--vg_color_aug", action="store_true", help="guide: random brightness and contrast")
    group.add_argument(
        "--sg_center_perturb_ratio", type=non_negative(float, 100), default=0.2, help="spatial guide: centre"
    )
    group.add_argument(
        "--sg_std_perturb_ratio", type=non_negative(float, 100), default=0.4, help="spatial guide: scale"
    )


def add_validation_options(to, default_path=""):
    """Add figures of held-out videos during training; `default_path` says, in words, where they are by default."""
    group = to.add_argument_group("validation, on annotated videos that are not trained on")
    group.add_argument(
        "--validate_iters",
        type=non_negative(int),
        default=0,
        help="steps between validations: J, area and gain to TensorBoard, the best checkpoint by J to "
        "MODEL_SAVE_PATH/best; 0: none",
    )
    about = f"; {default_path} where not given" if default_path else ""
    group.add_argument("--validate_path", help=f"DAVIS folder of the videos{about}")
    group.add_argument(
        "--validate_split", type=davis_split, metavar="VERSION/SPLIT", help="ImageSets/VERSION/SPLIT.txt of that folder"
    )


def add_distractor_options(to, videos=True):
    """Add the augmentations that the published program lacks; those of `videos` too."""
    group = to.add_argument_group("augmentation beyond the published one")
    group.add_argument(
        "--distractors",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="of samples whose frame gets a second object; half of these ask for it",
    )
    group.add_argument(
        "--own_masks",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="of samples whose spatial guide comes from the network's own mask, as in testing",
    )
    if videos:
        group.add_argument("--flip_target", action="store_true", help="mirror frame, label and previous mask at random")


def add_coco_mixing_options(to):
    """Add the mixing of still images into a training on videos."""
    group = to.add_argument_group("still images among the videos' frames")
    group.add_argument(
        "--coco_path", nargs="+", default=[], help="COCO folders to draw samples from too; without it the next two idle"
    )
    group.add_argument("--coco_share", type=share, default=0.5, metavar="SHARE", help="of samples from --coco_path")
    add_random_crop_option(group)


def add_rehearsal_options(to, which="the split train", choice=False):
    """Add the mixing of training videos, `which` in words, into online fine-tuning; with a `choice` of them."""
    group = to.add_argument_group("rehearsal: training videos beside the reference frame")
    group.add_argument(
        "--rehearsal_share",
        type=below_one,
        default=0.0,
        metavar="SHARE",
        help=f"of samples from {which}, so that the model keeps what it knows; 0: none, as published (try 0.75)",
    )
    if choice:
        group.add_argument("--rehearsal_path", help="DAVIS folder of the videos; DATA_PATH where not given")
        group.add_argument(
            "--rehearsal_split",
            type=davis_split,
            metavar="VERSION/SPLIT",
            help="ImageSets/VERSION/SPLIT.txt of that folder; DATA_VERSION/train where not given",
        )


def add_random_crop_option(to):
    """Add the augmentation of still images that has a strength."""
    to.add_argument("--random_crop_ratio", type=share, default=0.0, help="a COCO image's sides move by up to this")


def add_imagenet_options(to):
    """Add the sources of initial weights for training from ImageNet."""
    group = to.add_argument_group("initial weights")
    about = 'checkpoint, .npz, Keras .h5, or "imagenet" to download'
    group.add_argument("--vis_mod_model_path", default="models/vgg_16.ckpt", help=f"of the visual modulator: {about}")
    group.add_argument("--seg_model_path", default="models/vgg_16.ckpt", help=f"of the segmentation net: {about}")
    group.add_argument(
        "--embedding_start",
        choices=("published", "small"),
        default="published",
        help="of the embedding in lite's visual modulator: the published constants, or small random weights",
    )


def add_guide_choice_options(to):
    """Add the choice of the visual guide's frame in training on videos."""
    group = to.add_argument_group("guide frames")
    group.add_argument(
        "--randomize_guide", action="store_true", help="a random valid frame, not the first, is the guide"
    )
    group.add_argument("--label_valid_ratio", type=share, default=0.003, help="valid: the object's share of the image")
    group.add_argument("--bbox_valid_ratio", type=share, default=0.2, help="valid: the object's share of its box")
