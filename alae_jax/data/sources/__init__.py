"""The forms that raw images come in."""
