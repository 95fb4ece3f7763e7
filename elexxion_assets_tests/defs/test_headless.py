"""A pass without daemons: that it comes to an end."""

from __future__ import annotations

import itertools
import threading
import time

from elexxion_assets.defs import headless
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets_tests.lake.test_intake_to_gold import Lake


def test_a_file_that_is_written_all_the_time_does_not_keep_a_pass_from_its_end(lake: Lake) -> None:
    lake.storage.write("input/live.csv", b"a;b\n0;0\n")
    ended = threading.Event()

    def overwrite() -> None:
        deadline = time.monotonic() + 90
        for number in itertools.count(1):
            if ended.wait(0.02) or time.monotonic() > deadline:
                return
            lake.storage.write("input/live.csv", f"a;b\n{number};0\n".encode())

    writer = threading.Thread(target=overwrite)
    writer.start()
    try:
        done = headless.run_pass(lake.storage, Ledger(lake.storage), lambda words: None)
        assert writer.is_alive()
    finally:
        ended.set()
        writer.join()
    assert done.deliveries
    assert done.left == ["input/live.csv"]
