"""A Hugging Face hub, as far as models are up- and downloaded.

What it answers is what huggingface_hub reads: repositories are made, files are
uploaded by Git LFS and committed, commits and files are asked for.
"""

import base64
import dataclasses
import hashlib
import http.server
import json
import re
import urllib.parse

TOKENS = {'of_ada': 'write', 'may_only_read': 'read'}
LICENSES = ('unknown', 'apache-2.0', 'other')


@dataclasses.dataclass
class Repository:
  private: bool = False
  gated: bool = False
  # {commit: {name: content}}, oldest first.
  commits: dict = dataclasses.field(default_factory=dict)
  branches: dict = dataclasses.field(default_factory=dict)

  def commit(self, files):
    content = {**self.commits.get(self.branches.get('main'), {}), **files}
    name = hashlib.sha1(repr((len(self.commits), content)).encode()).hexdigest()
    self.commits[name] = content
    self.branches['main'] = name
    return name

  def find(self, revision):
    commit = self.branches.get(revision, revision)
    return commit if commit in self.commits else None


class Hub(http.server.ThreadingHTTPServer):
  """The server.

  Attributes:
    repositories: by 'user/name'.
    stored: what was uploaded for a commit to come, by SHA-256.
    requests: 'METHOD /path' of each, and the Range of downloads.
    breaks: {'METHOD /begin of a path': how often it breaks off}.
    fails: {'METHOD /begin of a path': HTTP status}.
  """

  daemon_threads = True

  def __init__(self):
    super().__init__(('127.0.0.1', 0), _Handler)
    self.forget()

  def forget(self):
    self.repositories = {}
    self.stored = {}
    self.requests = []
    self.breaks = {}
    self.fails = {}

  @property
  def url(self):
    return f'http://127.0.0.1:{self.server_port}'

  def add(self, name, files, **facts):
    """A repository with one commit, which is returned."""
    repository = self.repositories.setdefault(name, Repository(**facts))
    return repository.commit(files)

  def files(self, name):
    repository = self.repositories[name]
    return repository.commits[repository.branches['main']]

  def asked(self, pattern):
    return [line for line in self.requests if re.search(pattern, line)]


class _Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'

  def log_message(self, *_):
    pass

  def handle_any(self):
    path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
    told = self.headers.get('Range')
    self.server.requests.append(
      f'{self.command} {path}' + (f' {told}' if told else '')
    )
    size = int(self.headers.get('Content-Length') or 0)
    if self.command in ('POST', 'PUT') and self.is_breaking(path):
      self.rfile.read(size // 2)
      self.close_connection = True
      self.connection.close()
      return
    self.body = self.rfile.read(size)
    for begin, status in self.server.fails.items():
      if f'{self.command} {path}'.startswith(begin):
        self.fail(status, 'no, not now')
        return
    for method, pattern, answer in _ROUTES:
      match = re.fullmatch(pattern, path)
      if match and self.command in method.split():
        answer(self, **match.groupdict())
        return
    self.fail(404, f'no such page: {self.command} {path}')

  do_GET = do_HEAD = do_POST = do_PUT = handle_any

  def is_breaking(self, path):
    for begin, left in self.server.breaks.items():
      if left and f'{self.command} {path}'.startswith(begin):
        self.server.breaks[begin] -= 1
        return True
    return False

  @property
  def role(self):
    token = (self.headers.get('Authorization') or '').removeprefix('Bearer ')
    return TOKENS.get(token)

  def send(self, content, status=200, **headers):
    if not isinstance(content, bytes):
      content = json.dumps(content).encode()
      headers = {'Content-Type': 'application/json', **headers}
    self.send_response(status)
    for name, value in headers.items():
      self.send_header(name.replace('_', '-'), str(value))
    if 'Content_Length' not in headers:
      self.send_header('Content-Length', str(len(content)))
    self.end_headers()
    if self.command != 'HEAD':
      self.wfile.write(content)

  def fail(self, status, message, code=''):
    said = {'X-Error-Message': message} | (
      {'X-Error-Code': code} if code else {}
    )
    self.send({'error': message}, status, **said)

  def open(self, name, revision='main'):
    """A repository and its commit; None after an answer that it can't be."""
    repository = self.server.repositories.get(name)
    if repository is None or (repository.private and not self.role):
      self.fail(401, 'Invalid username or password.', 'RepoNotFound')
      return None
    commit = repository.find(revision)
    if commit is None:
      self.fail(404, f'Invalid rev id: {revision}', 'RevisionNotFound')
      return None
    return repository, commit

  # What is asked.

  def whoami(self):
    if not self.role:
      self.fail(401, 'Invalid credentials in Authorization header')
      return
    token = {'accessToken': {'displayName': 'a token', 'role': self.role}}
    orgs = [{'name': 'labs', 'type': 'org'}]
    self.send({'type': 'user', 'name': 'ada', 'orgs': orgs, 'auth': token})

  def info(self, name, revision='main'):
    found = self.open(name, revision)
    if found:
      repository, commit = found
      files = [{'rfilename': file} for file in repository.commits[commit]]
      self.send(
        {
          'id': name,
          'sha': commit,
          'private': repository.private,
          'siblings': files,
        }
      )

  def may_write(self, name):
    if self.open(name) is None:
      return
    if name.partition('/')[0] in ('ada', 'labs'):
      self.send({})
    else:
      self.fail(403, 'You have no write access to this repository')

  def make(self):
    asked = json.loads(self.body)
    name = f'{asked.get("organization") or "ada"}/{asked["name"]}'
    if name in self.server.repositories:
      self.fail(409, 'You already created this model repo')
      return
    private = asked.get('visibility') == 'private' or bool(asked.get('private'))
    self.server.add(name, {'.gitattributes': b'lfs'}, private=private)
    self.send({'url': f'{self.server.url}/{name}', 'name': name})

  def check_card(self):
    content = json.loads(self.body)['content']
    license_ = re.search(r'^license: (\S+)', content, re.MULTILINE)[1]
    if license_ in LICENSES:
      self.send({'errors': [], 'warnings': []})
    else:
      message = f'"license" must be one of {list(LICENSES)}'
      self.send({'errors': [{'message': message}], 'warnings': []}, 400)

  def preupload(self, name, revision):
    found = self.open(name, revision)
    if found is None:
      return
    there = found[0].commits[found[1]]
    files = []
    for file in json.loads(self.body)['files']:
      large = file['path'].endswith(('.safetensors', '.stablehlo', '.pth'))
      content = there.get(file['path'])
      oid = None
      if content is not None and large:
        oid = hashlib.sha256(content).hexdigest()
      elif content is not None:
        oid = git_hash(content)
      files.append(
        {
          'path': file['path'],
          'uploadMode': 'lfs' if large else 'regular',
          'shouldIgnore': False,
          'oid': oid,
        }
      )
    self.send({'files': files})

  def batch(self, name):
    objects = []
    for one in json.loads(self.body)['objects']:
      oid, size = one['oid'], one['size']
      told = {'oid': oid, 'size': size}
      if oid not in self.server.stored:
        href = f'{self.server.url}/lfs/{oid}'
        told['actions'] = {'upload': {'href': href, 'header': {}}}
      objects.append(told)
    self.send({'transfer': 'basic', 'objects': objects})

  def store(self, oid):
    if 'chunked' in self.headers.get('Transfer-Encoding', ''):
      self.body = self.read_chunks()
    if hashlib.sha256(self.body).hexdigest() != oid:
      self.fail(400, 'not what was announced')
      return
    self.server.stored[oid] = self.body
    self.send({})

  def read_chunks(self):
    content = b''
    while size := int(self.rfile.readline(), 16):
      content += self.rfile.read(size)
      self.rfile.readline()
    self.rfile.readline()
    return content

  def commit(self, name, revision):
    found = self.open(name, revision)
    if found is None:
      return
    repository, head = found
    files = {}
    for line in self.body.splitlines():
      item = json.loads(line)
      value = item['value']
      if item['key'] == 'header':
        if value.get('parentCommit', head) != head:
          self.fail(412, 'A commit has happened since. Please refresh.')
          return
      elif item['key'] == 'file':
        files[value['path']] = base64.b64decode(value['content'])
      elif item['key'] == 'lfsFile':
        files[value['path']] = self.server.stored[value['oid']]
    commit = repository.commit(files)
    page = f'{self.server.url}/{name}/commit/{commit}'
    self.send({'commitUrl': page, 'commitOid': commit, 'success': True})

  def file(self, name, revision, file):
    found = self.open(name, revision)
    if found is None:
      return
    repository, commit = found
    if repository.gated:
      self.fail(403, 'Access is restricted.', 'GatedRepo')
      return
    content = repository.commits[commit].get(file)
    told = {'X-Repo-Commit': commit, 'Accept-Ranges': 'bytes'}
    if content is None:
      told |= {'X-Error-Code': 'EntryNotFound', 'X-Error-Message': 'Not found'}
      self.send(b'', 404, **told)
      return
    told |= {'ETag': f'"{hashlib.sha256(content).hexdigest()}"'}
    start, status = 0, 200
    asked = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range') or '')
    if asked:
      start, status = int(asked[1]), 206
      told |= {
        'Content-Range': f'bytes {start}-{len(content) - 1}/{len(content)}'
      }
    rest = content[start:]
    told |= {'Content_Length': len(rest)}
    if self.command == 'GET' and self.is_breaking(self.path):
      self.send(rest[: len(rest) // 2], status, **told)
      self.close_connection = True
      return
    self.send(rest, status, **told)


_NAME = r'(?P<name>[^/]+/[^/]+)'
_ROUTES = (
  ('GET', '/api/whoami-v2', _Handler.whoami),
  ('GET', f'/api/models/{_NAME}', _Handler.info),
  ('GET', f'/api/models/{_NAME}/revision/(?P<revision>.+)', _Handler.info),
  ('GET', f'/api/models/{_NAME}/auth-check/write', _Handler.may_write),
  ('POST', '/api/repos/create', _Handler.make),
  ('POST', '/api/validate-yaml', _Handler.check_card),
  (
    'POST',
    f'/api/models/{_NAME}/preupload/(?P<revision>.+)',
    _Handler.preupload,
  ),
  ('POST', f'/{_NAME}.git/info/lfs/objects/batch', _Handler.batch),
  ('PUT', '/lfs/(?P<oid>[0-9a-f]+)', _Handler.store),
  ('POST', f'/api/models/{_NAME}/commit/(?P<revision>.+)', _Handler.commit),
  (
    'GET HEAD',
    f'/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)',
    _Handler.file,
  ),
)


def git_hash(content):
  return hashlib.sha1(b'blob %d\0' % len(content) + content).hexdigest()
