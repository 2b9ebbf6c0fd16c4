"""Schemathesis: requests made from the OpenAPI document, sent to a real server."""
