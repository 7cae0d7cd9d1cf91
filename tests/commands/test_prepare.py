"""`alae prepare`, from the command line to what it prints."""

from tests.support.example_data import write_images
from tests.support.verbs import alae, refused


def test_it_prints_a_line_for_each_resolution(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=10, side=4)
  alae(
    'prepare',
    'pictures',
    '--source',
    tmp_path / 'pictures',
    '--data_dir',
    tmp_path,
    '--test_images',
    2,
  )
  wanted = f'{tmp_path}/pictures/4/1.0.0: 8 train, 2 test images\n'
  assert capsys.readouterr().out == wanted


def test_what_is_wrong_is_told_by_its_flag(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=10, side=4)
  for words, said in (
    (('--source', tmp_path / 'none'), f'--source {tmp_path}/none: no such'),
    (
      ('--source', tmp_path / 'pictures', '--test_images', 10),
      '--test_images 10.0 of 10 images leaves none',
    ),
    (
      ('--source', tmp_path / 'pictures', '--resolution', 7),
      '--resolution 7: use one of',
    ),
    ((), '--source is missing'),
  ):
    line = refused(capsys, 'prepare', 'x', *words, '--data_dir', tmp_path)
    assert line.startswith(f'alae: {said}'), line
