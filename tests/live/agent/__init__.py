"""Live tests of the agent."""
