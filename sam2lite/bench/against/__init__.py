"""Which of two runtimes is faster on this machine: both in turn, and what came out kept."""
