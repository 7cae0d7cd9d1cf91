"""From raw images to datasets: what is made, how, and by many at once."""
