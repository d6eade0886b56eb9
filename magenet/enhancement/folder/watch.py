"""Enhance what is in a folder, such as a camera's export folder, and what arrives in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import torch

from data_modules.datasets.manifest import Photograph, listed
from data_modules.files.output_paths import require_outside
from magenet.enhancement.decisions import Decision
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.arrivals import LOOK, Arrivals, say
from magenet.enhancement.folder.listing import Listing
from magenet.enhancement.folder.results import FolderOptions, enhance_all
from magenet.enhancement.folder.run import Summary, record
from magenet.enhancement.origin import ReportRow
from magenet.enhancement.outcome import NOT_ENHANCED
from magenet.enhancement.page.entries import PAGE, ReportPage, about
from magenet.errors import UsageError, UserError
from magenet.stop_signals import stoppable

BATCH = 20
"""Photographs after which listing and page are brought up to date (our choice)."""

STOPPING = "stopping; a photograph at hand is finished first, once more stops at once"
"""What is said when the first signal comes."""

LEFT = (
    "stopped; what is written is whole, and enhance.incomplete.csv lists it; start again to go on"
)
"""What is said after the second signal."""


def watch_folder(
    arrivals: Arrivals,
    options: FolderOptions,
    device: torch.device,
    html: bool,
    decisions: Mapping[str, Decision] = MappingProxyType({}),
) -> Summary:
    """Enhance the photographs in a folder, and those that arrive, until Ctrl-C or SIGTERM.

    What an earlier watch or run has enhanced is skipped. Whenever nothing is enhanced,
    `enhance.csv` and the page are complete. While another program holds `enhance.csv`, as Excel on
    Windows does, `enhance.incomplete.csv` has the lines, and it is tried again; so it is if that
    is held.

    Args:
        arrivals: The folder.
        options: How.
        device: Where to compute.
        html: Whether to write `report.html`.
        decisions: Decisions for the page to show, by their id.

    Returns:
        The outcome of all photographs since the start, after the signal.

    Raises:
        UserError: If the folder is missing, and for what concerns all photographs.
        StoppedError: After a second signal.
    """
    folder = arrivals.folder
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; --watch needs one that is there")
    require_outside(options.folder, folder)
    options = replace(options, skip_existing=True)
    enhancer = PhotographEnhancer.from_pretrained(options.weights, device, options.max_memory)
    made_by = about(
        options.weights, enhancer.hashes["weights_sha256"], options.strength, options.fast
    )
    done: dict[str, tuple[Photograph, ReportRow]] = {}
    told, earlier = "", 0

    def succeeds(step: Callable[[], object]) -> bool:
        """Return whether a step of the listing succeeds, and say once why it does not."""
        nonlocal told
        try:
            step()
        except UserError as error:
            if told != str(error):
                say(f"{error}; tried again until it can be: close it in other programs")
            told = str(error)
            return False
        return True

    def publish() -> None:
        nonlocal earlier, told
        merged = listing.publish([photograph for photograph, _ in done.values()])
        earlier, told = len(merged.earlier), ""
        page.publish()

    def enhance(batch: Sequence[Photograph]) -> None:
        outcomes = enhance_all(enhancer, batch, options)
        for photograph in batch:
            if received:
                return
            outcome = next(outcomes)
            if arrivals.settle(photograph, outcome.row):
                done[photograph.name] = photograph, outcome.row
                while not succeeds(partial(record, outcome, photograph, listing, page)):
                    if received:
                        return
                    arrivals.rest(received)
                if outcome.row["status"] == "enhanced":
                    say(f"{photograph.name}: {outcome.row['verdict']}")
            del outcome

    with (
        stoppable(STOPPING, LEFT) as received,
        Listing(options.folder) as listing,
        ReportPage(options.folder / PAGE if html else None, made_by, decisions) as page,
    ):
        earlier = len(listing.publish([]).earlier)
        say(f"watching {folder}, every {LOOK:g} s; Ctrl-C ends it")
        is_current = True
        while not received:
            whole = arrivals.look()
            if whole or not is_current:
                is_current = succeeds(listing.start)
                if is_current:
                    enhance(whole[:BATCH])
                    is_current = succeeds(publish)
            if len(whole) <= BATCH or not is_current:
                if whole and is_current:
                    failed = sum(row["status"] in NOT_ENHANCED for _, row in done.values())
                    without = f", {failed} not enhanced" if failed else ""
                    say(f"{len(done) - failed} done{without}; waiting for more")
                arrivals.rest(received)
        if not is_current:
            listing.start()
            publish()
        left = arrivals.left()
        page.finish(all_added=not left)
    if left:
        say(f"left for the next start: {listed(left)}")
    rows = [row for _, row in done.values()]
    return Summary(rows, earlier, page.failed, page.others)
