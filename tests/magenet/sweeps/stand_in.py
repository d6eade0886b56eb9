"""Stands in for `magenet fit` in tests of sweeps: takes the same words, and logs a function of x.

It writes what a training writes (`version_<k>/metrics.csv`, a resume point after a signal), goes on
from a resume point, and counts its starts in `starts.txt` of its trial's folder.
"""

import signal
import sys
import time
from pathlib import Path

STEPS = 4


def main(words: list[str]) -> int:
    options = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
    x = options.get("x", "0")
    folder = Path(options["trainer.logger.save_dir"], options["trainer.logger.name"])
    run = folder / f"version_{len(list(folder.glob('version_*')))}"
    (run / "checkpoints").mkdir(parents=True)
    with (folder / "starts.txt").open("a") as stream:
        stream.write(f"{x}\n")
    if x == "bad" and not Path("repaired").exists():
        print("magenet: error: x is bad")
        return 2
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    first = 1
    if options.get("ckpt_path") == "last":
        first = 1 + max(int(p.stem.removeprefix("step_")) for p in folder.glob("*/*/step_*.ckpt"))
    with (run / "metrics.csv").open("w") as stream:
        stream.write("epoch,step,val/score\n")
        for step in range(first, STEPS + 1):
            score = 0.0 if x == "bad" else float(x) - 1.0 / step
            stream.write(f"0,{step},{score}\n")
            stream.flush()
            time.sleep(float(options.get("pause", 0.0)))
            if received:
                (run / "checkpoints" / f"step_{step:06d}.ckpt").touch()
                return 128 + received[0]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
