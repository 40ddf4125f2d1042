"""A test case with a real ltmld, and a client of it in Python."""
import grpc
from google.protobuf import json_format

import harness
import service
import service_client

SPEC = {
    'name': 'small',
    'model': {'architecture': 'ARCHITECTURE_RESNET18', 'width': 4, 'imageSize': 32,
              'branches': 'BRANCHES_BOTH', 'headBias': 'HEAD_BIAS_PRIOR'},
    'streams': {'seed': 1, 'globalBatch': 6, 'rebalanced': 'REBALANCED_CLASS_AWARE'},
    'loss': {'weighting': 'WEIGHTING_FREQUENCY', 'consistency': 0.1,
             'compensation': 'COMPENSATION_STATISTICS',
             'statisticsForm': 'STATISTICS_FORM_RELATIVE', 'statisticsWindow': 4,
             'statisticsDecay': 0.9, 'statisticsPrior': 50},
    'optimizer': {'kind': 'KIND_SGD', 'learningRate': 0.05, 'momentum': 0.9, 'weightDecay': 1e-4,
                  'decayNorm': True, 'betas': [0.9, 0.999]},
    'schedule': {'steps': 12, 'warmupSteps': 2, 'warmupStart': 0.333, 'decay': 'DECAY_STEP',
                 'milestones': [0.625, 0.875]},
    'augmentation': {'cropScale': [0.08, 1], 'cropRatio': [0.75, 1.3333333333333333], 'flip': 0.5,
                     'jitter': 0.4},
    'evaluation': {'final': 'FINAL_BEST', 'batch': 16},
    'checkpoint': {'everySteps': 6, 'keep': 3},
    'resources': {'ranks': 2, 'device': 'DEVICE_CPU', 'threadsPerRank': 1,
                  'precision': 'PRECISION_FLOAT32'},
    'limits': {'start': '60s', 'lease': '30s', 'step': '120s', 'evaluation': '120s',
               'grant': '60s', 'checkpoint': '60s', 'stop': '10s'},
    'queue': {'clusterRestarts': 3},
}


class WithClient(harness.WithData):
    change = None  # of the server's configuration

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stubs = service_client.Stubs()
        cls.addClassCleanup(cls.stubs.close)
        cls.server = service.Server(cls.folder / 'server', cls.folder, change=cls.change).start()
        cls.addClassCleanup(cls.server.stop)
        cls.client = service_client.Client(cls.stubs, cls.server.folder / 'client.toml')
        cls.addClassCleanup(cls.client.close)

    def connect(self, **how):
        client = service_client.Client(self.stubs, self.server.folder / 'client.toml', **how)
        self.addCleanup(client.close)
        return client

    def spec(self, steps=12):
        spec = json_format.ParseDict(SPEC, self.stubs.job.JobSpec())
        spec.data.CopyFrom(self.stubs.job.Data(
            train=str(self.folder / 'train'), validation=str(self.folder / 'val'),
            test=str(self.folder / 'val'), apply_orientation=True, loader_threads=1))
        spec.schedule.steps = steps
        return spec

    def submit(self, request_id='', steps=12):
        request = self.stubs.job_service.SubmitRequest(spec=self.spec(steps), request_id=request_id)
        return self.client.jobs.Submit(request, timeout=20)

    def request(self, kind, **fields):
        return getattr(self.stubs.job_service, kind)(**fields)

    def refused(self, call, code):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception)
        return service_client.details(self.stubs, caught.exception)

    def cancel(self, name):
        self.client.jobs.Cancel(self.request('CancelRequest', name=name), timeout=20)
        events = self.client.jobs.Watch(self.request('WatchRequest', name=name), timeout=60)
        return [e.event.state_change.to for e in events if e.HasField('event')][-1]
