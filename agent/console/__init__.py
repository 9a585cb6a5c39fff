"""The console: one page of plain HTML that needs no internet and no script."""
