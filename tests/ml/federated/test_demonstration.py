"""What `make network` tells its user."""

from typing import Any

from infra.network.demonstration import gains, table


def found(own: float, together: float, low: float, high: float, adopt: bool = True) -> dict[str, Any]:
    """A hospital's judgement of its own and the shared model."""
    bounds = {"observed_over_expected_low": low, "observed_over_expected_high": high}
    models = [
        {"auroc": auroc, "sensitivity": auroc - 0.2, "observed_over_expected": (low + high) / 2} | bounds
        for auroc in (own, together)
    ]
    return {"enough": True, "own": models[0], "federated": models[1], "adopt": adopt}


JUDGEMENT = {
    "aden": found(0.8, 0.85, 0.7, 1.2),
    "brno": found(0.8, 0.79, 0.2, 0.8, adopt=False),
    "cork": found(0.8, 0.81, 1.1, 1.9),
    "dijon": {"enough": False, "adopt": True, "why": "too few attacks"},
}


def test_each_hospital_reads_what_it_gained_and_whether_the_chances_fit() -> None:
    lines = {line.split(":")[0]: line for line in gains(JUDGEMENT)}
    assert lines["aden"] == "aden: AUROC +0.050, attacks foreseen +5 of 100; its chances fit here."
    assert "its chances are too high here, and it would not take the model" in lines["brno"]
    assert lines["cork"].endswith("its chances are too low here.")
    assert "cannot be told" in lines["dijon"]


def test_the_table_says_on_how_many_patients_each_figure_rests() -> None:
    rows = table({"aden": 100, "dijon": 20, "elba": 60}, JUDGEMENT).splitlines()[3:]
    assert [row.split()[:4] for row in rows] == [
        ["aden", "25", "of", "100"],
        ["dijon", "5", "of", "20"],
        ["elba", "15", "of", "60"],
    ]
    assert "0.800 → 0.850" in rows[0]
    assert "too few attacks" in rows[1]
    assert "did not answer" in rows[2]
