"""The domain: what campaigns, categories and clicks are, and how SQL keeps them."""

__version__ = "0.1.0"
