"""Ophthalmic photographs in DICOM as cameras write them, and what the standard demands of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")

EIGHT_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
SIXTEEN_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.2"

REQUIRED = {
    "C.7.3.1 General Series": "Modality SeriesInstanceUID",
    "C.7.2.1 General Study": "StudyInstanceUID",
    "C.7.4.2 Synchronization": (
        "SynchronizationFrameOfReferenceUID SynchronizationTrigger AcquisitionTimeSynchronized"
    ),
    "C.7.6.3 Image Pixel": (
        "SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit "
        "PixelRepresentation PlanarConfiguration PixelData"
    ),
    "C.7.6.6 Multi-frame": "NumberOfFrames FrameIncrementPointer",
    "C.8.17.2 Ophthalmic Photography Image": (
        "ImageType InstanceNumber ContentDate ContentTime SourceImageSequence "
        "LossyImageCompression BurnedInAnnotation"
    ),
    "C.8.17.3 Ophthalmic Photographic Parameters": "AcquisitionDeviceTypeCodeSequence",
    "C.8.17.5 Ocular Region Imaged": "ImageLaterality AnatomicRegionSequence",
    "C.12.1 SOP Common": "SOPClassUID SOPInstanceUID",
}
"""Attributes of Type 1, and of 1C and 2C where derived colour photographs need them, by the section
of PS3.3: present, with a value."""

PRESENT = {
    "C.7.1.1 Patient": "PatientName PatientID PatientBirthDate PatientSex",
    "C.7.2.1 General Study": "StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName",
    "C.7.3.1 General Series": "SeriesNumber",
    "C.7.5.1 General Equipment": "Manufacturer",
    "C.7.6.1 General Image": "PatientOrientation",
    "C.8.17.3 Ophthalmic Photographic Parameters": (
        "IlluminationTypeCodeSequence LightPathFilterTypeStackCodeSequence "
        "ImagePathFilterTypeStackCodeSequence LensesCodeSequence DetectorType"
    ),
    "C.8.17.4 Ophthalmic Photography Acquisition Parameters": (
        "PatientEyeMovementCommanded HorizontalFieldOfView RefractiveStateSequence "
        "EmmetropicMagnification IntraOcularPressure PupilDilated"
    ),
}
"""Attributes of Type 2, by the section of PS3.3: present, but they may be empty."""

ABSENT = (
    "PresentationLUTShape", "SamplesPerPixelUsed", "RescaleSlope", "WindowCenter",
    "RedPaletteColorLookupTableData", "PixelPaddingValue", "IconImageSequence", "SeriesDate",
)  # fmt: skip
"""Attributes that would describe other pixels, or another series."""


def faults(dataset: pydicom.Dataset) -> list[str]:
    """Return what the standard demands of a derived ophthalmic photograph and it lacks."""
    found = []
    for section, keywords in REQUIRED.items():
        for keyword in keywords.split():
            if keyword not in dataset or dataset[keyword].is_empty:
                found.append(f"{section}: {keyword} has no value")
    for section, keywords in PRESENT.items():
        found += [f"{section}: {key} is missing" for key in keywords.split() if key not in dataset]
    found += [f"{keyword} is there" for keyword in ABSENT if keyword in dataset]
    if found:
        return found
    bits = {EIGHT_BIT: 8, SIXTEEN_BIT: 16}[dataset.SOPClassUID]
    size = dataset.Rows * dataset.Columns * 3 * bits // 8 * dataset.NumberOfFrames
    pointer = dataset.FrameIncrementPointer
    holds = {
        "A.41.4, A.42.4 bits": (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit)
        == (bits, bits, bits - 1),
        "C.7.6.3 colours": (dataset.PhotometricInterpretation, dataset.PlanarConfiguration)
        == ("RGB", 0),
        "C.7.6.3 length": len(dataset.PixelData) == size + size % 2,
        "C.7.6.6.1.2 pointer": pointer in dataset and not dataset[pointer].is_empty,
        "C.8.17.1 modality": dataset.Modality == "OP",
        "C.8.17.2.1.4 image type": list(dataset.ImageType[:2]) == ["DERIVED", "PRIMARY"]
        and all(dataset.ImageType[2:4]),
        "C.8.17.2 purpose": all(
            item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
            for item in dataset.SourceImageSequence
        ),
        "C.8.17.2 lossy": dataset.LossyImageCompression == "00"
        or bool(dataset.LossyImageCompressionRatio and dataset.LossyImageCompressionMethod),
        "C.12.1 equipment": all(
            item.Manufacturer and item.PurposeOfReferenceCodeSequence
            for item in dataset.ContributingEquipmentSequence
        ),
    }
    return [name for name, held in holds.items() if not held]


def code(value: str, scheme: str, meaning: str) -> pydicom.Dataset:
    """Return an item of a code sequence."""
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def photograph(
    path: Path, values: np.ndarray, kind: str = "RGB", bits: int = 8, **attributes: Any
) -> pydicom.Dataset:
    """Write an ophthalmic photograph, or several frames, and return its attributes.

    Args:
        path: File to write.
        values: Samples, `(H, W)` or `(H, W, 3)`; of several frames `(N, H, W)` or `(N, H, W, 3)`.
        kind: Photometric interpretation.
        bits: Bits stored.
        attributes: Further ones, or others; None for none.
    """
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = EIGHT_BIT if bits <= 8 else SIXTEEN_BIT
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
                    "SynchronizationFrameOfReferenceUID"):  # fmt: skip
        setattr(dataset, keyword, pydicom.uid.generate_uid())
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientID = "Müller^Ann", "eye-7"
    dataset.StudyDate, dataset.Modality = "20260102", "OP"
    dataset.SeriesNumber, dataset.SeriesDescription = 3, "Fundus"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Camera Works", "X1"
    dataset.DeviceSerialNumber = "serial-9"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    dataset.AcquisitionDateTime, dataset.ContentDate = "20260102101010", "20260102"
    dataset.SynchronizationTrigger, dataset.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    dataset.ImageLaterality, dataset.BurnedInAnnotation = "L", "NO"
    dataset.AnatomicRegionSequence = [code("81745001", "SCT", "Eye")]
    dataset.AcquisitionDeviceTypeCodeSequence = [code("409898007", "SCT", "Fundus Camera")]
    frames = values.ndim - (3 if kind in ("RGB", "YBR_FULL") else 2)
    if frames:
        dataset.FrameTime, dataset.FrameIncrementPointer = 1000, 0x00181063
    dataset.set_pixel_data(values, kind, bits, generate_instance_uid=False)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if value is None:
            del dataset[keyword]
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def noise(shape: tuple[int, ...], bits: int = 8) -> np.ndarray:
    """Return samples that differ from pixel to pixel."""
    kind = np.uint8 if bits <= 8 else np.uint16
    return np.random.default_rng(0).integers(0, 2**bits, shape).astype(kind)
