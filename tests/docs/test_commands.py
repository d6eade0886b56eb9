"""Every command of every page is run, at a small scale, unless a list says why not."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from magenet.main import main
from tests.command_line import configs
from tests.docs.pages import PAGES, Block, blocks, commands

SHOWN = [(page, command) for page, path in PAGES.items() for block in blocks(path)
         if block.kind == "shell" for command in commands(block.text)]  # fmt: skip

NOT_RUN = {
    "installs packages": [
        "make install && . .venv/bin/activate",
        "make setup",
        "pip install 'magenet[sweep]'",
        "pip install 'magenet[serve]'",
        "pip install 'magenet[export]'",
        "pip download --no-deps --only-binary=:all: --python-version 3.12 --platform "
        "manylinux2014_x86_64 -d wheels jsonargparse docstring-parser typeshed-client omegaconf "
        "kornia kornia-rs torchdata",
        "python3 -m pip install --no-index --no-deps --target /tmp/site wheels/*.whl "
        "&& export PYTHONPATH=/tmp/site",
    ],
    "is what runs the tests, or changes the code; the workflow of the tests calls it": [
        "make test",
        "make lint",
        "make format",
        "make docs",
    ],
    "is run by tests/experiments/test_configs.py": ["make help"],
    "trains or measures for minutes to hours; tests/experiments runs its parts at a small scale": [
        "make demo",
        "make bench",
        "make segmenter",
        "make photographs",
        "make quality-grader",
        "make retinopathy-grader",
        "make quality-grader retinopathy-grader",
        "make grading-results",
        "make comparison",
        "make table-synthetic table-real table-downstream",
        "make pack-photographs",
    ],
    "writes into the pages of the clone; tests/experiments/studies/test_figures.py and "
    "tests/magenet/evaluation/test_tables.py hold what it writes": [
        "make results",
        "make figures",
        "make paper-table",
    ],
    "starts many processes; tests/magenet/commands/test_enhance_shards.py does": [
        "seq 4 | xargs -P 4 -I{} magenet enhance photos/ -o enhanced/ --skip-existing --shard {}/4",
        "sbatch --array=1-100 --wrap 'magenet enhance all.csv -o /shared/enhanced --skip-existing "
        "--shard $SLURM_ARRAY_TASK_ID/100'",
    ],
    "needs a GPU; tests/experiments runs it on the CPU": [
        "make bench DEVICE=cuda",
        "MAGENET_DATA=runs/packed make train-release DEVICE=cuda MINUTES=9 PIECES=3",
        "python -m experiments.studies.release --checkpoint runs/pieces/trained.ckpt",
        'make BIN="$(dirname "$(command -v python3)")" DEVICE=cuda SPEED=<folder>/speed bench',
    ],
    "needs several machines": [
        "MAGENET_NODES=2 torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d "
        "--rdzv-endpoint <first machine>:29500 -m magenet.main fit --config "
        "experiments/configs/base.yaml --config "
        "experiments/configs/runs/photographs/mean_teacher.yaml --config "
        "experiments/configs/layers/cluster/ddp.yaml --trainer.devices 8",
        "export MAGENET_NODES=$SLURM_JOB_NUM_NODES",
        "srun --kill-on-bad-exit=1 magenet fit --config experiments/configs/base.yaml --config "
        "experiments/configs/runs/photographs/mean_teacher.yaml --config "
        "experiments/configs/layers/cluster/ddp.yaml --trainer.devices 8 "
        "--trainer.logger.version job_$SLURM_JOB_ID ${SLURM_RESTART_COUNT:+--ckpt_path last}",
        "[ $? -eq 138 ] && scontrol requeue $SLURM_JOB_ID",
    ],
    "needs an object store; tests/experiments/test_object_store.py has one": [
        "aws s3 sync shards/good s3://bucket/good",
        "aws s3 sync shards/real s3://bucket/real",
        "MAGENET_GOOD_SHARDS=s3://bucket/good MAGENET_REAL_SHARDS=s3://bucket/real magenet fit ...",
    ],
    "needs an account; tests/experiments/test_sweeps.py runs what it runs": [
        "wandb sweep experiments/configs/sweeps/ema_decay.yaml",
        "wandb agent <its id>",
    ],
    "runs until it is stopped; tests/magenet/enhancement/folder/test_watch.py stops it": [
        "magenet enhance --watch camera/ -o enhanced/ --html",
    ],
    "runs until it is stopped; tests/magenet/serving/test_server.py stops it": [
        "magenet serve",
        "magenet serve --name enhance.clinic.example",
    ],
    "asks the server that tests/magenet/serving/test_server.py starts, and runs there": [
        command for page, command in SHOWN if page == "docs/serve.md" and "job" in command
    ],
    "is run by tests/magenet/test_onnx_export.py": ["magenet export -o mage_net.onnx"],
    "is run by tests/experiments/test_sweeps.py": ["magenet sweep magenet:sweeps/ema_decay"],
    "needs npm; tests/magenet/web_export makes and serves a page": [
        "magenet export --format web -o page/",
        "python -m http.server --directory page/",
    ],
    "is another program, which is not installed here": [
        "vascx run-models handover/images.csv segmentations/",
        "vascx calc-biomarkers segmentations/ report/ --feature-set full_v3 --n-jobs 4",
        "cp handover/images/* AutoMorph/images/ && cp handover/resolution_information.csv "
        "AutoMorph/ && cd AutoMorph && sh run.sh",
        "napari photos/eye.jpg enhanced/eye.jpg",
    ],
}
"""Commands that no test runs as they stand, by the reason."""

EXPERIMENTS = "tests/experiments/test_extending.py"
ELSEWHERE = {
    **{f"docs/add_{name}.md": EXPERIMENTS for name in ("factor", "loss", "network")},
    "docs/handover.md": "tests/test_handover.py",
}
"""Pages whose commands another test runs, one by one."""

STAND_INS = {
    "MAGE-Net=<test folder>": "MAGE-Net=runs/paper/comparison_mean_teacher/version_1",
    "Setiawan=<test folder>": "Setiawan=runs/classical/version_0",
    "<folder with index.csv>": "data",
    "MAGENET_GOOD=<folder>": "MAGENET_GOOD=data/hrf",
    "MAGENET_REAL=<folder>": "MAGENET_REAL=data/hygd",
    "--data.photographs <folder>": "--data.photographs data/hygd",
    "magenet manifest <folder>": "magenet manifest photos",
    "<folder it was unpacked to>": "unpacked/drive",
    "magenet adapt photos/": "magenet adapt sixty",
    "magenet adapt camera/": "magenet adapt sixty",
    "magenet shards index.csv": "magenet shards data/index.csv",
    "--trainer.devices 2 --trainer.strategy ddp": "--trainer.devices 1",
    "<folder that the first test named>": "runs/classical/version_1",
    "<that of the second>": "runs/classical/version_2",
    "prepare eyeq <folder>": "prepare eyeq unpacked/eyeq",
    "prepare drive <folder>": "prepare drive unpacked/drive",
    "prepare refuge <folder>": "prepare refuge unpacked/refuge",
    # What is prepared from a few files is too little to train and test with.
    "MAGENET_EYEQ=prepared/eyeq": "MAGENET_EYEQ=prepared_sets",
    "MAGENET_VESSELS=prepared/drive": "MAGENET_VESSELS=prepared_sets",
    "MAGENET_REFUGE=prepared/refuge": "MAGENET_REFUGE=prepared_sets",
}
"""What commands are given for a name that stands for something of the reader's, or is too large."""

EXTRAS = {
    "magenet shards": ("webdataset",),
}
"""Packages that a command needs, from extras."""

RUN_FOLDERS = {"docs/paper.md": "runs/paper/latest"}
"""What `<run>` is on a page, where it is not `runs/latest`."""

RUNNABLE = re.compile(r"(\w+=\S+ )*(magenet|python -c|export) ")
RESUMABLE = ["--resume_point.every_n_steps", "1"]
RESUMED = ["--trainer.max_steps", "4"]
ON_CPU = ["--trainer.accelerator", "cpu", "--data.workers", "0"]
OWN_SIZE = ["--model.structure_target", "magenet.losses.HighFrequencyTarget",
            "--model.preservation_weight", "0"]  # fmt: skip
LISTED = {command for listed in NOT_RUN.values() for command in listed}
RUN = sorted({page for page, command in SHOWN if command not in LISTED} - set(ELSEWHERE))


def test_every_command_is_one_that_is_run_or_is_listed() -> None:
    unknown = [
        f"{page}: {command}"
        for page, command in SHOWN
        if command not in LISTED and not RUNNABLE.match(command)
    ]
    assert len(SHOWN) > 100
    assert not unknown, "run it by a test, or list it in NOT_RUN with the reason"


def test_no_list_names_a_command_that_no_page_has() -> None:
    shown = {command for _, command in SHOWN}
    assert shown >= LISTED
    assert set(ELSEWHERE) <= {page for page, _ in SHOWN}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_run(
    page: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = blocks(PAGES[page])
    for name, packages in EXTRAS.items():
        if any(name in command for shown, command in SHOWN if shown == page):
            for package in packages:
                pytest.importorskip(package, reason=f"'{name}' needs an extra")
    needs_run = any("<run>" in block.text for block in content)
    request.getfixturevalue("trained" if needs_run else "place")
    monkeypatch.syspath_prepend(Path.cwd())  # PYTHONPATH=.
    names: dict[str, object] = {}
    folder = RUN_FOLDERS.get(page, "runs/latest")
    for block in content:
        named = block._replace(text=block.text.replace("<run>", folder))
        run_block(named, names, monkeypatch)


def run_block(block: Block, names: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands or the Python of a block, or write its file."""
    if block.kind == "file":
        Path(block.name).write_text(block.text)
        sys.modules.pop(Path(block.name).stem, None)
    elif block.kind == "python":
        exec(block.text, names)
    elif block.kind == "shell":
        for command in commands(block.text):
            if command not in LISTED:
                run(command, monkeypatch)


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command in this process, at a small scale."""
    for name, given in STAND_INS.items():
        command = command.replace(name, given)
    words = shlex.split(command)
    assert not re.search(r"<\w", command), f"{command}: say in STAND_INS what is given for it"
    while words and (words[0] == "export" or re.match(r"\w+=", words[0])):
        name, _, value = words.pop(0).partition("=")
        if value:
            monkeypatch.setenv(name, value)
    if words[:2] == ["python", "-c"]:
        exec(words[2], {})
    elif words and words[1].startswith("-"):  # --version, --help
        assert main(words[1:]) == 0, command
    elif words:
        try:
            status = main([*words[1:], *smaller(words[1:])])
        except SystemExit as end:  # of --help
            status = int(end.code or 0)
        assert status == 0, command
        if words[1] == "adapt" and not Path("my_weights/model.safetensors").exists():
            # Hardly any network is better after one step: the next command gets another one.
            shutil.copytree("tiny", "my_weights", dirs_exist_ok=True)


def smaller(words: list[str]) -> list[str]:
    """Return the options that make a command small."""
    name, rest = words[0], " ".join(words[1:])
    scored = re.search(r"configs/(paper/)?tests/", rest) is not None
    small = configs("limits.yaml", "scored.yaml" if scored else "small.yaml")
    if name == "fit":
        own = OWN_SIZE if re.search(r"comparison/(mage_net|mean_teacher)\.yaml", rest) else []
        return [*small, *own, *RESUMABLE, *(RESUMED if "--ckpt_path" in words else [])]
    if name == "test":
        return small
    options = {
        "phantom": ["--size", "160"],
        "predict": [*ON_CPU, "--output.force", "true"],
        "enhance": ["--force", *([] if "--weights" in words else ["--weights", "tiny"])],
        "adapt": ["--weights", "tiny", "--steps", "1", "--device", "cpu"],
        "shards": ["--image-size", "48", "--workers", "0"],
        "prepare": [] if "--help" in words else ["--partial", "--workers", "0"],
        "manifest": ["--workers", "0"],
    }
    return options.get(name, [])
