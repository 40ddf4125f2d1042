"""The dual-branch training step as a careful PyTorch user writes it: DDP over gloo, flat bucket views, the
foreach optimiser, or on a GPU NCCL, autocast and the fused optimiser; the counterpart of
tests/benchmark/step_figures.cc.
Example: .deps/peers/bin/python tests/benchmark/peers/step.py --ranks 2 --threads 1 --allocator tcmalloc"""
import argparse
import copy
import os
import statistics
import subprocess
import sys
import time

import process

TCMALLOC = '/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4'  # package libtcmalloc-minimal4
CLASSES = 40


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--depth', type=int, choices=(18, 50), default=18)
    parser.add_argument('--size', type=int, default=64, help='of the images')
    parser.add_argument('--batch', type=int, default=8, help='images of all ranks, of each stream')
    parser.add_argument('--ranks', type=int, default=1)
    parser.add_argument('--threads', type=int, default=2, help='of each rank')
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--warm-up', type=int, default=4)
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--precision', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--compile', action='store_true', help='torch.compile of the network')
    parser.add_argument('--allocator', choices=('system', 'tcmalloc'), default='system')
    return parser.parse_args()


def environment(wish):
    values = dict(os.environ, WORLD_SIZE=str(wish.ranks), OMP_NUM_THREADS=str(wish.threads),
                  MASTER_ADDR='127.0.0.1', MASTER_PORT=str(20000 + os.getpid() % 20000))
    if wish.allocator == 'tcmalloc':
        if not os.path.exists(TCMALLOC):
            sys.exit('step.py: no tcmalloc here: apt-get install libtcmalloc-minimal4')
        values['LD_PRELOAD'] = TCMALLOC
    return values


def launch(wish):
    """All ranks as processes of their own; the allocator must be there from the start."""
    ranks = [subprocess.Popen([sys.executable, *sys.argv], env=environment(wish) | {'RANK': str(rank)})
             for rank in range(wish.ranks)]
    sys.exit(max([rank.wait() for rank in ranks]))


def network(depth):
    import torch
    import torchvision

    class Dual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            whole = getattr(torchvision.models, f'resnet{depth}')(weights=None)
            self.trunk = torch.nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool,
                                             whole.layer1, whole.layer2, whole.layer3)
            self.f, self.g = (torch.nn.Sequential(
                copy.deepcopy(whole.layer4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(1),
                torch.nn.Linear(whole.fc.in_features, CLASSES)) for _ in range(2))

        def forward(self, x):
            shared = self.trunk(x)
            return self.f(shared), self.g(shared)
    return Dual()


class Training:
    def __init__(self, wish, rank):
        import torch
        torch.manual_seed(1)
        self.local = wish.batch // wish.ranks
        self.divisor = wish.batch * CLASSES / wish.ranks  # DDP takes the mean over ranks
        self.layout = {'memory_format': torch.channels_last} if wish.channels_last else {}
        on_gpu = wish.device == 'cuda'
        self.device = torch.device('cuda', rank) if on_gpu else torch.device('cpu')
        self.precision = {'dtype': torch.bfloat16, 'enabled': wish.precision == 'bfloat16'}
        net = network(wish.depth).to(self.device, **self.layout)
        if wish.compile:
            net = torch.compile(net, mode='max-autotune-no-cudagraphs')
        self.net = torch.nn.parallel.DistributedDataParallel(net, gradient_as_bucket_view=True)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4,
                                         **{'fused' if on_gpu else 'foreach': True})
        torch.manual_seed(2 + rank)
        self.x = torch.randn(2 * self.local, 3, wish.size, wish.size).contiguous(**self.layout)
        if on_gpu:
            self.x = self.x.pin_memory()
        self.y = (torch.rand(2 * self.local, CLASSES) < 0.1).float().to(self.device)
        rho = torch.full((CLASSES,), 0.1, device=self.device)
        self.weight = torch.where(self.y > 0.5, torch.exp(1 - rho), torch.exp(rho))

    def classification(self, logits, rows):
        import torch
        return torch.nn.functional.binary_cross_entropy_with_logits(
            logits, self.y[rows], weight=self.weight[rows], reduction='sum')

    def forward(self):
        import torch
        with torch.autocast(self.device.type, **self.precision):
            f, g = self.net(self.x.to(self.device, non_blocking=True))
        return f.float(), g.float()

    def step(self):
        uniform, rebalanced = slice(0, self.local), slice(self.local, None)
        self.optimizer.zero_grad(set_to_none=False)
        f, g = self.forward()
        consistency = (f - g).square().sum()
        loss = (self.classification(f[uniform], uniform) + self.classification(g[rebalanced], rebalanced)
                + 0.1 * consistency) / self.divisor
        loss.backward()
        self.optimizer.step()
        return loss


def main():
    wish = arguments()
    if 'RANK' not in os.environ:
        launch(wish)
    import torch
    rank = int(os.environ['RANK'])
    torch.set_num_threads(wish.threads)
    if wish.device == 'cuda':
        if not torch.cuda.is_available():
            sys.exit('step.py: no CUDA device here')
        torch.cuda.set_device(rank)
        torch.backends.cudnn.benchmark = True
    torch.distributed.init_process_group('nccl' if wish.device == 'cuda' else 'gloo')
    training = Training(wish, rank)
    times = []
    for _ in range(wish.warm_up + wish.steps):
        start = time.perf_counter()
        training.step().item()  # ours looks at the loss of every step too
        times.append(time.perf_counter() - start)
    median = statistics.median(times[wish.warm_up:])
    if rank == 0:
        process.report(images_per_second=2 * wish.batch / median, milliseconds=1e3 * median,
                       peak_mb=process.status_bytes('VmHWM') / 1e6)
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main()
