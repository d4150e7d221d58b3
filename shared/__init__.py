"""The domain: voter rolls. Knows SQLAlchemy, knows no orchestrator."""
