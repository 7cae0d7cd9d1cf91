"""Metrics on a trained model: functions that see only a Model and images."""
