"""The MCP endpoint: the tools by which the agent of a running turn speaks to the portal."""
