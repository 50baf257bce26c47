"""What the client may send (its `api/rest` builds it); anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qrnn_qiskit.emulator.replies import invalid

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class JobRequest(_Strict):
    """Body of `POST /jobs`; `cost` is the client's `max_execution_time`."""

    program_id: Literal["executor", "sampler"]
    params: dict[str, Any]
    backend: str
    tags: list[str] = Field(default_factory=list)
    session_id: str | None = None
    cost: int | None = Field(default=None, ge=1)
    private: bool = False
    log_level: str | None = None
    runtime: str | None = None
    calibration_id: str | None = None


class SessionRequest(_Strict):
    """Body of `POST /sessions`."""

    mode: Literal["dedicated", "batch"]
    backend: str
    instance: str | None = None
    max_ttl: int | None = Field(default=None, ge=1)


class SessionChange(_Strict):
    """Body of `PATCH /sessions/{id}`."""

    accepting_jobs: bool


class TagsRequest(_Strict):
    """Body of `PUT /jobs/{id}/tags`."""

    tags: list[str]


class JobQuery(BaseModel):
    """Query of `GET /jobs`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1)
    offset: int = Field(default=0, ge=0)
    backend: str | None = None
    pending: bool | None = None
    program: str | None = None
    tags: list[str] = Field(default_factory=list)
    session_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    sort: Literal["ASC", "DESC"] = "DESC"
    exclude_params: bool = False
    include_mocks: bool = False


def read_body(model: type[ModelT], where: str, body: bytes) -> ModelT:
    """Body of a request as a model.

    Raises:
        Refusal: status 400, naming the fields that do not fit.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(where, error) from error


def read_query(query: Mapping[str, list[str]]) -> JobQuery:
    """Query of `GET /jobs` as a model.

    Raises:
        Refusal: status 400, naming the fields that do not fit.
    """
    flat: dict[str, Any] = {k: v if k == "tags" else v[-1] for k, v in query.items()}
    try:
        return JobQuery.model_validate(flat)
    except ValidationError as error:
        raise invalid("GET /jobs", error) from error
