"""The door: who is it, may they, and did the request come from a page of ours."""
