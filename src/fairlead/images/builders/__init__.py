"""The programs that make images, behind one Protocol."""
