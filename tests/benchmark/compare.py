#!/usr/bin/python3
"""Times ltml beside its peers: each comparison of comparisons.toml starts ours and the peer alternately
(ours, peer, ours, peer, ...) and prints a Markdown row for each figure: both medians, how many times
better ours is, the spread of that ratio over the rounds, and the goal.  Exit status 1 when a goal is
missed, 2 when something cannot run.  Peers come from scripts/peers.
Example: tests/benchmark/compare.py photo-torchvision --rounds 5"""
import argparse
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
GPU = pathlib.Path('/dev/nvidiactl')
CPU = pathlib.Path('/proc/cpuinfo')
PEERS = ROOT / '.deps/peers/bin/python'
HEADER = '| what | figure | ours | peer | ratio | spread | goal | |'
RULE = '| --- | --- | ---: | ---: | ---: | --- | ---: | --- |'


class Failure(Exception):
    """Something of a comparison cannot run or says nothing sensible."""


def environment():
    """That of the caller, less what would choose the peers' kernels for them."""
    return {name: value for name, value in os.environ.items() if not name.startswith('OPENBLAS_')}


def command_of(words, build):
    words = [word.replace('{build}', build) for word in words]
    return [str(PEERS), *words] if words[0].endswith('.py') else words


def execute(command, cores, timeout):
    """What a process printed and its wall time; it runs on the first `cores` cores alone."""
    def pin():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    start = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE,
                          start_new_session=True, preexec_fn=pin if cores else None) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure(f'{" ".join(command)}: not done after {timeout} s') from None
    if process.returncode != 0:
        raise Failure(f'{" ".join(command)}: exit status {process.returncode}')
    return output, time.monotonic() - start


def figures_of(command, cores, timeout):
    """The JSON object on a process's last line, and its wall time unless it told one itself."""
    output, seconds = execute(command, cores, timeout)
    try:
        return {'wall_seconds': seconds} | json.loads(output.strip().splitlines()[-1])
    except (IndexError, TypeError, json.JSONDecodeError):
        raise Failure(f'{" ".join(command)}: its last line is no JSON object') from None


def times_better(ours, peer, better):
    above, below = (ours, peer) if better == 'higher' else (peer, ours)
    return above / below if below else math.inf


def short(number):
    return f'{number:.4g}' if abs(number) < 1e5 else f'{number:.3e}'


def goals_of(figure):
    """What ours must reach, as text and as a test of (ours, times better)."""
    name_of = {'higher': 'at least', 'lower': 'at most'}
    if 'value' in figure:
        sign = 1 if figure['better'] == 'higher' else -1
        yield (f'{name_of[figure["better"]]} {short(figure["value"])}',
               lambda ours, _: sign * ours >= sign * figure['value'])
    if 'goal' in figure:
        yield f'{figure["goal"]:g}', lambda _, ratio: ratio >= figure['goal']


def row(comparison, figure, rounds):
    name, better = figure['name'], figure['better']
    try:
        pairs = [(float(ours[name]), float(peer[name])) for ours, peer in rounds]
    except KeyError:
        raise Failure(f'{comparison["name"]}: a process printed no figure {name}') from None
    ours, peer = (statistics.median(side) for side in zip(*pairs))
    ratio = times_better(ours, peer, better)
    ratios = [times_better(*pair, better) for pair in pairs]
    goals = list(goals_of(figure))
    met = all(test(ours, ratio) for _, test in goals)
    cells = [comparison['what'], name, short(ours), short(peer), f'{ratio:.2f}',
             f'{min(ratios):.2f} to {max(ratios):.2f}', ', '.join(text for text, _ in goals),
             '' if met else 'missed']
    return '| ' + ' | '.join(cells) + ' |', met


def compare(comparison, rounds, build):
    cores, timeout = comparison.get('cores'), comparison.get('timeout', 600)
    if 'prepare' in comparison:
        execute(command_of(comparison['prepare'], build), None, timeout)
    sides = [command_of(comparison[side], build) for side in ('ours', 'peer')]
    results = [[figures_of(side, cores, timeout) for side in sides] for _ in range(rounds)]
    return [row(comparison, figure, results) for figure in comparison['figures']]


def can_run(comparison):
    """Says so where a comparison needs what this machine has not."""
    match comparison.get('needs'):
        case 'gpu' if not GPU.exists():
            missing = f'no GPU here ({GPU})'
        case 'bfloat16' if 'avx512_bf16' not in CPU.read_text():
            missing = f'this processor has no AVX512-BF16 ({CPU})'
        case _:
            return True
    print(f'compare.py: {comparison["name"]} is left out: {missing}', file=sys.stderr)
    return False


def chosen(comparisons, names):
    known = [comparison['name'] for comparison in comparisons]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f'no comparison {", ".join(unknown)}; there are {", ".join(known)}')
    wanted = [comparison for comparison in comparisons if not names or comparison['name'] in names]
    able = [comparison for comparison in wanted if can_run(comparison)]
    if not able:
        raise Failure('nothing was compared')
    return able


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help='all comparisons if none is named')
    parser.add_argument('--rounds', type=int, default=5, help='times that each side runs')
    parser.add_argument('--build', default='build', help='the build folder')
    parser.add_argument('--table', default=pathlib.Path(__file__).with_name('comparisons.toml'))
    arguments = parser.parse_args()
    met_all = True
    try:
        if not PEERS.exists():
            raise Failure('the peers are not installed: run scripts/peers')
        table = tomllib.loads(pathlib.Path(arguments.table).read_text())['comparison']
        for number, comparison in enumerate(chosen(table, arguments.names)):
            rows = compare(comparison, arguments.rounds, arguments.build)
            print('\n'.join(([HEADER, RULE] if number == 0 else []) + [text for text, _ in rows]), flush=True)
            met_all = met_all and all(met for _, met in rows)
    except (Failure, OSError) as failure:
        print(f'compare.py: {failure}', file=sys.stderr)
        return 2
    return 0 if met_all else 1


if __name__ == '__main__':
    sys.exit(main())
