"""What the REST API answers: the models of its JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from magenet.enhancement.page.template import error_level
from magenet.serving.limits import Limits
from magenet.serving.store import Job, Store
from magenet.serving.upload import Upload


class PhotographAnswer(BaseModel):
    """An uploaded photograph."""

    job: str
    number: int = Field(description="Its number in the job, from 0")
    name: str
    status: Literal["waiting", "working", "enhanced", "refused", "failed"] = Field(
        description="refused: it does not look like a fundus photograph; failed: it could not be "
        "read, enhanced or written. `reasons` say why"
    )
    verdict: Literal["", "ok", "check", "abstain"] = Field(
        description="check: look before use; abstain: do not use; empty if not enhanced"
    )
    reasons: list[str] = Field(description="Why the verdict is not ok, or there is no result")
    strength: float = Field(description="Share of the change that is applied, 0 to 1")
    force: bool
    error_level: Literal["", "good", "fair", "poor", "very poor"]
    report: dict[str, Any] = Field(
        description="All values, as `magenet enhance` reports them; empty while it waits"
    )
    shown_strength: float | None = Field(description="Strength that the picture `after` shows")
    pictures: dict[str, str] = Field(
        description="Addresses by kind: result (the enhanced photograph, at its own size and "
        "depth); before, after, thumbnail (reduced, JPEG); uncertainty and change (reduced, PNG "
        "in colours, transparent at 0, white from 32 grey levels of 255 on)"
    )

    @classmethod
    def of(cls, upload: Upload, store: Store) -> PhotographAnswer:
        """Return the answer on an upload."""
        address = f"jobs/{upload.job}/photographs/{upload.number}"
        kinds = [*(["result"] if upload.has_result else []), *upload.pictures]
        report = upload.report or {}
        error = report.get("expected_error")
        return cls(
            job=upload.job, number=upload.number, name=upload.name,
            status=store.status(upload),  # type: ignore[arg-type]  # pydantic checks it
            verdict=report.get("verdict", ""), reasons=report.get("reasons", []),
            strength=upload.strength, force=upload.force,
            error_level="" if error is None else error_level(error),  # type: ignore[arg-type]
            report=report, shown_strength=upload.shown_strength,
            pictures={kind: f"{address}/{kind}" for kind in kinds},
        )  # fmt: skip


class JobAnswer(BaseModel):
    """Photographs that were uploaded together."""

    job: str
    created: datetime
    deleted_at: datetime = Field(description="When it is deleted with all that was made of it")
    photographs: list[PhotographAnswer]

    @classmethod
    def of(cls, job: Job, store: Store) -> JobAnswer:
        """Return the answer on a job."""
        created, expires = (
            datetime.fromtimestamp(time, UTC) for time in (job.created, store.expires(job))
        )
        photographs = [PhotographAnswer.of(upload, store) for upload in job.uploads.values()]
        return cls(job=job.id, created=created, deleted_at=expires, photographs=photographs)


class LimitsAnswer(BaseModel):
    """Limits of the server."""

    upload: int = Field(description="Bytes of one request")
    pixels: int = Field(description="Pixels of one photograph")
    photographs: int = Field(description="Photographs that are held at once")
    disk: int = Field(description="Bytes of uploaded photographs that are held at once")


class AboutAnswer(BaseModel):
    """The server."""

    version: str
    weights_sha256: str
    keep_minutes: float
    limits: LimitsAnswer
    endings: list[str] = Field(description="Endings of the photographs that are read")


class Change(BaseModel):
    """How to enhance a photograph again; what is not given stays as it was."""

    strength: float | None = Field(
        None, ge=0.0, le=1.0, allow_inf_nan=False, description="Share of the change to apply"
    )
    force: bool | None = Field(
        None, description="Also if it does not look like a fundus photograph"
    )


class Problem(BaseModel):
    """Why a request was not done, and what to do."""

    detail: str


def limits_answer(limits: Limits) -> LimitsAnswer:
    """Return the answer on limits."""
    return LimitsAnswer(
        upload=limits.upload, pixels=limits.pixels, photographs=limits.photographs, disk=limits.disk
    )
