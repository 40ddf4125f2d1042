#!/usr/bin/env python3
"""Writes dashboards/*.json.  Run it after a change here; a test compares its output with the files.
Example: deploy/grafana/make_dashboards.py"""
import json
import pathlib
import sys

JOB = '{instance="$instance", job="$job"}'
POOL = '{instance="$instance"}'
SOURCE = {'type': 'prometheus', 'uid': '${datasource}'}


def panel(kind, title, queries, width=12, height=8, unit='short', description='', **fields):
    """Queries: legend -> PromQL.  A table shows their newest values, the others a course of time."""
    instant = kind in ('table', 'stat', 'bargauge')
    targets = [{'refId': chr(ord('A') + i), 'datasource': SOURCE, 'expr': query,
                'legendFormat': legend, 'instant': instant, 'range': not instant,
                **({'format': 'table'} if kind == 'table' else {})}
               for i, (legend, query) in enumerate(queries.items())]
    defaults = {'unit': unit, **fields.pop('defaults', {})}
    return {'type': kind, 'title': title, 'description': description, 'datasource': SOURCE,
            'targets': targets, 'gridPos': {'w': width, 'h': height},
            'fieldConfig': {'defaults': defaults, 'overrides': fields.pop('overrides', [])},
            'options': OPTIONS[kind], **fields}


OPTIONS = {
    'timeseries': {'legend': {'displayMode': 'list', 'placement': 'bottom', 'showLegend': True},
                   'tooltip': {'mode': 'multi', 'sort': 'desc'}},
    'stat': {'reduceOptions': {'calcs': ['lastNotNull']}, 'colorMode': 'value'},
    'bargauge': {'reduceOptions': {'calcs': ['lastNotNull']}, 'orientation': 'horizontal',
                 'displayMode': 'basic', 'valueMode': 'color'},
    'table': {'showHeader': True, 'cellHeight': 'sm'},
}
SHARE = {'min': 0, 'max': 1}


def graph(title, queries, **more):
    return panel('timeseries', title, queries, **more)


def stacked(title, queries, **more):
    custom = {'stacking': {'mode': 'normal'}, 'fillOpacity': 30}
    return panel('timeseries', title, queries, defaults={'custom': custom, 'min': 0}, **more)


def stat(title, query, **more):
    return panel('stat', title, {title: query}, width=more.pop('width', 4), height=4, **more)


def bars(title, queries, **more):
    return panel('bargauge', title, queries, **more)


def table(title, by, columns, units, info='', **more):
    """One row for each value of the label `by`; columns: name -> PromQL.  info: a query whose labels
    are columns, too."""
    queries = {'': info} if info else {}
    queries |= {name: f'max by ({by}) ({query})' for name, query in columns.items()}
    names = {f'Value #{chr(ord("A") + i)}': name for i, name in enumerate(queries)}
    hidden = {'Time': True} | {field: True for field, name in names.items() if not name}
    overrides = [{'matcher': {'id': 'byName', 'options': name},
                  'properties': [{'id': 'unit', 'value': unit}]} for name, unit in units.items()]
    return panel('table', title, queries, width=24, overrides=overrides, transformations=[
        {'id': 'merge', 'options': {}},
        {'id': 'organize', 'options': {'excludeByName': hidden, 'renameByName': names}}], **more)


def variable(name, query, label):
    return {'name': name, 'label': label, 'type': 'query', 'datasource': SOURCE, 'refresh': 2,
            'query': {'query': query, 'refId': name}, 'sort': 1}


DATASOURCE = {'name': 'datasource', 'label': 'Prometheus', 'type': 'datasource',
              'query': 'prometheus'}
INSTANCE = variable('instance', 'label_values(ltml_build_info, instance)', 'Server')
JOBS = variable('job', 'label_values(ltml_job_info{instance="$instance"}, job)', 'Job')


def placed(panels):
    """From left to right, and on to the next row where one is full."""
    x = y = row = 0
    for number, one in enumerate(panels, 1):
        width, height = one['gridPos']['w'], one['gridPos']['h']
        if x + width > 24:
            x, y, row = 0, y + row, 0
        one['id'], one['gridPos'] = number, {'x': x, 'y': y, 'w': width, 'h': height}
        x, row = x + width, max(row, height)
    return panels


def dashboard(name, title, variables, panels):
    links = [{'type': 'dashboards', 'tags': ['ltml'], 'title': 'ltml', 'asDropdown': True,
              'includeVars': True, 'keepTime': True}]
    return {'uid': f'ltml-{name}', 'title': f'ltml: {title}', 'tags': ['ltml'], 'editable': True,
            'schemaVersion': 38, 'version': 1, 'refresh': '30s', 'timezone': 'browser',
            'time': {'from': 'now-6h', 'to': 'now'}, 'links': links,
            'templating': {'list': [DATASOURCE, INSTANCE, *variables]}, 'panels': placed(panels)}


def overview():
    return dashboard('overview', 'overview', [], [
        stat('Running', 'ltml_jobs{instance="$instance", state="running"}'),
        stat('Waiting', 'ltml_jobs{instance="$instance", state="queued"}'),
        stat('Longest wait', f'ltml_queue_longest_wait_seconds{POOL}', unit='s'),
        stat('Slots in use', f'instance:ltml_host_slots_used:ratio{POOL}', unit='percentunit'),
        stat('Images a second', f'sum(rate(ltml_job_samples_total{POOL}[$__rate_interval]))'),
        stat('Alerts', 'count(ALERTS{alertname=~"Ltml.+", alertstate="firing"}) or vector(0)'),
        table('Jobs', 'job', {
            'done': f'ltml_job_step{POOL} / ltml_job_steps{POOL}',
            'time left': f'job:ltml_job_remaining_seconds:estimate{POOL}',
            'loss': 'ltml_job_loss{instance="$instance", part="total"}',
            'mAP': 'ltml_job_average_precision{instance="$instance", group="total"}',
            'head': 'ltml_job_average_precision{instance="$instance", group="head"}',
            'medium': 'ltml_job_average_precision{instance="$instance", group="medium"}',
            'tail': 'ltml_job_average_precision{instance="$instance", group="tail"}',
        }, {'done': 'percentunit', 'time left': 's'},
              info=f'max by (job, name) (ltml_job_info{POOL})'),
        graph('Does the tail improve', {
            '{{job}}': 'ltml_job_average_precision{instance="$instance", group="tail"}'},
              defaults=SHARE, unit='percentunit',
              description='mAP of the classes with fewer than 20 training images.'),
        graph('While head and medium hold', {
            '{{job}} {{group}}':
                'ltml_job_average_precision{instance="$instance", group=~"head|medium"}'},
              defaults=SHARE, unit='percentunit'),
        stacked('Jobs by state', {'{{state}}': f'ltml_jobs{POOL}'}),
        graph('Images a second by job', {
            '{{job}}': f'sum by (job) (job_stream:ltml_job_samples:rate5m{POOL})'}),
    ])


def job():
    group = '{{group}}'
    return dashboard('job', 'job', [JOBS], [
        stat('Step', f'ltml_job_step{JOB}'),
        stat('Done', f'ltml_job_step{JOB} / ltml_job_steps{JOB}', unit='percentunit'),
        stat('Time left', f'job:ltml_job_remaining_seconds:estimate{JOB}', unit='s'),
        stat('Attempt', f'ltml_job_attempt{JOB}'),
        stat('Age of checkpoint', f'job:ltml_job_checkpoint_age_seconds:now{JOB}', unit='s'),
        stat('Restarts in an hour', f'job:ltml_job_restarts:new1h{JOB} or vector(0)'),
        graph('Loss', {'{{part}}': f'ltml_job_loss{JOB}'},
              description='Means of the last logged step; consistency without its weight.'),
        graph('mAP of the validation set', {group: f'ltml_job_average_precision{JOB}'},
              unit='percentunit', defaults=SHARE),
        graph('Learning rate', {'rate': f'ltml_job_learning_rate{JOB}'}),
        graph('Images a second', {
            'at the last logged step': f'ltml_job_images_per_second{JOB}',
            '{{stream}}': f'rate(ltml_job_samples_total{JOB}[$__rate_interval])'}),
        graph('Seconds of a step', {
            'mean': f'job:ltml_job_step_duration_seconds:mean5m{JOB}',
            'p99': f'job:ltml_job_step_duration_seconds:p99_5m{JOB}'}, unit='s'),
        graph('Share of time in which a rank computes', {
            'rank {{rank}}': f'job_rank:ltml_job_compute:share5m{JOB}'},
              unit='percentunit', defaults=SHARE,
              description='The straggler computes longest; the others wait for it.'),
        graph('Share of time in which a rank waits for images', {
            'rank {{rank}}': f'job_rank:ltml_job_data_wait:share5m{JOB}'}, unit='percentunit',
              defaults=SHARE),
        graph('Share of time in which a rank waits for the other ranks', {
            'rank {{rank}}': f'job_rank:ltml_job_collective_wait:share5m{JOB}'},
              unit='percentunit', defaults=SHARE),
        graph('Wait for grants', {
            'all ranks': f'rate(ltml_job_grant_wait_seconds_total{JOB}[$__rate_interval])'},
              unit='s', description='Seconds of waiting a second.'),
        graph('Silence of ranks', {'rank {{rank}}': f'job_rank:ltml_rank_silence_seconds:now{JOB}'},
              unit='s'),
        graph('Failed attempts', {'{{reason}}': f'ltml_job_failures_total{JOB}'}),
        graph('Restarts', {'{{reason}}': f'ltml_job_restarts_total{JOB}'}),
        graph('Images that could not be used', {'{{reason}}': f'ltml_bad_samples_total{JOB}'}),
    ])


def classes():
    weakest = f'bottomk(5, ltml_class_average_precision{JOB} @ end())'
    of_weakest = f'and on (instance, job, class) {weakest}'
    change = f'delta(ltml_class_average_precision{JOB}[$__range])'
    return dashboard('classes', 'classes', [JOBS], [
        stat('Imbalance', f'ltml_class_imbalance_ratio{JOB}', width=6,
             description='Training images of the most frequent class over those of the rarest.'),
        stat('Weakest class', f'min(ltml_class_average_precision{JOB})', width=6,
             unit='percentunit'),
        stat('Classes that improve', f'count({change} > 0) or vector(0)', width=6),
        stat('Classes that get worse', f'count({change} < 0) or vector(0)', width=6),
        bars('The 5 weakest classes', {'{{class}}': f'sort(bottomk(5, ltml_class_average_precision{JOB}))'},
             unit='percentunit', defaults=SHARE, width=8),
        bars('How often the uniform stream has shown them', {
            '{{class}}': f'ltml_class_uniform_positives_total{JOB} {of_weakest}'}, width=8),
        bars('How often the re-balanced stream has', {
            '{{class}}': f'ltml_class_rebalanced_positives_total{JOB} {of_weakest}'}, width=8),
        graph('Do they improve', {
            '{{class}}': f'ltml_class_average_precision{JOB} {of_weakest}'}, unit='percentunit',
              defaults=SHARE),
        graph('The 5 rarest classes', {
            '{{class}}': f'ltml_class_average_precision{JOB} and on (instance, job, class) '
                         f'bottomk(5, ltml_class_train_images{JOB} @ end())'}, unit='percentunit',
              defaults=SHARE),
        table('All classes that have series', 'class', {
            'training images': f'ltml_class_train_images{JOB}',
            'shown by uniform': f'ltml_class_uniform_positives_total{JOB}',
            'shown by re-balanced': f'ltml_class_rebalanced_positives_total{JOB}',
            'times more often': f'job_class:ltml_class_positives:gain{JOB}',
            'average precision': f'ltml_class_average_precision{JOB}',
            'its change': change,
            'mu, uniform': f'ltml_class_uniform_compensation{JOB}',
            'mu, re-balanced': f'ltml_class_rebalanced_compensation{JOB}',
        }, {'average precision': 'percentunit', 'its change': 'percentunit'}, height=12),
        graph('Positives an image, uniform stream', {
            '{{class}}': f'job_class:ltml_class_uniform_positives:per_image{JOB} {of_weakest}'}),
        graph('Positives an image, re-balanced stream', {
            '{{class}}': f'job_class:ltml_class_rebalanced_positives:per_image{JOB} {of_weakest}'}),
        graph('Compensation of the uniform branch (mu of positives)', {
            '{{class}}': f'ltml_class_uniform_compensation{JOB} {of_weakest}'}),
        graph('Compensation of the re-balanced branch (mu of positives)', {
            '{{class}}': f'ltml_class_rebalanced_compensation{JOB} {of_weakest}'}),
    ])


def cluster():
    def p99(metric, by=''):
        return (f'histogram_quantile(0.99, sum by (le{by}) '
                f'(rate({metric}_bucket{POOL}[$__rate_interval])))')
    return dashboard('cluster', 'cluster', [], [
        bars('Slots in use', {'{{host}}': f'ltml_host_slots_used{POOL} / ltml_host_slots{POOL}'},
             unit='percentunit', defaults=SHARE),
        graph('Hosts that take jobs', {'{{host}}': f'ltml_host_ready{POOL}'}, defaults=SHARE),
        graph('Slots', {'{{host}} in use': f'ltml_host_slots_used{POOL}',
                        '{{host}}': f'ltml_host_slots{POOL}'}),
        graph('Wait for slots', {
            'longest so far': f'ltml_queue_longest_wait_seconds{POOL}',
            'p90 of an hour': 'histogram_quantile(0.9, '
                              f'sum by (le) (rate(ltml_queue_wait_seconds_bucket{POOL}[1h])))'},
              unit='s'),
        graph('Commits of the store', {
            'a second': f'rate(ltml_store_commit_duration_seconds_count{POOL}[$__rate_interval])'}),
        graph('Time of a commit', {
            'p99': f'instance:ltml_store_commit_duration_seconds:p99_5m{POOL}'}, unit='s'),
        graph('Changes that the store did not take', {
            'all': f'increase(ltml_store_errors_total{POOL}[$__rate_interval])'}),
        graph('Free disk', {'{{folder}}': f'instance_folder:ltml_disk_free:ratio{POOL}'},
              unit='percentunit', defaults=SHARE),
        graph('Calls a second', {
            '{{grpc_method}} {{grpc_code}}': f'instance_method:grpc_server_handled:rate5m{POOL}'}),
        graph('Time of a call', {
            '{{grpc_method}}': p99('grpc_server_handling_seconds', ', grpc_method')}, unit='s',
              description='99 of 100 calls are shorter; of streams this is their life.'),
        graph('Memory of ltmld', {'resident': f'process_resident_memory_bytes{POOL}'},
              unit='bytes', width=8),
        graph('Cores of ltmld', {
            'used': f'rate(process_cpu_seconds_total{POOL}[$__rate_interval])'}, width=8),
        graph('Open files of ltmld', {'open': f'process_open_fds{POOL}'}, width=8),
        stat('Up for', f'time() - process_start_time_seconds{POOL}', unit='s', width=8),
        stat('Lines of the log that were dropped', f'ltml_log_lines_dropped_total{POOL}', width=8),
        stat('Series of classes that were left out', f'ltml_class_series_dropped_total{POOL}',
             width=8),
    ])


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for make in (overview, job, classes, cluster):
        text = json.dumps(make(), indent=1, ensure_ascii=False) + '\n'
        (folder / f'{make.__name__}.json').write_text(text)


if __name__ == '__main__':
    write(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                       pathlib.Path(__file__).parent / 'dashboards'))
