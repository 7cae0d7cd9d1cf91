"""Wrong words, numbers and options for every verb; see test_wrong_paths too."""

import pytest

# Commands that are in order; what is wrong is added to them.
COMMANDS = {
  'train': 'train --config digits.py --workdir out',
  'prepare': 'prepare x --source photos --data_dir out',
  'evaluate': 'evaluate mlp --metrics probe',
  'plot': 'plot mlp --out out.png',
  'generate': 'generate mlp --seeds 1 --out out',
  'reconstruct': 'reconstruct mlp photos --out out',
  'interpolate': 'interpolate mlp 1 2 --out out',
  'mix': 'mix style --sources 1 --destinations 2 --out out',
  'traverse': 'traverse mlp 1 --direction ones.npy --out out',
  'directions': 'directions mlp --method pca --out out',
  'import': 'import text.txt --workdir out',
  'export': 'export style --format release --out out',
}
GENERATE = 'generate mlp --out out'
DIRECTIONS = 'directions mlp --method labels --out out'

NO_NUMBERS = ['', ' ', 'x', 'nan', 'inf', '-inf', '1,5', '0x10', '1e400', '٣٣x']
NO_WHOLE_NUMBERS = [
  *NO_NUMBERS, '-1', '0', '1.5', '1e3', '+', '²', '9' * 30, '9' * 5000,
  '100000000000',
]  # fmt: skip

# option: (command, wrong values)
NUMBERS = {
  '--seeds': (
    GENERATE,
    [
      '', ' ', 'x', ',', '1,', '3-', '-3', '5-3', '1.5', '1e3', '0-4294967295',
      '4294967296', '0-1000000', '9' * 100_000, '1-' + '9' * 100_000, '3,3',
      '0-5,3', '0-600000,600000-1200000', '²', '--', '1;2', '1 2', '0x1',
    ],
  ),
  '--truncation': (
    COMMANDS['generate'], [*NO_NUMBERS, '1e308', '-1e30', '101', '-1e3'],
  ),
  '--cutoff': (
    COMMANDS['generate'] + ' --truncation 0.5',
    [*(n for n in NO_WHOLE_NUMBERS if n != '0'), '2', '1001'],
  ),
  '--columns': (COMMANDS['generate'] + ' --grid', NO_WHOLE_NUMBERS),
  '--steps': (COMMANDS['interpolate'], [*NO_WHOLE_NUMBERS, '1', '10001']),
  '--rate': (
    COMMANDS['interpolate'] + ' --format gif',
    [*NO_NUMBERS, '0', '-1', '1e-9', '0.001', '51', '1e9', '1e308'],
  ),
  '--range': (
    COMMANDS['traverse'],
    [
      '', '1', '1,2,3', 'a,b', '1,', ',1', 'nan,1', '0,inf', '-1e300,1e300',
      '0,1e7', '-1e400,1', '1;2',
    ],
  ),
  '--number': (COMMANDS['directions'], [*NO_WHOLE_NUMBERS, '7', '10000']),
  '--samples': (COMMANDS['directions'], [*NO_WHOLE_NUMBERS, '1', '1000001']),
  '--layers': (
    COMMANDS['mix'],
    [
      '', ' ', 'thin', 'coarse,', 'coarse,coarse', '2-5,2-5', '-1', '5-2',
      '1.5', '6', '3-6', 'fine', '9' * 30, '9' * 5000, '0-' + '9' * 5000,
    ],
  ),
  '--format': (
    COMMANDS['interpolate'],
    ['', ' ', ',', 'png,', 'avi', 'PNG', 'png,png', 'gif,mp4,gif', 'gif;mp4'],
  ),
  '--noise': (COMMANDS['generate'], ['', 'loud', 'Random', 'none,random']),
  '--weights': (COMMANDS['generate'], ['', 'EMA', 'best', 'live,ema']),
  '--method': ('directions mlp --out out', ['', 'lda', 'PCA', 'pca,sefa']),
  '--metrics': (
    'evaluate mlp',
    ['', ',', ' , ', 'fid', 'probe,probe', 'probe,fid', 'PROBE', '\x1b[2J',
     'fid0', 'fid2000k', 'rec' + '9' * 5000],
  ),
  '--resolution': (
    COMMANDS['prepare'],
    [*NO_WHOLE_NUMBERS, '28', '7', '3', '2', '2048', '-8'],
  ),
  '--test_images': (
    COMMANDS['prepare'],
    [*(n for n in NO_NUMBERS if n != '1,5'), '1,5', '-1', '4', '5', '1.5',
     '1e30', '-0.5', '0.99'],
  ),
  '--channels': (COMMANDS['prepare'], ['', '0', '2', '4', '-1', '1.5', 'rgb']),
}  # fmt: skip

# Of `alae evaluate`, where some mean something else than to other verbs.
OF_EVALUATE = {
  '--protocol': ['', ' ', 'tf', 'STYLEGAN', 'stylegan,pytorch-fid'],
  '--features': ['', ' ', 'vgg', 'Pixels', 'probe', 'probe:', 'pixels:mlp'],
  '--split': ['', 'TEST', 'validation', 'train,test', 'all'],
  '--real_images': [*NO_WHOLE_NUMBERS, '1', '1000001'],
  '--truncation': [*NO_NUMBERS, '1e308', '101'],
  '--seed': [*NO_NUMBERS, '-1', '1.5', '0-3', '1,2', '4294967296', '9' * 5000],
  '--format': ['', 'png', 'TEXT', 'text,json', 'csv'],
  '--checkpoint': [*NO_NUMBERS, '-1', '1.5', 'newest', 'BEST', 'best,16'],
}  # fmt: skip

# The films' other format has other limits.
RATES_OF_MP4 = ['0', '1e-9', '0.001', '1001', '1e9', 'nan']

# A command, and a part of what is said.
COMMAND_LINES = {
  # Verbs.
  '': 'required: VERB',
  '--verison': 'did you mean --version?',
  '--verbose': 'unknown argument --verbose',
  '-v': 'unknown argument -v',
  '-': "'-'",
  'evalute': 'did you mean evaluate?',
  'Generate': 'did you mean generate?',
  'generate.': 'did you mean generate?',
  'help': "no verb 'help'",
  'demo mlp': "no verb 'demo'",
  'mlp generate': "no verb 'mlp'",
  # Options that are misspelt or another verb's.
  'generate mlp --seed 1 --out out': 'did you mean --seeds?',
  'generate mlp --seeds 1 --output out': 'did you mean --out?',
  'generate mlp --seeds=1 --trunctation=1': 'did you mean --truncation?',
  'generate mlp -seeds 1 --out out': 'did you mean --seeds?',
  'generate mlp --seeds 1 -o out': 'unknown argument -o',
  'generate mlp --seeds 1 --out out --steps 3': 'unknown argument --steps',
  'generate mlp --seeds 1 --out out --config.train.seed=1': '--config.train',
  'evaluate mlp --metric probe': 'did you mean --metrics?',
  'evaluate mlp --metrics probe --data-dir x': 'did you mean --data_dir?',
  'evaluate mlp --metrics probe --wieghts=ema': 'did you mean --weights?',
  'mix style --source 1 --destination 2': 'did you mean --sources?',
  'prepare x --src photos': 'unknown argument --src',
  'train --confg digits.py': 'did you mean --config?',
  'train --config digits.py --confg.train.seed=1': '--config.train.seed?',
  'train --config digits.py --train.seed=1': '--config.train.seed?',
  'train --config digits.py --dryrun': 'did you mean --dry-run?',
  'import text.txt --wokdir out': 'did you mean --workdir?',
  # Values that are missing, or too many.
  'generate': 'required: WORKDIR',
  'generate mlp --out out': 'required: --seeds',
  'generate mlp --seeds': 'expected one argument',
  'generate mlp --seeds 1 --out': 'expected one argument',
  'generate mlp --seeds 1 2 --out out': 'unknown argument 2',
  'generate mlp style --seeds 1 --out out': 'unknown argument style',
  'generate mlp --seeds 1 --out out --grid=yes': '--grid',
  'generate mlp --seeds 1 --out out --overwrite=no': '--overwrite',
  'generate -- mlp': 'required: --out',
  'reconstruct mlp --out out': 'required: IMAGE',
  'interpolate mlp --out out': 'required: POINT',
  'interpolate mlp 1 --out out': 'two points',
  'mix style --sources --destinations 1 --out out': 'at least one argument',
  'directions mlp --out out': 'required: --method',
  'export style --out out': 'required: --format',
  'export style --format pickle --out out': "'pickle'",
  'import --workdir out': 'required: CHECKPOINT',
  'train --workdir out': 'required: --config',
  'train --config digits.py': '--workdir is missing',
  'train --config digits.py --workdir out 3': '3',
  'prepare': 'required: NAME',
  # Names of datasets.
  'prepare X --source photos': 'small letters',
  'prepare 1x --source photos': 'small letters',
  'prepare ../x --source photos': 'small letters',
  'prepare a-b --source photos': 'small letters',
  'prepare digits --source photos': 'built in',
  'prepare x': '--source is missing',
  'prepare mnist --source missing --data_dir out': 'missing',
  'prepare mnist --resolution 64 --source photos': 'MNIST is made at 28',
  'prepare mnist --channels 3 --source photos': 'grey',
  # Pictures of curves.
  'plot --out out.png': 'required: RUN',
  'plot mlp': 'required: --out',
  'plot mlp --out out': '--out out: name a file that ends in .png or .svg',
  'plot mlp --out out.pdf': '.png or .svg',
  'plot mlp --out .png': '.png or .svg',
  'plot mlp --out photos/00.png': 'photos/00.png is there already',
  'plot mlp --out out.png': 'mlp: metrics.jsonl holds no numbers to draw',
  'plot mlp missing --out out.png': 'missing is not a run folder',
  'plot mlp --metric loss --out out.png': 'did you mean --metrics?',
  # Asked for in vain.
  'generate mlp --seeds 1 --out out --columns 2': '--columns is of a grid',
  'generate mlp --seeds 1 --out out --cutoff 1': '--cutoff does nothing',
  'interpolate mlp photos --truncation 0.5 --out out': 'every point is an',
  'traverse mlp photos --direction ones.npy --cutoff 1 --out out': 'every',
  'interpolate mlp 1 2 --rate 5 --out out': '--rate is for films',
  'traverse mlp 1 --direction ones.npy --rate=5 --out out': '--rate is for',
  'directions mlp --method pca --labels text.txt --out out': '--labels is for',
  'directions mlp --method sefa --labels text.txt --out out': '--labels is for',
  'directions mlp --method pca --data_dir . --out out': '--data_dir is for',
  f'{DIRECTIONS} --number 3': '--number is for',
  f'{DIRECTIONS} --labels text.txt --data_dir .': '--data_dir is not read',
  f'{DIRECTIONS} --labels text.txt --samples 9': '--samples is not read',
  # Too much.
  'generate mlp --seeds 0-10000 --grid --out out': 'at most 10,000',
  'interpolate mlp 0-999999 --out out': 'at most 10,000',
  'interpolate mlp 0-2 --steps 9999 --out out': 'at most 10,000',
  'traverse mlp 0-9999 --direction ones.npy --out out': 'at most 10,000',
  'mix style --sources 0-999 --destinations 0-999 --out out': 'at most 10,000',
  'directions mlp --method pca --show 0-99999 --out out': 'at most 10,000',
  'directions mlp --method pca --samples 3 --number 4 --out out': 'are 3',
  # What the model is not.
  'mix mlp --sources 1 --destinations 2 --out out': 'one layer of styles',
  'export mlp --format release --out out': 'StyleALAE alone',
  'traverse style 1 --direction ones.npy --layers 6 --out out': '0 to 5',
  'directions mlp --method sefa --layers 1 --out out': '0 to 0',
  'evaluate style --metrics probe': '8x8',
  'directions style --method labels --out out': '8x8',
  'evaluate faces --metrics probe': 'faces',
  'evaluate faces --metrics probe --data_dir missing': 'missing',
  'evaluate faces --metrics probe --data_dir text.txt': 'text.txt',
  'evaluate faces --metrics probe --data_dir pipe': 'pipe',
  'directions faces --method labels --data_dir photos --out out': 'photos',
  # Metrics that can't be had.
  'evaluate mlp --metrics fid2 --published=yes': '--published',
  'evaluate mlp --metrics fid2 --feature pixels': 'did you mean --features?',
  'evaluate mlp --metrics fid2 --features probe:missing': 'missing',
  'evaluate mlp --metrics fid2 --features probe:text.txt': 'text.txt',
  'evaluate mlp --metrics fid2 --features probe:style': 'takes 16x16 RGB',
  'evaluate mlp --metrics fid2,fid3 --features pixels': 'both give fd_pixels',
  'evaluate mlp --metrics ppl_w_end --features pixels': 'it is of LPIPS',
  'evaluate mlp --metrics rec,lpips_rec --features random': 'takes 16x16',
  'evaluate mlp --metrics rec --checkpoint best': 'keeps none',
  'evaluate mlp --metrics rec --checkpoint 17': 'has those after 16',
  'evaluate mlp missing --metrics rec': 'missing is not a run folder',
  # A run counts the layers that it has grown to.
  'generate growing --seeds 1 --truncation 0 --cutoff 3 --out out': '0 to 1',
  'mix growing --sources 1 --destinations 2 --layers 2 --out out': '0 to 1',
  'mix growing --sources 1 --destinations 2 --layers middle --out out': '0 to',
}  # fmt: skip


UNKNOWN = [
  '--no_such_option', '--x=1', '--\x1b[1m', '--two\nlines', '-é', '--a\0b',
]  # fmt: skip


def number_rows():
  evaluate = 'evaluate mlp --metrics fid2'
  rows = [
    *((option, *row) for option, row in NUMBERS.items()),
    *((option, evaluate, values) for option, values in OF_EVALUATE.items()),
  ]
  for option, command, values in rows:
    verb = command.partition(' ')[0]
    for value in values:
      yield pytest.param(
        command,
        option,
        value,
        id=f'{verb} {option} {value[:20]!a} {len(value)}',
      )


@pytest.mark.parametrize(('command', 'option', 'value'), list(number_rows()))
def test_a_wrong_value_is_told_by_its_option(wrong, command, option, value):
  assert option in wrong(*command.split(), f'{option}={value}')


@pytest.mark.parametrize('rate', RATES_OF_MP4)
def test_a_rate_must_be_one_of_every_format(wrong, rate):
  command = COMMANDS['interpolate'].split()
  assert '--rate' in wrong(*command, '--format', 'mp4,png', '--rate', rate)


@pytest.mark.parametrize(('line', 'said'), list(COMMAND_LINES.items()))
def test_a_wrong_command_is_told_in_one_line(wrong, line, said):
  assert said in wrong(*line.split())


@pytest.mark.parametrize(
  ('verb', 'word'),
  [(verb, word) for verb in COMMANDS for word in UNKNOWN],
)
def test_no_verb_takes_an_option_that_is_not_its_own(wrong, verb, word):
  assert 'unknown argument -' in wrong(*COMMANDS[verb].split(), word)


@pytest.mark.parametrize('verb', COMMANDS)
def test_no_option_is_given_twice(wrong, verb):
  words = COMMANDS[verb].split()
  option = next(word for word in words if word.startswith('--'))
  assert f'{option} is given twice' in wrong(*words, f'{option}=again')
