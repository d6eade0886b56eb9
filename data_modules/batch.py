"""The batches that data modules give: every key, its shape and its range."""

from __future__ import annotations

from typing import Any, TypedDict

from torch import Tensor

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import DecodedPhotograph
from data_modules.files.errors import PictureError
from data_modules.files.source import Source
from data_modules.orientation import Orientation
from magenet.degradation import Parameters

PredictionItem = tuple[Photograph, DecodedPhotograph | PictureError, Source]
"""A photograph, its pixels and field of view or why they cannot be had, and its file as it was."""


class Batch(TypedDict, total=False):
    """A batch of photographs; which keys it has depends on the data module and the stage.

    As loaded, images are uint8 and masks uint8 or bool; after `prepare` both are float32 in
    [0, 1]. Images are `(B, 3, S, S)` and black outside the field after `prepare`; masks are
    `(B, 1, S, S)`.
    """

    name: list[str]
    """Name of each photograph in its manifest or folder."""
    patient: list[str]
    """Patient of each photograph; the photograph's name where unknown."""
    condition: list[str]
    """In a test: the degradation that was applied, or the kind of photograph."""
    key: Tensor
    """Key of each sample's randomness, int64 `(B,)`, always on the CPU."""

    image: Tensor
    """The unenhanced photograph."""
    image_clean: Tensor
    """Of a synthetic pair: the photograph before it was degraded."""
    image_degraded: Tensor
    """Of a synthetic pair: the degraded photograph."""
    image_target: Tensor
    """Of a synthetic pair: what an enhancer should make of the degraded photograph."""
    image_strong: Tensor
    """Strong view of a real photograph, for the student."""
    image_high: Tensor
    """Better photograph of the same eye, aligned to `image`."""

    mask_fov: Tensor
    """Field of view."""
    mask_visible: Tensor
    """Of a synthetic pair: where the degraded photograph still shows the retina."""
    mask_vessel: Tensor
    """Reference vessel mask; zero where unknown."""
    mask_dust: Tensor
    """Depth of the camera's dust, as a share of the deepest; see `data_modules.datasets.dust`."""
    mask_disc: Tensor
    """Reference optic disc mask; zero where unknown."""
    mask_cup: Tensor
    """Reference optic cup mask; zero where unknown."""
    mask_lesions: Tensor
    """Reference lesion masks, `(B, 4, S, S)`, one plane for each kind."""
    mask_valid: Tensor
    """Of a real pair: where both photographs show the retina well."""
    mask_structure: Tensor
    """For segmenters: the mask to be predicted."""
    vessel_known: Tensor
    """Whether `mask_vessel` is known, bool `(B,)`."""
    disc_known: Tensor
    """Whether `mask_disc` is known, bool `(B,)`."""
    cup_known: Tensor
    """Whether `mask_cup` is known, bool `(B,)`."""
    lesions_known: Tensor
    """Whether `mask_lesions` is known, bool `(B,)`."""

    dr_grade: Tensor
    """Grade of diabetic retinopathy, int64 `(B,)`, 0 to 4, -1 where unknown."""
    label: Tensor
    """For graders: the grade to be predicted, int64 `(B,)`."""
    weight: Tensor
    """For graders: weight of each sample in the loss, float `(B,)`."""

    window_corner: Tensor
    """Upper left corners of windows at its own scale, rows first, int64 `(B, K, 2)`."""
    window_size: int
    """Side of these windows, in pixels."""

    orientation: Orientation
    """How the photographs were flipped and transposed."""

    parameters: Parameters
    """Of a synthetic pair: what was drawn for each degradation factor."""

    synthetic: Batch
    """Of a mixed batch: the synthetic pairs."""
    real: Batch
    """Of a mixed batch: real photographs, without a clean counterpart."""

    photographs: list[PredictionItem]
    """In a prediction: each photograph at its own size, or why it cannot be read."""


def unenhanced(batch: Batch) -> Tensor:
    """Return the unenhanced photographs, `(B, 3, S, S)`: of synthetic pairs the degraded ones."""
    return batch["image_degraded"] if "image_degraded" in batch else batch["image"]


AnyBatch = dict[str, Any]
"""A batch as a plain dictionary, for code that goes through its keys."""
