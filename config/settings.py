"""Settings from the environment (KEYMILL_...), checked all at once: everything that is wrong is told in one message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.setting_problems import Problem, SettingsProblem, of_validation
from licensing.fields import Language

PREFIX = "KEYMILL_"


class Limits(BaseModel):
    """What an upload may be at most; checked before work starts, and told with the number."""

    model_config = ConfigDict(frozen=True)

    file_bytes: int = Field(default=200_000_000, ge=1, description="Size of an uploaded file.")
    rows: int = Field(default=1_048_576, ge=1, description="Rows of a table.")
    columns: int = Field(default=256, ge=1, description="Columns of a table.")
    cell_characters: int = Field(default=32_767, ge=1, description="Characters in a cell.")
    cells: int = Field(default=20_000_000, ge=1, description="Cells of a table.")
    unpacked_bytes: int = Field(default=2_000_000_000, ge=1, description="Size of a workbook's parts, unpacked.")
    zip_entries: int = Field(default=1_000, ge=1, description="Parts of a workbook.")
    zip_ratio: int = Field(default=200, ge=1, description="How far a part beyond 1 MB may be packed: 1 to this many.")

    def to_json(self) -> dict[str, int]:
        """The limits by name, for the reading child."""
        return self.model_dump()


class Settings(BaseSettings):
    """Every setting. An empty database or Redis URL means the embedded server, an empty store URL a folder of home."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    home: Path = Field(
        default=Path(".keymill"), description="Folder of the embedded servers, the local store and its keys."
    )
    database_url: str = Field(
        default="",
        pattern=r"^(postgresql://.+)?$",
        description="PostgreSQL, `postgresql://user:password@host/database`.",
    )
    redis_url: str = Field(
        default="", pattern=r"^((redis|rediss|unix)://.+)?$", description="Redis or Valkey, `redis://host:6379/0`."
    )
    store_url: str = Field(
        default="",
        pattern=r"^(file:///.+|s3://.+)?$",
        description="Object store, `s3://bucket/prefix` (endpoint in `AWS_ENDPOINT_URL_S3`) or `file:///folder`.",
    )
    store_encryption: Literal["", "AES256", "aws:kms"] = Field(
        default="", description="Server-side encryption asked of S3."
    )
    store_encryption_key: str = Field(default="", description="Key id for `aws:kms`.")
    link_seconds: int = Field(default=3_600, ge=1, le=604_800, description="How long a link to a result file works.")
    key_encryption_key: SecretStr | None = Field(
        default=None,
        description="Key that encrypts the signing keys: 32 random bytes in base64 (`openssl rand -base64 32`).",
    )
    key_encryption_key_file: Path | None = Field(default=None, description="File that holds the key-encryption key.")
    issuer: str = Field(default="keymill", min_length=1, description="Issuer named in every license key (`iss`).")
    public_url: str = Field(
        default="http://localhost:8000",
        pattern=r"^https?://.+",
        description="Address under which people reach this server.",
    )
    listen: str = Field(
        default="127.0.0.1:8000",
        pattern=r"^[^\s:]+:\d{1,5}$",
        description="Address and port on which `keymill web` listens; port 0 takes a free one.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses of proxies, with commas between them, whose `X-Forwarded-` headers are believed.",
    )
    requests_a_minute: int = Field(default=600, ge=1, description="Requests that an API token may make in a minute.")
    openid_issuer: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="OpenID Connect provider that people of the portal may sign in with, `https://login.example.com`.",
    )
    openid_client_id: str = Field(default="", description="What this installation is called there.")
    openid_client_secret: SecretStr | None = Field(default=None, description="Its secret there.")
    language: Language = Field(default="en", description="Language of sentences where nobody chose one: `en` or `it`.")
    log: Literal["text", "json"] = Field(
        default="text", description="Form of the log on standard error: `text` or `json`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )

    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Worker processes of one command; default: one a core.",
    )
    chunk_rows: int = Field(
        default=10_000, ge=1, le=100_000, description="Rows that a worker works off in one transaction."
    )
    attempts: int = Field(default=3, ge=1, description="Times that a chunk is tried before it is parked.")
    lease_seconds: float = Field(
        default=25, gt=0, description="How long a chunk belongs to a worker that gives no sign of life."
    )
    heartbeat_seconds: float = Field(default=5, gt=0, description="How often a worker gives a sign of life.")
    sweep_seconds: float = Field(default=5, gt=0, description="How often lost work is looked for.")
    run_retry_seconds: float = Field(
        default=30, gt=0, description="Wait before a failed run of a schedule is tried again."
    )
    outage_wait_seconds: float = Field(default=2, gt=0, description="Wait before work is tried again after an outage.")
    stop_seconds: float = Field(
        default=10, gt=0, description="Time that a worker has to finish its chunk when told to stop."
    )

    reader_memory_mb: int = Field(
        default=1_000, ge=100, description="Memory of the child process that reads an upload."
    )
    reader_cpu_seconds: int = Field(
        default=60, gt=0, description="Processor time of the reading child, whatever the file."
    )
    reader_cpu_seconds_a_megabyte: int = Field(
        default=5, ge=0, description="Further processor time a megabyte of upload."
    )
    workbook_memory_mb: int = Field(
        default=2_000, ge=100, description="Memory of the child process that writes workbooks for people to look at."
    )
    workbook_cpu_seconds: int = Field(default=300, gt=0, description="Processor time of that child.")
    statement_pages: int = Field(
        default=100,
        ge=0,
        description="Contracts of a reconciliation up to which each gets a page and a sheet, its customer copies.",
    )
    limits: Limits = Limits()

    sftp_host: str = Field(default="", description="Address that `keymill sftp` listens on; default: all.")
    sftp_port: int = Field(default=2022, ge=0, le=65_535, description="Port of `keymill sftp`.")
    sftp_folder: Path | None = Field(
        default=None, description="Folder for files that arrive by SFTP, until they are taken; default: `sftp` of home."
    )
    sftp_quota_bytes: int = Field(
        default=2_000_000_000, ge=1, description="Size of the files of an account that lie there."
    )
    sftp_quota_files: int = Field(default=1_000, ge=1, description="Number of the files of an account that lie there.")
    sftp_connections: int = Field(default=200, ge=1, description="Connections that `keymill sftp` has at a time.")
    sftp_connections_an_account: int = Field(default=10, ge=1, description="Of these, signed in to one account.")
    sftp_failed_logins: int = Field(
        default=20, ge=1, description="Failed sign-ins of an address in ten minutes, after which it is kept out."
    )
    sftp_days: int = Field(
        default=30, ge=1, description="How long results, sent files, refused and unfinished ones are seen by SFTP."
    )
    drop_keys: Path | None = Field(
        default=None,
        description="Folder of the private keys that drops added in the portal sign in with, on every machine with a "
        "scheduler; default: `drop-keys` of home.",
    )
    smtp_url: str = Field(
        default="",
        pattern=r"^((smtp|smtps|smtp\+starttls)://([^/@]+@)?(\[[0-9A-Fa-f:]+\]|[^/@:\[\]]+)(:\d{1,5})?/?)?$",
        description="Mail server, `smtp+starttls://user:password@host:587` (`smtps`: TLS from the start; `smtp`: "
        "none). Without it no mail is sent.",
    )
    mail_from: str = Field(default="", pattern=r"^([^\s@<>]+@[^\s@<>]+)?$", description="Address that mail comes from.")
    webhooks_private: bool = Field(
        default=False,
        description="Whether webhooks may go over plain http and to private addresses: for laboratories and tests.",
    )

    unknown_codes_a_day: int = Field(
        default=1_000, ge=1, description="Rows naming an unknown code after which an account is stopped for the day."
    )

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the embedded one: then the store and the key-encryption key may be made here too."""
        return not self.database_url

    @property
    def effective_store_url(self) -> str:
        """The store's URL: the one that was set, else the folder ``store`` of home."""
        return self.store_url or (self.home.resolve() / "store").as_uri()

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process."""
        found: dict[str, str] = {}
        for name, value in self:
            if isinstance(value, Limits):
                found |= {f"{PREFIX}{name}__{key}".upper(): str(number) for key, number in value}
            elif value not in (None, ""):
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                found[f"{PREFIX}{name}".upper()] = text
        return found


def load() -> Settings:
    """The settings of this process's environment. Raises :class:`SettingsProblem` with all that is wrong."""
    problems: list[Problem] = []
    try:
        settings = Settings()
    except ValidationError as error:
        problems = of_validation(error, PREFIX)
    missing = _missing_in_production() + _missing_for_mail()
    if problems or missing:
        raise SettingsProblem(problems + missing)
    return settings


def _missing_for_mail() -> list[Problem]:
    given = {name.upper() for name, value in os.environ.items() if value}
    if f"{PREFIX}SMTP_URL" in given and f"{PREFIX}MAIL_FROM" not in given:
        return [Problem(f"{PREFIX}MAIL_FROM", "is missing", "manca")]
    return []


def _missing_in_production() -> list[Problem]:
    """What must be set as soon as the database is not the embedded one: nothing secret or shared has a default."""
    given = {name.upper() for name, value in os.environ.items() if value}
    if f"{PREFIX}DATABASE_URL" not in given:
        return []
    missing = []
    if f"{PREFIX}STORE_URL" not in given:
        missing.append(Problem(f"{PREFIX}STORE_URL", "is missing", "manca"))
    if not given & {f"{PREFIX}KEY_ENCRYPTION_KEY", f"{PREFIX}KEY_ENCRYPTION_KEY_FILE"}:
        name = f"{PREFIX}KEY_ENCRYPTION_KEY"
        missing.append(Problem(name, f"is missing (or {name}_FILE)", f"manca (oppure {name}_FILE)"))
    return missing
