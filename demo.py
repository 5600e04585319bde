"""The whole program in miniature, on a synthetic dataset: `make demo`.

Makes videos of textured shapes, trains the network `lite` on some of them from random weights, propagates the first
masks of others, scores the results beside "repeat the first mask", draws them, segments one video as a user's own, and
all of them by the model that is shipped, which has never seen such videos.
All files are in build/demo, and made anew each time.
"""

import argparse
import shutil
import time
from pathlib import Path

from osmn.cli.entry import reports_input_errors

FOLDER = Path(__file__).parent / "build/demo"
TRAIN_SEQUENCES, VAL_SEQUENCES, FRAMES, SIZE, SEED = 24, 8, 16, (160, 96), 0
# Batch norm at its initial statistics (--fix_bn): those of a short training would still be on their way.
TRAINING = {"training_iters": 400, "batch_size": 4, "learning_rate": 1e-3, "save_iters": 400, "data_aug_scales": 1}
LITE = ["--base_model", "lite", "--mean_value", "127.5", "127.5", "127.5", "--scale_value", "0.00787"]
FRAMES_ON_SHEET = 6
SHIPPED, SHIPPED_SIZE = Path(__file__).parent / "models/osmn_lite", (448, 256)  # That it was trained at.


@reports_input_errors
def main(argv=None):
    """Run the demo; it has no options but `-h`."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    # Here, so that processes which import this file again start at once.
    import osmn_segment
    import osmn_train_eval
    from osmn.data.synthetic import make_dataset, repeat_first_mask
    from osmn.evaluation import davis
    from osmn.report.contact_sheet import contact_sheet
    from osmn.report.write import write_report
    from preprocessing import preprocess_davis

    start = time.monotonic()
    data, results, baseline = FOLDER / "data", FOLDER / "results", FOLDER / "baseline"
    shutil.rmtree(FOLDER, ignore_errors=True)

    headline(f"1. Make {TRAIN_SEQUENCES} + {VAL_SEQUENCES} videos of {FRAMES} frames, in the layout of DAVIS")
    make_dataset(data, TRAIN_SEQUENCES, VAL_SEQUENCES, FRAMES, SIZE, SEED)
    preprocess_davis.main([str(data)])

    headline("2. Baseline: repeat the first mask in every frame")
    repeat_first_mask(data, "val", baseline)
    baseline_scores = davis.evaluate(data, baseline, 2017, "val")
    print(davis.tables(baseline_scores, baseline))

    headline("3. Train on the split `train`, propagate and score on `val`: osmn_train_eval.py")
    command = ["--data_path", data, "--result_path", results, "--model_save_path", FOLDER / "model", *LITE]
    command += ["--im_size", *SIZE, "--fix_bn", "--randomize_guide", "--seed", SEED, "--precision", "float32"]
    command += [word for name, value in TRAINING.items() for word in (f"--{name}", value)]
    osmn_train_eval.main([str(word) for word in command])
    scores = davis.evaluate(data, results, 2017, "val")

    headline("4. Draw the results")
    sheet = FOLDER / "contact_sheet.png"
    sequences = (data / "ImageSets/2017/val.txt").read_text(encoding="utf-8").split()
    contact_sheet(data, results, sequences, sheet, FRAMES_ON_SHEET)
    print(f"look at {sheet}: our masks above the true ones")
    write_report(davis.DATASET, scores, data, results, {"version": 2017, "split": "val"}, against=baseline)

    headline("5. Segment a video as if it were your own: osmn_segment.py")
    frames, mask = data / "JPEGImages/480p" / sequences[0], data / "Annotations/480p" / sequences[0] / "00000.png"
    command = [frames, "--mask", mask, "--result_path", FOLDER / "own_video", "--whole_model_path", FOLDER / "model"]
    osmn_segment.main([str(word) for word in command])
    print(f"look at {FOLDER / 'own_video/overlay.mp4'}: it plays in a browser")

    headline("6. The shipped model on the same videos, without any training")
    shipped = FOLDER / "shipped"
    command = ["--data_path", data, "--result_path", shipped, "--only_testing", "--im_size", *SHIPPED_SIZE]
    osmn_train_eval.main([str(word) for word in [*command, "--whole_model_path", SHIPPED]])
    shipped_miu = davis.evaluate(data, shipped, 2017, "val").j.mean

    miu, baseline_miu = scores.j.mean, baseline_scores.j.mean
    print(f"\n== The shipped model, untrained on such videos: mIU {shipped_miu:.3f}")
    print(f"== mIU {miu:.3f}; repeating the first mask: {baseline_miu:.3f}; {time.monotonic() - start:.0f} s in all ==")


def headline(text):
    """Print the title of a stage."""
    print(f"\n== {text} ==", flush=True)


if __name__ == "__main__":
    main()
