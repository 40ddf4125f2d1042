#!/usr/bin/python3
"""Seconds from the start of `ltml train` to the end of the first step of ResNet-18 at 64 px, on two ranks,
as metrics.jsonl tells it; the counterpart of peers/first_step.py.  Ours reads and decodes real images.
Example: tests/benchmark/first_step.py build"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = '/usr/share/openclipart/png'
LIMIT_SECONDS = 60
JOB = '''
name = "first-step"
[data]
train = "{data}"
[model]
architecture = "resnet18"
image_size = 64
[streams]
global_batch = 8
[schedule]
steps = 1
warmup_steps = 1
[resources]
ranks = 2
threads_per_rank = 1
'''


def data_set(ltml, folder):
    if not (folder / 'dataset.json').exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([ltml, 'data', 'import', ROOT / 'examples/clipart/train.jsonl', folder, '--images',
                        PICTURES, '--resize', '96'], check=True, stdout=subprocess.DEVNULL)
    return folder


def first_step(ltml, job, run):
    """When the first line of metrics.jsonl is there; the run then goes to its end."""
    start = time.perf_counter()
    with subprocess.Popen([ltml, 'train', job, '--run', run], stdout=subprocess.DEVNULL) as process:
        metrics = run / 'metrics.jsonl'
        while not (metrics.exists() and metrics.read_text().endswith('\n')):
            if process.poll() is not None or time.perf_counter() - start > LIMIT_SECONDS:
                process.terminate()
                sys.exit('first_step.py: no first step')
            time.sleep(0.002)
        seconds = time.perf_counter() - start
    return seconds


def main():
    build = (ROOT / sys.argv[1]).resolve()
    ltml = build / 'bin/ltml'
    data = data_set(ltml, build / 'benchmark/clipart')
    with tempfile.TemporaryDirectory() as folder:
        job = pathlib.Path(folder) / 'job.toml'
        job.write_text(JOB.format(data=data))
        print(json.dumps({'first_step_seconds': first_step(ltml, job, pathlib.Path(folder) / 'run')}))


if __name__ == '__main__':
    main()
