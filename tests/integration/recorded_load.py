# SPDX-License-Identifier: GPL-3.0-or-later
"""A load of puts, updates and deletes that remembers what it wrote in which second: what a restore has to bring back."""

import random
import threading
import time

QUIET_BEFORE, QUIET_AFTER = 0.08, 0.90  # of each second nothing is written then: a write belongs to one second


class RecordedLoad:
    """Writes to a side's table in the background from ``with`` to its end."""

    def __init__(self, side, keys=60, seed=1):
        self.side, self.random = side, random.Random(seed)
        self.keys = [f"dr-{seed}-{number}" for number in range(keys)]
        self.before = {item["PK"]["S"]: item for item in side.items()}
        self.written = []  # (second, key, item or None), in order
        self.blurred = set()  # moments of which nobody knows whether a write was before them: it took too long
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *problem):
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    @property
    def seconds(self):
        """First and last second that something was written in."""
        return self.written[0][0], self.written[-1][0]

    def moments(self, first):
        """The whole seconds from ``first`` on of which it is known what was there."""
        return [moment for moment in range(first, self.seconds[1] + 2) if moment not in self.blurred]

    def at(self, moment):
        """The items that were there at a moment, by key: everything written strictly before it."""
        items = dict(self.before)
        for second, key, item in self.written:
            if second + 1 > moment:
                break
            if item is None:
                items.pop(key, None)
            else:
                items[key] = item
        return items

    def clean(self):
        """Remove what is left of it."""
        for key in self.keys:
            self.side.remove(key)

    def _write(self):
        while not self.stop.is_set():
            begin = time.time()
            if not QUIET_BEFORE < begin % 1 < QUIET_AFTER - 0.1:
                time.sleep(0.01)
                continue
            key = self.random.choice(self.keys)
            item = None
            if self.random.random() < 0.25:
                self.side.remove(key)
            else:
                item = self.side.write(
                    key, n={"N": str(len(self.written))}, text={"S": "x" * self.random.randrange(200)}
                )
            self.blurred.update(range(int(begin) + 1, int(time.time()) + 1))
            self.written.append((int(begin), key, item))
            time.sleep(0.02)
