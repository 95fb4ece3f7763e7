"""Makes the sensor look at once, through Dagster's webserver, and launches what it asks for.

The webserver evaluates the very sensor that the daemon evaluates every few seconds, and launches its requests under the
same run keys, so that neither asks for what the other has asked for. Dagster itself is not imported: a service that
only wakes others stays small.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

SENSOR = "input_sensor"
LOOK_SECONDS = 0.5
GIVE_UP_SECONDS = 900
_BY_INTAKE = {"key": "elexxion/by", "value": "intake"}
_REPOSITORIES = (
    "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } sensors { name } } } } }"
)
_EVALUATE = """mutation ($selector: SensorSelector!) { sensorDryRun(selectorData: $selector, cursor: null) {
  __typename ... on DryRunInstigationTick { evaluationResult { error { message } runRequests {
    runKey jobName runConfigYaml tags { key value } assetSelection { path } } } } } }"""
_LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_ACTIVE = """query ($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) {
  ... on Runs { results { runId } } } }"""
_log = logging.getLogger("elexxion.wake")


class Dagster:
    """Dagster's webserver.

    Args:
        address: Its address, such as `http://webserver:3000`.
    """

    def __init__(self, address: str) -> None:
        import httpx

        self.client = httpx.Client(base_url=address, timeout=70)
        self._selector: dict[str, str] | None = None

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """One GraphQL question; OSError-like `httpx.HTTPError` or RuntimeError where there is no answer."""
        answer = self.client.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        if said.get("errors"):
            raise RuntimeError(f"Dagster refused the question: {said['errors'][0]['message']}")
        found: dict[str, Any] = said["data"]
        return found

    def selector(self) -> dict[str, str]:
        """Where the sensor is; the code location is called otherwise in every deployment."""
        if self._selector is None:
            nodes = self.ask(_REPOSITORIES)["repositoriesOrError"].get("nodes", [])
            ours = [node for node in nodes if SENSOR in {sensor["name"] for sensor in node["sensors"]}]
            if not ours:
                raise RuntimeError(f"Dagster has not loaded {SENSOR} yet")
            self._selector = {"repositoryName": ours[0]["name"], "repositoryLocationName": ours[0]["location"]["name"]}
        return self._selector

    def look(self) -> int:
        """Evaluates the sensor and launches what it asks for; gives how many runs that were."""
        selector = self.selector()
        told = self.ask(_EVALUATE, selector={**selector, "sensorName": SENSOR})["sensorDryRun"]
        result = told.get("evaluationResult")
        if result is None or result["error"]:
            self._selector = None
            raise RuntimeError(f"{SENSOR} could not look: {(result or told).get('error') or told['__typename']}")
        for request in result["runRequests"] or []:
            self._launch(selector, request)
        return len(result["runRequests"] or [])

    def _launch(self, selector: dict[str, str], request: dict[str, Any]) -> None:
        tags = {tag["key"]: tag["value"] for tag in request["tags"]}
        tags |= {"dagster/run_key": request["runKey"], "dagster/sensor_name": SENSOR}
        chosen: dict[str, Any] = {**selector, "jobName": request["jobName"]}
        if request["assetSelection"]:
            chosen["assetSelection"] = [{"path": key["path"]} for key in request["assetSelection"]]
        params = {
            "selector": chosen,
            "runConfigData": request["runConfigYaml"] or "{}",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in sorted(tags.items())]},
        }
        told = self.ask(_LAUNCH, params=params)["launchRun"]
        if told["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"{request['jobName']} could not be launched: {told}")

    def busy(self) -> bool:
        """Whether a run of the intake waits or works."""
        statuses = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
        told = self.ask(_ACTIVE, filter={"tags": [_BY_INTAKE], "statuses": statuses})
        return bool(told["runsOrError"].get("results"))


class Waker:
    """One thread that looks as long as there is something to do; any number of wakes while it looks are one.

    Args:
        dagster: The webserver.
        settle_seconds: Age that a file must reach before the sensor takes it.
    """

    def __init__(self, dagster: Dagster, settle_seconds: float) -> None:
        self.dagster = dagster
        self.settle_seconds = settle_seconds
        self._woken = threading.Event()
        self._last = 0.0
        threading.Thread(target=self._work, name="waker", daemon=True).start()

    def wake(self) -> None:
        """Notes that there is something to look for; returns at once."""
        self._last = time.monotonic()
        self._woken.set()

    def _work(self) -> None:
        while self._woken.wait():
            self._woken.clear()
            self._look_until_quiet()

    def _look_until_quiet(self) -> None:
        """Looks until a file that came last has settled and nothing runs or is asked for; a failure is tried again."""
        pause = LOOK_SECONDS
        while time.monotonic() - self._last < GIVE_UP_SECONDS:
            try:
                if not self.dagster.busy():
                    settled = time.monotonic() - self._last > self.settle_seconds + 2 * LOOK_SECONDS
                    if not self.dagster.look() and settled:
                        return
                pause = LOOK_SECONDS
            except Exception as error:  # the sensor's own rhythm finds what this misses
                _log.warning("%s: %s", type(error).__name__, error)
                pause = min(pause * 2, 30)
            time.sleep(pause)
