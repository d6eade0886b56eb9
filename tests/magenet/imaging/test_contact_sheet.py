import torch

from magenet.imaging.contact_sheet import sheet


def test_a_sheet_lays_photographs_side_by_side() -> None:
    red, blue = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    red[0], blue[2], blue[0] = 1.5, 1.0, -0.5  # beyond the range: as its end
    picture = sheet([[red, blue], [blue, red]])
    assert picture.size == (20, 20)
    assert picture.getpixel((0, 0)) == picture.getpixel((19, 19)) == (255, 0, 0)
    assert picture.getpixel((19, 0)) == (0, 0, 255)
    assert picture.getpixel((10, 10)) == (0, 0, 0)
