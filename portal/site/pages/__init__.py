"""Pages about the installation: workers and jobs, the schema, the status."""
