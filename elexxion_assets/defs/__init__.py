"""The only rooms that know Dagster: the assets made from the themes, the sensor on `input/`, automation, IO."""
