"""A pool of hosts that are network namespaces: many jobs at once, and hosts that go away."""
import json
import unittest

import harness
from hosts import SERVER, WithHosts
from service import Server

HOLDS = {'JOB_STATE_STARTING', 'JOB_STATE_RUNNING', 'JOB_STATE_STOPPING'}


def slots_over_time(events):
    """(host -> slots held) after each event, from the state changes alone."""
    held, placed = {}, {}
    for event in sorted(events, key=lambda one: int(one['sequence'])):
        change = event.get('state_change')
        if not change:
            continue
        if change['to'] == 'JOB_STATE_STARTING':
            placed[event['job']] = change['placements']
        elif change['to'] not in HOLDS:
            placed.pop(event['job'], None)
        held = {}
        for placements in placed.values():
            for placement in placements:
                held[placement['host']] = held.get(placement['host'], 0) + int(placement['slots'])
        yield held


class Pool(WithHosts):
    def service(self, slots=2):
        service = Server(self.folder / self.id().split('.')[-1], self.folder, listen=SERVER,
                          agent=self.hosts.agent,
                          hosts=[(f'host{number}', address, slots)
                                 for number, address in enumerate(self.hosts.addresses)])
        self.addCleanup(service.stop)
        return service.start()

    def test_twenty_jobs_at_once(self):
        service = self.service()
        # Of one rank and of two; a pair may span both hosts.
        jobs = [service.submit(self.job(steps=6, ranks=1 + number % 2)) for number in range(20)]
        service.run('wait', *jobs, timeout=600)
        self.assertEqual({service.state(job) for job in jobs}, {'SUCCEEDED'})
        events = [event for job in jobs for event in service.events(job)]
        for held in slots_over_time(events):
            for host, slots in held.items():
                self.assertLessEqual(slots, 2, f'{host} is oversubscribed')
        self.assertEqual(len({service.digest(job) for job in jobs[0::2]}), 1)
        self.assertEqual(len({service.digest(job) for job in jobs[1::2]}), 1)
        self.assert_service_left_nothing(service)

    def test_a_job_spans_hosts(self):
        service = self.service(slots=1)
        job = service.submit(self.job(steps=8, ranks=2))
        service.run('wait', job, timeout=300)
        attempt = service.job(job)['attempts'][-1]
        self.assertEqual(sorted(p['host'] for p in attempt['placements']), ['host0', 'host1'])
        run = self.folder / 'alone'
        self.train(self.job(steps=8, ranks=2), run)
        self.assertEqual(service.digest(job), self.report(run)['model_digest'])
        self.assert_service_left_nothing(service)

    def test_a_host_is_cut_off(self):
        service = self.service(slots=2)
        job = service.submit(self.job(steps=400, checkpoint=10, ranks=2,
                                      text='\n[queue]\ncluster_restarts = 2\n'))
        service.await_step(job, 12)
        host = service.job(job)['attempts'][-1]['placements'][0]['host']
        address = self.hosts.addresses[int(host.removeprefix('host'))]
        self.hosts.cut(address)
        self.addCleanup(self.hosts.mend, address)
        service.await_state(job, 'RECOVERING', 'STARTING', seconds=90)
        harness.wait_until(lambda: len(service.job(job)['attempts']) > 1, 90, 'a second attempt')
        second = service.job(job)['attempts'][-1]
        self.assertNotIn(host, [p['host'] for p in second['placements']])
        self.assertGreaterEqual(int(second['first_step']), 10)
        service.run('cancel', job)
        service.await_state(job, 'CANCELLED', seconds=90)
        self.hosts.mend(address)
        # The ranks on the lost host end by their lease, unless the sweep reached them first.
        self.assert_service_left_nothing(service)

    def test_a_host_that_does_not_answer(self):
        service = self.service(slots=1)
        address = self.hosts.addresses[0]
        self.hosts.before(address, 'exec sleep 600')
        self.addCleanup(self.hosts.before, address, '')
        job = service.submit(self.job(steps=8, ranks=1), '--set', 'limits.start=4s')
        service.run('wait', job, timeout=300)
        first, second = service.job(job)['attempts']
        self.assertEqual([p['host'] for p in first['placements']], ['host0'])
        self.assertEqual(first['failure']['cause'], 'FAILURE_CAUSE_LAUNCH')
        self.assertEqual(first['failure']['host'], 'host0')
        self.assertIn('limits.start', first['failure']['message'])
        self.assertEqual([p['host'] for p in second['placements']], ['host1'])
        record = json.loads((service.folder / 'runs' / job / 'attempts/1/exit.json').read_text())
        self.assertEqual(record['unswept_hosts'], [f'{address}: no answer within 20 s'])
        self.assert_service_left_nothing(service)


if __name__ == '__main__':
    unittest.main()
