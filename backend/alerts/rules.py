from enum import StrEnum


class Level(StrEnum):
    AMBER = "amber"
    RED = "red"


class Cause(StrEnum):
    RED_ZONE = "red_zone"
    RED_FLAG = "red_flag"
    FORECAST = "forecast"
