"""What a run is: its schedule, its state, and the folder that holds it."""
