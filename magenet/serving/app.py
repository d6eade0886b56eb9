"""The web page and the REST API of a server, as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import FastAPI, File, Form, HTTPException, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp

from data_modules.files.reading import NATIVE_SUFFIXES
from data_modules.files.source import file_hash
from magenet import pages
from magenet.enhancement.folder.listing import NAME as LISTING
from magenet.enhancement.folder.listing import listing_of
from magenet.enhancement.origin import ReportRow
from magenet.errors import UserError
from magenet.installation import version
from magenet.serving.access import Access, Gate
from magenet.serving.answers import (
    AboutAnswer,
    Change,
    JobAnswer,
    PhotographAnswer,
    Problem,
    limits_answer,
)
from magenet.serving.archive import Member, unique_name, zipped
from magenet.serving.limits import LimitError
from magenet.serving.pictures import FILES
from magenet.serving.store import Job, Store
from magenet.serving.upload import RESULTS, NewUpload, Upload, file_name, shown_name
from magenet.serving.worker import Enhance, Worker

SWEEP = 5.0
"""Seconds between two searches for jobs whose time is over (our choice)."""

MEDIA_TYPES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".tif": "image/tiff",
    ".tiff": "image/tiff", ".bmp": "image/bmp", ".webp": "image/webp",
}  # fmt: skip
"""Types of results by their ending; others are DICOM."""

STATIC = {
    "page.html": "text/html", "api.html": "text/html", "page.css": "text/css",
    "page.js": "text/javascript", "stage.js": "text/javascript", "api.js": "text/javascript",
}  # fmt: skip
"""Files of the page, in the folder of this module."""

Kind = Literal["result", "before", "after", "uncertainty", "change", "thumbnail"]

NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is none, or it was deleted"}
}
TOO_MUCH: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The request exceeds a limit"},
    429: {"model": Problem, "description": "The server holds too much already"},
}


def create_app(
    store: Store,
    enhance: Enhance,
    access: Access,
    weights_sha256: str = "",
) -> ASGIApp:
    """Return the application; it closes the store when it ends.

    Args:
        store: What it holds.
        enhance: What enhances an upload.
        access: Who may ask.
        weights_sha256: Of the weights, for people.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = Worker(store, enhance)
        worker.start()
        sweeper = asyncio.create_task(_sweep(store))
        yield
        sweeper.cancel()
        await asyncio.to_thread(worker.stop)
        store.close()

    limits = store.limits
    app = FastAPI(
        title="magenet", version=version(), lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Enhances fundus photographs. Not a medical device.",
        max_body_size=limits.upload,
        form_limits={
            "max_files": limits.photographs, "max_fields": 8, "max_part_size": 1024,
        },
        # Nothing of what happens here leaves this machine, whatever the environment says.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )  # fmt: skip
    _add_errors(app, store)
    _add_pages(app)
    _add_jobs(app, store)
    _add_photographs(app, store)

    @app.get("/about")
    def about() -> AboutAnswer:
        """Tell the version, the weights, the limits, and how long photographs are kept."""
        return AboutAnswer(
            version=version(), weights_sha256=weights_sha256, keep_minutes=limits.keep,
            limits=limits_answer(limits), endings=list(NATIVE_SUFFIXES),
        )  # fmt: skip

    return Gate(app, access, limits)


async def _sweep(store: Store) -> None:
    """Delete what is over, for as long as the server runs."""
    while True:
        try:
            await asyncio.to_thread(store.remove_expired)
        except OSError as error:  # in use, say: tried again
            print(f"magenet: what is over could not be deleted: {error}", file=sys.stderr)
        await asyncio.sleep(SWEEP)


def _add_errors(app: FastAPI, store: Store) -> None:
    """Answer every error with a sentence for a person, in `detail`."""

    @app.exception_handler(LimitError)
    def exceeded(request: Request, error: LimitError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, error.code)

    @app.exception_handler(UserError)
    def wrong(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error).replace(f"{store.folder}/", "")}, 507)

    @app.exception_handler(OSError)
    def full(request: Request, error: OSError) -> JSONResponse:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return JSONResponse({"detail": f"The server's disk is full ({error.strerror})."}, 507)
        raise error

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        def place(location: tuple[int | str, ...]) -> str:
            return ".".join(str(part) for part in location[1:]) or "the request"

        faults = [f"{place(one['loc'])}: {one['msg']}" for one in error.errors()]
        return JSONResponse({"detail": "; ".join(faults)}, 422)

    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        detail, code = str(error.detail), error.status_code
        if code == 413:
            detail = str(store.limits.too_large())
        elif detail.startswith("Too many files"):
            detail, code = str(store.limits.too_many()), 413
        return JSONResponse({"detail": detail}, code, headers=error.headers)


def _add_pages(app: FastAPI) -> None:
    """Serve the page, and the reference of the API."""

    def static(name: str) -> Response:
        text = (files("magenet.serving") / name).read_text(encoding="utf-8")
        if name == "page.css":
            text = pages.STYLE.read_text(encoding="utf-8") + text
        return Response(text, media_type=f"{STATIC[name]}; charset=utf-8")

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return static("page.html")

    @app.get("/docs", include_in_schema=False)
    def reference() -> Response:
        return static("api.html")

    @app.get("/static/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404, "There is no such file.")
        return static(name)


def _add_jobs(app: FastAPI, store: Store) -> None:
    """Take uploads, and tell what became of them."""
    boot = secrets.token_hex(4)  # revisions are counted anew by each server

    @app.post("/enhance", status_code=202, responses=TOO_MUCH)
    def enhance(
        files: Annotated[list[UploadFile], File(description="The photographs")],
        strength: Annotated[
            float,
            Form(ge=0.0, le=1.0, allow_inf_nan=False, description="Share of the change to apply"),
        ] = 1.0,
        force: Annotated[
            bool, Form(description="Also enhance what does not look like a fundus photograph")
        ] = False,
    ) -> JobAnswer:
        """Upload photographs. They are enhanced one after the other; the job tells how far it is.

        JPEG, PNG, TIFF, BMP, WebP and DICOM are read, up to 16 bits a colour.
        """
        store.require_room(len(files), sum(file.size or 0 for file in files))
        with store.arrival() as folder:
            arrived = []
            for number, file in enumerate(files):
                name = shown_name(file.filename or "")
                target = folder / str(number) / file_name(name)
                target.parent.mkdir()
                with target.open("wb") as stream:
                    shutil.copyfileobj(file.file, stream)
                arrived.append(NewUpload(name, target))
                store.limits.require_pixels(arrived[-1])
            return JobAnswer.of(store.accept(folder, arrived, strength, force), store)

    @app.get("/jobs", response_model=list[JobAnswer])
    def jobs(request: Request, response: Response) -> Any:
        """List all jobs. With the header `If-None-Match`: 304 if nothing has changed."""
        tag = f'"{boot}-{store.revision}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return [JobAnswer.of(job, store) for job in store.snapshot()]

    @app.delete("/jobs", status_code=204)
    def delete_all() -> None:
        """Delete all photographs, with all that was made of them."""
        store.remove_all()

    @app.get("/results.zip", response_class=StreamingResponse)
    def all_results() -> StreamingResponse:
        """Download all results, each with its report, a listing, and what is not among them."""
        return _archive(store, store.snapshot())

    @app.get("/jobs/{job}", responses=NOT_FOUND)
    def one_job(job: str) -> JobAnswer:
        """Tell how far a job is, with the verdicts."""
        return JobAnswer.of(_job(store, job), store)

    @app.delete("/jobs/{job}", status_code=204, responses=NOT_FOUND)
    def delete_job(job: str) -> None:
        """Delete a job with all that was made of it."""
        if not store.remove(job):
            raise HTTPException(404, "There is no such job; it may have been deleted.")

    @app.get("/jobs/{job}/results.zip", response_class=StreamingResponse, responses=NOT_FOUND)
    def job_results(job: str) -> StreamingResponse:
        """Download the results of a job, as `/results.zip` does those of all."""
        return _archive(store, [_job(store, job)])


def _add_photographs(app: FastAPI, store: Store) -> None:
    """Tell of single photographs, and hand out their pictures."""
    address = "/jobs/{job}/photographs/{number}"

    @app.get(address, responses=NOT_FOUND)
    def one(job: str, number: int) -> PhotographAnswer:
        """Tell the verdict on a photograph, with reasons and all values."""
        return PhotographAnswer.of(_upload(store, job, number), store)

    @app.patch(
        address, responses=NOT_FOUND | {409: {"model": Problem, "description": "It is at work"}}
    )
    def again(job: str, number: int, change: Change) -> PhotographAnswer:
        """Enhance a photograph again, with another strength or though it was refused."""
        upload = _upload(store, job, number)
        strength = upload.strength if change.strength is None else change.strength
        force = upload.force if change.force is None else change.force
        if not store.enhance_again(upload, strength, force):
            raise HTTPException(409, "It is being enhanced: try again when that is done.")
        return PhotographAnswer.of(_upload(store, job, number), store)

    @app.delete(address, status_code=204, responses=NOT_FOUND)
    def delete_photograph(job: str, number: int) -> None:
        """Delete a photograph with all that was made of it."""
        if not store.remove(job, number):
            raise HTTPException(404, "There is no such photograph; it may have been deleted.")

    @app.get(address + "/{kind}", response_class=FileResponse, responses=NOT_FOUND)
    def picture(job: str, number: int, kind: Kind) -> FileResponse:
        """Download the enhanced photograph, or a reduced picture of it."""
        upload = _upload(store, job, number)
        folder = store.folder_of(upload)
        if kind == "result":
            if not upload.has_result:
                raise HTTPException(404, "It has no result: see its status and reasons.")
            path = folder / RESULTS / upload.file
            disposition = _attachment(PurePosixPath(upload.name).name)
            media_type = MEDIA_TYPES.get(path.suffix, "application/dicom")
        else:
            path, disposition = folder / FILES[kind], "inline"
            media_type = MEDIA_TYPES[path.suffix]
        try:
            status = path.stat()
        except OSError:  # not of this photograph, or deleted at this moment
            raise HTTPException(404, f"There is no picture '{kind}' of it.") from None
        headers = {"Content-Disposition": disposition}
        return FileResponse(path, media_type=media_type, headers=headers, stat_result=status)


def _job(store: Store, job: str) -> Job:
    """Return a job as it is now, or answer 404."""
    found = next((one for one in store.snapshot() if one.id == job), None)
    if found is None:
        raise HTTPException(404, "There is no such job; it may have been deleted.")
    return found


def _upload(store: Store, job: str, number: int) -> Upload:
    """Return a photograph, or answer 404."""
    upload = store.find(job, number)
    if upload is None:
        raise HTTPException(404, "There is no such photograph; it may have been deleted.")
    return upload


def _archive(store: Store, jobs: list[Job]) -> StreamingResponse:
    """Return the results of jobs as a download."""
    uploads = [upload for job in jobs for upload in job.uploads.values()]

    def members() -> Iterator[Member]:
        reports: list[ReportRow] = []
        names: set[str] = set()
        left_out: list[str] = []
        for upload in uploads:
            name = unique_name(upload.name, names)
            if upload.report is None:
                left_out.append(f"{name}: not enhanced yet, download again\n")
                continue
            given = upload.report
            report = given | {"name": name}
            if upload.has_result:
                file = store.folder_of(upload) / RESULTS / upload.file
                # Enhanced anew since, or at work: the report would be that of another result.
                now = file_hash(file)
                if now != given.get("result_sha256"):
                    reason = "deleted meanwhile" if now is None else "enhanced anew, download again"
                    left_out.append(f"{name}: {reason}\n")
                    continue
                report["result"] = PurePosixPath(name).name
                yield Member(name, file)
            yield Member(f"{name}.json", (json.dumps(report, indent=1) + "\n").encode("utf-8"))
            reports.append(report)
        yield Member(LISTING, listing_of(reports))
        if left_out:
            yield Member("left_out.txt", "".join(left_out).encode("utf-8"))

    headers = {"Content-Disposition": _attachment("enhanced.zip")}
    return StreamingResponse(zipped(members()), media_type="application/zip", headers=headers)


def _attachment(name: str) -> str:
    """Return the header that makes a browser save a file under a name."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"
