"""One run over photographs into a folder, with its listing and its page."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from tqdm import tqdm

from data_modules.datasets.manifest import Photograph
from data_modules.files.output_paths import require_outside
from magenet.enhancement.decisions import Decision
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.inputs import collect
from magenet.enhancement.folder.listing import Listing, Merged, merge_shards, require_alone
from magenet.enhancement.folder.results import FolderOptions, enhance_all
from magenet.enhancement.folder.shard import WHOLE, Shard
from magenet.enhancement.origin import ReportRow
from magenet.enhancement.outcome import NOT_ENHANCED, Outcome
from magenet.enhancement.page.entries import PAGE, ReportPage, about
from magenet.errors import printable
from magenet.stop_signals import stoppable


class Summary(NamedTuple):
    """The outcome of a run.

    Attributes:
        rows: The report on each photograph, in order.
        earlier: Number of photographs that the listing has from earlier runs only; None if there is
            no listing yet, since other shards are left.
        page_failed: Whether a page was asked for and could not be written.
        other_decisions: Decisions that are on none of these photographs and results.
        missing: Names of photographs that are in no shard.
    """

    rows: list[ReportRow]
    earlier: int | None
    page_failed: bool
    other_decisions: Sequence[Decision] = ()
    missing: Sequence[str] = ()


def enhance_to_folder(
    inputs: Sequence[str],
    options: FolderOptions,
    device: torch.device,
    html: bool,
    decisions: Mapping[str, Decision] = MappingProxyType({}),
    shard: Shard = WHOLE,
) -> Summary:
    """Enhance what a person points at, with progress, a listing and, if asked for, a page.

    Args:
        inputs: See :func:`magenet.enhancement.folder.inputs.collect`.
        options: How.
        device: Where to compute.
        html: Whether to write `report.html`.
        decisions: Decisions for the page to show, by their id.
        shard: Which of the photographs. The last shard to finish writes the listing of all.

    Raises:
        UserError: For what concerns all photographs: weights, the folder, the listing.
        StoppedError: After Ctrl-C or SIGTERM.
    """
    own_folder = options.folder.resolve()
    # `photos/*` finds an earlier run's folder of results, `photos/enhanced`, too
    inputs = [given for given in inputs if Path(given).resolve() != own_folder] or inputs
    photographs = collect(list(inputs), options.folder)
    for given in inputs:
        require_outside(options.folder, given)
    enhancer = PhotographEnhancer.from_pretrained(options.weights, device, options.max_memory)
    rows: list[ReportRow] = []
    outcomes = enhance_all(enhancer, photographs, options, shard)
    own = shard.of(photographs)
    if shard.total > 1:
        require_alone(shard, options.folder)
    made_by = about(
        options.weights, enhancer.hashes["weights_sha256"], options.strength, options.fast
    )
    with (
        stoppable() as received,
        Listing(shard.folder(options.folder)) as listing,
        ReportPage(options.folder / PAGE if html else None, made_by, decisions) as page,
        tqdm(total=len(own), unit="photograph") as bar,
    ):
        for photograph in own:
            if received:
                raise KeyboardInterrupt
            outcome = next(outcomes)  # by hand: a loop's own variable would hold two photographs
            rows.append(outcome.row)
            record(outcome, photograph, listing, page)
            del outcome
            bar.update()
        page.finish()
        merged: Merged | None = listing.finish(own)
    if shard.total > 1:
        merged = merge_shards(shard, options.folder, photographs)
    missing = merged.missing if merged else []
    return Summary(rows, merged and len(merged.earlier), page.failed, page.others, missing)


def record(outcome: Outcome, photograph: Photograph, listing: Listing, page: ReportPage) -> None:
    """Add an outcome to the listing and to the page, and say why a photograph has no result.

    Raises:
        UserError: If the listing cannot be written.
    """
    listing.add(outcome.row)
    if outcome.row["status"] in NOT_ENHANCED:
        reason = printable(outcome.row["reasons"][0])
        tqdm.write(f"magenet: not enhanced: {reason}", file=sys.stderr)
    page.add(outcome, photograph, listing.whole.parent)
