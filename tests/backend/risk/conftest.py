import pytest

from backend.core.settings import Settings
from backend.risk.forecaster import RiskForecaster


@pytest.fixture(scope="session")
def forecaster() -> RiskForecaster:
    """The model that ships."""
    return RiskForecaster.newest_in(Settings().model_folder)
