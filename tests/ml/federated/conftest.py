from pathlib import Path

import pytest

from ml.federated.coordinator import Outcome
from ml.training.fit import Cohort
from tests.ml.federated.networks import SmallNetwork, made_up_cohorts, small_network


@pytest.fixture(scope="session")
def cohorts() -> dict[str, Cohort]:
    return made_up_cohorts()


@pytest.fixture
def network(tmp_path: Path, cohorts: dict[str, Cohort]) -> SmallNetwork:
    return small_network(tmp_path, cohorts)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, cohorts: dict[str, Cohort]) -> tuple[SmallNetwork, Outcome]:
    """A run that nothing disturbed."""
    network = small_network(tmp_path_factory.mktemp("network"), cohorts)
    return network, network.train()
