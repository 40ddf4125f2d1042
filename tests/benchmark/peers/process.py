"""What every peer prints and measures alike.  tests/benchmark/process.h is its counterpart."""
import json
import pathlib
import time


def status_bytes(field):
    for line in pathlib.Path('/proc/self/status').read_text().splitlines():
        if line.startswith(field + ':'):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


class Measured:
    """Seconds and further memory, at its peak, of what happens inside the `with`."""

    def __enter__(self):
        pathlib.Path('/proc/self/clear_refs').write_text('5')  # the peak starts from what is held now
        self.before = status_bytes('VmRSS')
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self.start
        self.memory_bytes = max(0, status_bytes('VmHWM') - self.before)


def report(**figures):
    print(json.dumps(figures), flush=True)
