"""Asks the bucket to tell of every file that appears under `input/`."""

from __future__ import annotations

from typing import Any

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import S3Storage

RULE = "elexxion-input"


def ask_for_events(storage: S3Storage, target: str) -> bool:
    """Adds the rule to the bucket; rules of others stay.

    Args:
        storage: The bucket.
        target: Name of the target that the server knows, such as `arn:minio:sqs::ELEXXION:webhook`.

    Returns:
        Whether it was not there yet.
    """
    there: dict[str, Any] = storage.client.get_bucket_notification_configuration(Bucket=storage.bucket)
    rules = {name: value for name, value in there.items() if name.endswith("Configurations")}
    ours = {
        "Id": RULE,
        "QueueArn": target,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": layout.INPUT}]}},
    }
    queues = rules.get("QueueConfigurations", [])
    if any(rule["QueueArn"] == target and _prefix(rule) == layout.INPUT for rule in queues):
        return False
    rules["QueueConfigurations"] = [*(rule for rule in queues if rule.get("Id") != RULE), ours]
    storage.client.put_bucket_notification_configuration(Bucket=storage.bucket, NotificationConfiguration=rules)
    return True


def _prefix(rule: dict[str, Any]) -> str:
    filters = rule.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return next((str(item["Value"]) for item in filters if item["Name"].lower() == "prefix"), "")
