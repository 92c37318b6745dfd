"""The example study on two small simulated hospitals, prepared once."""

from collections.abc import Iterator

import pytest

from ml.omop.source import OmopSource
from ml.rwe.hospital import HospitalStudy
from ml.rwe.protocol import Protocol, read_protocol
from ml.rwe.simulated_hospital import simulated_hospital
from ml.rwe.study import prepare_all
from tests.ml.rwe.example import EXAMPLE


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return read_protocol(EXAMPLE)


@pytest.fixture(scope="session")
def sources() -> Iterator[list[OmopSource]]:
    made = [OmopSource.of_tables(simulated_hospital(5, place, 500), f"Hospital {place + 1}") for place in (0, 1)]
    yield made
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def hospitals(sources: list[OmopSource], protocol: Protocol) -> list[HospitalStudy]:
    return prepare_all(sources, protocol)[0]
