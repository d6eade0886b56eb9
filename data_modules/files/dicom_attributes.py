"""Attributes of a DICOM photograph that a result made from it keeps, by `--metadata`.

A result has pixels, a series and dates of its own; what describes those of the original is never
kept. Of the rest `keep` keeps all, `clinical` and `none` only what is listed here.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

PICTURE = (
    "SpecificCharacterSet", "ImageType", "Modality", "InstanceNumber",
    # Which eye, and what of it (PS3.3 C.8.17.5)
    "ImageLaterality", "Laterality", "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence",
    # Scale, colours and what was done to the pixels (C.8.17.2, C.11.15)
    "PixelSpacing", "PixelSpacingCalibrationType", "PixelSpacingCalibrationDescription",
    "PixelAspectRatio", "PatientOrientation", "ICCProfile", "ColorSpace", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod", "BurnedInAnnotation",
    "RecognizableVisualFeatures", "CalibrationImage",
    # Kind of camera (C.8.17.3), order of frames (C.7.4.2, C.7.6.5, C.7.6.6), conversion (C.8.6.1)
    "AcquisitionDeviceTypeCodeSequence", "ChannelDescriptionCodeSequence",
    "SynchronizationFrameOfReferenceUID", "SynchronizationTrigger", "AcquisitionTimeSynchronized",
    "FrameIncrementPointer", "FrameTime", "FrameTimeVector", "FrameDelay", "StereoPairsPresent",
    "CineRate", "RecommendedDisplayFrameRate", "PreferredPlaybackSequencing", "ConversionType",
)  # fmt: skip
"""Kept always: a viewer needs it, or the standard demands a value. It tells no person, no place, no
date and no single device."""

CLINICAL = (
    *PICTURE,
    # Patient and study (C.7.1.1, C.7.2.1, C.7.2.2): the result belongs to the same
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate", "PatientSex", "PatientAge", "PatientIdentityRemoved",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "StudyDescription", "AccessionNumber", "IssuerOfAccessionNumberSequence",
    "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesNumber",
    # When and how it was taken (C.7.6.1, C.8.17.2 to C.8.17.5, C.7.6.4b)
    "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "AcquisitionNumber",
    "RelativeImagePositionCodeSequence",
    "IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence",
    "LightPathFilterPassThroughWavelength", "LightPathFilterPassBand",
    "ImagePathFilterTypeStackCodeSequence", "ImagePathFilterPassThroughWavelength",
    "ImagePathFilterPassBand", "LensesCodeSequence", "DetectorType", "CameraAngleOfView",
    "PatientEyeMovementCommanded", "PatientEyeMovementCommandCodeSequence",
    "HorizontalFieldOfView", "RefractiveStateSequence", "EmmetropicMagnification",
    "IntraOcularPressure", "PupilDilated", "MydriaticAgentSequence", "DegreeOfDilation",
    "ContrastBolusAgentSequence",
)  # fmt: skip
"""Kept by `clinical`. No text of people is in it but the descriptions of study and series."""

PIXELS = frozenset({
    "IconImageSequence", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation",
    "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence", "RescaleIntercept", "RescaleSlope",
    "RescaleType", "PresentationLUTShape", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "SamplesPerPixelUsed", "PlanarConfiguration", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength", "PixelDataProviderURL",
    "DigitalSignaturesSequence", "MACParametersSequence", "EncryptedAttributesSequence",
    "DerivationCodeSequence", "ContentDate", "ContentTime", "InstanceCreationDate",
    "InstanceCreationTime", "InstanceCreatorUID", "InstanceCoercionDateTime",
})  # fmt: skip
"""Attributes of the original's pixels, or of when its file was made: never kept."""

PIXEL_PREFIXES = ("PaletteColor", "RedPalette", "GreenPalette", "BluePalette", "Segmented",
                  "Smallest", "Largest")  # fmt: skip
"""Beginnings of the keywords of such attributes."""

OVERLAYS = (0x5000, 0x50FF, 0x6000, 0x60FF)
"""First and last groups of curves and overlays, which may hold drawings or bits of the pixels."""

SERIES = frozenset({
    "SeriesDate", "SeriesTime", "SeriesDescriptionCodeSequence",
    "ReferencedPerformedProcedureStepSequence", "PerformedProcedureStepID",
    "PerformedProcedureStepDescription", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime", "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
})  # fmt: skip
"""Attributes of the original's series: never kept."""

CAMERA = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "DeviceUID",
    "StationName", "SpatialResolution", "DateOfLastCalibration", "TimeOfLastCalibration",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName",
)  # fmt: skip
"""Attributes of the equipment that made the original (C.7.5.1)."""

CAMERA_MODEL = CAMERA[:3]
"""Those that `clinical` keeps: they tell no single device and no place."""

EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName", "SeriesNumber", "PatientOrientation",
)  # fmt: skip
"""Attributes that every image has, though they may be empty (Type 2)."""

EMPTY_OPHTHALMIC = (
    "IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence",
    "ImagePathFilterTypeStackCodeSequence", "LensesCodeSequence", "DetectorType",
    "PatientEyeMovementCommanded", "HorizontalFieldOfView", "RefractiveStateSequence",
    "EmmetropicMagnification", "IntraOcularPressure", "PupilDilated",
)  # fmt: skip
"""The same for ophthalmic photographs (C.8.17.3, C.8.17.4)."""

EMPTY_VISIBLE_LIGHT = ("AcquisitionContextSequence",)
"""The same for other photographs (C.7.6.14)."""


def kept_attributes(dataset: Dataset, choice: str) -> Dataset:
    """Return the attributes of an original that its result keeps.

    Args:
        dataset: All attributes of the original but its pixel data.
        choice: `keep`, `clinical` or `none`; see :data:`CLINICAL` and :data:`PICTURE`. Private
            attributes are kept by `keep` alone.
    """
    from pydicom import Dataset

    kept = Dataset()
    for element in dataset:
        if _describes_original(element):
            continue
        if choice == "keep" or element.keyword in (CLINICAL if choice == "clinical" else PICTURE):
            kept.add(deepcopy(element))  # what is set in the result must not change the original
    if choice != "keep":
        kept.remove_private_tags()  # those within sequences
    return kept


def _describes_original(element: DataElement) -> bool:
    """Return whether an attribute describes the original's pixels, series, file or camera."""
    first_curve, last_curve, first_overlay, last_overlay = OVERLAYS
    return (
        element.keyword in PIXELS
        or element.keyword in SERIES
        or element.keyword in CAMERA
        or element.keyword.startswith(PIXEL_PREFIXES)
        or first_curve <= element.tag.group <= last_curve
        or first_overlay <= element.tag.group <= last_overlay
    )
