from collections.abc import Iterator
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter

from backend.dashboard.examples import examples
from backend.dashboard.patient_schemas import AuditOut, DiaryOut, ForecastsOut, PatientOut, PersonOut
from backend.dashboard.roster_schemas import RosterOut
from backend.dashboard.schemas import AlertsOut
from backend.dashboard.treatment_view import ProductOut, TreatmentOut, VersionOut
from tests.routes import all_routes

MODELS: tuple[type[BaseModel], ...] = (
    AlertsOut,
    AuditOut,
    DiaryOut,
    ForecastsOut,
    PatientOut,
    PersonOut,
    ProductOut,
    RosterOut,
    TreatmentOut,
    VersionOut,
)


def test_each_example_is_an_answer_that_the_server_could_give_with_every_field() -> None:
    assert set(examples()) == {model.__name__ for model in MODELS}
    for model in MODELS:
        shown = examples()[model.__name__]
        model.model_validate(shown)
        assert set(shown) == set(TypeAdapter(model).json_schema(mode="serialization")["properties"]), model.__name__


def without_nulls(shown: Any) -> Any:
    """OpenAPI as FastAPI writes it leaves them out."""
    if isinstance(shown, dict):
        return {name: without_nulls(value) for name, value in shown.items() if value is not None}
    return [without_nulls(value) for value in shown] if isinstance(shown, list) else shown


def test_the_larger_answers_are_documented_with_their_example(client: TestClient) -> None:
    documented = client.get("/v1/openapi.json").json()["components"]["schemas"]
    for model in MODELS:
        assert documented[model.__name__]["examples"] == without_nulls([examples()[model.__name__]])


def models(said: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as `list[AlertOut]` or `SavedDraftOut | None`."""
    if isinstance(said, type) and issubclass(said, BaseModel):
        yield said
    for part in get_args(said):
        yield from models(part)


def said_by(route: APIRoute) -> Iterator[type[BaseModel]]:
    """What a caller sends and gets, as models."""
    yield from models(route.response_model)
    if route.body_field is not None:
        yield from models(route.body_field.field_info.annotation)


def test_every_clinician_operation_shows_an_example_of_what_is_sent_and_answered(app: FastAPI) -> None:
    routes = [route for route in all_routes(app) if route.path.startswith("/v1/clinician/")]
    assert len(routes) >= 30
    for route in routes:
        answers_without_body = route.status_code == 204 or route.path.endswith(".pdf")
        assert answers_without_body or list(models(route.response_model)), route.path
        for model in said_by(route):
            extra = model.model_config.get("json_schema_extra")
            assert isinstance(extra, dict), f"{route.path}: {model.__name__} has no example"
            shown = extra["examples"]
            assert isinstance(shown, list)
            assert shown
            for one in shown:
                model.model_validate(one)


def test_a_refusal_is_documented_as_it_is_sent(client: TestClient) -> None:
    refused = client.post("/v1/clinician/sign-in", json={"email": 3}).json()
    document = client.get("/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values() if path.startswith("/v1/clinician/") else ():
            reference = operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"]
            assert reference == "#/components/schemas/RefusalOut"
            assert "422" not in operation["responses"]
    assert set(document["components"]["schemas"]["RefusalOut"]["properties"]) == set(refused)
