"""The stores obstore speaks, one module each: which variables configure it, and how it is opened."""
