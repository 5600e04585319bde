"""`make test-processors`: the suite under settings that have this processor compute as others do, one after the other.

`python -m tests.processors [NAME ...]` runs the settings with these names, by default all.
"""

import os
import subprocess
import sys

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}  # Read by TensorFlow's oneDNN and by OpenVINO's.
XLA_AVX2 = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
SETTINGS = {
    "eigen": {"TF_ENABLE_ONEDNN_OPTS": "0"},  # TensorFlow's choice on processors without AVX512.
    "onednn": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "onednn-avx2": {"TF_ENABLE_ONEDNN_OPTS": "1", **AVX2},
    "xla-avx2": XLA_AVX2,
    "avx2": {"TF_ENABLE_ONEDNN_OPTS": "0", **AVX2, **XLA_AVX2},  # As a whole, such as AMD's Zen 2 and 3.
    "one-thread": {},
    "two-threads": {},
}
CORES = {"one-thread": 1, "two-threads": 2}  # What TensorFlow and OpenVINO take as many threads as.


def run(name):
    """Run the suite under the setting `name`; return its closing line and whether it passed."""
    cores = sorted(os.sched_getaffinity(0))[: CORES.get(name)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | SETTINGS[name]
    # As many workers as with `make test`, but where cores are few.
    command = ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-m", "pytest", "-rs", "-m", "not slow"]
    command += ["-n", str(min(len(cores), 4)), "--dist", "loadfile", "--no-loadscope-reorder"]
    output = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            output.append(line.strip())
    summaries = [line for line in output if " passed" in line or " failed" in line]
    return (summaries or ["no test was run"])[-1], process.returncode == 0


def main(names):
    """Run the settings with these names; exit with 1 if a test fails under one of them."""
    unknown = set(names) - set(SETTINGS)
    if unknown:
        sys.exit(f"error: no setting is named {min(unknown)}; choose from {', '.join(SETTINGS)}")
    found = {name: run(name) for name in names or SETTINGS}
    print()
    for name, (summary, _) in found.items():
        print(f"{name}: {' '.join(f'{key}={value}' for key, value in SETTINGS[name].items())}: {summary}")
    sys.exit(not all(passed for _, passed in found.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
