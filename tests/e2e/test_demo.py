"""The quick start as a newcomer runs it, 60 steps long."""
import json
import pathlib
import re
import shutil
import subprocess
import unittest

import harness


class Demo(unittest.TestCase):
    def test_quick_demo_learns_and_says_where_its_run_lies(self):
        result = subprocess.run([harness.ROOT / 'scripts/demo', '--quick'], capture_output=True,
                                text=True, timeout=600, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        run = re.search(r'^run: (.*)$', result.stdout, re.MULTILINE)
        self.assertIsNotNone(run, result.stdout)
        folder = pathlib.Path(run.group(1))
        self.addCleanup(shutil.rmtree, folder)
        report = json.loads((folder / 'report.json').read_text())
        self.assertEqual(report['steps'], '60')
        self.assertEqual(report['images'], '835')
        self.assertEqual(report['world_size'], 2)
        for group in ('total', 'head', 'medium', 'tail'):
            self.assertIn(group, result.stdout)
        # 60 steps reach about 20; chance is 3.8.
        self.assertGreater(report['mean_average_precision']['total'],
                           3 * report['chance']['total'])

    def test_unknown_argument(self):
        result = subprocess.run([harness.ROOT / 'scripts/demo', '--fast'], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn('--fast', result.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
