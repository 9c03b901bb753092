"""Distillation of an image encoder: another network's maps of photographs, and nothing else."""
