"""Fails when a file includes against the arrows of docs/architecture.md, or a foreign library outside
its room.  Example: python3 scripts/check_includes.py"""
import pathlib
import re
import sys

# Room -> rooms of ours that it may include, besides itself, proto messages and common/base.
ALLOWED = {
    'common/base': [],
    'common/sampling': [],
    'common/statistics': [],
    'common/metrics': [],
    'common/safetensors': [],
    'common/image': [],
    'common/dataset': ['common/image', 'common/sampling'],
    'common/config': ['common/statistics'],
    'common/rpc': [],
    'common/run': [],
    'common/process': [],
    'common/examine': ['common/process'],
    'common/page': [],
    'common/view': ['common/metrics', 'common/page', 'common/run', 'common/statistics'],
    'common/tensorboard': ['common/metrics'],
    'coordinator/streams': ['common/sampling', 'common/statistics'],
    'coordinator/launch': ['common/examine', 'common/process'],
    'coordinator/jobs': [],
    'coordinator/store': ['coordinator/jobs'],
    'coordinator/security': ['common/rpc'],
    'coordinator/service': ['common/config', 'common/rpc', 'coordinator/jobs'],
    'coordinator/rpc': ['common/rpc', 'common/run', 'common/statistics', 'coordinator/jobs', 'coordinator/security',
                        'coordinator/service', 'coordinator/streams'],
    'coordinator/monitoring': ['common/metrics', 'common/page', 'common/run', 'common/view', 'coordinator/jobs',
                               'coordinator/security', 'coordinator/service'],
    'coordinator/app': ['common', 'coordinator'],
    'worker/kernels': [],
    'worker/engine': ['worker/kernels'],
    'worker/model': ['common/statistics', 'common/safetensors', 'worker/engine', 'worker/kernels'],
    'worker/train': ['common/statistics', 'worker/model'],
    'worker/graph': ['worker/model', 'worker/train'],
    'worker/collective': ['worker/train'],
    'worker/data': ['common/sampling', 'common/dataset', 'common/image', 'worker/train'],
    'worker/checkpoint': ['common/run', 'common/safetensors', 'worker/model'],
    'worker/session': ['common/rpc', 'common/statistics', 'worker/train'],
    'worker/app': ['common', 'worker'],
    'cli': ['common', 'coordinator/app', 'coordinator/jobs'],
}
# Foreign headers -> the rooms that may see them.
FOREIGN = [
    (r'(ATen|torch|c10)/', ['worker/model', 'worker/train', 'worker/graph', 'worker/checkpoint', 'worker/app', 'cmake']),
    (r'mpi\.h', ['worker/collective']),
    (r'nccl\.h', ['worker/collective']),
    (r'cuda_runtime(_api)?\.h', ['worker/collective', 'worker/app']),
    (r'grpcpp/|ltml/v1/.*\.grpc\.pb\.h', ['common/rpc', 'coordinator/rpc', 'coordinator/app', 'worker/session', 'cli']),
    (r'(jpeglib|turbojpeg|spng)\.h', ['common/image']),
    (r'archive(_entry)?\.h', ['common/dataset']),
    (r'toml\+\+/', ['common/config']),
    (r'CLI/', ['cli', 'coordinator/app']),
    (r'prometheus/|civetweb\.h', ['coordinator/monitoring']),
    (r'SQLiteCpp/|sqlite3\.h', ['coordinator/store']),
    (r'openssl/', ['common/base', 'common/rpc', 'coordinator/security', 'coordinator/monitoring']),
]
# The worker's model and trainer stay free of protobuf, so that they build without it.
NO_PROTO = ['worker/model', 'worker/train', 'worker/collective', 'worker/data']


def room_of(path):
    parts = path.split('/')
    return parts[0] if parts[0] == 'cli' else '/'.join(parts[:2])


def faults(path):
    room = room_of(path)
    if room not in ALLOWED:
        return
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        found = re.match(r'\s*#include\s*[<"]([^>"]+)[>"]', line)
        if not found:
            continue
        target = found.group(1)
        for pattern, rooms in FOREIGN:
            if re.match(pattern, target) and room not in rooms:
                yield f'{path}:{number}: {target} may be included in {", ".join(rooms)} only'
        if target.startswith('ltml/v1/') and room in NO_PROTO:
            yield f'{path}:{number}: {room} stays free of protobuf messages'
        other = room_of(target)
        if other not in ALLOWED or other in (room, 'common/base'):
            continue
        if not any(other == a or other.startswith(a + '/') for a in ALLOWED[room]):
            yield f'{path}:{number}: {room} may not include {other}'


def main():
    sources = [str(p) for top in ('common', 'coordinator', 'worker', 'cli')
               for p in sorted(pathlib.Path(top).rglob('*')) if p.suffix in ('.h', '.cc')]
    found = [fault for path in sources for fault in faults(path)]
    print('\n'.join(found), file=sys.stderr, end='\n' if found else '')
    sys.exit(1 if found or not sources else 0)


main()
