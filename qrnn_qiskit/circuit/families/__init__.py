"""Families of cells, one paper's cell per file; the file's name is the family's name."""
