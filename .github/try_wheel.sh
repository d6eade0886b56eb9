#!/usr/bin/env bash
# Try a wheel as a stranger gets it: in an empty environment, outside the clone, beside a package of
# somebody else that is called data_modules.
set -euo pipefail
wheel=$(realpath "$1")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
mkdir -p theirs/data_modules
echo 'raise ImportError("not ours")' > theirs/data_modules/__init__.py
export PYTHONPATH=$place/theirs
python3 -m venv environment
# Torch in the build for CPUs, where the caller sets PIP_EXTRA_INDEX_URL or a cache to one.
environment/bin/pip install --quiet "$wheel"
environment/bin/pip check
environment/bin/python -c 'import magenet; print(magenet.__version__, magenet.__file__)'
environment/bin/magenet phantom photos --count 1
environment/bin/magenet enhance photos -o enhanced
test -s enhanced/enhance.csv
environment/bin/magenet fit --config magenet:phantoms/mean_teacher --trainer.max_steps 3 \
  --trainer.limit_val_batches 1 --data.image_size 64 --data.batch_size 2 --data.workers 0
test -s runs/latest/config.yaml
