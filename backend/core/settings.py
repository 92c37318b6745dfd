"""What the environment decides: variables with the prefix SOOM_, and two that keep their usual names."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.core.errors import StartRefused

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DEMO_SECRET = "not-a-secret-only-for-the-demonstration"  # noqa: S105 (refused outside the demonstration)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOOM_", extra="ignore", populate_by_name=True)

    database_url: str | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL", "SOOM_DATABASE_URL"))
    data_folder: Path = PROJECT_ROOT / ".soom"
    secret_key: SecretStr = SecretStr(DEMO_SECRET)
    demo: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    firebase_credentials: Path | None = Field(
        default=None, validation_alias=AliasChoices("FIREBASE_CREDENTIALS", "SOOM_FIREBASE_CREDENTIALS")
    )
    fcm_endpoint: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str = "soom@localhost"
    smtp_starttls: bool = True
    metrics_token: SecretStr | None = None
    model_folder: Path = PROJECT_ROOT / "ml" / "models"
    shared_data: Path = PROJECT_ROOT.parent / "shared" / "data"
    pool_size: int = 20
    access_token_minutes: int = 15
    refresh_token_days: int = 60
    clinician_session_hours: int = 10

    @property
    def address(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    def refuse_default_secret(self) -> None:
        """Raise StartRefused when, outside the demonstration, the signing secret is the published one or short."""
        secret = self.secret_key.get_secret_value()
        if not self.demo and (secret == DEMO_SECRET or len(secret) < 32):
            raise StartRefused("Set SOOM_SECRET_KEY to a random text of at least 32 characters before you start Soom.")
