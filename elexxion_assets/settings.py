"""Settings, all of them, read from the environment (and a `.env` file) in one place."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """A setting that is missing or wrong, named for a person."""


def _names_the_driver(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith("postgresql+psycopg2://"):
        raise ValueError("must begin with postgresql+psycopg2://, the driver that Dagster works with")
    return url


def _is_an_address(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    return url


class Settings(BaseSettings):
    """Everything that a deployment chooses; each field is the variable `ELEXXION_<FIELD>`.

    Attributes:
        home: Directory of the embedded lake and of Dagster's own files.
        themes: Folder of themes of one's own, one package each; without it, `themes` under `home`.
        rules: Folder of rules and thresholds of one's own, a `<theme>.yaml` each, laid over those of the themes.
        bucket: Name of the bucket on S3; folder of the lake under `home` otherwise.
        s3_endpoint: Address of the S3 service; without it the lake is a directory.
        s3_region: Region to sign requests for.
        s3_access_key: Access key.
        s3_secret_key: Secret key.
        engine: What makes the tables: Polars in this process, or Spark.
        spark_master: The Spark cluster, such as `spark://host:7077`; `local[*]` is this machine.
        spark_from_bytes: Size of a table's inputs from which Spark makes it; smaller ones are made by Polars on the
            driver, which is faster.
        cog_vintage: Vintage of the communes (COG) that all tables speak of; without it, the newest known.
        dagster_database_url: PostgreSQL address of Dagster's own storage; without it, SQLite files.
        study_database_url: PostgreSQL address of the searches of parameters, another database or schema than Dagster's;
            without it, an SQLite file under `home`.
        study_trials: Trials of a search; 0 for none, the model's own parameters.
        study_seconds: Seconds after which a search begins no further trial.
        settle_seconds: Age that a file in `input/` must reach before it is taken, so that a file still being copied is
            left alone.
        batch: Largest number of files that one run takes.
        workers: Small files that a run takes at the same time; by default four for each core.
        sensor_seconds: Least seconds between two looks at `input/`; the daemon itself looks every five.
        events_target: Name by which the S3 server knows where events go; `elexxion init` then asks the bucket for them.
        webhook_token: Secret that the senders of events show to `elexxion serve`.
        retention_days: Days that Dagster's runs and their events are kept; 0 keeps them for ever. What made the present
            state of a table is kept longer.
        alert_mail_host: Mail server (SMTP) that alerts are handed to; without it, none are sent by mail.
        alert_mail_port: Its port.
        alert_mail_starttls: Whether the connection is encrypted by STARTTLS; its certificate is then verified.
        alert_mail_user: User to log in as; without it, nobody logs in.
        alert_mail_password: Password of that user.
        alert_mail_from: Address that alerts come from.
        alert_mail_to: Addresses that they go to, separated by commas.
        alert_webhook: Address that alerts are posted to as JSON, with a `text` as Slack shows it; a secret.
        alert_link: Address of the Dagster UI as people know it, which alerts link to; without it, `webserver`.
        webserver: Address of Dagster's webserver, which `elexxion serve` asks to look at once.
        fetch_max_bytes: Largest release that `elexxion fetch` brings.
        fetch_hosts: Hosts that it may ask, and those below them, separated by commas.
    """

    model_config = SettingsConfigDict(
        env_prefix="ELEXXION_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Path(".elexxion")
    themes: Path | None = None
    rules: Path | None = None
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "elexxion-bucket"
    s3_endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    engine: Literal["polars", "spark"] = "polars"
    spark_master: Annotated[str, Field(pattern=r"^(local(\[.+\])?|spark://\S+|yarn|k8s://\S+)$")] = "local[*]"
    spark_from_bytes: Annotated[int, Field(ge=0)] = 0
    cog_vintage: Annotated[int, Field(ge=1943, le=2100)] | None = None
    dagster_database_url: Annotated[SecretStr, AfterValidator(_names_the_driver)] | None = None
    study_database_url: Annotated[SecretStr, AfterValidator(_names_the_driver)] | None = None
    study_trials: Annotated[int, Field(ge=0, le=100_000)] = 12
    study_seconds: Annotated[int, Field(ge=0)] = 600
    settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    batch: Annotated[int, Field(ge=1, le=100_000)] = 500
    workers: Annotated[int, Field(ge=1, le=64)] = min(4 * (os.cpu_count() or 1), 32)
    sensor_seconds: Annotated[int, Field(ge=1, le=3600)] = 3
    events_target: Annotated[str, Field(pattern=r"^arn:\S+$")] | None = None
    webhook_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    alert_mail_host: str | None = None
    alert_mail_port: Annotated[int, Field(ge=1, le=65_535)] = 587
    alert_mail_starttls: bool = True
    alert_mail_user: str | None = None
    alert_mail_password: SecretStr | None = None
    alert_mail_from: str | None = None
    alert_mail_to: str | None = None
    alert_webhook: Annotated[SecretStr, AfterValidator(_is_an_address)] | None = None
    alert_link: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    webserver: Annotated[str, Field(pattern=r"^https?://\S+$")] = "http://127.0.0.1:3000"
    fetch_max_bytes: Annotated[int, Field(ge=1)] = 4_000_000_000
    fetch_hosts: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+(\s*,\s*[A-Za-z0-9.:-]+)*$")] = (
        "data.gouv.fr,insee.fr,media.interieur.gouv.fr,data.dares.travail-emploi.gouv.fr"
    )

    @model_validator(mode="after")
    def _keys_come_with_an_endpoint(self) -> Settings:
        if self.s3_endpoint is not None:
            for name in ("s3_access_key", "s3_secret_key"):
                if getattr(self, name) is None:
                    raise ValueError(f"ELEXXION_{name.upper()} is required when ELEXXION_S3_ENDPOINT is set")
        return self

    @model_validator(mode="after")
    def _mail_has_both_ends(self) -> Settings:
        if self.alert_mail_host is not None:
            for name in ("alert_mail_from", "alert_mail_to"):
                if getattr(self, name) is None:
                    raise ValueError(f"ELEXXION_{name.upper()} is required when ELEXXION_ALERT_MAIL_HOST is set")
        return self

    @property
    def lake_directory(self) -> Path:
        """Directory of the lake when it is not on S3."""
        return self.home.absolute() / self.bucket

    @property
    def themes_directory(self) -> Path:
        """Directory of the themes that are no part of the package; it need not be there."""
        return (self.themes or self.home / "themes").absolute()

    @property
    def dagster_home(self) -> Path:
        """Directory of Dagster's own files in embedded use."""
        return self.home.absolute() / "dagster"


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a value is wrong; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "ELEXXION_" + str(problem["loc"][0]).upper() if problem["loc"] else ""
            lines.append(f"{name}: {problem['msg']}" if name else problem["msg"].removeprefix("Value error, "))
        raise SettingsError("; ".join(lines)) from error
