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
    """`ltmld init` and `ltmld run` in `folder`.  `hosts` are (name, address, slots); `change` may edit
    the configuration."""

    def __init__(self, folder, data, slots=4, change=None, listen='127.0.0.1', agent=None,
                 hosts=None):
        self.folder = folder
        self.listen = listen
        subprocess.run([LTMLD, 'init', str(folder), '--listen', f'{listen}:0', '--http', '127.0.0.1:0',
                        '--data', str(data),
                        '--allow-root'], check=True, capture_output=True, timeout=60)
        self.config = tomllib.loads((folder / 'ltmld.toml').read_text())
        self.config['hosts'] = [{'name': name, 'address': address, 'slots': slots}
                                for name, address, slots in hosts or [('localhost',) * 2 + (slots,)]]
        if agent:
            self.config['launch']['agent'] = agent if isinstance(agent, list) else [str(agent)]
        if change:
            change(self.config)
        self._write('ltmld.toml', self.config)
        self.process = None
        self.lines = []

    def _write(self, name, table):
        (self.folder / name).write_text(toml(table) + '\n')

    def start(self, seconds=30):
        """Returns once the log says READY; the port then stays the same."""
        self.spawn()
        address = harness.wait_until(self._ready_address, seconds, 'READY of ltmld')
        self.config['listen'] = address
        self._write('ltmld.toml', self.config)
        client = tomllib.loads((self.folder / 'client.toml').read_text())
        client['server'] = address
        self._write('client.toml', client)
        return self

    def spawn(self):
        self.lines = []
        self.process = subprocess.Popen([LTMLD, 'run', str(self.folder)], stderr=subprocess.PIPE,
                                        text=True)
        threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True).start()

    def _collect(self, pipe):
        with contextlib.closing(pipe):
            for line in pipe:
                self.lines.append(line)

    def _ready_address(self):
        if self.process.poll() is not None:
            raise AssertionError('ltmld has ended:\n' + ''.join(self.lines)[-3000:])
        for line in list(self.lines):
            found = re.search(r'READY address=(\S+:[1-9]\d*) http=(\S+)', line)
            if found:
                self.http = found.group(2)
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

    def kill(self):
        self.stop(signal.SIGKILL)

    def resident_bytes(self):
        with open(f'/proc/{self.process.pid}/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    # What a user does with `ltml`.

    def command(self, *arguments, timeout=120):
        return harness.run(*arguments, timeout=timeout,
                           env={'LTML_CONFIG': str(self.folder / 'client.toml')})

    def run(self, *arguments, timeout=120):
        result = self.command(*arguments, timeout=timeout)
        assert result.returncode == 0, (
            f'{arguments}: {result.returncode}\n{result.stderr[-2000:]}\n{"".join(self.lines)[-2000:]}')
        return result.stdout

    def submit(self, job_file, *arguments):
        return self.run('submit', job_file, *arguments).strip()

    def job(self, job):
        return json.loads(self.run('job', job, '--output', 'json'))

    def state(self, job):
        return self.job(job)['state'].removeprefix('JOB_STATE_')

    def events(self, job):
        """All events of a job that has ended."""
        lines = self.command('watch', job, '--output', 'json').stdout.splitlines()
        return [json.loads(line) for line in lines]

    def states(self, job):
        return [event['state_change']['to'].removeprefix('JOB_STATE_') for event in self.events(job)
                if 'state_change' in event]

    def digest(self, job):
        return json.loads(self.run('report', job, '--output', 'json'))['model_digest']

    def await_state(self, job, *states, seconds=60):
        return harness.wait_until(lambda: self.state(job) in states, seconds,
                                  f'{job} in {states}; log:\n{"".join(self.lines)[-2000:]}')

    def await_step(self, job, step, seconds=60):
        return harness.wait_until(lambda: int(self.job(job)['step']) >= step, seconds,
                                  f'{job} at step {step}; log:\n{"".join(self.lines)[-2000:]}')
