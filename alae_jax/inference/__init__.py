"""What a user holds: a trained model, and what can be done with it."""
