"""The public sets that `magenet prepare` knows."""

from __future__ import annotations

from data_modules.public.chase_db1 import CHASE_DB1
from data_modules.public.deepdrid import DEEPDRID
from data_modules.public.drive import DRIVE
from data_modules.public.eyeq import EYEQ
from data_modules.public.fives import FIVES
from data_modules.public.hrf import HRF
from data_modules.public.hygd import HYGD
from data_modules.public.idrid import IDRID
from data_modules.public.messidor2 import MESSIDOR2
from data_modules.public.mshf import MSHF
from data_modules.public.papila import PAPILA
from data_modules.public.public_set import PublicSet
from data_modules.public.real_fundus import REAL_FUNDUS
from data_modules.public.refuge import REFUGE
from data_modules.public.stare import STARE

SETS: dict[str, PublicSet] = {
    public_set.name: public_set
    for public_set in (
        EYEQ, DRIVE, STARE, CHASE_DB1, HRF, IDRID, REFUGE, HYGD, REAL_FUNDUS, FIVES, DEEPDRID, MSHF,
        MESSIDOR2, PAPILA,
    )
}  # fmt: skip
"""Each set by its name on the command line."""
