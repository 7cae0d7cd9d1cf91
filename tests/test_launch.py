"""The image and the Kubernetes job of launch/: what they name is there."""

import os
import re
import shutil
import sys

import pytest
import yaml

from alae_jax import __version__
from tests.support.launch import (
  EXTRAS,
  LAUNCH,
  PROJECT,
  ROOT,
  check,
  parse_train,
  tool,
)

DOCKERFILE = (LAUNCH / 'Dockerfile').read_text()


def instructions(name):
  """What follows each instruction of a name in the Dockerfile."""
  text = re.sub(r'^#.*\n', '', DOCKERFILE, flags=re.MULTILINE)
  lines = text.replace('\\\n', '').splitlines()
  words = [line.split(maxsplit=1) for line in lines if line]
  return [rest for found, rest in words if found == name]


def copied():
  """The files and folders that come from the clone."""
  return [name for rest in instructions('COPY') for name in rest.split()[:-1]]


def resources():
  """The service and the job."""
  return list(yaml.safe_load_all((LAUNCH / 'kubernetes.yaml').read_text()))


def test_hadolint_finds_nothing():
  check(tool('hadolint'), str(LAUNCH / 'Dockerfile'))


def test_the_image_is_sent_what_it_copies():
  lines = (ROOT / '.dockerignore').read_text().splitlines()
  assert '*' in lines
  assert {line[1:] for line in lines if line.startswith('!')} == set(copied())


def test_the_extras_of_the_image_exist():
  named = re.findall(r'EXTRAS=([a-z,]+)', DOCKERFILE)
  assert set(','.join(named).split(',')) == {'cuda', 'tpu', 'gcs', 'video'}
  assert set(EXTRAS) >= {'cuda', 'tpu', 'gcs', 'video'}


@pytest.mark.parametrize('extras', ['cuda,gcs,video', 'gcs'])
def test_the_image_installs_first_what_it_needs(tmp_path, extras):
  """The command in the Dockerfile, without pip."""
  shutil.copy(ROOT / 'pyproject.toml', tmp_path)
  command, _, pip = instructions('RUN')[1].partition('&& ')
  assert pip.startswith('pip install')
  python = command.replace('python', sys.executable, 1)
  check('sh', '-c', python, cwd=tmp_path, env=os.environ | {'EXTRAS': extras})
  lines = (tmp_path / 'requirements.txt').read_text().splitlines()
  wanted = [line for extra in extras.split(',') for line in EXTRAS[extra]]
  assert lines == PROJECT['dependencies'] + wanted


def test_the_image_has_all_of_alae(tmp_path):
  """What is copied works without the rest of the clone."""
  for name in copied():
    copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
    copy(ROOT / name, tmp_path / name)
  said = check(
    *(sys.executable, '-P', '-m', 'alae_jax', '--version'),
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': str(tmp_path)},
  )
  assert __version__ in said
  for name in [PROJECT['readme'], *PROJECT['license-files']]:
    assert (tmp_path / name).exists()


def test_the_image_runs_alae_as_a_user_without_rights():
  assert instructions('USER') == ['1000']
  assert instructions('ENTRYPOINT') == ['["alae"]']
  assert instructions('STOPSIGNAL') == ['SIGTERM']
  assert instructions('VOLUME') == ['/cache']
  assert 'ALAE_CACHE=/cache' in instructions('ENV')[0].split()


def test_kubernetes_knows_every_field():
  validator = pytest.importorskip('kubernetes_validate')
  for resource in resources():
    validator.validate(resource, '1.34', strict=True)


def test_pods_find_the_first_of_them():
  service, job = resources()
  pod = job['spec']['template']['spec']
  (container,) = pod['containers']
  (processes,) = (
    int(entry['value'])
    for entry in container['env']
    if entry['name'] == 'PROCESSES'
  )
  assert job['spec']['completionMode'] == 'Indexed'
  assert job['spec']['parallelism'] == job['spec']['completions'] == processes
  assert service['spec']['clusterIP'] == 'None'
  job_name, name = job['metadata']['name'], service['metadata']['name']
  selector = {'batch.kubernetes.io/job-name': job_name}
  assert service['spec']['selector'] == selector
  assert pod['subdomain'] == name
  verb, *words = container['args']
  assert verb == 'train'
  first, rest = parse_train(words).distributed.split(':')
  assert first == f'{job_name}-0.{name}'
  assert rest == '1234,$(PROCESSES),$(JOB_COMPLETION_INDEX)'


def test_kubernetes_restarts_what_sigterm_stopped():
  _, job = resources()
  spec = job['spec']
  disrupted, stopped = spec['podFailurePolicy']['rules']
  assert disrupted['action'] == stopped['action'] == 'Ignore'
  assert stopped['onExitCodes'] == {'operator': 'In', 'values': [143]}
  # What Kubernetes wants beside such rules.
  assert spec['template']['spec']['restartPolicy'] == 'Never'
  assert spec['podReplacementPolicy'] == 'Failed'


def test_pods_use_the_image_as_it_is():
  _, job = resources()
  pod = job['spec']['template']['spec']
  (container,) = pod['containers']
  mounts = {
    mount['name']: mount['mountPath'] for mount in container['volumeMounts']
  }
  assert set(mounts) == {volume['name'] for volume in pod['volumes']}
  assert [mounts['cache']] == instructions('VOLUME')
  assert [str(pod['securityContext']['runAsUser'])] == instructions('USER')
