import pytest

from alae_jax.runs import best


def record(images_seen, value, number='fid5k', **others):
  facts = {'metric': 'fid5k', 'protocol': 'stylegan', best.WHILE_TRAINING: True}
  return {'images_seen': images_seen, number: value, **facts, **others}


THERE = [10, 20, 30, 40]


def found(*records, number='fid5k', there=THERE):
  one = best.find(records, number, there)
  return one and one.images_seen


def test_the_smallest_and_of_equals_the_first():
  records = [record(i * 10, v) for i, v in enumerate((9.0, 5.0, 3.0, 3.0))]
  assert found(*records) == 20
  assert found() is None
  assert found(*records, number='rec/mse') is None


@pytest.mark.parametrize(
  ('number', 'largest'),
  [
    ('rec/psnr', True),
    ('rec5/ssim', True),
    ('pr50k3/recall', True),
    ('probe/1nn_w', True),
    ('probe/svm_hidden', True),
    ('rec/mse', False),
    ('rec/latent_distance', False),
    ('ppl_w_end', False),
    ('fd_random_inception_rec', False),
    ('lpips_rec', False),
  ],
)
def test_which_way_is_better(number, largest):
  records = [record(10, 1.0, number), record(20, 2.0, number)]
  assert found(*records, number=number) == (20 if largest else 10)


def test_checkpoints_that_are_gone_do_not_count():
  records = [record(10, 1.0), record(20, 2.0)]
  assert found(*records, there=[20, 30]) == 20
  assert found(*records, there=[30]) is None


@pytest.mark.parametrize(
  'other',
  [
    {'protocol': 'pytorch-fid'},
    {'resolution': 4},  # a level of before
    {'weights': 'live'},
    {'images': 7},
    {'resolution': 4},
    {'features_identity': 'others'},
    {best.WHILE_TRAINING: False},
    {'fid5k': None},
    {'fid5k': 'low'},
  ],
)
def test_numbers_that_do_not_compare_do_not_count(other):
  one, newest = record(10, 1.0), record(20, 2.0)
  assert found(one | other, newest) == 20
