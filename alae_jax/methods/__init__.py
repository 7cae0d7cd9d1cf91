"""How the four networks are trained: objectives, and the phases they make."""
