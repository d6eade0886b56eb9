"""Patients of the photographs, over whom intervals are."""

from pathlib import Path

from experiments.studies.patients import patients_of


def test_both_eyes_of_a_child_and_repeats_of_an_eye_are_one_patients(tmp_path: Path) -> None:
    names = [
        "chase_db1/images/Image_01L.jpg", "chase_db1/images/Image_01R.jpg", "hrf/images/01_h.jpg",
        "hygd/images/hygd_7_1.jpg", "hygd/images/hygd_7_2.jpg",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "index.csv").write_text("image\n" + "\n".join(names) + "\n")
    found = patients_of(tmp_path)
    assert len(set(found.values())) == 4, "HYGD's patients are in labels of its own"
    labels = "".join(f"{name},7\n" for name in names[3:])
    (tmp_path / "hygd/labels.csv").write_text(f"image,patient\n{labels}")
    found = patients_of(tmp_path)
    assert found[names[0]] == found[names[1]] != found[names[2]] == names[2]
    assert found[names[3]] == found[names[4]] == "7"
