"""TensorBoard's event files: scalars and pictures, written without torch."""

import io
import logging
import os
import platform
import time

import numpy as np
from etils import epath
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from alae_jax import storage

LOGGER = logging.getLogger('alae_jax')

# An object can't grow and is written anew, so another one follows it.
_LARGE_OBJECT = 2 << 20


class Board:
  """Writes an event file of its own in a folder.

  What can't be written is given up with one warning: records are the truth,
  and curves can be drawn from them.
  """

  def __init__(self, folder: epath.Path, images_seen: int):
    """Begins a file.

    Args:
      folder: of the run.
      images_seen: where the run begins or goes on: what earlier files have
        beyond it is not shown.
    """
    self._folder = folder
    self._works = True
    self._begin()
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    self._add(wall_time=time.time(), step=images_seen + 1, session_log=start)

  def add_scalars(self, scalars: dict[str, float], images_seen: int) -> None:
    """Points of curves, by name."""
    self._add_summary(
      [
        summary_pb2.Summary.Value(tag=name, simple_value=value)
        for name, value in scalars.items()
      ],
      images_seen,
    )

  def add_picture(self, name: str, image: np.ndarray, images_seen: int) -> None:
    """A picture uint8 [H, W, C]; C is 1 or 3."""
    height, width, channels = image.shape
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if channels == 1 else image).save(
      buffer, 'PNG'
    )
    picture = summary_pb2.Summary.Image(
      height=height,
      width=width,
      colorspace=channels,
      encoded_image_string=buffer.getvalue(),
    )
    self._add_summary(
      [summary_pb2.Summary.Value(tag=name, image=picture)], images_seen
    )

  def _add_summary(self, values: list, images_seen: int) -> None:
    self._add(
      wall_time=time.time(),
      step=images_seen,
      summary=summary_pb2.Summary(value=values),
    )
    self._flush()

  def _add(self, **fields) -> None:
    RecordWriter(self._events).write(
      event_pb2.Event(**fields).SerializeToString()
    )

  def _flush(self) -> None:
    if not self._works:
      return
    try:
      self._write()
    except Exception as error:  # of a disk or of a bucket
      self._works = False
      LOGGER.warning(
        '%s: %s; no more curves for TensorBoard', self._path, error
      )

  def _begin(self) -> None:
    """A new file; names sort by time."""
    now = time.time()
    name = f'events.out.tfevents.{now:.3f}.{platform.node()}.{os.getpid()}'
    self._path = self._folder / name
    self._events = io.BytesIO()
    self._add(wall_time=now, file_version='brain.Event:2')

  def _write(self) -> None:
    if not storage.is_remote(self._path):
      with self._path.open('ab') as file:
        file.write(self._events.getvalue())
      self._events = io.BytesIO()
      return
    self._path.write_bytes(self._events.getvalue())
    if self._events.tell() > _LARGE_OBJECT:
      self._begin()
