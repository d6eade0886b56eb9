"""Plain names of what trainings and tests log, for people who read a screen or a page."""

from __future__ import annotations

SCORES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "dice": "Dice",
    "lr-Adam": "learning rate",
    "lr-AdamW": "learning rate",
    "lr-SGD": "learning rate",
}
"""Names of scores that are not the words of their key."""


def plain_name(key: str) -> str:
    """Return the plain name of a logged score, `<stage>/<score>` or `<stage>_<subject>/<score>`.

    A subject other than the trained network itself is named after its score.

    Args:
        key: Key as it is logged.

    Example:
        >>> [plain_name(key) for key in ("train/loss", "val_teacher/psnr", "val/vessel_dice")]
        ['loss', 'PSNR of the teacher', 'vessel dice']
    """
    stage, separator, score = key.rpartition("/")
    name = SCORES.get(score, score.replace("_", " "))
    _, _, subject = stage.partition("_")
    return f"{name} of the {subject}" if separator and subject else name


def duration(seconds: float) -> str:
    """Return a duration in words, as exact as one needs it.

    Example:
        >>> [duration(seconds) for seconds in (9, 89, 600, 9000, 200000)]
        ['9 s', '1 min', '10 min', '2 h 30 min', '55 h 33 min']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
