from typing import Any

from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter

from backend.dashboard.examples import examples
from backend.dashboard.patient_schemas import AuditOut, DiaryOut, ForecastsOut, PatientOut, PersonOut
from backend.dashboard.roster_schemas import RosterOut
from backend.dashboard.schemas import AlertsOut
from backend.dashboard.treatment_view import TreatmentOut

MODELS: tuple[type[BaseModel], ...] = (
    AlertsOut,
    AuditOut,
    DiaryOut,
    ForecastsOut,
    PatientOut,
    PersonOut,
    RosterOut,
    TreatmentOut,
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
