"""Seconds from the start of torchrun to the end of the first step of step.py, on two ranks.
Example: .deps/peers/bin/python tests/benchmark/peers/first_step.py"""
import pathlib
import subprocess
import sys
import time

import process

STEP = pathlib.Path(__file__).with_name('step.py')

start = time.perf_counter()
with subprocess.Popen([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
                       STEP, '--ranks', '2', '--threads', '1', '--warm-up', '0', '--steps', '1'],
                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as torchrun:
    line = torchrun.stdout.readline()
    seconds = time.perf_counter() - start
if not line or torchrun.returncode != 0:
    sys.exit('first_step.py: no first step')
process.report(first_step_seconds=seconds)
