"""What stands in a review beside its findings: checks, action items, files, test plans, evidence, earlier versions."""
