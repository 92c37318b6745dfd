"""One hospital of the network: its data, its rules, and its answers. Everything here runs at the hospital.

A hospital is a folder: `hospital.json` (name, code, data, rules), `mask_key.pem` (its X25519 key), `roster.json` (the
public keys of all hospitals), `accepted/` (digests of the plans it takes part in), `waiting/` (plans to look at),
`ledger.jsonl` (every plan accepted or taken back; every question answered or refused, for which purpose and with how
many patients) and `work/`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ml.federated.masking import NotMasked, context_of, flat, masked
from ml.federated.messages import Question, Reply
from ml.federated.plan import FederationPlan, PlanRefused, Privacy, refuse_weaker
from ml.federated.rows import HospitalDataRefused, HospitalRows, load_rows, save_rows
from ml.federated.sum_steps import SUM_STEPS, noisy_gradient
from ml.federated.trees import TreesRefused

if TYPE_CHECKING:
    from ml.federated.hospital_data import HospitalData, Source
    from ml.training.fit import Cohort

SETTINGS, KEY, ROSTER, LEDGER = "hospital.json", "mask_key.pem", "roster.json", "ledger.jsonl"
# A repeat without a lost hospital is normal; a coordinator that asks again and again may be after a difference.
MOST_ATTEMPTS = 12
TREE_STEPS = ("grow", "leaves", "held_out", "thresholds", "judge")


class Refusal(ValueError):
    """The hospital does not answer; the message, which names no patient, is all the coordinator learns."""


@dataclass(frozen=True, slots=True)
class HospitalSettings:
    """`code` is the hospital's number in the shared model's `Profiles.hospital`. `data` is {"file"} or {"command"}.

    `accepts` is "any" or "listed": then a plan's digest must lie in `accepted/`. `floor` is the least that a plan must
    guard.
    """

    name: str
    code: int
    data: Mapping[str, str]
    accepts: str = "listed"
    floor: Privacy = field(default_factory=Privacy)

    @classmethod
    def read(cls, folder: Path) -> "HospitalSettings":
        """From `hospital.json`. Refusal where it is missing or unusable."""
        try:
            stored = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            floor = Privacy(**stored.pop("floor", {}))
            settings = cls(**stored, floor=floor)
            if settings.accepts not in ("any", "listed") or not settings.name.isprintable() or not settings.name:
                raise ValueError("accepts must be any or listed, and the name a word")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise Refusal(f"{folder.name} is not the folder of a hospital: {error}") from error
        return settings


def source_of(settings: HospitalSettings, folder: Path, plan_digest: Callable[[], str]) -> "Source":
    """The data that the settings name, as the plan of `plan_digest` may have them. Refusal for anything else than a
    file or a command."""
    from ml.federated.hospital_data import cohort_file_source, command_source

    if set(settings.data) == {"file"}:
        return cohort_file_source(folder / settings.data["file"])
    if set(settings.data) == {"command"}:
        return command_source(settings.data["command"], plan_digest)
    raise Refusal("the data of a hospital are a file or a command")


class Hospital:
    """Answers questions. `now` stamps the ledger; `source` replaces what the settings name as data."""

    def __init__(
        self,
        folder: Path,
        source: "Source | None" = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = folder
        self.settings = HospitalSettings.read(folder)
        self._plan_digest = ""
        self._source = source or source_of(self.settings, folder, lambda: self._plan_digest)
        self._now = now
        self._rows: dict[str, HospitalRows] = {}
        self._data: HospitalData | None = None
        stored = (folder / KEY).read_bytes()
        private = serialization.load_pem_private_key(stored, password=None)
        if not isinstance(private, X25519PrivateKey):
            raise Refusal(f"{KEY} holds another kind of key")
        self._private = private
        roster = json.loads((folder / ROSTER).read_text(encoding="utf-8"))
        self._roster = {name: X25519PublicKey.from_public_bytes(bytes.fromhex(key)) for name, key in roster.items()}

    def answer(self, question: Question) -> Reply:
        """The reply; a refusal with its reason where the plan, the participants or the data do not allow an answer."""
        name = self.settings.name
        try:
            plan = self._agreed(question)
            self._plan_digest = plan.digest
            reply = self._answer(question, plan)
            self._note(question, plan, "answered")
        except (Refusal, PlanRefused, NotMasked, HospitalDataRefused, TreesRefused) as refused:
            self._note(question, None, f"refused: {refused} ({refused.__cause__})")
            return Reply(name, refusal=str(refused))
        except (KeyError, ValueError, TypeError) as error:
            # The message may quote a patient's value, so it stays in the ledger.
            self._note(question, None, f"refused: {error!r}")
            return Reply(name, refusal="the question and this hospital's data do not go together; its ledger says why")
        return reply

    def _agreed(self, question: Question) -> FederationPlan:
        plan = FederationPlan.from_dict(dict(question.plan))
        refuse_weaker(plan, self.settings.floor)
        if self.settings.accepts != "any" and not (self.folder / "accepted" / plan.digest).exists():
            waiting = self.folder / "waiting"
            waiting.mkdir(exist_ok=True)
            (waiting / f"{plan.digest}.json").write_text(json.dumps(plan.to_dict(), indent=1), encoding="utf-8")
            raise Refusal(f"the plan {plan.digest[:12]} waits for this hospital's acceptance")
        if question.step == "hello":
            return plan
        if self.settings.name not in question.participants:
            raise Refusal("this hospital is not among the participants of the step")
        if len(set(question.participants)) < plan.fewest_hospitals:
            raise Refusal(f"{len(set(question.participants))} hospitals; the plan needs {plan.fewest_hospitals}")
        if not 0 <= question.attempt < MOST_ATTEMPTS:
            raise Refusal(f"attempt {question.attempt} of one step; at most {MOST_ATTEMPTS} are answered")
        return plan

    def _answer(self, question: Question, plan: FederationPlan) -> Reply:
        name = self.settings.name
        if question.step == "hello":
            # A run begins with the data of today: who has withdrawn since the last one is in no later answer.
            self._rows, self._data = {}, None
            shutil.rmtree(self.folder / "work", ignore_errors=True)
        rows = self._rows_for(plan)
        if question.step == "hello":
            # To the ten below: the network knows how large its members are, not who joined last week.
            patients = rows.patients // 10 * 10
            own_ids = list(self._coded_data().own_ids)
            return Reply(name, {"code": self.settings.code, "patients": patients, "own_ids": own_ids})
        if question.step in SUM_STEPS:
            return Reply(name, arrays=self._sent(SUM_STEPS[question.step](rows, question, plan), question, plan))
        if question.step == "noisy_gradient":
            noise = self._noise(question, plan)
            return Reply(name, arrays=self._sent(noisy_gradient(rows, question, plan, noise), question, plan))
        if question.step not in TREE_STEPS:
            raise Refusal(f"this version knows no step {question.step!r}")
        from ml.federated import judgement, tree_steps

        if question.step == "judge":
            return Reply(name, judgement.judge(self._coded_cohort(), rows, self.settings.code, question.texts, plan))
        if question.step == "grow":
            found = tree_steps.grow(rows, question, plan, tree_steps.rows_per_leaf(rows, plan))
        elif question.step == "leaves":
            found = tree_steps.leaves(rows, question, plan)
        elif question.step == "held_out":
            found = tree_steps.held_out(rows, question, plan)
        else:
            found = tree_steps.thresholds(rows, question, plan, self._coded_cohort())
        arrays = self._sent(found.sums, question, plan) if found.sums else {}
        return Reply(name, found.fields, arrays, found.texts)

    def _sent(self, sums: Mapping[str, np.ndarray], question: Question, plan: FederationPlan) -> dict[str, np.ndarray]:
        if not plan.privacy.masked:
            return {"sums": flat(sums)}
        context = context_of(question.run, question.step, question.attempt, question.participants, question.digest)
        return {
            "masked": masked(
                flat(sums), self.settings.name, self._private, self._roster, question.participants, context
            )
        }

    def _noise(self, question: Question, plan: FederationPlan) -> np.random.Generator:
        """This hospital's secret noise for a question. Asked again it is the same; Refusal beyond the plan's steps."""
        spent_file = self.folder / "work" / "noisy_questions.json"
        spent = json.loads(spent_file.read_text(encoding="utf-8")) if spent_file.exists() else []
        if question.digest not in spent:
            if plan.privacy.differential is None or len(spent) >= plan.privacy.differential.steps:
                raise Refusal("the privacy budget of this run is spent")
            spent_file.write_text(json.dumps([*spent, question.digest]), encoding="utf-8")
        secret = self._private.private_bytes_raw()
        return np.random.default_rng(
            int.from_bytes(HKDF(SHA256(), 32, question.digest.encode(), b"noise").derive(secret))
        )

    def _coded_data(self) -> "HospitalData":
        """The data, the patients under the code that the shared model knows this hospital by."""
        from dataclasses import replace

        if self._data is None:
            read = self._source()
            code = np.full(len(read.cohort.profiles), self.settings.code, dtype=np.int32)
            coded = replace(read.cohort, profiles=replace(read.cohort.profiles, hospital=code))
            self._data = replace(read, cohort=coded)
        return self._data

    def _coded_cohort(self) -> "Cohort":
        return self._coded_data().cohort

    def _rows_for(self, plan: FederationPlan) -> HospitalRows:
        key = plan.digest
        if key not in self._rows:
            work = self.folder / "work"
            file = work / f"{key}.npz"
            if not file.exists():
                from ml.federated.hospital_data import hospital_rows

                made = hospital_rows(self._coded_cohort(), plan, self.settings.code)
                work.mkdir(mode=0o700, exist_ok=True)
                save_rows(made, file)
            self._rows = {key: load_rows(file)}
        return self._rows[key]

    def _note(self, question: Question, plan: FederationPlan | None, outcome: str) -> None:
        rows = self._rows.get(plan.digest) if plan else None
        entry: dict[str, Any] = {
            "at": self._now().isoformat(),
            "run": question.run,
            "step": question.step,
            "attempt": question.attempt,
            "participants": list(question.participants),
            "purpose": plan.purpose if plan else None,
            "plan": plan.digest if plan else None,
            "patients": rows.patients if rows else None,
            "outcome": outcome,
        }
        _write(self.folder, entry)


def new_hospital(folder: Path, settings: HospitalSettings) -> str:
    """Make a hospital's folder and key; returns the public key (hex) for the others' rosters."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "name": settings.name,
        "code": settings.code,
        "data": dict(settings.data),
        "accepts": settings.accepts,
        "floor": {
            name: getattr(settings.floor, name)
            for name in ("masked", "patients_per_leaf", "rows_per_leaf", "patients_to_grow", "smallest_cell")
        },
    }
    (folder / SETTINGS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    private = X25519PrivateKey.generate()
    key = folder / KEY
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return private.public_key().public_bytes_raw().hex()


def write_rosters(folders: Mapping[str, Path], public_keys: Mapping[str, str]) -> None:
    """Give every hospital the public keys of all."""
    text = json.dumps(dict(sorted(public_keys.items())), indent=1) + "\n"
    for folder in folders.values():
        (folder / ROSTER).write_text(text, encoding="utf-8")


def accept(folder: Path, digest_start: str, now: datetime) -> str:
    """Accept a waiting plan by the first letters of its digest; returns the digest. Refusal if none or many fit."""
    digest = _only(folder / "waiting", digest_start)
    (folder / "accepted").mkdir(exist_ok=True)
    (folder / "accepted" / digest).touch()
    _write(folder, {"at": now.isoformat(), "plan": digest, "outcome": "accepted"})
    return digest


def take_back(folder: Path, digest_start: str, now: datetime) -> str:
    """End an acceptance: no later question of the plan is answered. Refusal if no accepted plan fits, or many."""
    digest = _only(folder / "accepted", digest_start)
    (folder / "accepted" / digest).unlink()
    _write(folder, {"at": now.isoformat(), "plan": digest, "outcome": "acceptance taken back"})
    return digest


def _only(plans: Path, digest_start: str) -> str:
    fitting = [file.stem for file in plans.glob("*") if file.stem.startswith(digest_start)]
    if len(fitting) != 1:
        raise Refusal(f"{len(fitting)} {plans.name} plans begin with {digest_start!r}")
    return fitting[0]


def _write(folder: Path, entry: Mapping[str, Any]) -> None:
    with (folder / LEDGER).open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(entry, ensure_ascii=False) + "\n")
