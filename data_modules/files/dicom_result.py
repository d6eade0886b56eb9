"""Attributes of a result in DICOM: a derived image in a series of its own."""

from __future__ import annotations

import uuid
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from data_modules.files.dicom import COLOUR_CAPTURE, GREY_CAPTURE, OPHTHALMIC, frames_of
from data_modules.files.dicom_attributes import (
    CAMERA,
    CAMERA_MODEL,
    EMPTY,
    EMPTY_OPHTHALMIC,
    EMPTY_VISIBLE_LIGHT,
    kept_attributes,
)
from magenet.installation import version

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

NAME = "magenet"

DERIVATION = "by magenet, a research tool; not for diagnosis"

SERIES_OFFSET = 1000
"""Added to the number of the original's series (our choice), so that a viewer shows a result's
series after those of the study."""

GREATEST_NUMBER = (1 << 31) - 1
"""Greatest Integer String (DICOM PS3.5, 6.2)."""

LONGEST_TEXT = 64
"""Characters of a Long String (DICOM PS3.5, 6.2)."""

MAYBE_LOSSY = "1.2.840.10008.1.2.4.91"
"""JPEG 2000, which may also lose nothing."""

LOSSY_METHODS = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    MAYBE_LOSSY: "ISO_15444_1",
}
"""Method of the transfer syntaxes that lose information (C.7.6.1.1.5): JPEG, JPEG-LS near-lossless,
JPEG 2000."""

UTC_SYNCHRONIZED = "1.2.840.10008.15.1.1"
"""Synchronization Frame of Reference UID of all clocks that show UTC; it tells no patient."""


class Processing(NamedTuple):
    """What made a result.

    Attributes:
        action: In one word, such as "Enhanced".
        details: With what, in plain words: hashes of the weights and settings, the strength.
            Results of one original series with equal details are one series.
    """

    action: str = "Processed"
    details: str = ""


def derived_attributes(
    original: FileDataset, image: Tensor, metadata: str, processing: Processing, ratio: float
) -> FileDataset:
    """Return the attributes of a result, without its pixel data.

    Args:
        original: All attributes of its source.
        image: Its first frame.
        metadata: What is kept.
        processing: What made it.
        ratio: How much smaller its source is than uncompressed.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    kept = kept_attributes(original, metadata)
    result = FileDataset("", kept, preamble=bytes(128), file_meta=FileMetaDataset())
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    is_ophthalmic = original.SOPClassUID in OPHTHALMIC.values()
    kind = OPHTHALMIC[image.element_size()] if is_ophthalmic else original.SOPClassUID
    kind = COLOUR_CAPTURE if kind == GREY_CAPTURE else kind
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = UID(kind)
    _describe_pixels(result, original, image, ratio)
    _describe_derivation(result, original, metadata, processing)
    _describe_series(result, original, metadata, processing)
    if metadata == "none":
        _remove_identity(result, original)
    for keyword in (*EMPTY, *(EMPTY_OPHTHALMIC if is_ophthalmic else EMPTY_VISIBLE_LIGHT)):
        if keyword not in result:
            setattr(result, keyword, None)
    return result


def _describe_pixels(
    result: FileDataset, original: FileDataset, image: Tensor, ratio: float
) -> None:
    """Set what describes the pixels (C.7.6.3, C.7.6.6, C.8.17.2)."""
    _, result.Rows, result.Columns = image.shape
    bits = 8 * image.element_size()
    result.SamplesPerPixel, result.PhotometricInterpretation = 3, "RGB"
    result.PlanarConfiguration, result.PixelRepresentation = 0, 0
    result.BitsAllocated = result.BitsStored = bits
    result.HighBit = bits - 1
    if original.SOPClassUID in OPHTHALMIC.values() or "NumberOfFrames" in original:
        result.NumberOfFrames = frames_of(original)
        _point_to_times(result)
    syntax = original.file_meta.TransferSyntaxUID
    method = LOSSY_METHODS.get(syntax)
    if syntax == MAYBE_LOSSY and original.get("LossyImageCompression") == "00":
        method = None
    if method is not None and not result.get("LossyImageCompressionRatio"):
        result.LossyImageCompression, result.LossyImageCompressionMethod = "01", method
        result.LossyImageCompressionRatio = f"{ratio:.4g}"
    result.setdefault("LossyImageCompression", "00")


def _point_to_times(result: FileDataset) -> None:
    """Make the pointer to what orders the frames one to an attribute that is there (C.7.6.6.1.2).

    A single frame needs it, too; its Frame Time may be 0.
    """
    from pydicom.datadict import tag_for_keyword

    pointer = result.get("FrameIncrementPointer")
    targets = pointer if isinstance(pointer, list) else [pointer]
    if pointer is not None and all(target in result for target in targets):
        return
    times = [keyword for keyword in ("FrameTimeVector", "FrameTime") if keyword in result]
    if not times and result.NumberOfFrames == 1:
        result.FrameTime, times = 0, ["FrameTime"]
    if times:
        result.FrameIncrementPointer = tag_for_keyword(times[0])
    elif pointer is not None:
        del result.FrameIncrementPointer  # nobody knows the times


def _describe_derivation(
    result: FileDataset, original: FileDataset, metadata: str, processing: Processing
) -> None:
    """Set what was done, to which image, by what equipment (C.7.6.1, C.7.5.1, C.12.1.1.5)."""
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    kind = original.get("ImageType") or []  # a single value is a text, against the standard
    former = [*([kind] if isinstance(kind, str) else kind), "", "", "", ""]
    # The standard lets ophthalmic photographs have no other second value than PRIMARY
    # (C.8.17.2.1.4). Derived ones have a third; MONTAGE is the only one that it defines.
    is_ophthalmic = original.SOPClassUID in OPHTHALMIC.values()
    third = former[2] or ("ENHANCED" if is_ophthalmic else "")
    second = "PRIMARY" if is_ophthalmic else former[1] or "SECONDARY"
    values = ["DERIVED", second, third, *former[3:]]
    while not values[-1]:
        values.pop()
    result.ImageType = values
    result.DerivationDescription = f"{processing.action} {DERIVATION}"
    # No Derivation Code Sequence: CID 7203 has no code for what a network does.
    reference = Dataset()
    reference.ReferencedSOPClassUID = original.SOPClassUID
    reference.ReferencedSOPInstanceUID = original.SOPInstanceUID
    reference.SpatialLocationsPreserved = "YES"
    purpose = codes.cid7202.SourceImageForImageProcessingOperation
    reference.PurposeOfReferenceCodeSequence = [_code(purpose)]
    result.SourceImageSequence = [reference]
    now = datetime.now(_zone(result))
    result.ContentDate = result.InstanceCreationDate = now.strftime("%Y%m%d")
    result.ContentTime = result.InstanceCreationTime = now.strftime("%H%M%S.%f")
    # The equipment of a derived image is what derived it; the camera has contributed to it.
    result.Manufacturer = result.ManufacturerModelName = NAME
    result.SoftwareVersions = version()
    contributions = list(original.get("ContributingEquipmentSequence") or [])
    if metadata != "keep":
        contributions = []
    if metadata != "none" and original.get("Manufacturer"):
        camera = Dataset()
        camera.PurposeOfReferenceCodeSequence = [_code(codes.cid7005.AcquisitionEquipment)]
        for keyword in CAMERA if metadata == "keep" else CAMERA_MODEL:
            if keyword in original:
                camera.add(original[keyword])
        contributions.append(camera)
    ours = Dataset()
    ours.PurposeOfReferenceCodeSequence = [_code(codes.cid7005.ProcessingEquipment)]
    ours.Manufacturer = ours.ManufacturerModelName = NAME
    ours.SoftwareVersions = version()
    ours.ContributionDateTime = now.strftime("%Y%m%d%H%M%S.%f")
    ours.ContributionDescription = f"{processing.action}. {processing.details}".strip()
    result.ContributingEquipmentSequence = [*contributions, ours]


def _describe_series(
    result: FileDataset, original: FileDataset, metadata: str, processing: Processing
) -> None:
    """Set the series of a result (C.7.3.1) and its place in it.

    The series has no date: its images may be made on several days, and must agree in all that is
    said about their series.
    """
    result.SeriesInstanceUID = _derived_uid(
        str(original.get("StudyInstanceUID", "")), str(original.get("SeriesInstanceUID", "")),
        result.SOPClassUID, metadata, version(), *processing,
    )  # fmt: skip
    description = result.get("SeriesDescription")
    text = f"{processing.action} by {NAME}" + (f": {description}" if description else "")
    result.SeriesDescription = text[:LONGEST_TEXT]
    number = result.get("SeriesNumber")
    if number is not None:
        after = int(number) + SERIES_OFFSET
        result.SeriesNumber = after if after <= GREATEST_NUMBER else None
    if original.SOPClassUID in OPHTHALMIC.values():
        result.Modality = "OP"
        if result.get("InstanceNumber") is None:
            result.InstanceNumber = 1
        if not result.get("ImageLaterality") and result.get("Laterality") in ("R", "L"):
            result.ImageLaterality = result.Laterality


def _remove_identity(result: FileDataset, original: FileDataset) -> None:
    """Replace the UIDs that lead to the patient by hashes, and say that nobody is named.

    Results of one study remain in one study.
    """
    result.StudyInstanceUID = _derived_uid(str(original.get("StudyInstanceUID", "")))
    source = result.SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = _derived_uid(str(original.SOPInstanceUID))
    clock = result.get("SynchronizationFrameOfReferenceUID")
    if clock not in (None, UTC_SYNCHRONIZED):
        result.SynchronizationFrameOfReferenceUID = _derived_uid(str(clock))
    result.PatientIdentityRemoved = "YES"
    result.DeidentificationMethod = f"{NAME}: no attributes of patient, study, place or device"
    result.LongitudinalTemporalInformationModified = "REMOVED"


def _zone(result: Dataset) -> tzinfo | None:
    """Return the time zone that a result's dates are in; None for that of this machine."""
    offset = result.get("TimezoneOffsetFromUTC")
    return None if not offset else datetime.strptime(offset, "%z").tzinfo


def _derived_uid(*parts: str) -> str:
    """Return a UID that is a hash of texts (UUID derived UID, DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '|'.join((NAME, *parts))).int}"


def _code(code: Any) -> Dataset:
    """Return the item of a code sequence (PS3.3, 8.8)."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
