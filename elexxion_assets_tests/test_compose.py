"""The compose file: what it starts fits together, and Compose itself accepts it where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from elexxion_assets.settings import Settings
from elexxion_assets_tests.conftest import PROJECT

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REQUIRED = {
    "ELEXXION_S3_ACCESS_KEY": "person",
    "ELEXXION_S3_SECRET_KEY": "person-secret",
    "ELEXXION_POSTGRES_PASSWORD": "secret",
    "ELEXXION_WEBHOOK_TOKEN": "sixteen-characters",
}


def test_services_wait_for_services_that_can_say_they_are_well() -> None:
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"], name


def test_services_are_called_by_their_names_and_only_this_machine_reaches_them() -> None:
    [location] = yaml.safe_load((PROJECT / "deploy" / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    server = location["grpc_server"]
    assert f"-p {server['port']} -m elexxion_assets.definitions" in SERVICES[server["host"]]["command"]
    said = "\n".join(str(value) for service in SERVICES.values() for value in service.get("environment", {}).values())
    hosts = set(re.findall(r"(?:https?://|@)([a-z]+):\d+", said))
    assert hosts
    assert hosts <= set(SERVICES)
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_what_the_services_are_told_are_settings_that_hold() -> None:
    told = {name: value for name, value in SERVICES["code"]["environment"].items() if name.startswith("ELEXXION_")}
    assert {name.removeprefix("ELEXXION_").lower() for name in told} <= set(Settings.model_fields)

    def filled(text: str) -> str:
        return re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: REQUIRED.get(found[1], found[2] or ""), text)

    # An empty variable counts as none, as in the environment.
    values = {name.removeprefix("ELEXXION_").lower(): text for name, value in told.items() if (text := filled(value))}
    assert Settings(_env_file=None, **values).s3_endpoint == "http://minio:9000"  # type: ignore[call-arg, arg-type]


def test_the_image_is_made_of_files_that_are_there() -> None:
    lines = (PROJECT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1] if word[0] != "-"]
    assert "elexxion_assets" in copied
    assert [name for name in copied if not (PROJECT / name).exists()] == []


def test_compose_accepts_the_file_and_asks_for_its_secrets() -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("no docker-compose in PATH")
    check = [command, "-f", str(PROJECT / "docker-compose.yml"), "--env-file", os.devnull, "config", "--quiet"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ELEXXION_")}
    done = subprocess.run(check, env=kept | REQUIRED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in REQUIRED:
        left = {other: value for other, value in REQUIRED.items() if other != name}
        done = subprocess.run(check, env=kept | left, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert name in done.stderr
