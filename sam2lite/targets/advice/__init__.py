"""What a target means for another machine or another target."""
