"""A real ltmld in a folder of its own, with mTLS, on a port that the system chose."""
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import tomllib

import harness

LTMLD = str(harness.BIN / 'ltmld')


def toml(table):
    """TOML of a table of scalars, lists, tables, and lists of tables."""
    lines = [f'{key} = {json.dumps(value)}' for key, value in table.items()
             if not isinstance(value, dict) and not is_tables(value)]
    for key, value in table.items():
        for part in [value] if isinstance(value, dict) else value if is_tables(value) else []:
            lines.append(f'[[{key}]]' if is_tables(value) else f'[{key}]')
            lines.append(toml(part))
    return '\n'.join(lines)


def is_tables(value):
    return isinstance(value, list) and value != [] and isinstance(value[0], dict)


class Server:
    """`ltmld init` and `ltmld run` in `folder`.  `change` may edit the configuration."""

    def __init__(self, folder, data, slots=4, change=None):
        self.folder = folder
        subprocess.run([LTMLD, 'init', str(folder), '--listen', '127.0.0.1:0'], check=True,
                       capture_output=True, timeout=60)
        self.config = tomllib.loads((folder / 'ltmld.toml').read_text())
        self.config.setdefault('paths', {})['data'] = [str(data)]
        self.config.setdefault('launch', {})['allow_root'] = True
        self.config['hosts'] = [{'name': 'localhost', 'address': 'localhost', 'slots': slots}]
        if change:
            change(self.config)
        self._write('ltmld.toml', self.config)
        self.process = None
        self.lines = []

    def _write(self, name, table):
        (self.folder / name).write_text(toml(table) + '\n')

    def start(self, seconds=30):
        """Returns once the log says READY; client.toml then has the port."""
        self.lines = []
        self.process = subprocess.Popen([LTMLD, 'run', str(self.folder)], stderr=subprocess.PIPE,
                                        text=True)
        threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True).start()
        address = harness.wait_until(self._ready_address, seconds, 'READY of ltmld')
        client = tomllib.loads((self.folder / 'client.toml').read_text())
        client['server'] = address
        self._write('client.toml', client)
        return self

    def _collect(self, pipe):
        with contextlib.closing(pipe):
            for line in pipe:
                self.lines.append(line)

    def _ready_address(self):
        if self.process.poll() is not None:
            raise AssertionError('ltmld has ended:\n' + ''.join(self.lines)[-3000:])
        for line in list(self.lines):
            found = re.search(r'(127\.0\.0\.1:[1-9]\d*)', line) if 'READY' in line.upper() else None
            if found:
                return found.group(1)
        return None

    def stop(self, number=signal.SIGTERM):
        """Ends the server; what it logged stays in `lines`."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def resident_bytes(self):
        with open(f'/proc/{self.process.pid}/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
