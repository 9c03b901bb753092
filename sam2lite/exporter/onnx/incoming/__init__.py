"""Files of other tools: brought into one form, and refused for what nothing here can mend."""
