"""What the commands do; one file for each group. Nothing here is imported before its command runs."""
