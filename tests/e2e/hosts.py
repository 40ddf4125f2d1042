"""Hosts of a test on one machine: network namespaces, and a launch agent in place of ssh."""
import os
import pathlib
import subprocess
import unittest

import harness

PREFIX = f'ltml{os.getpid() % 10000}'
NETWORK = f'10.77.{os.getpid() % 250}'
SERVER = f'{NETWORK}.1'

AGENT = '''#!/bin/sh
# AGENT -- ADDRESS COMMAND: what ssh does, for a host that is a network namespace.
[ "$1" = -- ] || {{ echo "agent: expected --, got $1" >&2; exit 2; }}
echo "$2 $3" >> {log}
exec ip netns exec {prefix}-"${{2##*.}}" unshare --uts --mount sh -c \\
    "hostname {prefix}-${{2##*.}}; if [ -e {folder}/before-$2 ]; then . {folder}/before-$2; fi; $3"
'''


def ip(*arguments, namespace=None):
    inside = ['ip', 'netns', 'exec', namespace] if namespace else []
    subprocess.run([*inside, 'ip', *arguments], check=True, capture_output=True, text=True)


def require_namespaces():
    """Skips a test where hosts cannot be made, and says why."""
    if os.geteuid() != 0:
        raise unittest.SkipTest('network namespaces need root')
    probe = f'{PREFIX}-probe'
    made = subprocess.run(['ip', 'netns', 'add', probe], capture_output=True, text=True)
    if made.returncode != 0:
        raise unittest.SkipTest(f'no network namespaces here: {made.stderr.strip()}')
    subprocess.run(['ip', 'netns', 'del', probe], check=True)


class Hosts:
    """`count` namespaces, each with one interface on a bridge whose root end is SERVER."""

    def __init__(self, folder, count):
        self.folder = pathlib.Path(folder)
        self.addresses = [f'{NETWORK}.{10 + number}' for number in range(count)]
        self.bridge = f'{PREFIX}br'
        self.log = self.folder / 'agent.log'
        self.agent = self.folder / 'agent'
        self.agent.write_text(AGENT.format(prefix=PREFIX, log=self.log, folder=self.folder))
        self.agent.chmod(0o755)
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def namespace(self, address):
        return f'{PREFIX}-{address.rsplit(".", 1)[1]}'

    def _make(self):
        ip('link', 'add', self.bridge, 'type', 'bridge')
        ip('addr', 'add', f'{SERVER}/24', 'dev', self.bridge)
        ip('link', 'set', self.bridge, 'up')
        for number, address in enumerate(self.addresses):
            name = self.namespace(address)
            ip('netns', 'add', name)
            ip('link', 'add', f'{PREFIX}v{number}', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
            ip('link', 'set', f'{PREFIX}v{number}', 'master', self.bridge, 'up')
            ip('addr', 'add', f'{address}/24', 'dev', 'eth0', namespace=name)
            ip('link', 'set', 'eth0', 'up', namespace=name)
            ip('link', 'set', 'lo', 'up', namespace=name)

    def before(self, address, script):
        """What happens on a host before each command, in mounts of its own; '' for nothing."""
        file = self.folder / f'before-{address}'
        if script:
            file.write_text(script + '\n')
        else:
            file.unlink(missing_ok=True)

    def cut(self, address):
        """Pulls the cable."""
        ip('link', 'set', f'{PREFIX}v{self.addresses.index(address)}', 'down')

    def mend(self, address):
        ip('link', 'set', f'{PREFIX}v{self.addresses.index(address)}', 'up')

    def remove(self):
        for number, address in enumerate(self.addresses):
            subprocess.run(['ip', 'link', 'del', f'{PREFIX}v{number}'], capture_output=True)
            subprocess.run(['ip', 'netns', 'del', self.namespace(address)], capture_output=True)
        subprocess.run(['ip', 'link', 'del', self.bridge], capture_output=True)


class WithHosts(harness.WithData):
    """Two hosts for the whole test class."""

    @classmethod
    def setUpClass(cls):
        require_namespaces()
        super().setUpClass()
        cls.hosts = Hosts(cls.folder, 2)
        cls.addClassCleanup(cls.hosts.remove)
