"""Results in DICOM: what the standard demands, what is kept, and which series they are in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.files.dicom_result import Processing
from data_modules.files.reading import read_native
from data_modules.files.writing import MetadataChoice, write_photograph

pydicom = pytest.importorskip("pydicom")
from tests.data_modules.files.ophthalmic import (  # noqa: E402
    EIGHT_BIT,
    SIXTEEN_BIT,
    faults,
    noise,
    photograph,
)

CHOICES: list[MetadataChoice] = ["keep", "clinical", "none"]
ENHANCED = Processing("Enhanced", "Weights SHA-256 abc")


def result_of(
    source: Path,
    choice: MetadataChoice = "clinical",
    bits: int = 8,
    processing: Processing = ENHANCED,
) -> pydicom.Dataset:
    """Write a result of a file's size beside it, and return its attributes."""
    header = pydicom.dcmread(source, stop_before_pixels=True)
    image = torch.from_numpy(noise((3, header.Rows, header.Columns), bits))
    path = source.with_name(f"{choice}.dcm")
    write_photograph(image, path, source, choice, processing)
    assert torch.equal(read_native(path), image)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize(
    ("kind", "stored", "bits"),
    [("RGB", 8, 8), ("RGB", 12, 16), ("MONOCHROME2", 8, 16), ("MONOCHROME1", 16, 16)],
)
def test_a_result_has_all_that_the_standard_demands(
    tmp_path: Path, choice: MetadataChoice, kind: str, stored: int, bits: int
) -> None:
    shape = (41, 51, 3) if kind == "RGB" else (41, 51)
    grey = {} if kind == "RGB" else {"PresentationLUTShape": "IDENTITY", "WindowCenter": 9}
    photograph(tmp_path / "a.dcm", noise(shape, stored), kind, stored, **grey)
    result = result_of(tmp_path / "a.dcm", choice, bits)
    assert faults(result) == []
    assert result.SOPClassUID == (EIGHT_BIT if bits == 8 else SIXTEEN_BIT)
    assert result.file_meta.MediaStorageSOPClassUID == result.SOPClassUID
    assert result.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
    assert list(result.ImageType) == ["DERIVED", "PRIMARY", "ENHANCED", "COLOR"]


def test_what_nobody_here_knows_is_not_made_up(tmp_path: Path) -> None:
    photograph(
        tmp_path / "a.dcm", noise((40, 50, 3)), ImageLaterality=None, BurnedInAnnotation=None
    )
    result = result_of(tmp_path / "a.dcm")
    assert len(faults(result)) == 2
    photograph(tmp_path / "b.dcm", noise((40, 50, 3)), ImageLaterality=None, Laterality="R")
    assert result_of(tmp_path / "b.dcm").ImageLaterality == "R"


@pytest.mark.parametrize("choice", ["clinical", "keep"])
def test_a_result_names_its_source_and_what_made_it(tmp_path: Path, choice: MetadataChoice) -> None:
    source = photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    result = result_of(tmp_path / "a.dcm", choice)
    assert result.SOPInstanceUID != source.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPClassUID == source.SOPClassUID
    camera, ours = result.ContributingEquipmentSequence
    assert (camera.Manufacturer, camera.ManufacturerModelName) == ("Camera Works", "X1")
    assert camera.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Acquisition Equipment"
    assert ours.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Processing Equipment"
    assert result.Manufacturer == ours.Manufacturer == ours.ManufacturerModelName == "magenet"
    assert ours.SoftwareVersions == result.SoftwareVersions
    assert "Weights SHA-256 abc" in ours.ContributionDescription
    assert result.DerivationDescription.startswith("Enhanced by magenet")
    assert result.ContentDate != source.ContentDate
    assert ours.ContributionDateTime[:8] == result.ContentDate


def test_results_of_one_series_are_one_new_series_however_often_a_run_starts(
    tmp_path: Path,
) -> None:
    first = photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    same = {"StudyInstanceUID": first.StudyInstanceUID}
    both = same | {"SeriesInstanceUID": first.SeriesInstanceUID}
    photograph(tmp_path / "b.dcm", noise((40, 50, 3)), InstanceNumber=8, **both)
    photograph(tmp_path / "c.dcm", noise((40, 50, 3)), **same)
    a, again, b, c = (result_of(tmp_path / f"{name}.dcm") for name in "aabc")
    assert a.SeriesInstanceUID == again.SeriesInstanceUID == b.SeriesInstanceUID
    assert len({a.SOPInstanceUID, again.SOPInstanceUID, b.SOPInstanceUID}) == 3
    other = result_of(tmp_path / "a.dcm", processing=Processing("Enhanced", "other weights"))
    series = {one.SeriesInstanceUID for one in (first, a, c, other)}
    assert len(series) == 4
    assert {one.StudyInstanceUID for one in (first, a, c)} == {first.StudyInstanceUID}
    assert a.SeriesDescription == "Enhanced by magenet: Fundus"
    assert (a.SeriesNumber, a.InstanceNumber, b.InstanceNumber) == (1003, 1, 8)


def test_each_choice_keeps_what_it_says(tmp_path: Path) -> None:
    dataset = photograph(
        tmp_path / "a.dcm", noise((40, 50, 3)), OperatorsName="secret^op", InstitutionName="secret",
        ImageComments="secret", ReferringPhysicianName="secret^doctor", PupilDilated="NO",
    )  # fmt: skip
    block = dataset.private_block(0x0029, "secret maker", create=True)
    block.add_new(1, "LO", "secret note")
    dataset.AnatomicRegionSequence[0].private_block(0x0029, "secret maker", create=True)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for choice in CHOICES:
        result = result_of(tmp_path / "a.dcm", choice)
        content = (tmp_path / f"{choice}.dcm").read_bytes()
        assert (b"secret" in content) == (choice == "keep")
        assert (b"serial-9" in content) == (choice == "keep")
        assert (b"X1" in content) == (choice != "none")
        assert (result.PatientName == "Müller^Ann") == (choice != "none")
        assert (result.PupilDilated == "NO") == (choice != "none")
        assert result.ImageLaterality == "L"


def test_none_leaves_no_way_back_to_the_patient(tmp_path: Path) -> None:
    source = photograph(tmp_path / "a.dcm", noise((40, 50, 3)), SeriesDescription="of Ann")
    result = result_of(tmp_path / "a.dcm", "none")
    content = (tmp_path / "none.dcm").read_bytes()
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
                    "SynchronizationFrameOfReferenceUID", "StudyDate", "AcquisitionDateTime",
                    "SeriesDescription", "Manufacturer"):  # fmt: skip
        assert str(source[keyword].value).encode() not in content, keyword
    assert b"ller" not in content
    assert result.PatientIdentityRemoved == "YES"
    again = result_of(tmp_path / "a.dcm", "none")
    assert again.StudyInstanceUID == result.StudyInstanceUID


def test_what_was_lost_to_compression_is_told_for_ever(tmp_path: Path) -> None:
    lossy = {
        "LossyImageCompression": "01", "LossyImageCompressionRatio": 9,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }  # fmt: skip
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)), **lossy)
    for choice in CHOICES:
        result = result_of(tmp_path / "a.dcm", choice)
        assert {keyword: result[keyword].value for keyword in lossy} == lossy


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_originals_of_every_encoding_are_written(tmp_path: Path, syntax: str) -> None:
    """Implicit value representations, and big endian."""
    pixels = noise((40, 50, 3))
    dataset = photograph(tmp_path / "a.dcm", pixels)
    mapping = pydicom.Dataset()
    mapping.RealWorldValueFirstValueMapped = 7
    dataset.RealWorldValueMappingSequence = [mapping]
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    little, implicit = syntax != "1.2.840.10008.1.2.2", syntax == "1.2.840.10008.1.2"
    dataset["PixelData"].VR = "OB" if not implicit else "OW"
    mapping["RealWorldValueFirstValueMapped"].VR = "US"
    pydicom.dcmwrite(
        tmp_path / "a.dcm", dataset, implicit_vr=implicit, little_endian=little,
        enforce_file_format=True,
    )  # fmt: skip
    assert np.array_equal(read_native(tmp_path / "a.dcm").permute(1, 2, 0).numpy(), pixels)
    result = result_of(tmp_path / "a.dcm", "keep")
    assert faults(result) == []
    assert result.RealWorldValueMappingSequence[0].RealWorldValueFirstValueMapped == 7
    assert (result.StudyDate, result.PatientName) == (dataset.StudyDate, dataset.PatientName)


def test_the_preamble_of_the_original_is_not_copied(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(b"II*\0secret".ljust(128, b"x") + content[128:])
    result_of(tmp_path / "a.dcm", "keep")
    assert (tmp_path / "keep.dcm").read_bytes()[:128] == bytes(128)


def test_other_photographs_keep_their_kind(tmp_path: Path) -> None:
    capture = "1.2.840.10008.5.1.4.1.1.7"
    photograph(
        tmp_path / "a.dcm", noise((40, 50, 3)), SOPClassUID=capture, NumberOfFrames=None,
        ConversionType="DI", Modality="OT",
    )  # fmt: skip
    result = result_of(tmp_path / "a.dcm")
    assert (result.SOPClassUID, result.ConversionType, result.Modality) == (capture, "DI", "OT")
    assert "NumberOfFrames" not in result
    assert np.array_equal(result.pixel_array.shape, (40, 50, 3))


def test_a_kind_of_one_value_is_a_text(tmp_path: Path) -> None:
    """Against the standard, which demands two."""
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)), ImageType="ORIGINAL")
    assert list(result_of(tmp_path / "a.dcm").ImageType) == ["DERIVED", "PRIMARY", "ENHANCED"]


def test_dates_are_in_the_time_zone_of_the_original(tmp_path: Path) -> None:
    photograph(tmp_path / "east.dcm", noise((40, 50, 3)), TimezoneOffsetFromUTC="+1400")
    photograph(tmp_path / "west.dcm", noise((40, 50, 3)), TimezoneOffsetFromUTC="-1000")
    west, east = (result_of(tmp_path / f"{name}.dcm") for name in ("west", "east"))
    assert east.ContentDate > west.ContentDate  # a day apart, whatever the time
