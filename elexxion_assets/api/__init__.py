"""What programs ask over HTTP. Nothing here touches data or knows the orchestrator; imported only to be served."""
