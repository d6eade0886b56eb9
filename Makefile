# Thin names for commands that also work without make. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make BIN=<folder of a python that has the packages> ...` installs nothing: where there is no network.
ifneq ($(origin BIN),command line)
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
endif
DEVICE := cpu
BASE := --config experiments/configs/base.yaml
DEMO := runs/demo
SHELL := /bin/bash
.DEFAULT_GOAL := help
# A training that fails or is stopped loses its best.ckpt, which exists from the first validation on,
# so that it does not count as trained. Only if make itself is killed (SIGKILL), delete it by hand.
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list → nothing (a second)
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { n = split($$1, names, " "); \
	  for (i = 1; i <= n; i++) printf "%-19s %s\n", names[i], $$2 }' $(MAKEFILE_LIST) | sort

ifdef CORE
$(CORE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "magenet needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo 'installing torch, then magenet and what it needs into $(VENV): minutes'
	$(BIN)/pip install --quiet --constraint constraints.txt torch  # first: a machine with a CPU build gets that one
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEV): $(CORE)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,stream,wandb,tensorboard,sweep,export,16bit,dicom,prepare,serve,docs]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps sweeps  # W&B's schema; what it asks for would replace numpy
	@touch $@
endif

.PHONY: install
install: $(CORE) ## Create .venv with what enhancing, training and scoring need → .venv (a download of minutes)
	@echo 'installed; next: . .venv/bin/activate && magenet --help'

.PHONY: setup
setup: $(DEV) ## Create .venv with everything needed to work on the project → .venv (a download of minutes)

# The steps of the demo and of the smoke reproduction: each makes a file, from those that it is made of.
# What is there and newer than these is not made again.
REPRODUCED := runs/reproduction
TINY := supervised mean_teacher
REPORTS := $(TINY:%=$(REPRODUCED)/%/fit/report.html)
PHANTOMS := $(REPRODUCED)/photographs/phantom_0005.png

$(TINY:%=$(REPRODUCED)/%/fit/checkpoints/best.ckpt): $(REPRODUCED)/%/fit/checkpoints/best.ckpt: experiments/configs/base.yaml experiments/configs/runs/phantoms/%.yaml | $(CORE)
	rm -rf $(REPRODUCED)/$*/fit
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/phantoms/$*.yaml \
	  --trainer.logger.save_dir $(REPRODUCED) --trainer.logger.name $* --trainer.logger.version fit

$(TINY:%=$(REPRODUCED)/%/test/scores.csv): $(REPRODUCED)/%/test/scores.csv: $(REPRODUCED)/%/fit/checkpoints/best.ckpt
	$(BIN)/magenet test --config $(REPRODUCED)/$*/fit/config.yaml --trainer.logger.version test \
	  --trainer.devices 1 --ckpt_path $<

$(REPRODUCED)/clahe/test/scores.csv: | $(CORE)
	$(BIN)/magenet test $(BASE) --config experiments/configs/runs/classical.yaml --trainer.devices 1 \
	  --trainer.logger.save_dir $(REPRODUCED) --trainer.logger.name clahe --trainer.logger.version test

$(REPRODUCED)/results.csv: $(patsubst %,$(REPRODUCED)/%/test/scores.csv,clahe $(TINY))
	@echo; $(BIN)/magenet table --csv $@ CLAHE=$(REPRODUCED)/clahe/test \
	  "MAGE-Net tiny, supervised=$(REPRODUCED)/supervised/test" \
	  "MAGE-Net tiny, mean teacher=$(REPRODUCED)/mean_teacher/test"

$(REPORTS): $(REPRODUCED)/%/fit/report.html: $(REPRODUCED)/%/test/scores.csv
	$(BIN)/magenet report $(REPRODUCED)/$*/fit

$(PHANTOMS): | $(CORE)
	$(BIN)/magenet phantom $(@D) --count 6 --size 384 --camera handheld

$(REPRODUCED)/enhanced/enhance.csv: $(REPRODUCED)/mean_teacher/fit/checkpoints/best.ckpt $(PHANTOMS)
	$(BIN)/magenet predict $(BASE) --config experiments/configs/runs/predict.yaml --ckpt_path $< \
	  --data.photographs $(REPRODUCED)/photographs --output.folder $(REPRODUCED)/enhanced

SCALE := smoke
.PHONY: reproduce
reproduce: reproduce-$(SCALE) ## Reproduce the results: SCALE=smoke on phantoms, SCALE=full → what reproduce-smoke or -full leaves (as long as these)

.PHONY: reproduce-smoke
reproduce-smoke: $(REPORTS) $(REPRODUCED)/results.csv $(REPRODUCED)/enhanced/enhance.csv
reproduce-smoke: ## Make the steps of the demo that are not made yet; fail if a network gains nothing → runs/reproduction (5 minutes)
	$(BIN)/python -m experiments.reproduction $(REPRODUCED)/results.csv

.PHONY: reproduce-full
reproduce-full: need-photographs ## Make judges, rows, tables and figures that are not made yet → experiments, docs, README.md (9 hours)
	$(MAKE) judges
	$(MAKE) comparison
	$(MAKE) table-synthetic
	$(MAKE) table-real
	$(MAKE) table-downstream
	$(MAKE) results figures

.PHONY: demo
demo: $(CORE) ## Train, test and use tiny networks on phantoms, all anew → runs/demo (5 minutes)
	@[ ! -e $(DEMO) ] || [ -f $(DEMO)/made_by_make_demo ] || \
	  { echo "$(DEMO): exists and was not made by 'make demo'; choose another DEMO=<folder>"; exit 1; }
	rm -rf $(DEMO)
	mkdir -p $(DEMO) && touch $(DEMO)/made_by_make_demo
	$(MAKE) --no-print-directory reproduce-smoke REPRODUCED=$(DEMO)
	@echo; echo "Higher is better. The networks are tiny and trained for two minutes: they gain under 'fundus', which they are"
	@echo "trained on, and under illumination, and lose where little is to be repaired (spots, blur, none)."
	@echo "Curves, scores, before and after: $(DEMO)/*/fit/report.html; enhanced photographs: $(DEMO)/enhanced"

# A file's tests stay together, since they share what is slow to make. The machine's cores are divided
# among the processes: threads of all of them on all cores would wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

.PHONY: test
test: $(DEV) ## Run the fast tests → nothing (11 minutes on 2 cores)
	$(PYTEST) -m "not slow and not soak"

.PHONY: test-slow
test-slow: $(DEV) ## Run the slow tests: every experiment through the command line → nothing (20 minutes on 2 cores)
	$(PYTEST) -m slow

.PHONY: soak
soak: $(DEV) ## Try for long to break what users are promised → experiments/results/soak.md (30 minutes)
	$(BIN)/pytest -m soak tests/soak

.PHONY: coverage
coverage: $(DEV) ## Measure which lines and branches of both packages the fast tests reach, 90 % at least → runs/coverage (8 minutes)
	rm -rf runs/coverage && mkdir -p runs/coverage
	$(BIN)/coverage run -m pytest -m "not slow and not soak"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The module is changed in place and put back: commit first.
MODULE := magenet/ema.py
TESTS := $(patsubst magenet/%,tests/magenet/%,$(dir $(MODULE)))test_$(notdir $(MODULE))
.PHONY: mutation
mutation: $(DEV) ## Break one module in every small way and list what its tests miss (MODULE=, TESTS=) → runs/mutation.sqlite (5 s a mutant)
	mkdir -p runs
	sed 's#MODULE#$(MODULE)#; s#PYTHON#$(BIN)/python#; s#TESTS#$(TESTS)#' tests/mutation.toml > runs/mutation.toml
	rm -f runs/mutation.sqlite
	$(BIN)/cosmic-ray init runs/mutation.toml runs/mutation.sqlite
	$(BIN)/cr-filter-operators runs/mutation.sqlite runs/mutation.toml
	$(BIN)/cosmic-ray baseline runs/mutation.toml
	OMP_NUM_THREADS=1 $(BIN)/cosmic-ray exec runs/mutation.toml runs/mutation.sqlite
	$(BIN)/cr-report --surviving-only --show-diff runs/mutation.sqlite

.PHONY: lint
lint: $(DEV) ## Check style, types and who imports whom → nothing (a minute)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(DEV) ## Mend style where it can be done automatically → the changed files (seconds)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: $(DEV) ## Build the site of the pages and of all docstrings, warnings as errors → runs/site (half a minute)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f docs/site/mkdocs.yml

.PHONY: results
results: $(CORE) ## Put the tables of experiments/results into pages → docs/results.md, experiments/results/tables.md (a minute)
	for table in $(filter-out %_runs.csv %_against.csv,$(wildcard experiments/results/*.csv)); do \
	  pages=$$(grep -l "<!-- table $$(basename $$table .csv)[ ]" docs/results.md experiments/results/tables.md); \
	  [ -z "$$pages" ] || $(BIN)/magenet table --csv $$table --into $$pages || exit 1; \
	done

.PHONY: figures
figures: $(CORE) ## Draw the figures, fill the table of the README (photographs: with MAGENET_DATA) → docs/images, README.md (15 seconds)
	$(BIN)/python -m experiments.studies.figures $(if $(MAGENET_DATA),--photographs "$(MAGENET_DATA)")

.PHONY: contact-sheet
contact-sheet: $(CORE) ## Draw all factors of degradation at rising severity → docs/degradation.jpg (half a minute)
	$(BIN)/python -m experiments.studies.contact_sheet --out docs/degradation.jpg

SPEED := experiments/results/speed$(if $(filter cuda,$(DEVICE)),_cuda)
.PHONY: bench
bench: $(CORE) ## Measure how fast everything is, held against this machine (DEVICE=cuda; SPEED=<where to>) → experiments/results/speed.md and .json (12 minutes, 9 on a GPU)
	$(BIN)/python -m experiments.benchmarks.speed --device $(DEVICE) --json $(SPEED).json --markdown $(SPEED).md

.PHONY: bench-degradation
bench-degradation: $(CORE) ## Measure how fast photographs are degraded → experiments/results/degradation_speed.json (8 minutes)
	$(BIN)/python -m experiments.benchmarks.degradation --json experiments/results/degradation_speed.json

.PHONY: calibrate
calibrate: $(CORE) need-photographs ## Compare degraded photographs with real bad ones → experiments/results/calibration.md and .json (4 minutes)
	$(BIN)/python -m experiments.studies.degradation_calibration --photographs "$(MAGENET_DATA)/index.csv" --out runs/calibration
	cp runs/calibration/calibration.json runs/calibration/calibration.md experiments/results/

.PHONY: need-photographs
need-photographs:
	@test -f "$(MAGENET_DATA)/index.csv" || \
	  { echo "Set MAGENET_DATA to the folder that holds index.csv and the photographs."; exit 1; }

.PHONY: need-larger-photographs
need-larger-photographs: need-photographs
	@test -f "$(MAGENET_DATA_2048)/index.csv" || \
	  { echo "Set MAGENET_DATA_2048 to a folder like MAGENET_DATA, with photographs of up to 2048 px, or to the same one."; exit 1; }

SEGMENTER := runs/photographs_segmenter/checkpoints/best.ckpt
$(SEGMENTER): | $(CORE) need-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/photographs/segmenter.yaml

.PHONY: segmenter
segmenter: $(SEGMENTER) ## Train the vessel segmenter on real photographs, if there is none yet → runs/photographs_segmenter (7 minutes)

QUALITY_GRADER := runs/quality_grader/checkpoints/best.ckpt
$(QUALITY_GRADER): | $(CORE) need-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/judges/quality.yaml

.PHONY: quality-grader
quality-grader: $(QUALITY_GRADER) ## Train the grader of quality, if there is none yet → runs/quality_grader (13 minutes)

RETINOPATHY_GRADER := runs/retinopathy_grader/checkpoints/best.ckpt
$(RETINOPATHY_GRADER): | $(CORE) need-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/judges/retinopathy.yaml

.PHONY: retinopathy-grader
retinopathy-grader: $(RETINOPATHY_GRADER) ## Train the grader of retinopathy, if there is none yet → runs/retinopathy_grader (8 minutes)

.PHONY: grading-results
grading-results: $(CORE) need-photographs ## Score both published graders, and grade files of two sizes → experiments/results/grading.md and .json (4 minutes)
	$(BIN)/python -m experiments.studies.graders --photographs "$(MAGENET_DATA)" --out runs/grading
	cp runs/grading/grading.json runs/grading/grading.md experiments/results/

JUDGES := runs/judge_vessels/checkpoints/best.ckpt runs/judge_disc/checkpoints/best.ckpt
runs/judge_%/checkpoints/best.ckpt: | $(CORE) need-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/judges/$*.yaml

NATURALNESS := runs/naturalness.pt
$(NATURALNESS): | $(CORE) need-photographs
	$(BIN)/python -m experiments.studies.naturalness

.PHONY: naturalness
naturalness: $(NATURALNESS) ## Fit the naturalness model on good photographs, if there is none yet → runs/naturalness.pt (minutes)

.PHONY: judges
judges: $(SEGMENTER) $(JUDGES) $(QUALITY_GRADER) $(RETINOPATHY_GRADER) $(NATURALNESS)
judges: ## Train the judges that are not trained yet, and publish all → experiments/weights, experiments/results/judges.md (75 minutes)
	$(BIN)/python -m experiments.studies.publish_judges
	$(BIN)/python -m experiments.studies.segmenters

.PHONY: publish-judges
publish-judges: $(CORE) ## Copy the weights of trained judges → experiments/weights (seconds)
	$(BIN)/python -m experiments.studies.publish_judges

.PHONY: judge-scores
judge-scores: $(CORE) need-photographs ## Score the segmenters used as judges → experiments/results/judges.md and .json (minutes)
	$(BIN)/python -m experiments.studies.segmenters

# A row and its seed; every row gets the same time. Those that are trained are not trained again.
ROWS := unet unet_preservation mprnet cofe_net mage_net_plain mage_net mean_teacher gfe_net i_secret nafnet
RUNS := $(foreach row,$(ROWS),runs/comparison_$(row)/seed0/checkpoints/best.ckpt) \
  $(foreach row,mage_net mean_teacher,runs/comparison_$(row)/seed1/checkpoints/best.ckpt)
runs/comparison_%/checkpoints/best.ckpt: | $(CORE) need-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/layers/protocol/comparison.yaml \
	  --config experiments/configs/runs/comparison/$(patsubst %/,%,$(dir $*)).yaml \
	  --seed_everything $(subst seed,,$(notdir $*)) --data.seed $(subst seed,,$(notdir $*)) \
	  --trainer.logger.init_args.name comparison_$(patsubst %/,%,$(dir $*)) \
	  --trainer.logger.init_args.version $(notdir $*)

.PHONY: comparison
comparison: $(RUNS) ## Train the learned rows of the tables that are not trained yet → runs/comparison_<row>/seed<N> (25 minutes a row)

.PHONY: table-synthetic table-real table-downstream
table-synthetic table-real table-downstream: table-%: $(CORE) need-photographs ## Test every row that there is → its CSV and rows/ in experiments/results (1 to 5 minutes a row)
	$(BIN)/python -m experiments.studies.tables $*

.PHONY: costs
costs: $(CORE) ## Measure what one photograph costs each row of the tables → experiments/results/costs.md and .csv (2 minutes)
	$(BIN)/python -m experiments.studies.costs

.PHONY: step-times
step-times: $(CORE) need-photographs ## Time a training step of each row of the comparison → a table on the screen (9 minutes and 16 starts)
	$(BIN)/python -m experiments.studies.step_times

.PHONY: input-sizes
input-sizes: $(CORE) need-photographs ## Score the released network by the size of the photograph → experiments/results/input_size.md (2 minutes)
	$(BIN)/python -m experiments.studies.input_sizes

.PHONY: fundus-check
fundus-check: $(CORE) need-photographs ## Count the photographs that the fundus check refuses → experiments/results/fundus_check.md and .csv (5 minutes)
	$(BIN)/python -m experiments.studies.fundus_check

runs/release_light/checkpoints/best.ckpt: | need-larger-photographs
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/release/light.yaml

runs/release_detail/checkpoints/best.ckpt: | runs/release_light/checkpoints/best.ckpt
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/release/detail.yaml

.PHONY: pack-photographs
pack-photographs: $(CORE) need-photographs ## Make a small copy of the photographs that the release is trained on (MEBIBYTES=26) → runs/packed (5 minutes)
	$(BIN)/python -m experiments.studies.release.packing $(if $(MEBIBYTES),--mebibytes $(MEBIBYTES))

# MINUTES makes one piece of a training by the clock, of PIECES in all; LAYERS are put on top of its parts.
PIECES := 3
WHOLE := $(if $(MINUTES),need-photographs,$(DEV) runs/release_detail/checkpoints/best.ckpt)
.PHONY: train-release
train-release: $(CORE) $(WHOLE) ## Train the network of the package, if there is none yet, and put it there; or a piece of MINUTES=9 on DEVICE=cuda → magenet/weights/mage_net; or runs/pieces (15 hours)
	$(BIN)/python -m experiments.studies.release$(if $(MINUTES),.pieces --device $(DEVICE) \
	  --minutes $(MINUTES) --pieces $(PIECES) $(if $(LAYERS),--layers $(LAYERS)))

# The release before, and the network in the package or a checkpoint.
METHODS = --weights experiments/weights/mage_net_0.1 $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT),mage_net)
.PHONY: evidence
evidence: $(CORE) need-larger-photographs ## Measure detail, invention, harm and real pairs of the releases → experiments/results/evidence, with CHECKPOINT=<file> runs/evidence (25 minutes a method)
	$(BIN)/python -m experiments.studies.evidence $(METHODS) $(if $(CHECKPOINT),,--fast mage_net) --out $(if $(CHECKPOINT),runs,experiments/results)/evidence

.PHONY: sheet
sheet: $(CORE) need-photographs ## Draw real photographs as each method enhances them, beside better ones → docs/real_photographs.jpg, with CHECKPOINT=<file> runs/evidence/sheet.jpg (2 minutes)
	$(BIN)/python -m experiments.studies.evidence.sheet $(METHODS) --out $(if $(CHECKPOINT),runs/evidence/sheet.jpg,docs/real_photographs.jpg)

.PHONY: paper-table
paper-table: $(CORE) ## Put the published scores of the paper and its relatives beside ours → experiments/results/paper.md (a second)
	$(BIN)/python -m experiments.studies.paper

.PHONY: ablation-release
ablation-release: $(CORE) runs/release_light/checkpoints/best.ckpt ## Undo one choice of the released network's training at a time → experiments/results/ablation_release (19 minutes a variant)
	$(BIN)/python -m experiments.studies.release.ablation

.PHONY: table-ablation
table-ablation: $(CORE) $(if $(filter smoke,$(SCALE)),,need-photographs) ## Train and test MAGE-Net without one of its parts at a time, and its teacher; it resumes (SCALE=smoke, cpu or gpu) → experiments/results/ablation_<scale>.md and .csv; smoke: runs (6 hours at cpu, 12 to 20 minutes at smoke)
	$(BIN)/python -m experiments.studies.ablation --scale $(SCALE)

.PHONY: adaptation-study
adaptation-study: $(CORE) need-photographs ## Train and test the arms of the study of the teacher; it resumes → experiments/results/adaptation.md (8 hours)
	$(BIN)/python -m experiments.studies.adaptation

.PHONY: adaptation-screen
adaptation-screen: $(CORE) need-photographs ## Compare steps of each consistency term with the clean photograph → experiments/results/adaptation_screen.md (15 minutes)
	$(BIN)/python -m experiments.studies.adaptation.screen

.PHONY: adaptation-pictures
adaptation-pictures: ARM := mean teacher
adaptation-pictures: SEED := 1
adaptation-pictures: $(CORE) need-photographs ## Draw the arms of the study, and where one differs (ARM="mean teacher" SEED=1) → docs/images/adaptation.svg and .jpg (1 minute)
	$(BIN)/python -m experiments.studies.adaptation.pictures --arm "$(ARM)" --seed $(SEED)

.PHONY: photographs
photographs: $(SEGMENTER) ## Train the teacher-student network on real photographs → runs/photographs_mean_teacher (45 minutes)
	$(BIN)/magenet fit $(BASE) --config experiments/configs/runs/photographs/mean_teacher.yaml
