"""The runner of comparisons, with small shell commands in place of ltml and its peers."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import compare


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def side(self, letter, value):
        """Notes that it ran and prints its figures."""
        log = self.folder / 'log'
        return ['sh', '-c', f'printf {letter} >> {log}; n=$(tr -dc {letter} < {log} | wc -c); '
                            f'echo noise; echo "{{\\"speed\\": {value} , \\"n\\": $n}}"']

    def run_main(self, figures, *arguments, ours=None, peer=None, extra=''):
        ours, peer = ours or self.side('A', 6), peer or self.side('B', 2)
        table = self.folder / 'table.toml'
        table.write_text(f'[[comparison]]\nname = "one"\nwhat = "one thing"\n'
                         f'ours = {json.dumps(ours)}\npeer = {json.dumps(peer)}\nfigures = [{figures}]\n{extra}')
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.object(sys, 'argv', ['compare.py', '--table', str(table), *arguments]), \
                mock.patch.object(compare, 'PEERS', pathlib.Path(sys.executable)), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = compare.main()
        return status, out.getvalue(), err.getvalue()

    def test_sides_alternate_and_the_ratio_of_medians_is_told(self):
        status, out, _ = self.run_main('{name = "speed", better = "higher", goal = 3.0}', '--rounds', '3')
        self.assertEqual((self.folder / 'log').read_text(), 'ABABAB')
        self.assertIn('| one thing | speed | 6 | 2 | 3.00 | 3.00 to 3.00 | 3 |', out)
        self.assertEqual(status, 0)

    def test_spread_is_that_of_the_pairs(self):
        _, out, _ = self.run_main('{name = "n", better = "higher"}', '--rounds', '2',
                                  peer=['sh', '-c', 'echo "{\\"n\\": 1}"'])
        self.assertIn('| 1.50 | 1.00 to 2.00 |', out)

    def test_a_missed_goal_is_told_and_fails(self):
        status, out, _ = self.run_main('{name = "speed", better = "lower", goal = 1.0}', '--rounds', '1')
        self.assertIn('| 0.33 |', out)
        self.assertIn('missed', out)
        self.assertEqual(status, 1)

    def test_goals_may_be_values_of_ours(self):
        for value, status in ((6, 0), (6.5, 1)):
            figure = f'{{name = "speed", better = "higher", value = {value}}}'
            got, out, _ = self.run_main(figure, '--rounds', '1')
            self.assertEqual(got, status)
            self.assertIn(f'at least {value}', out)
        got, out, _ = self.run_main('{name = "speed", better = "lower", value = 5, goal = 0.1}',
                                    '--rounds', '1')
        self.assertEqual(got, 1)
        self.assertIn('| at most 5, 0.1 | missed |', out)

    def test_what_cannot_run_is_named(self):
        speed = '{name = "speed", better = "higher"}'
        for side, message in ((['sh', '-c', 'exit 3'], 'exit status 3'),
                              (['echo', 'words'], 'no JSON object'),
                              (['echo', '{"else": 1}'], 'no figure speed'),
                              (['/nowhere/at/all'], '/nowhere/at/all')):
            status, _, err = self.run_main(speed, '--rounds', '1', peer=side)
            self.assertEqual(status, 2)
            self.assertIn(message, err)
        status, _, err = self.run_main(speed, 'two')
        self.assertEqual(status, 2)
        self.assertIn('no comparison two; there are one', err)

    def test_a_side_that_hangs_is_ended(self):
        status, _, err = self.run_main('{name = "speed", better = "higher"}', '--rounds', '1',
                                       peer=['sh', '-c', 'sleep 60; true'], extra='timeout = 1')
        self.assertEqual(status, 2)
        self.assertIn('not done after 1 s', err)

    def test_what_needs_a_gpu_is_left_out_loudly_without_one(self):
        figure, needs = '{name = "speed", better = "higher"}', 'needs = "gpu"'
        with mock.patch.object(compare, 'GPU', self.folder / 'nvidia0'):
            status, out, err = self.run_main(figure, '--rounds', '1', extra=needs)
            self.assertEqual((status, out), (2, ''))
            self.assertIn('one is left out: no GPU here', err)
            self.assertFalse((self.folder / 'log').exists())
            (self.folder / 'nvidia0').touch()
            status, out, err = self.run_main(figure, '--rounds', '1', extra=needs)
            self.assertEqual((status, err), (0, ''))
            self.assertIn('| 3.00 |', out)

    def test_what_needs_bfloat16_is_left_out_loudly_without_it(self):
        figure, needs = '{name = "speed", better = "higher"}', 'needs = "bfloat16"'
        for flags, expected in (('fma avx2', 2), ('avx512_bf16', 0)):
            (self.folder / 'cpuinfo').write_text(f'flags : {flags}\n')
            with mock.patch.object(compare, 'CPU', self.folder / 'cpuinfo'):
                status, _, err = self.run_main(figure, '--rounds', '1', extra=needs)
            self.assertEqual(status, expected)
            self.assertEqual('one is left out: this processor has no AVX512-BF16' in err, expected == 2)

    def test_cores_are_those_asked_for(self):
        cores = ['sh', '-c', 'echo "{\\"speed\\": $(nproc)}"']
        _, out, _ = self.run_main('{name = "speed", better = "higher"}', '--rounds', '1',
                                  ours=cores, peer=cores, extra='cores = 1')
        self.assertIn('| 1 | 1 | 1.00 |', out)


if __name__ == '__main__':
    unittest.main()
