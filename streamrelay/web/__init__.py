"""The pages that the platform serves."""
