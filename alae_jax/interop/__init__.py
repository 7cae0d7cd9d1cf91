"""Reading and writing the layouts of other implementations."""
