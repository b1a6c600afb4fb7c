"""What the pages of reviews and findings show, a module for each page."""
