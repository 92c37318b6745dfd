"""The people of the simulated clinic. All are invented."""

from dataclasses import dataclass

from backend.patients.tables import Language


@dataclass(frozen=True)
class Person:
    name: str
    language: Language
    time_zone: str


def _living_in(language: Language, time_zone: str, *names: str) -> list[Person]:
    return [Person(name, language, time_zone) for name in names]


PEOPLE = (
    *_living_in(
        Language.KOREAN,
        "Asia/Seoul",
        "김민지",
        "이서준",
        "박하은",
        "최도윤",
        "정수빈",
        "강지호",
        "조예린",
        "윤태양",
        "장미래",
        "임현우",
        "한소라",
        "오준영",
    ),
    *_living_in(
        Language.ESTONIAN,
        "Europe/Tallinn",
        "Mari Tamm",
        "Jaan Saar",
        "Liis Kask",
        "Rein Mägi",
        "Tiina Õun",
        "Karl Põld",
    ),
    *_living_in(
        Language.ENGLISH,
        "Europe/London",
        "Alice Brown",
        "Tom Evans",
        "Grace Hughes",
        "Omar Khan",
        "Ruth Walker",
        "Ben Clarke",
    ),
)
