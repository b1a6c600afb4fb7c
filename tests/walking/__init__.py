"""What the access walk walks: every address and operation, as every kind of person, through a prepared world."""
