"""Distillation: a student learns a teacher's masks, and where in memory and what it reads."""
