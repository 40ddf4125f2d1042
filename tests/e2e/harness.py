"""Runs the real programs on a small long-tailed set of drawings, in a folder of its own."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('LTML_BIN', ROOT / 'build/bin'))
LTML = str(BIN / 'ltml')
PICTURES = '/usr/share/openclipart/png'

JOB = '''
name = "small"
[data]
train = "train"
validation = "val"
test = "val"
[model]
architecture = "resnet18"
width = 4
image_size = 32
[streams]
global_batch = 6
[loss]
statistics_window = 4
[optimizer]
kind = "sgd"
learning_rate = 0.05
[schedule]
steps = {steps}
warmup_steps = 2
[evaluation]
batch = 16
[checkpoint]
every_steps = {checkpoint}
keep = 10
[resources]
ranks = {ranks}
[limits]
start = "30s"
lease = "20s"
stop = "10s"
'''


def run(*arguments, timeout=120, env=None):
    """One command of ltml to its end."""
    return subprocess.run([LTML, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **(env or {})})


def processes_with(text):
    """Processes (pid, command line) whose arguments hold `text`."""
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / 'cmdline').read_bytes().replace(b'\0', b' ').decode('utf-8', 'replace')
            if text in command and int(entry.name) != os.getpid():
                found.append((int(entry.name), command))
    return found


def traces():
    """What processes of runs keep outside their run folders: segments, sockets, session folders."""
    found = set(pathlib.Path('/dev/shm').iterdir())
    for folder in {'/tmp', os.environ.get('TMPDIR', '/tmp')}:
        for pattern in ('ltml-*', 'ompi*', 'openmpi*', 'vader*'):
            found.update(pathlib.Path(folder).glob(pattern))
    return found


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'not within {seconds} s: {what}')


def subset(source, target, images):
    """The first `images` lines of a list, and a class table that covers them all."""
    lines = (ROOT / 'examples/clipart' / source).read_text().splitlines()[:images]
    target.write_text('\n'.join(lines) + '\n')


class WithData(unittest.TestCase):
    """A scratch folder with imported `train` and `val` for the whole test class."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='ltml-e2e-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # A command that was killed leaves the folder of its socket: here it goes with the rest.
        environment = unittest.mock.patch.dict(os.environ, TMPDIR=str(cls.folder))
        environment.start()
        cls.addClassCleanup(environment.stop)
        os.environ.pop('XDG_RUNTIME_DIR', None)
        cls.traces = traces()
        subset('train.jsonl', cls.folder / 'train.jsonl', 150)
        subset('val.jsonl', cls.folder / 'val.jsonl', 70)
        table = sorted({label for name in ('train', 'val')
                        for line in (cls.folder / f'{name}.jsonl').read_text().splitlines()
                        for label in json.loads(line)['labels']})
        (cls.folder / 'classes.txt').write_text('\n'.join(table) + '\n')
        for name in ('train', 'val'):
            result = run('data', 'import', cls.folder / f'{name}.jsonl', cls.folder / name,
                         '--images', PICTURES, '--resize', 48, '--classes',
                         cls.folder / 'classes.txt')
            assert result.returncode == 0, result.stderr

    def job(self, steps=12, checkpoint=0, ranks=2, text=''):
        """A job file of its own name."""
        file = self.folder / f'{self.id().split(".")[-1]}-{time.monotonic_ns()}.toml'
        file.write_text(JOB.format(steps=steps, checkpoint=checkpoint, ranks=ranks) + text)
        return file

    def train(self, job, run_folder, *arguments, code=0, env=None):
        result = run('train', job, '--run', run_folder, *arguments, env=env)
        self.assertEqual(result.returncode, code, result.stderr[-3000:])
        if code == 0:
            self.assertNotIn('coordinator_disconnected', result.stderr)
        return result

    def start(self, job, run_folder, *arguments):
        """A training command in the background; killed at the end of the test if still there."""
        process = subprocess.Popen([LTML, 'train', str(job), '--run', str(run_folder), *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def report(self, run_folder):
        return json.loads((run_folder / 'report.json').read_text())

    def assert_nothing_left(self, run_folder):
        wait_until(lambda: not processes_with(str(run_folder)), 15,
                   f'end of {processes_with(str(run_folder))}')

    def assert_service_left_nothing(self, service):
        """Ends the server first."""
        service.stop()
        wait_until(lambda: not processes_with(f'{service.folder}/'), 30,
                   f'end of {processes_with(f"{service.folder}/")}')
        self.assertEqual(traces() - self.traces, set())


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
